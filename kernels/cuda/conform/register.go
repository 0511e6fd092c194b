package conform

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

var fmaChecks = []check{
	{"every thread's chains count its multiply-adds", fmaCounts},
	{"the chains multiply and add what they are given", fmaDepends},
}

// fmaCounts goes past what an fp16 sum can hold, which kernels must empty in time. That is 2048 where
// ones are added; a matrix instruction adds 16 (from compute capability 8.0 on), 8 or 4 at once,
// which is exact up to 2048 times as much, and an iteration has 16 for a sum.
func fmaCounts(s *subject) error {
	iterations := []int{1, 2, 3, 7, 64}
	if s.thin {
		iterations = []int{1, 3, 20}
	}
	if s.entry.Precision == kernels.FP16FP16 {
		long := 2100
		switch {
		case s.entry.Engine == cuda.SIMT:
			long = 150
		case s.entry.MinArch < 80:
			long = 1100
		}
		iterations = append(iterations, long)
	}
	for _, n := range iterations {
		if err := s.fma(n, uint64(n*s.entry.MultiplyAdds()), 1); err != nil {
			return err
		}
	}
	return nil
}

// fmaDepends has chains x = x·0 + 0, which count nothing: a kernel that counts its loop's
// passes instead shows here.
func fmaDepends(s *subject) error { return s.fma(3, 0, 0) }

// fma runs iterations with the factor one on 1 and on 3 multiprocessors, or if there are many on one
// block, since more would show nothing new.
func (s *subject) fma(iterations int, want, one uint64) error {
	grids := []int{s.entry.BlocksPerSM, 3 * s.entry.BlocksPerSM}
	if iterations > 8 {
		grids = []int{1}
	}
	for _, blocks := range grids {
		threads := blocks * s.entry.Block
		shape := kernels.Shape{N: iterations * s.entry.MultiplyAdds()}
		out, err := s.launchAs(shape, 1, []*operand{result(8 * threads)}, nil, func(l *cuda.Launch) {
			l.Grid, l.Params[2] = blocks, one
		})
		if err != nil {
			return err
		}
		for i := range threads {
			if got := fp64.at(out, i); got != want {
				return fmt.Errorf("%d iterations of x·%d + %d: thread %d of %d counts %d, want %d", iterations, one, one, i, threads, got, want)
			}
		}
	}
	return nil
}

var bandwidthChecks = map[kernels.Kernel][]check{
	kernels.Copy: {{"every bit is kept", func(s *subject) error {
		return s.bandwidth(1, func(words []uint64) uint64 { return words[0] })
	}}},
	kernels.Triad: {{"a = b + 3·c is rounded once", func(s *subject) error {
		return s.bandwidth(2, func(words []uint64) uint64 {
			return math.Float64bits(math.FMA(3, math.Float64frombits(words[1]), math.Float64frombits(words[0])))
		})
	}}},
	kernels.Read: {{"every block sums its chunk", readSums}},
}

// doubles are n float64: special values, and random ones of many magnitudes between them.
func doubles(n int, seed uint64) []byte {
	special := specials(fp64)
	r := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, 8*n)
	for i := range n {
		if i%5 == 0 {
			fp64.put(b, i, special[r.IntN(len(special))])
		} else {
			fp64.put(b, i, math.Float64bits(r.NormFloat64()*math.Exp(8*r.NormFloat64())))
		}
	}
	return b
}

// bandwidth compares each element with f of the sources' bits; a NaN that f computes equals any.
func (s *subject) bandwidth(sources int, f func(words []uint64) uint64) error {
	for _, n := range append(lengths(s.entry.Chunk, s.entry.Block, s.thin), 5*s.entry.Chunk+3) {
		operands := []*operand{result(8 * n)}
		for i := range sources {
			operands = append(operands, input(doubles(n, uint64(n+i))))
		}
		got, err := s.launch(kernels.Shape{N: n}, 0, operands)
		if err != nil {
			return err
		}
		words := make([]uint64, sources)
		for i := range n {
			for j := range words {
				words[j] = fp64.at(operands[1+j].data, i)
			}
			x, want := fp64.at(got, i), f(words)
			bothNaN := sources > 1 && math.IsNaN(math.Float64frombits(x)) && math.IsNaN(math.Float64frombits(want))
			if x != want && !bothNaN {
				return fmt.Errorf("%d elements: element %d of %#x is %#x, want %#x", n, i, words, x, want)
			}
		}
	}
	return nil
}

func readSums(s *subject) error {
	chunk := s.entry.Chunk
	for _, n := range append(lengths(chunk, s.entry.Block, s.thin), 5*chunk+3) {
		blocks := (n + chunk - 1) / chunk
		x := doubles(n, uint64(n))
		got, err := s.launch(kernels.Shape{N: n}, 0, []*operand{result(8 * blocks), input(x)})
		if err != nil {
			return err
		}
		for block := range blocks {
			want := uint64(0)
			for i := block * chunk; i < min(block*chunk+chunk, n); i++ {
				want += fp64.at(x, i)
			}
			if sum := fp64.at(got, block); sum != want {
				return fmt.Errorf("%d elements: block %d sums to %#x, want %#x", n, block, sum, want)
			}
		}
	}
	return nil
}
