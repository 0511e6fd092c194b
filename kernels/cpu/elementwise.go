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
	for i, out := range outputs {
		if len(out) != n {
			panic(fmt.Sprintf("cpu: output %d has %d elements, want %d as output 0 has", i, len(out), n))
		}
		for j, other := range outputs[:i] {
			if start(other) == start(out) && n > 0 || overlapInPart(out, other) {
				panic(fmt.Sprintf("cpu: outputs %d and %d overlap", j, i))
			}
		}
	}
	for i, in := range inputs {
		if len(in) != n {
			panic(fmt.Sprintf("cpu: input %d has %d elements, want %d as the output has", i, len(in), n))
		}
		for j, out := range outputs {
			if overlapInPart(out, in) {
				panic(fmt.Sprintf("cpu: output %d overlaps input %d in part; want the same elements or others", j, i))
			}
		}
	}
	return n
}

func start[T any](s []T) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s))) }

// overlapInPart: of two slices of one length.
func overlapInPart[T any](a, b []T) bool {
	bytes := uintptr(len(a)) * unsafe.Sizeof(*new(T))
	from, to := start(a), start(b)
	return from < to && to-from < bytes || to < from && from-to < bytes
}
