// Package kernels says what realflops measures: the kernels by name, the
// precisions they run at, and the arithmetic and traffic that a shape stands for.
// It holds no implementation (see kernels/cpu) and times nothing (see bench);
// it imports nothing of this module.
package kernels

import (
	"fmt"
	"strings"
)

// Kernel is the name of a measured workload.
type Kernel string

// The kernels. Shapes, FLOP and bytes of each are in its [Definition].
const (
	FMA     Kernel = "fma"          // multiply-adds in registers: the issue limit
	GEMM    Kernel = "gemm"         // C = A·B, row-major
	GEMMNT  Kernel = "gemm-nt"      // C = A·Bᵀ
	GEMMTN  Kernel = "gemm-tn"      // C = Aᵀ·B
	GEMMTT  Kernel = "gemm-tt"      // C = Aᵀ·Bᵀ
	Batched Kernel = "gemm-batched" // C = A·B of many independent matrices
	Linear  Kernel = "linear"       // y = x·W, the weights W packed ahead
	ReLU    Kernel = "relu"         // y = max(x, 0)
	Sigmoid Kernel = "sigmoid"      // y = 1 / (1 + exp(-x))
	Tanh    Kernel = "tanh"         // y = tanh(x)
	GELU    Kernel = "gelu"         // y = x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
	SiLU    Kernel = "silu"         // y = x / (1 + exp(-x))
	GELUErf Kernel = "gelu-erf"     // y = x/2·(1 + erf(x/√2))
	SiLUMul Kernel = "silu-mul"     // y = silu(g)·u, the gate of a SwiGLU layer
	Triad   Kernel = "triad"        // a = b + s·c
	Add     Kernel = "add"          // a = b + c
	Scale   Kernel = "scale"        // a = s·b
	Copy    Kernel = "copy"         // a = b
	Read    Kernel = "read"         // a is read, and summed
	Write   Kernel = "write"        // a = s
	Chase   Kernel = "chase"        // p = *p: each load waits for the one before

	ReLUBackward    Kernel = "relu-backward"     // dx = dy where x > 0, else 0
	SigmoidBackward Kernel = "sigmoid-backward"  // dx = dy·y·(1 - y)
	TanhBackward    Kernel = "tanh-backward"     // dx = dy·(1 - y²)
	GELUBackward    Kernel = "gelu-backward"     // dx = dy·gelu'(x), of the tanh form
	GELUErfBackward Kernel = "gelu-erf-backward" // dx = dy·(Φ(x) + x·φ(x))
	SiLUBackward    Kernel = "silu-backward"     // dx = dy·σ(x)·(1 + x·(1 - σ(x)))
	SiLUMulBackward Kernel = "silu-mul-backward" // dg = dy·u·silu'(g), du = dy·silu(g)
	AdamW           Kernel = "adamw"             // a step of the optimizer

	Softmax   Kernel = "softmax"   // y = exp(x - max x) / Σ exp(x - max x), of each row
	RMSNorm   Kernel = "rmsnorm"   // y = g·x / √(mean x² + ε), of each row
	LayerNorm Kernel = "layernorm" // y = g·(x - mean x) / √(var x + ε) + b, of each row

	SoftmaxBackward   Kernel = "softmax-backward"   // dx = y·(dy - Σ dy·y)
	RMSNormBackward   Kernel = "rmsnorm-backward"   // dx and dg of rmsnorm
	LayerNormBackward Kernel = "layernorm-backward" // dx, dg and db of layernorm

	HostToDevice Kernel = "h2d" // a on the host is copied to the device
	DeviceToHost Kernel = "d2h" // a on the device is copied to the host
)

// Precision names how operands are stored and, after a slash, how they are
// accumulated: "fp16/fp32" for gemm and fma, "fp16" for the kernels that
// accumulate nothing.
type Precision string

// The precisions that some kernel of this module runs at.
const (
	FP64 Precision = "fp64"
	FP32 Precision = "fp32"
	TF32 Precision = "tf32" // fp32 in memory, of which a tensor core takes the upper 19 bits
	BF16 Precision = "bf16"
	FP16 Precision = "fp16"
	INT8 Precision = "int8"
	INT4 Precision = "int4" // two in a byte

	FP64FP64  Precision = "fp64/fp64"
	FP32FP32  Precision = "fp32/fp32"
	TF32FP32  Precision = "tf32/fp32"
	BF16FP32  Precision = "bf16/fp32"
	FP16FP32  Precision = "fp16/fp32"
	FP16FP16  Precision = "fp16/fp16"
	INT8INT32 Precision = "int8/int32"

	// Of linear: weights quantised in groups of [QuantGroup], each with a scale of its own, and
	// everything else in fp32.
	INT8FP32 Precision = "int8/fp32"
	INT4FP32 Precision = "int4/fp32"
)

// QuantGroup is how many weights, one after the other along k, share a scale (an fp16).
const QuantGroup = 32

// Storage is the part of p that says how operands lie in memory: fp16 for fp16/fp32.
func (p Precision) Storage() Precision {
	s, _, _ := strings.Cut(string(p), "/")
	return Precision(s)
}

// Bytes is the size of one stored operand, in bytes; 0 if p is unknown, and for int4, of which
// two share a byte (see [Precision.WeightBytes]).
func (p Precision) Bytes() int {
	switch p.Storage() {
	case FP64:
		return 8
	case FP32, TF32:
		return 4
	case FP16, BF16:
		return 2
	case INT8:
		return 1
	}
	return 0
}

