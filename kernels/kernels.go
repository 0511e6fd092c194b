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
	FMA     Kernel = "fma"     // multiply-adds in registers: the issue limit
	GEMM    Kernel = "gemm"    // C = A·B, row-major
	ReLU    Kernel = "relu"    // y = max(x, 0)
	Sigmoid Kernel = "sigmoid" // y = 1 / (1 + exp(-x))
	Tanh    Kernel = "tanh"    // y = tanh(x)
	GELU    Kernel = "gelu"    // y = x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
	SiLU    Kernel = "silu"    // y = x / (1 + exp(-x))
	Triad   Kernel = "triad"   // a = b + s·c
	Copy    Kernel = "copy"    // a = b
	Read    Kernel = "read"    // a is read, and summed

	ReLUBackward    Kernel = "relu-backward"    // dx = dy where x > 0, else 0
	SigmoidBackward Kernel = "sigmoid-backward" // dx = dy·y·(1 - y)

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

	FP64FP64  Precision = "fp64/fp64"
	FP32FP32  Precision = "fp32/fp32"
	TF32FP32  Precision = "tf32/fp32"
	BF16FP32  Precision = "bf16/fp32"
	FP16FP32  Precision = "fp16/fp32"
	FP16FP16  Precision = "fp16/fp16"
	INT8INT32 Precision = "int8/int32"
)

// Storage is the part of p that says how operands lie in memory: fp16 for fp16/fp32.
func (p Precision) Storage() Precision {
	s, _, _ := strings.Cut(string(p), "/")
	return Precision(s)
}

// Bytes is the size of one stored operand, in bytes; 0 if p is unknown.
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

// Class groups kernels by the form of their shape and by what a profile makes of them.
type Class string

// The classes.
const (
	Register    Class = "register"    // shape N: multiply-adds a thread, no memory
	Matrix      Class = "matrix"      // shape MxNxK
	Elementwise Class = "elementwise" // shape N: elements
	Bandwidth   Class = "bandwidth"   // shape N: elements
)

// Definition is all that is known of a kernel apart from its implementations.
type Definition struct {
	Kernel     Kernel
	Class      Class
	Computes   string      // one line, as in a table of kernels
	Precisions []Precision // of all devices together; the first is the default

	// Of the classes Elementwise and Bandwidth, for one element of the shape:
	FLOPPerElement float64 // counting convention: Convention
	Reads, Writes  int     // operands that must cross memory (or the bus), each counted once

	Convention string // how FLOP and bytes are counted
}

var activations = []Precision{FP32, FP16, BF16}

var definitions = []Definition{
	{
		Kernel: FMA, Class: Register, Computes: "x = x·a + b in registers",
		Precisions: []Precision{FP32FP32, FP64FP64, TF32FP32, BF16FP32, FP16FP32, FP16FP16, INT8INT32},
		Convention: "2 FLOP a multiply-add; no memory traffic",
	},
	{
		Kernel: GEMM, Class: Matrix, Computes: "C = A·B, dense, row-major",
		Precisions: []Precision{FP32FP32, FP16FP32, TF32FP32, BF16FP32, FP16FP16, INT8INT32},
		Convention: "2·m·n·k FLOP; bytes: A, B and C once",
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
		Kernel: Triad, Class: Bandwidth, Computes: "a = b + s·c",
		Precisions: []Precision{FP64}, FLOPPerElement: 2, Reads: 2, Writes: 1,
		Convention: "STREAM's count: 24 bytes and 2 FLOP an element, write-allocate traffic left out",
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
		return 2 * m * n * k
	default:
		return d.FLOPPerElement * n
	}
}

// Elements is the count of elements that one pass produces, or 0 where the word
// has no meaning (fma, gemm).
func (s Spec) Elements() float64 {
	switch s.definition().Class {
	case Elementwise, Bandwidth:
		return float64(s.Shape.N)
	}
	return 0
}

// Bytes is the traffic of one pass that no implementation can avoid: each operand
// once. Accumulators (gemm's C) are fp32.
func (s Spec) Bytes() float64 {
	m, n, k := float64(s.Shape.M), float64(s.Shape.N), float64(s.Shape.K)
	b := float64(s.Precision.Bytes())
	switch d := s.definition(); d.Class {
	case Register:
		return 0
	case Matrix:
		return b*(m*k+k*n) + 4*m*n
	default:
		return float64(d.Reads+d.Writes) * b * n
	}
}

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
