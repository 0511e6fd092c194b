package cpu

import (
	"sync/atomic"
	"unsafe"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels/cpu"
)

// buffers are what a workload has allocated; free gives all of it back at once.
type buffers struct {
	frees []func()
	node  *int // the memory node that all of it is on; nil where the threads that first touch it are
}

// allocate takes n elements.
func allocate[T any](b *buffers, n int) ([]T, error) {
	alloc := cpu.Alloc[T]
	if b.node != nil {
		alloc = func(n int) ([]T, func(), error) { return cpu.AllocOn[T](*b.node, n) }
	}
	data, free, err := alloc(n)
	if err != nil {
		return nil, err
	}
	b.frees = append(b.frees, free)
	return data, nil
}

func (b *buffers) free() {
	for _, f := range b.frees {
		f()
	}
	b.frees = nil
}

// input allocates n elements, fills them with the case's data and returns them with the
// period that they repeat.
func input[T bench.Element](w *workload, pool *cpu.Pool, c bench.Case, n int, seed uint64) (data, pattern []T, err error) {
	if data, err = allocate[T](&w.buffers, n); err != nil {
		return nil, nil, err
	}
	pattern = bench.Pattern[T](c.Data, seed, min(n, bench.FillPeriod))
	share(pool, n, lineElements[T](), func(_, lo, hi int) { bench.Tile(data[lo:hi], pattern, lo) })
	return data, pattern, nil
}

// output allocates n elements and sets the workload's poison and checksum to work on them.
func output[T any](w *workload, pool *cpu.Pool, n int) ([]T, error) {
	line := lineElements[T]()
	data, err := allocate[T](&w.buffers, (n+line-1)/line*line)
	if err != nil {
		return nil, err
	}
	words := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/line*lineWords)
	w.poison = func() { poison(pool, words) }
	w.checksum = func() uint64 { return checksum(pool, words) }
	return data[:n], nil
}

// piece is how much of its share a thread works on before it asks whether to stop.
const piece = 1 << 20

// share divides [0, n) over the pool's threads at multiples of align, a divisor of piece, and calls f
// for one piece after the other of each share, until the pool is stopped.
func share(pool *cpu.Pool, n, align int, f func(tid, lo, hi int)) {
	pool.Run(func(tid int) {
		lo, hi := cpu.Split(n, align, pool.Threads(), tid)
		for ; lo < hi && !pool.Stopped(); lo += piece {
			f(tid, lo, min(lo+piece, hi))
		}
	})
}

const (
	lineBytes = 64
	lineWords = lineBytes / 8
)

// lineElements is how many elements fill a cache line.
func lineElements[T any]() int { return lineBytes / int(unsafe.Sizeof(*new(T))) }

// poison sets all bits, which is a NaN at every precision.
func poison(pool *cpu.Pool, words []uint64) {
	share(pool, len(words), lineWords, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			words[i] = ^uint64(0)
		}
	})
}

// checksum adds up the FNV-1a hashes (over 64-bit words in place of bytes) of blocks of
// 64 KiB, each begun with the block's number, so that it depends on every bit and its place but not
// on how many threads share the work.
func checksum(pool *cpu.Pool, words []uint64) uint64 {
	const block = 8 << 10
	var sum atomic.Uint64
	share(pool, len(words), block, func(_, lo, hi int) {
		for ; lo < hi; lo += block {
			h := hashWord(hashBasis, uint64(lo/block))
			for _, w := range words[lo:min(lo+block, hi)] {
				h = hashWord(h, w)
			}
			sum.Add(h)
		}
	})
	return sum.Load()
}

// FNV-1a's 64-bit parameters.
const (
	hashBasis = 0xcbf29ce484222325
	hashPrime = 0x100000001b3
)

// hashWord is one step of the hash: a bijection of h for each w and of w for each h, so that
// one changed word always changes the hash.
func hashWord(h, w uint64) uint64 { return (h ^ w) * hashPrime }
