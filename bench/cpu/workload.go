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
// will work on them, unless a memory node is named.
func bind(c bench.Case, impl cpu.Impl, pool *cpu.Pool, node *int) (*workload, error) {
	w := &workload{buffers: buffers{node: node}}
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
	case cpu.ElementwiseFunc[float32]:
		return bindElementwise(w, c, pool, f)
	case cpu.ElementwiseFunc[kernels.Float16]:
		return bindElementwise(w, c, pool, f)
	case cpu.ElementwiseFunc[kernels.BFloat16]:
		return bindElementwise(w, c, pool, f)
	case cpu.RowsFunc[float32]:
		return bindRows(w, c, pool, f)
	case cpu.RowsFunc[kernels.Float16]:
		return bindRows(w, c, pool, f)
	case cpu.RowsFunc[kernels.BFloat16]:
		return bindRows(w, c, pool, f)
	case cpu.AdamWFunc[float32]:
		return bindAdamW(w, c, pool, f)
	case cpu.AdamWFunc[kernels.Float16]:
		return bindAdamW(w, c, pool, f)
	case cpu.AdamWFunc[kernels.BFloat16]:
		return bindAdamW(w, c, pool, f)
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
	case *cpu.Linear[float32, float32]:
		return bindLinear(w, c, pool, impl, f)
	case *cpu.Linear[kernels.BFloat16, float32]:
		return bindLinear(w, c, pool, impl, f)
	case *cpu.Linear[kernels.Float16, float32]:
		return bindLinear(w, c, pool, impl, f)
	case *cpu.Linear[int8, int32]:
		return bindLinear(w, c, pool, impl, f)
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
