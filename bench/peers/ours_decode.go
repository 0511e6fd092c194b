package main

import (
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// bindLinear is linear by kernels of its own.
func bindLinear(w *work, s spec) (bool, error) {
	switch f := w.impl.Func.(type) {
	case *cpu.Linear[float32, float32]:
		return true, linear(w, s, f)
	case *cpu.Linear[kernels.BFloat16, float32]:
		return true, linear(w, s, f)
	case *cpu.Linear[kernels.Float16, float32]:
		return true, linear(w, s, f)
	case *cpu.Linear[int8, int32]:
		return true, linear(w, s, f)
	}
	return false, nil
}

func linear[X cpu.LinearElement, Y cpu.LinearSum](w *work, s spec, f *cpu.Linear[X, Y]) error {
	m, n, k := s.Shape.M, s.Shape.N, s.Shape.K
	fx, fw := linearData(s)
	x, err := block[X](w, m*k, fx)
	if err != nil {
		return err
	}
	y, err := block[Y](w, m*n, zero)
	if err != nil {
		return err
	}
	packed, err := weights(w, s, fw, func(b []X) (*cpu.Weights[X, Y], error) { return f.Pack(w.pool, b, n, k) })
	if err != nil {
		return err
	}
	w.call = func(set int) { packed[set].Run(y, x, m) }
	w.check = func() float64 { return checksum(y) }
	return nil
}
