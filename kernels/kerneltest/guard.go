// Package kerneltest is what every implementation of a kernel must pass, whatever engine
// runs it: oracles that compute in float64, tolerances, and suites that look for what
// assembly gets wrong — tails, alignments, reads and writes past the operands, special
// values. It knows kernels as functions and no registry; it tests no speed.
package kerneltest

import (
	"bytes"
	"runtime/debug"
	"testing"
	"unsafe"
)

const (
	// line is a cache line, and the width of the widest vector register.
	line = 64

	// longest is the length up to which every length is tested: four times an unrolled
	// block of AVX-512 halves, so that each loop and each tail runs.
	longest = 256
)

// canaries fill a guard band.
var canaries = bytes.Repeat([]byte{0xa5}, line)

// guarded is room for elements at a chosen distance from a cache line's start, with a
// band of canaries, a line wide, on either side.
type guarded[T any] struct {
	room       []byte // starts at a line's start
	start, end int    // of the elements in room
}

// newGuarded makes room for up to n elements at any offset below a line.
func newGuarded[T any](n int) *guarded[T] {
	room := make([]byte, n*size[T]()+4*line)
	return &guarded[T]{room: room[-uintptr(unsafe.Pointer(&room[0]))%line:]}
}

// place returns n elements, offset bytes behind a line's start. All that is in them and in
// the bands is canaries.
func (g *guarded[T]) place(offset, n int) []T {
	g.start = line + offset
	g.end = g.start + n*size[T]()
	fill(g.room[g.start-line : g.end+line])
	return unsafe.Slice((*T)(unsafe.Pointer(&g.room[g.start])), n)
}

// broken says which side's canaries are gone, or "".
func (g *guarded[T]) broken() string {
	switch {
	case !bytes.Equal(g.room[g.start-line:g.start], canaries):
		return "wrote in front of the first element"
	case !bytes.Equal(g.room[g.end:g.end+line], canaries):
		return "wrote behind the last element"
	}
	return ""
}

// fill makes canaries of b.
func fill(b []byte) {
	for len(b) > 0 {
		b = b[copy(b, canaries):]
	}
}

// raw is the memory of s.
func raw[T any](s []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*size[T]())
}

func size[T any]() int {
	var zero T
	return int(unsafe.Sizeof(zero))
}

// noFault runs f and fails the test where f touches memory that it may not.
func noFault(t testing.TB, f func()) {
	t.Helper()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		t.Helper()
		if r := recover(); r != nil {
			t.Fatalf("touched memory outside the operands, or operands as if they were aligned: %v", r)
		}
	}()
	f()
}
