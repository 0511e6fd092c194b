package cpu

import (
	"sync/atomic"
	"unsafe"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels/cpu"
)

// buffers are what a workload has allocated; free gives all of it back at once.
type buffers struct{ frees []func() }

func (b *buffers) free() {
	for _, f := range b.frees {
		f()
	}
	b.frees = nil
}

// input allocates n elements, fills them with the case's data and returns them with the
// period that they repeat.
func input[T bench.Element](w *workload, pool *cpu.Pool, c bench.Case, n int, seed uint64) (data, pattern []T, err error) {
	data, free, err := cpu.Alloc[T](n)
	if err != nil {
		return nil, nil, err
	}
	w.frees = append(w.frees, free)
	pattern = bench.Pattern[T](c.Data, seed, min(n, bench.FillPeriod))
	pool.Run(func(tid int) {
		lo, hi := cpu.Split(n, lineElements[T](), pool.Threads(), tid)
		bench.Tile(data[lo:hi], pattern, lo)
	})
	return data, pattern, nil
}

// output allocates n elements and sets the workload's poison and checksum to work on them.
func output[T bench.Element](w *workload, pool *cpu.Pool, n int) ([]T, error) {
	line := lineElements[T]()
	data, free, err := cpu.Alloc[T]((n + line - 1) / line * line)
	if err != nil {
		return nil, err
	}
	w.frees = append(w.frees, free)
	words := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/line*lineWords)
	w.poison = func() { poison(pool, words) }
	w.checksum = func() uint64 { return checksum(pool, words) }
	return data[:n], nil
}

const (
	lineBytes = 64
	lineWords = lineBytes / 8
)

// lineElements is how many elements fill a cache line.
func lineElements[T bench.Element]() int { return lineBytes / int(unsafe.Sizeof(*new(T))) }

// poison sets all bits, which is a NaN at every precision.
func poison(pool *cpu.Pool, words []uint64) {
	pool.Run(func(tid int) {
		lo, hi := cpu.Split(len(words), lineWords, pool.Threads(), tid)
		for i := range words[lo:hi] {
			words[lo+i] = ^uint64(0)
		}
	})
}

// checksum adds up the FNV-1a hashes (over 64-bit words in place of bytes) of blocks of
// 64 KiB, each begun with the block's number, so that it depends on every bit and its place but not
// on how many threads share the work.
func checksum(pool *cpu.Pool, words []uint64) uint64 {
	const block = 8 << 10
	var sum atomic.Uint64
	blocks := (len(words) + block - 1) / block
	pool.Run(func(tid int) {
		lo, hi := cpu.Split(blocks, 1, pool.Threads(), tid)
		part := uint64(0)
		for b := lo; b < hi; b++ {
			h := hashWord(hashBasis, uint64(b))
			for _, w := range words[b*block : min((b+1)*block, len(words))] {
				h = hashWord(h, w)
			}
			part += h
		}
		sum.Add(part)
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
