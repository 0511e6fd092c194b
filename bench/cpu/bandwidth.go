package cpu

import (
	"fmt"
	"math"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels/cpu"
)

// streamScalar is the s of scale, triad and write, as in STREAM.
const streamScalar = 3

// stream is a bandwidth kernel with an output: how many inputs it has, what it does, and what an element of the
// output must be for those of the inputs, exactly: every kernel rounds once.
type stream struct {
	inputs int
	run    func(dst []float64, src [2][]float64)
	want   func(x [2]float64) float64
}

func streamOf(f any) stream {
	switch f := f.(type) {
	case cpu.WriteFunc:
		return stream{0, func(dst []float64, _ [2][]float64) { f(dst, streamScalar) }, func([2]float64) float64 { return streamScalar }}
	case cpu.CopyFunc:
		return stream{1, func(dst []float64, src [2][]float64) { f(dst, src[0]) }, func(x [2]float64) float64 { return x[0] }}
	case cpu.ScaleFunc:
		return stream{1, func(dst []float64, src [2][]float64) { f(dst, src[0], streamScalar) }, func(x [2]float64) float64 { return streamScalar * x[0] }}
	case cpu.AddFunc:
		return stream{2, func(dst []float64, src [2][]float64) { f(dst, src[0], src[1]) }, func(x [2]float64) float64 { return x[0] + x[1] }}
	case cpu.TriadFunc:
		return stream{2, func(dst []float64, src [2][]float64) { f(dst, src[0], src[1], streamScalar) }, func(x [2]float64) float64 { return math.FMA(streamScalar, x[1], x[0]) }}
	}
	panic(fmt.Sprintf("%T is no kernel with an output", f)) // workload.bind knows them all
}

// streamPasses calls f for each piece, of at most chunk elements, of each thread's share of n at multiples of align, so many
// times over; each thread goes on without waiting for the others.
func streamPasses(pool *cpu.Pool, n, align, passes int, f func(tid, lo, hi int)) {
	pool.Run(func(tid int) {
		lo, hi := cpu.Split(n, align, pool.Threads(), tid)
		for range passes {
			for at := lo; at < hi; at += chunk {
				if pool.Stopped() {
					return
				}
				f(tid, at, min(at+chunk, hi))
			}
		}
	})
}

func bindStream(w *workload, c bench.Case, pool *cpu.Pool, s stream) error {
	n := c.Shape.N
	out, err := output[float64](w, pool, n)
	if err != nil {
		return err
	}
	var in [2][]float64
	patterns := [2][]float64{{0}, {0}}
	for i := range s.inputs {
		if in[i], patterns[i], err = input[float64](w, pool, c, n, c.Seed+uint64(i)); err != nil {
			return err
		}
	}
	w.run = func(passes int) {
		streamPasses(pool, n, lineWords, passes, func(_, lo, hi int) {
			src := in
			for i := range s.inputs {
				src[i] = in[i][lo:hi]
			}
			s.run(out[lo:hi], src)
		})
	}
	w.verify = func() error {
		return firstError(pool, n, func(lo, hi int) error {
			for i, got := range out[lo:hi] {
				i += lo
				want := s.want([2]float64{patterns[0][i%len(patterns[0])], patterns[1][i%len(patterns[1])]})
				if got != want {
					return fmt.Errorf("element %d of %d is %v, want %v", i, n, got, want)
				}
			}
			return nil
		})
	}
	return nil
}

// padded is a word that one thread writes, on cache lines of its own.
type padded struct {
	word uint64
	_    [120]byte
}

// bindRead: each thread sums the bits of its share, pass after pass, and the sums must add up to
// that of the data.
func bindRead(w *workload, c bench.Case, pool *cpu.Pool, f cpu.ReadFunc) error {
	n := c.Shape.N
	data, pattern, err := input[float64](w, pool, c, n, c.Seed)
	if err != nil {
		return err
	}
	var want uint64
	for i, x := range pattern {
		times := (n - i + len(pattern) - 1) / len(pattern)
		want += uint64(times) * math.Float64bits(x)
	}
	sums := make([]padded, pool.Threads())
	total := func() (sum uint64) {
		for i := range sums {
			sum += sums[i].word
		}
		return sum
	}
	w.run = func(passes int) {
		streamPasses(pool, n, lineWords, passes, func(tid, lo, hi int) {
			if first, _ := cpu.Split(n, lineWords, pool.Threads(), tid); lo == first {
				sums[tid].word = 0 // of the pass before
			}
			sums[tid].word += f(data[lo:hi])
		})
	}
	w.poison = func() {
		for i := range sums {
			lo, hi := cpu.Split(n, lineWords, pool.Threads(), i)
			sums[i].word = uint64(hi - lo) // 0 where a thread has nothing to read
		}
	}
	w.verify = func() error {
		if got := total(); got != want {
			return fmt.Errorf("the sum of the bits of %d elements is %#x, want %#x", n, got, want)
		}
		return nil
	}
	w.checksum = func() uint64 { return hashWord(hashBasis, total()) }
	return nil
}
