package cpu

import (
	"math/rand/v2"
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

// Line is a cache line that holds the address of another.
type Line struct {
	Next *Line
	_    [56]byte
}

// Chase is a walk through memory in which each load waits for the one before.
type Chase struct {
	// HugePages says what the lines lie on: on pages of 2 MiB, where the system gives them, a walk seldom misses the
	// TLB, and the figure is the latency of the cache or the memory; on pages of 4 KiB it is that of a
	// program that asks for nothing, page walks included.
	HugePages bool

	// Walk goes so many lines on from at and returns where it is then.
	Walk func(at *Line, loads int) *Line
}

func init() {
	register(
		Impl{Kernel: kernels.Chase, Precision: kernels.FP64, Engine: Go, Func: &Chase{HugePages: true, Walk: walk}},
		Impl{Kernel: kernels.Chase, Precision: kernels.FP64, Engine: Go4K, Func: &Chase{Walk: walk}},
	)
}

// walk is plain Go everywhere: a step is one load, and what else the loop does goes on beside it.
func walk(at *Line, loads int) *Line {
	for ; loads >= 8; loads -= 8 {
		at = at.Next.Next.Next.Next.Next.Next.Next.Next
	}
	for ; loads > 0; loads-- {
		at = at.Next
	}
	return at
}

// Cycle allocates n lines, at least one, and links them to a single cycle, each of those there are being equally likely (S.
// Sattolo, "An algorithm to generate a random cyclic permutation", Information Processing Letters 22(6), 1986): no
// prefetcher foresees the next line. free gives them back.
func (c *Chase) Cycle(n int, seed uint64) (lines []Line, free func(), err error) {
	// The lines point at each other alone, and nothing else keeps them: that the garbage collector
	// does not look at them does no harm.
	if lines, free, err = alloc[Line](n, c.HugePages); err == nil {
		link(lines, seed)
	}
	return lines, free, err
}

// CycleOn is [Chase.Cycle] with every line on one memory node, as [AllocOn] places them.
func (c *Chase) CycleOn(node, n int, seed uint64) (lines []Line, free func(), err error) {
	if lines, free, err = allocOn[Line](node, n, c.HugePages); err == nil {
		link(lines, seed)
	}
	return lines, free, err
}

func link(lines []Line, seed uint64) {
	n := len(lines)
	next := make([]uint32, n)
	for i := range next {
		next[i] = uint32(i)
	}
	random := rand.New(rand.NewPCG(seed, 3))
	for i := n - 1; i > 0; i-- {
		j := random.IntN(i)
		next[i], next[j] = next[j], next[i]
	}
	for i, j := range next {
		lines[i].Next = &lines[j]
	}
}

// CycleLength is how many lines a walk from the first goes through before it is there again; it is at most one more
// than there are.
func CycleLength(lines []Line) int {
	length := 1
	for at := lines[0].Next; at != &lines[0] && length <= len(lines); at = at.Next {
		length++
	}
	return length
}

// LineIndex is which of lines at is.
func LineIndex(lines []Line, at *Line) int {
	return int((uintptr(unsafe.Pointer(at)) - uintptr(unsafe.Pointer(&lines[0]))) / unsafe.Sizeof(*at))
}