// WeightBytes is the size of one weight of linear, its share of a group's scale included.
func (p Precision) WeightBytes() float64 {
	const scale = 2.0 / QuantGroup
	switch p {
	case INT8FP32:
		return 1 + scale
	case INT4FP32:
		return 0.5 + scale
	}
	return float64(p.Bytes())
}

// ActivationBytes is the size of one element of linear's x: what the weights are stored as, and
// fp32 where those are quantised.
func (p Precision) ActivationBytes() int {
	if p == INT8FP32 || p == INT4FP32 {
		return 4
	}
	return p.Bytes()
}

// OutBytes is the size of one element of C of a product: of the accumulator.
func (p Precision) OutBytes() int {
	switch _, accumulator, _ := strings.Cut(string(p), "/"); accumulator {
	case "fp64":
		return 8
	case "fp16":
		return 2
	}
	return 4
}

// Class groups kernels by the form of their shape and by what a profile makes of them.
type Class string

// The classes.
const (
	Register    Class = "register"    // shape N: multiply-adds a thread, no memory
	Matrix      Class = "matrix"      // shape MxNxK, or BxMxNxK of gemm-batched
	Elementwise Class = "elementwise" // shape N: elements
	Rowwise     Class = "rowwise"     // shape MxN: rows of N elements, each row by itself
	Bandwidth   Class = "bandwidth"   // shape N: elements
	Latency     Class = "latency"     // shape N: cache lines of 64 bytes
)

// Definition is all that is known of a kernel apart from its implementations.
type Definition struct {
	Kernel     Kernel
	Class      Class
	Computes   string      // one line, as in a table of kernels
	Precisions []Precision // of all devices together; the first is the default

	// Of the classes Elementwise, Rowwise and Bandwidth, for one element of the shape:
	FLOPPerElement float64 // counting convention: Convention
	Reads, Writes  int     // operands that must cross memory (or the bus), each counted once
	StateBytes     int     // beside them, of operands that are fp32 at every precision

	Convention string // how FLOP and bytes are counted
}

// All lists every kernel, in the order in which they are shown.
func All() []Definition { return definitions }

// Lookup finds a kernel by name. The error names the nearest kernel there is.
func Lookup(name string) (Definition, error) {
	names := make([]string, len(definitions))
	for i, d := range definitions {
		if string(d.Kernel) == name {
			return d, nil
		}
		names[i] = string(d.Kernel)
	}
	return Definition{}, Unknown("kernel", name, names)
}

// Precision finds one of d's precisions by name; the error names those it has.
func (d Definition) Precision(name string) (Precision, error) {
	names := make([]string, len(d.Precisions))
	for i, p := range d.Precisions {
		if string(p) == name {
			return p, nil
		}
		names[i] = string(p)
	}
	return "", fmt.Errorf("precision for %s: %w", d.Kernel, Unknown("precision", name, names))
}

// Spec is a kernel at a precision and a shape: one piece of work whose FLOP and
// bytes are known before it runs.
type Spec struct {
	Kernel    Kernel
	Precision Precision
	Shape     Shape
}

// String is the spec as a table or a log line shows it: "gemm fp32/fp32 1024x1024x1024".
func (s Spec) String() string {
	return fmt.Sprintf("%s %s %s", s.Kernel, s.Precision, s.Shape)
}

func (s Spec) definition() Definition {
	for _, d := range definitions {
		if d.Kernel == s.Kernel {
			return d
		}
	}
	return Definition{}
}

// FLOP is the count of floating-point operations of one pass, by the kernel's
// convention. For fma it is that of one thread.
func (s Spec) FLOP() float64 {
	m, n, k := float64(s.Shape.M), float64(s.Shape.N), float64(s.Shape.K)
	switch d := s.definition(); d.Class {
	case Register:
		return 2 * n
	case Matrix:
		return 2 * s.Shape.batch() * m * n * k
	default:
		return d.FLOPPerElement * s.Elements()
	}
}

// Elements is the count of elements that one pass produces, or 0 where the word
// has no meaning (fma, gemm).
func (s Spec) Elements() float64 {
	switch s.definition().Class {
	case Elementwise, Bandwidth, Latency:
		return float64(s.Shape.N)
	case Rowwise:
		return float64(s.Shape.M) * float64(s.Shape.N)
	}
	return 0
}

// Bytes is the traffic of one pass that no implementation can avoid: each operand
// once. A product's C is stored as it is accumulated.
func (s Spec) Bytes() float64 {
	m, n, k := float64(s.Shape.M), float64(s.Shape.N), float64(s.Shape.K)
	b, c := float64(s.Precision.Bytes()), float64(s.Precision.OutBytes())
	switch d := s.definition(); {
	case d.Class == Register:
		return 0
	case d.Kernel == Linear:
		return float64(s.Precision.ActivationBytes())*m*k + s.Precision.WeightBytes()*k*n + c*m*n
	case d.Class == Matrix:
		return s.Shape.batch() * (b*(m*k+k*n) + c*m*n)
	case d.Class == Latency:
		return cacheLine * n
	case d.Kernel == AdamW && s.Precision.Storage() != FP32:
		return (2*b + float64(d.StateBytes)) * n // g, and the copy of p
	default:
		return (float64(d.Reads+d.Writes)*b + float64(d.StateBytes)) * s.Elements()
	}
}

// cacheLine is 64 bytes on every CPU that this module has kernels for.
const cacheLine = 64

// Check reports what makes s impossible to run: an unknown kernel or precision, or
// a shape that is not positive or overflows.
func (s Spec) Check() error {
	d, err := Lookup(string(s.Kernel))
	if err != nil {
		return err
	}
	if _, err := d.Precision(string(s.Precision)); err != nil {
		return err
	}
	return s.Shape.check(d)
}
