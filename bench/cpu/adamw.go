package cpu

import (
	"fmt"
	"math"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// adamWNumber is the number of the step that is made again and again.
const adamWNumber = 1000

// bindAdamW: each pass is a step from where the last one left the parameters and their moments, with the same gradient:
// nothing is set back in time that is measured. Poison sets them back. The first pass after it is held to the twin as
// a whole; after more, samples are held bit for bit to as many steps of the same engine on the sample alone, and the
// checksum is that of the first pass if they agree. With one gradient the moments settle at it and at its square, and parameters
// below rate/decay: they neither grow nor die out, however many the passes are.
func bindAdamW[T cpu.Float](w *workload, c bench.Case, pool *cpu.Pool, f cpu.AdamWFunc[T]) error {
	x := &adamW[T]{n: c.Shape.N, f: f, step: cpu.NewAdamWStep(adamWNumber)}
	period := min(x.n, bench.FillPeriod)
	var sums []func() uint64
	for i, state := range []*[]float32{&x.p, &x.m, &x.v} {
		data, err := output[float32](w, pool, x.n)
		if err != nil {
			return err
		}
		*state, sums = data, append(sums, w.checksum)
		x.start[i] = bench.Pattern[float32](c.Data, c.Seed+uint64(i), period)
	}
	for i, v := range x.start[2] {
		x.start[2][i] = float32(math.Abs(float64(v)))
	}
	var err error
	if x.g, x.gradient, err = input[T](w, pool, c, x.n, c.Seed+3); err != nil {
		return err
	}
	clearCopy := func() {}
	if c.Precision != kernels.FP32 {
		if x.w, err = output[T](w, pool, x.n); err != nil {
			return err
		}
		clearCopy, sums = w.poison, append(sums, w.checksum)
	}
	w.run = func(passes int) {
		x.passes += passes
		streamPasses(pool, x.n, lineWords, passes, func(_, lo, hi int) { x.advance(lo, hi) })
	}
	w.poison = func() {
		x.passes = 0
		clearCopy()
		share(pool, x.n, lineElements[float32](), func(_, lo, hi int) {
			for i, state := range [][]float32{x.p, x.m, x.v} {
				bench.Tile(state[lo:hi], x.start[i], lo)
			}
		})
	}
	w.verify = func() error {
		if x.passes == 1 {
			return x.verifyFirst(pool, c)
		}
		return x.verifySamples()
	}
	w.checksum = func() uint64 {
		if x.passes > 1 {
			if x.verifySamples() != nil {
				return ^x.first
			}
			return x.first
		}
		x.first = hashBasis
		for _, sum := range sums {
			x.first = hashWord(x.first, sum())
		}
		return x.first
	}
	return nil
}

// adamW is the state of the optimizer.
type adamW[T cpu.Float] struct {
	n       int
	f       cpu.AdamWFunc[T]
	step    cpu.AdamWStep
	p, m, v []float32
	w, g    []T

	start    [3][]float32 // the periods of p, m and v before the first pass
	gradient []T          // that of g
	passes   int          // since they were set back
	first    uint64       // checksum after one
}

func (x *adamW[T]) advance(lo, hi int) {
	var w []T
	if x.w != nil {
		w = x.w[lo:hi]
	}
	x.f(x.p[lo:hi], x.m[lo:hi], x.v[lo:hi], w, x.g[lo:hi], x.step)
}

// verifyFirst holds one pass to the twin. Terms of opposite signs are summed: what may be off is relative to the
// largest, and at the rate of a step.
func (x *adamW[T]) verifyFirst(pool *cpu.Pool, c bench.Case) error {
	twin, err := cpu.Pick(kernels.AdamW, c.Precision, cpu.Go)
	if err != nil {
		return err
	}
	want := x.replay(twin.Func.(cpu.AdamWFunc[T]), 0, len(x.gradient), 1)
	for i, state := range [][]float32{x.p, x.m, x.v} {
		if err := verifyElements(pool, state, toValues(want.states()[i]), tolerance{relatives[kernels.FP32], 0x1p-22}); err != nil {
			return fmt.Errorf("%c: %w", "pmv"[i], err)
		}
	}
	if x.w == nil {
		return nil
	}
	if err := verifyElements(pool, x.w, toValues(want.w), tolerance{relatives[c.Precision], 0x1p-20}); err != nil {
		return fmt.Errorf("w: %w", err)
	}
	return nil
}

func (x *adamW[T]) states() [3][]float32 { return [3][]float32{x.p, x.m, x.v} }

func toValues[E kernels.Element](s []E) []float64 {
	values := make([]float64, len(s))
	for i, v := range s {
		values[i] = kernels.Value(v)
	}
	return values
}

// replay makes passes steps by f of the elements from lo to hi alone.
func (x *adamW[T]) replay(f cpu.AdamWFunc[T], lo, hi, passes int) *adamW[T] {
	r := &adamW[T]{n: hi - lo, f: f, step: x.step, g: make([]T, hi-lo)}
	for i, state := range []*[]float32{&r.p, &r.m, &r.v} {
		*state = make([]float32, r.n)
		bench.Tile(*state, x.start[i], lo)
	}
	bench.Tile(r.g, x.gradient, lo)
	if x.w != nil {
		r.w = make([]T, r.n)
	}
	for range passes {
		r.advance(0, r.n)
	}
	return r
}

// adamWSamples are how many places are held to the replay, and adamWSample how many elements at each.
const adamWSamples, adamWSample = 16, 64

// verifySamples holds places at even distances, the first and the last elements among them, to the replay. An engine
// computes an element wherever it lies as it does elsewhere, so that they are equal in bits.
func (x *adamW[T]) verifySamples() error {
	size := min(adamWSample, x.n)
	for s := range adamWSamples {
		lo := (x.n - size) / (adamWSamples - 1) * s
		if s == adamWSamples-1 {
			lo = x.n - size
		}
		want := x.replay(x.f, lo, lo+size, x.passes)
		for i, state := range x.states() {
			for j, v := range want.states()[i] {
				if got := state[lo+j]; got != v {
					return fmt.Errorf("%c: element %d of %d is %v after %d passes, want %v", "pmv"[i], lo+j, x.n, got, x.passes, v)
				}
			}
		}
		for j, v := range want.w {
			if got := x.w[lo+j]; got != v {
				return fmt.Errorf("w: element %d of %d is %v after %d passes, want %v", lo+j, x.n, kernels.Value(got), x.passes, kernels.Value(v))
			}
		}
	}
	return nil
}
