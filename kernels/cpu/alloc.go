package cpu

import (
	"fmt"
	"math"
	"unsafe"
)

// hugePage is the size of a large page on amd64, and on arm64 with 4 KiB base pages.
const hugePage = 2 << 20

// Alloc returns n zeroed elements that begin on a page, outside the Go heap where the
// system allows it (Linux), with huge pages advised for blocks that are worth one: on 4 KiB pages
// TLB misses take up to a tenth of a large GEMM. T must hold no pointers: the garbage collector does not
// look here. free gives the memory back; data must not be used after it. The error says how much was asked for.
func Alloc[T any](n int) (data []T, free func(), err error) { return alloc[T](n, true) }

// AllocSmallPages is Alloc with the system's base pages alone, as a program that advises nothing gets them.
func AllocSmallPages[T any](n int) (data []T, free func(), err error) { return alloc[T](n, false) }

func alloc[T any](n int, huge bool) (data []T, free func(), err error) {
	size := int(unsafe.Sizeof(*new(T)))
	if n < 0 || size > 0 && n > (math.MaxInt-2*hugePage)/size {
		return nil, nil, fmt.Errorf("cannot allocate %d elements of %d bytes: the count must be positive and its bytes fit in an int", n, size)
	}
	if n*size == 0 {
		return make([]T, n), func() {}, nil
	}
	block, free, err := mapPages(n*size, huge)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot allocate %d bytes: %w", n*size, err)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(block))), n), free, nil
}
