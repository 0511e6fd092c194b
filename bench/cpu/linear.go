package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/klauspost/cpuid/v2"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// bindLinear: a pass is one product with weights that were packed before. Passes go through copies of the weights that
// a cache does not hold together, since a model comes back to a layer's weights only after all others.
func bindLinear[T cpu.LinearElement, Y cpu.LinearSum](w *workload, c bench.Case, pool *cpu.Pool, impl cpu.Impl, l *cpu.Linear[T, Y]) error {
	m, n, k := c.Shape.M, c.Shape.N, c.Shape.K
	out, err := output[Y](w, pool, m*n)
	if err != nil {
		return err
	}
	x, _, err := input[T](w, pool, c, m*k, c.Seed)
	if err != nil {
		return err
	}
	pattern := bench.Pattern[T](c.Data, c.Seed+1, min(k*n, bench.FillPeriod))
	sets, err := packSets(w, pool, l, pattern, n, k)
	if err != nil {
		return err
	}
	next := 0
	w.run = func(passes int) {
		for i := 0; i < passes && !pool.Stopped(); i++ {
			sets[next].Run(out, x, m)
			next = (next + 1) % len(sets)
		}
	}
	v := linearCheck[T, Y]{m, n, k, out, x, pattern, errorsOf(impl)}
	w.verify = func() error {
		if err := firstUnwritten(pool, out, n); err != nil {
			return err
		}
		return v.verify(rand.New(rand.NewPCG(c.Seed, 2)))
	}
	return nil
}

// copiesBytes is how many bytes of weights a case goes through: four times what the last level's cache holds, but no
// more than 256 MiB.
var copiesBytes = min(4*max(cpuid.CPU.Cache.L3, cpuid.CPU.Cache.L2, 0), 256<<20)

// packSets packs weights that repeat pattern, and copies them until they are copiesBytes or more.
func packSets[T cpu.LinearElement, Y cpu.LinearSum](w *workload, pool *cpu.Pool, l *cpu.Linear[T, Y], pattern []T, n, k int) ([]*cpu.Weights[T, Y], error) {
	raw, free, err := cpu.Alloc[T](k * n)
	if err != nil {
		return nil, err
	}
	defer free()
	share(pool, k*n, lineElements[T](), func(_, lo, hi int) { bench.Tile(raw[lo:hi], pattern, lo) })
	first, err := l.Pack(pool, raw, n, k)
	if err != nil {
		return nil, err
	}
	w.frees = append(w.frees, first.Close)
	sets := []*cpu.Weights[T, Y]{first}
	for len(sets)*first.Bytes() < copiesBytes {
		set, err := first.Copy()
		if err != nil {
			return nil, err
		}
		w.frees = append(w.frees, set.Close)
		sets = append(sets, set)
	}
	return sets, nil
}

// linearErrors are what an implementation may err by, beside the rounding of sums.
type linearErrors struct {
	weight float64 // of a weight, relative to the largest magnitude of its group; 0 where weights stay as they are
	x      float64 // of an element of x, relative to the largest magnitude of its block of 128; 0 where x stays as it is
}

// errorsOf: half a step of 127, or a whole one of 8, where the most positive weight is cut off; and the rounding
// of the scale to fp16.
func errorsOf(impl cpu.Impl) linearErrors {
	var e linearErrors
	switch impl.Precision {
	case kernels.INT8FP32:
		e.weight = 0.5/127 + 0x1p-11
	case kernels.INT4FP32:
		e.weight = 1.0/8 + 0x1p-11
	default:
		return e
	}
	if impl.Limit == kernels.INT8INT32 {
		e.x = 0.5 / 127
	}
	return e
}

// linearCheck holds y to x and to weights that repeat pattern, row by row.
type linearCheck[T cpu.LinearElement, Y cpu.LinearSum] struct {
	m, n, k int
	y       []Y
	x       []T
	pattern []T
	errors  linearErrors
}

// verify computes elements of y where some rows and columns cross, in float64; sums of integers must be equal modulo
// 2^32. The error allowed to others is that of matrices' verifyGrid, and what quantisation allows.
func (v linearCheck[T, Y]) verify(random *rand.Rand) error {
	columns, rows := pickSome(v.n, random), pickSome(v.m, random)
	x, w := make([]float64, v.k), make([]float64, v.k)
	dx, dw := make([]float64, v.k), make([]float64, v.k)
	for _, j := range columns {
		for p := range w {
			w[p] = kernels.Value(v.pattern[(p*v.n+j)%len(v.pattern)])
		}
		steps(dw, w, kernels.QuantGroup, v.errors.weight)
		for _, i := range rows {
			for p := range x {
				x[p] = kernels.Value(v.x[i*v.k+p])
			}
			steps(dx, x, 4*kernels.QuantGroup, v.errors.x)
			var want, size, allowed float64
			for p, a := range x {
				want += a * w[p]
				size += (math.Abs(a) + dx[p]) * (math.Abs(w[p]) + dw[p])
				allowed += math.Abs(a)*dw[p] + (math.Abs(w[p])+dw[p])*dx[p]
			}
			got := kernels.Value(v.y[i*v.n+j])
			if _, integer := any(v.y).([]int32); integer {
				if int32(got) != int32(int64(want)) {
					return fmt.Errorf("y[%d,%d] is %v, want %v modulo 2^32", i, j, got, want)
				}
				continue
			}
			k := float64(v.k)
			if allowed += min(k+4, 8*math.Sqrt(k)+4) * 0x1p-24 * size; !(math.Abs(got-want) <= allowed) {
				return fmt.Errorf("y[%d,%d] is %v, want %v within %.2g", i, j, got, want, allowed)
			}
		}
	}
	return nil
}

// steps sets, for each block of values, share of its largest magnitude.
func steps(of, values []float64, block int, share float64) {
	for from := 0; from < len(values); from += block {
		to := min(from+block, len(values))
		largest := 0.0
		for _, v := range values[from:to] {
			largest = max(largest, math.Abs(v))
		}
		for p := from; p < to; p++ {
			of[p] = share * largest
		}
	}
}
