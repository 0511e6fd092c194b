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

var (
	activations = []Precision{FP32, FP16, BF16}
	products    = []Precision{FP32FP32, FP16FP32, BF16FP32, FP16FP16, INT8INT32, FP64FP64}
)

var definitions = []Definition{
	{
		Kernel: FMA, Class: Register, Computes: "x = x·a + b in registers",
		Precisions: []Precision{FP32FP32, FP64FP64, TF32FP32, BF16FP32, FP16FP32, FP16FP16, INT8INT32},
		Convention: "2 FLOP a multiply-add; no memory traffic",
	},
	{
		Kernel: GEMM, Class: Matrix, Computes: "C = A·B, dense, row-major",
		Precisions: []Precision{FP32FP32, FP16FP32, TF32FP32, BF16FP32, FP16FP16, INT8INT32, FP64FP64},
		Convention: "2·m·n·k FLOP; bytes: A, B and C once",
	},
	{
		Kernel: GEMMNT, Class: Matrix, Computes: "C = A·Bᵀ, B stored n x k",
		Precisions: products, Convention: "as gemm",
	},
	{
		Kernel: GEMMTN, Class: Matrix, Computes: "C = Aᵀ·B, A stored k x m",
		Precisions: products, Convention: "as gemm",
	},
	{
		Kernel: GEMMTT, Class: Matrix, Computes: "C = Aᵀ·Bᵀ, A stored k x m, B n x k",
		Precisions: products, Convention: "as gemm",
	},
	{
		Kernel: Batched, Class: Matrix, Computes: "C = A·B of many matrices of one shape",
		Precisions: products, Convention: "as gemm, for each of the batch",
	},
	{
		Kernel: Linear, Class: Matrix, Computes: "y = x·W, the weights packed ahead",
		Precisions: []Precision{FP32FP32, BF16FP32, FP16FP32, INT8INT32, INT8FP32, INT4FP32},
		Convention: "2·m·n·k FLOP; bytes: x, W and y once; int8/fp32 and int4/fp32: a scale of 2 bytes for 32 weights, x and y fp32",
	},
	{
		Kernel: ReLU, Class: Elementwise, Computes: "y = max(x, 0)",
		Precisions: activations, FLOPPerElement: 1, Reads: 1, Writes: 1,
		Convention: "1 FLOP an element (max); bytes: x read and y written once",
	},
	{
		Kernel: Sigmoid, Class: Elementwise, Computes: "y = 1/(1+exp(-x))",
		Precisions: activations, FLOPPerElement: 4, Reads: 1, Writes: 1,
		Convention: "4 FLOP an element (negate, exp, add, divide), whatever the polynomial takes; bytes: x read and y written once",
	},
	{
		Kernel: Tanh, Class: Elementwise, Computes: "y = tanh(x)",
		Precisions: activations, FLOPPerElement: 5, Reads: 1, Writes: 1,
		Convention: "5 FLOP an element ((1-e)/(1+e), e = exp(-2x)); bytes: x read and y written once",
	},
	{
		Kernel: GELU, Class: Elementwise, Computes: "y = x/2·(1+tanh(√(2/π)·(x+0.044715·x³)))",
		Precisions: activations, FLOPPerElement: 13, Reads: 1, Writes: 1,
		Convention: "13 FLOP an element (the cubic 5, tanh 5, three to combine); bytes: x read and y written once",
	},
	{
		Kernel: SiLU, Class: Elementwise, Computes: "y = x/(1+exp(-x))",
		Precisions: activations, FLOPPerElement: 4, Reads: 1, Writes: 1,
		Convention: "4 FLOP an element (negate, exp, add, divide); bytes: x read and y written once",
	},
	{
		Kernel: GELUErf, Class: Elementwise, Computes: "y = x/2·(1+erf(x/√2))",
		Precisions: activations, FLOPPerElement: 5, Reads: 1, Writes: 1,
		Convention: "5 FLOP an element (scale, erf, add, two products); bytes: x read and y written once",
	},
	{
		Kernel: SiLUMul, Class: Elementwise, Computes: "y = g/(1+exp(-g))·u",
		Precisions: activations, FLOPPerElement: 5, Reads: 2, Writes: 1,
		Convention: "5 FLOP an element (silu 4, product); bytes: g and u read and y written once",
	},
	{
		Kernel: ReLUBackward, Class: Elementwise, Computes: "dx = dy where x > 0, else 0",
		Precisions: activations, FLOPPerElement: 1, Reads: 2, Writes: 1,
		Convention: "1 FLOP an element (select); bytes: dy and x read and dx written once",
	},
	{
		Kernel: SigmoidBackward, Class: Elementwise, Computes: "dx = dy·y·(1-y)",
		Precisions: activations, FLOPPerElement: 3, Reads: 2, Writes: 1,
		Convention: "3 FLOP an element; bytes: dy and y read and dx written once",
	},
	{
		Kernel: TanhBackward, Class: Elementwise, Computes: "dx = dy·(1-y²)",
		Precisions: activations, FLOPPerElement: 3, Reads: 2, Writes: 1,
		Convention: "3 FLOP an element; bytes: dy and y read and dx written once",
	},
	{
		Kernel: GELUBackward, Class: Elementwise, Computes: "dx = dy·gelu'(x), gelu in its tanh form",
		Precisions: activations, FLOPPerElement: 20, Reads: 2, Writes: 1,
		Convention: "20 FLOP an element (the tanh 10, its derivative 10); bytes: dy and x read and dx written once",
	},
	{
		Kernel: GELUErfBackward, Class: Elementwise, Computes: "dx = dy·(Φ(x)+x·φ(x))",
		Precisions: activations, FLOPPerElement: 10, Reads: 2, Writes: 1,
		Convention: "10 FLOP an element (Φ 4, φ 3, three to combine); bytes: dy and x read and dx written once",
	},
	{
		Kernel: SiLUBackward, Class: Elementwise, Computes: "dx = dy·σ(x)·(1+x·(1-σ(x)))",
		Precisions: activations, FLOPPerElement: 9, Reads: 2, Writes: 1,
		Convention: "9 FLOP an element (σ 4, five to combine); bytes: dy and x read and dx written once",
	},
	{
		Kernel: SiLUMulBackward, Class: Elementwise, Computes: "dg = dy·u·silu'(g), du = dy·silu(g)",
		Precisions: activations, FLOPPerElement: 12, Reads: 3, Writes: 2,
		Convention: "12 FLOP an element (σ 4, eight to combine); bytes: dy, g and u read, dg and du written once",
	},
	{
		Kernel: AdamW, Class: Elementwise, Computes: "a step of AdamW: p, m and v in fp32, from the gradient g",
		Precisions: activations, FLOPPerElement: 14, Reads: 1, Writes: 0, StateBytes: 24,
		Convention: "14 FLOP an element; bytes: g read, p, m and v (fp32) read and written once; at fp16 and bf16 a copy of p in that storage is written too",
	},
	{
		Kernel: Softmax, Class: Rowwise, Computes: "y = exp(x-max x)/Σexp(x-max x), of each row",
		Precisions: activations, FLOPPerElement: 5, Reads: 1, Writes: 1,
		Convention: "5 FLOP an element (max, subtract, exp, add, multiply); bytes: x read and y written once",
	},
	{
		Kernel: RMSNorm, Class: Rowwise, Computes: "y = g·x/√(mean x²+ε), of each row",
		Precisions: activations, FLOPPerElement: 4, Reads: 1, Writes: 1,
		Convention: "4 FLOP an element (square and add, two products); bytes: x read and y written once, g stays in cache",
	},
	{
		Kernel: LayerNorm, Class: Rowwise, Computes: "y = g·(x-mean x)/√(var x+ε)+b, of each row",
		Precisions: activations, FLOPPerElement: 7, Reads: 1, Writes: 1,
		Convention: "7 FLOP an element (mean 1, variance 3, three to normalise); bytes: x read and y written once, g and b stay in cache",
	},
	{
		Kernel: SoftmaxBackward, Class: Rowwise, Computes: "dx = y·(dy-Σdy·y), of each row",
		Precisions: activations, FLOPPerElement: 4, Reads: 2, Writes: 1,
		Convention: "4 FLOP an element; bytes: dy and y read and dx written once",
	},
	{
		Kernel: RMSNormBackward, Class: Rowwise, Computes: "dx and dg of rmsnorm, dg summed over the rows",
		Precisions: activations, FLOPPerElement: 9, Reads: 2, Writes: 1,
		Convention: "9 FLOP an element; bytes: dy and x read and dx written once, g and dg stay in cache",
	},
	{
		Kernel: LayerNormBackward, Class: Rowwise, Computes: "dx, dg and db of layernorm, dg and db summed over the rows",
		Precisions: activations, FLOPPerElement: 13, Reads: 2, Writes: 1,
		Convention: "13 FLOP an element; bytes: dy and x read and dx written once, g, dg and db stay in cache",
	},
	{
		Kernel: Triad, Class: Bandwidth, Computes: "a = b + s·c",
		Precisions: []Precision{FP64}, FLOPPerElement: 2, Reads: 2, Writes: 1,
		Convention: "STREAM's count: 24 bytes and 2 FLOP an element, write-allocate traffic left out",
	},
	{
		Kernel: Add, Class: Bandwidth, Computes: "a = b + c",
		Precisions: []Precision{FP64}, FLOPPerElement: 1, Reads: 2, Writes: 1,
		Convention: "STREAM's count: 24 bytes and 1 FLOP an element, write-allocate traffic left out",
	},
	{
		Kernel: Scale, Class: Bandwidth, Computes: "a = s·b",
		Precisions: []Precision{FP64}, FLOPPerElement: 1, Reads: 1, Writes: 1,
		Convention: "STREAM's count: 16 bytes and 1 FLOP an element, write-allocate traffic left out",
	},
	{
		Kernel: Copy, Class: Bandwidth, Computes: "a = b",
		Precisions: []Precision{FP64}, FLOPPerElement: 0, Reads: 1, Writes: 1,
		Convention: "STREAM's count: 16 bytes an element, write-allocate traffic left out",
	},
	{
		Kernel: Read, Class: Bandwidth, Computes: "sum of a",
		Precisions: []Precision{FP64}, FLOPPerElement: 0, Reads: 1, Writes: 0,
		Convention: "8 bytes an element, read once",
	},
	{
		Kernel: Write, Class: Bandwidth, Computes: "a = s",
		Precisions: []Precision{FP64}, FLOPPerElement: 0, Reads: 0, Writes: 1,
		Convention: "8 bytes an element, written once, write-allocate traffic left out",
	},
	{
		Kernel: Chase, Class: Latency, Computes: "p = *p around a random cycle of cache lines",
		Precisions: []Precision{FP64}, FLOPPerElement: 0, Reads: 1, Writes: 0,
		Convention: "elements are loads, each of a cache line of its own (64 bytes) and each waiting for the one before: seconds an element is the latency",
	},
	{
		Kernel: HostToDevice, Class: Bandwidth, Computes: "copy from pinned host memory to the device",
		Precisions: []Precision{FP64}, FLOPPerElement: 0, Reads: 1, Writes: 0,
		Convention: "8 bytes an element, once over the bus",
	},
	{
		Kernel: DeviceToHost, Class: Bandwidth, Computes: "copy from the device to pinned host memory",
		Precisions: []Precision{FP64}, FLOPPerElement: 0, Reads: 1, Writes: 0,
		Convention: "8 bytes an element, once over the bus",
	},
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
