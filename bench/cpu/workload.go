package cpu

import (
	"fmt"
	"math"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// workload is a case bound to an implementation and to data: what measuring needs to know
// of a kernel.
type workload struct {
	run      func(passes int) // on the pool; returns early once it is stopped
	poison   func()           // overwrites the output with NaN
	verify   func() error     // holds the output of the last pass against the oracle; names the first wrong element
	checksum func() uint64    // of the output, bit for bit, whatever the number of threads
	buffers
}

// bind makes the workload of a case. Its buffers are first touched by the threads that
// will work on them.
func bind(c bench.Case, impl cpu.Impl, pool *cpu.Pool) (*workload, error) {
	w := &workload{}
	err := w.bind(c, impl, pool)
	if err != nil {
		w.free()
		return nil, err
	}
	return w, nil
}

func (w *workload) bind(c bench.Case, impl cpu.Impl, pool *cpu.Pool) error {
	switch f := impl.Func.(type) {
	case cpu.FMAFunc:
		w.bindFMA(c, f, pool)
		return nil
	case cpu.UnaryFunc[float32]:
		return bindUnary(w, c, f, pool)
	case cpu.UnaryFunc[kernels.Float16]:
		return bindUnary(w, c, f, pool)
	case cpu.ReadFunc:
		return bindRead(w, c, pool, f)
	case cpu.WriteFunc, cpu.CopyFunc, cpu.ScaleFunc, cpu.AddFunc, cpu.TriadFunc:
		return bindStream(w, c, pool, streamOf(f))
	case *cpu.Chase:
		return bindChase(w, c, pool, f)
	case *cpu.GEMM[float64, float64]:
		return bindGEMM(w, c, pool, planOf(f))
	case *cpu.GEMM[float32, float32]:
		return bindGEMM(w, c, pool, planOf(f))
	case *cpu.GEMM[kernels.Float16, float32]:
		return bindGEMM(w, c, pool, planOf(f))
	case *cpu.GEMM[kernels.BFloat16, float32]:
		return bindGEMM(w, c, pool, planOf(f))
	case *cpu.GEMM[kernels.Float16, kernels.Float16]:
		return bindGEMM(w, c, pool, planOf(f))
	case *cpu.GEMM[int8, int32]:
		return bindGEMM(w, c, pool, planOf(f))
	case planFunc[float32, float32]:
		return bindGEMM(w, c, pool, f)
	}
	return fmt.Errorf("engine %s: %s has an implementation of the unknown type %T", impl.Engine, impl.Kernel, impl.Func)
}

// bindFMA: each thread makes N multiply-adds a pass, and every sum must be N.
func (w *workload) bindFMA(c bench.Case, f cpu.FMAFunc, pool *cpu.Pool) {
	type padded struct {
		sum float64
		_   [120]byte // threads write on cache lines of their own
	}
	sums := make([]padded, c.Threads)
	want := float64(c.Shape.N)
	w.run = func(passes int) {
		pool.Run(func(tid int) {
			for range passes {
				if pool.Stopped() {
					return
				}
				if sums[tid].sum = f(c.Shape.N); sums[tid].sum != want {
					return // a wrong sum stays, to be found
				}
			}
		})
	}
	w.poison = func() {
		for i := range sums {
			sums[i].sum = math.NaN()
		}
	}
	w.verify = func() error {
		for i, s := range sums {
			if s.sum != want {
				return fmt.Errorf("thread %d: the sum of %d multiply-adds is %v, want %v", i, c.Shape.N, s.sum, want)
			}
		}
		return nil
	}
	w.checksum = func() uint64 {
		for _, s := range sums {
			if s.sum != want {
				return hashWord(hashBasis, math.Float64bits(s.sum))
			}
		}
		return hashWord(hashBasis, math.Float64bits(want))
	}
}

// chunk is how many elements one call of an elementwise kernel takes at most: enough
// that the call does not count, few enough that the slowest engine asks within a second
// whether to stop.
const chunk = 4 << 20

func bindUnary[T float32 | kernels.Float16](w *workload, c bench.Case, f cpu.UnaryFunc[T], pool *cpu.Pool) error {
	return bindElementwise(w, c, pool, 1, func(dst []T, src [][]T) { f(dst, src[0]) })
}

// bindElementwise: the elements are divided over the threads at multiples of 64 bytes;
// each makes its passes over its own share without waiting for the others.
func bindElementwise[T bench.Element](w *workload, c bench.Case, pool *cpu.Pool, inputs int, f func(dst []T, src [][]T)) error {
	n := c.Shape.N
	out, err := output[T](w, pool, n)
	if err != nil {
		return err
	}
	in := make([][]T, inputs)
	patterns := make([][]T, inputs)
	for i := range in {
		if in[i], patterns[i], err = input[T](w, pool, c, n, c.Seed+uint64(i)); err != nil {
			return err
		}
	}
	w.run = func(passes int) {
		pool.Run(func(tid int) {
			lo, hi := cpu.Split(n, 64/c.Precision.Bytes(), c.Threads, tid)
			src := make([][]T, inputs)
			for range passes {
				for at := lo; at < hi; at += chunk {
					if pool.Stopped() {
						return
					}
					end := min(at+chunk, hi)
					for i := range src {
						src[i] = in[i][at:end]
					}
					f(out[at:end], src)
				}
			}
		})
	}
	want := wanted(c.Kernel, patterns)
	tolerance := tolerances[c.Precision]
	w.verify = func() error {
		return firstError(pool, n, func(lo, hi int) error {
			for i := lo; i < hi; i++ {
				if period := len(want); i >= lo+period && out[i] == out[i-period] {
					continue // as right as that one
				}
				v := want[i%len(want)]
				if got := value(out[i]); !(math.Abs(got-v) <= tolerance*math.Abs(v)+tiny) {
					return fmt.Errorf("element %d of %d is %v, want %v", i, n, got, v)
				}
			}
			return nil
		})
	}
	return nil
}

// wanted is the oracle: what one period of the output must be, in float64.
func wanted[T bench.Element](k kernels.Kernel, in [][]T) []float64 {
	f := map[kernels.Kernel]func(i int) float64{
		kernels.ReLU:    func(i int) float64 { return max(value(in[0][i]), 0) },
		kernels.Sigmoid: func(i int) float64 { return 1 / (1 + math.Exp(-value(in[0][i]))) },
	}[k]
	want := make([]float64, len(in[0]))
	for i := range want {
		want[i] = f(i)
	}
	return want
}

// tolerances are relative errors that no correct implementation exceeds: 8 units in the
// last place at fp32 (a polynomial exp errs by 2.5) and at fp64 (triad cancels), 1 at fp16,
// whose arithmetic is fp32.
var tolerances = map[kernels.Precision]float64{kernels.FP32: 0x1p-20, kernels.FP64: 0x1p-49, kernels.FP16: 0x1p-10}

// tiny is the absolute error allowed beside it: the spacing of subnormal fp16, and far below
// what data of order 1 computes to.
const tiny = 0x1p-24

// value is the number that an element stands for.
func value[T any](x T) float64 {
	switch x := any(x).(type) {
	case float32:
		return float64(x)
	case float64:
		return x
	case kernels.Float16:
		return float64(x.Float32())
	case kernels.BFloat16:
		return float64(x.Float32())
	case int8:
		return float64(x)
	case int32:
		return float64(x)
	}
	return math.NaN()
}

// firstError runs f over shares of [0, n) on the pool and returns an error of the first
// share that has one.
func firstError(pool *cpu.Pool, n int, f func(lo, hi int) error) error {
	errs := make([]error, pool.Threads())
	share(pool, n, 1, func(tid, lo, hi int) {
		if errs[tid] == nil {
			errs[tid] = f(lo, hi)
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if pool.Stopped() {
		return errInterrupted
	}
	return nil
}
