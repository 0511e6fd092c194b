package main

import (
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

func bindUnary(w *work, s spec) (bool, error) {
	switch f := w.impl.Func.(type) {
	case cpu.UnaryFunc[float32]:
		return true, unary(w, s, f)
	case cpu.UnaryFunc[kernels.Float16]:
		return true, unary(w, s, f)
	}
	return false, nil
}

func unary[T element](w *work, s spec, f func(dst, src []T)) error {
	n := s.Shape.N
	y, err := block[T](w, n, zero)
	if err != nil {
		return err
	}
	x, err := block[T](w, n, func(i int) float64 { return wave(i, 1) })
	if err != nil {
		return err
	}
	w.call = func(int) { shares(w.pool, n, func(_, lo, hi int) { f(y[lo:hi], x[lo:hi]) }) }
	w.check = func() float64 { return checksum(y) }
	return nil
}
