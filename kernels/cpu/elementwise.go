package cpu

import (
	"fmt"
	"unsafe"
)

// ElementwiseFunc computes one or two outputs from one to three inputs, element by element: those and in the order of
// the kernel's formula, kernels.Definition.Writes and Reads of them. All have one length. An output may be the
// same slice as any input, but no output overlaps another operand in part; a breach of either panics.
type ElementwiseFunc[T Float] func(outputs, inputs [][]T)

// length is how many elements operands have. It panics where they are of different counts, or where an output overlaps
// an operand that does not begin where it begins.
func length[T any](outputs, inputs [][]T) int {
	n := len(outputs[0])
	bytes := uintptr(n) * unsafe.Sizeof(*new(T))
	for i, out := range outputs {
		if len(out) != n || i > 0 && n > 0 && (between(out, outputs[0]) == 0 || overlap(between(out, outputs[0]), bytes)) {
			panic(fmt.Sprintf("cpu: output %d has %d elements and output 0 %d: want as many, and others", i, len(out), n))
		}
		for j, in := range inputs {
			if len(in) != n || overlap(between(in, out), bytes) {
				panic(fmt.Sprintf("cpu: input %d has %d elements and output %d %d: want as many, and the same or others", j, len(in), i, n))
			}
		}
	}
	return n
}

// between is how many bytes lie from the start of b to that of a.
func between[T any](a, b []T) uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(a))) - uintptr(unsafe.Pointer(unsafe.SliceData(b)))
}

// overlap: of two operands of so many bytes that begin so far apart, but not at one place.
func overlap(apart, bytes uintptr) bool { return apart != 0 && (apart < bytes || -apart < bytes) }
