package main

import (
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

func bindGEMM(w *work, s spec) (bool, error) {
	if s.Kernel == kernels.Linear {
		return false, nil
	}
	switch f := w.impl.Func.(type) {
	case *cpu.GEMM[float64, float64]:
		return true, product(w, s, f)
	case *cpu.GEMM[float32, float32]:
		return true, product(w, s, f)
	case *cpu.GEMM[kernels.Float16, float32]:
		return true, product(w, s, f)
	case *cpu.GEMM[kernels.BFloat16, float32]:
		return true, product(w, s, f)
	case *cpu.GEMM[kernels.Float16, kernels.Float16]:
		return true, product(w, s, f)
	case *cpu.GEMM[int8, int32]:
		return true, product(w, s, f)
	}
	return false, nil
}

func product[T cpu.Stored, C cpu.Summed](w *work, s spec, f *cpu.GEMM[T, C]) error {
	m, n, k := s.Shape.M, s.Shape.N, s.Shape.K
	fa, fb := gemmData(s)
	a, err := block[T](w, m*k, fa)
	if err != nil {
		return err
	}
	b, err := block[T](w, k*n, fb)
	if err != nil {
		return err
	}
	c, err := block[C](w, m*n, zero)
	if err != nil {
		return err
	}
	plan, err := f.Plan(w.pool, cpu.ProductOf(s.Spec))
	if err != nil {
		return err
	}
	w.frees = append(w.frees, plan.Close)
	w.call = func(int) { plan.Run(c, a, b) }
	w.check = func() float64 { return checksum(c) }
	return nil
}
