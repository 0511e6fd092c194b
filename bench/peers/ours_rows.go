package main

import (
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

func bindRows(w *work, s spec) (bool, error) {
	switch f := w.impl.Func.(type) {
	case cpu.RowsFunc[float32]:
		return true, rows(w, s, f)
	case cpu.RowsFunc[kernels.Float16]:
		return true, rows(w, s, f)
	case cpu.RowsFunc[kernels.BFloat16]:
		return true, rows(w, s, f)
	}
	return false, nil
}

// rows is a forward kernel on M rows of N.
func rows[T cpu.Float](w *work, s spec, f cpu.RowsFunc[T]) error {
	m, n := s.Shape.M, s.Shape.N
	all := cpu.Rows[T]{Columns: n}
	for _, x := range []struct {
		to    *[]T
		count int
		f     func(i int) float64
	}{
		{&all.X, m * n, func(i int) float64 { return wave(i, 1) }},
		{&all.Y, m * n, zero},
		{&all.Gain, n, func(i int) float64 { return 1 + small(i, 3)/8 }},
		{&all.Bias, n, func(i int) float64 { return small(i, 4) / 8 }},
	} {
		var err error
		if *x.to, err = block[T](w, x.count, x.f); err != nil {
			return err
		}
	}
	parts := make([]cpu.Rows[T], w.pool.Threads()) // the operands of each thread
	for tid := range parts {
		lo, hi := cpu.Split(m, 1, len(parts), tid)
		parts[tid] = all
		parts[tid].X, parts[tid].Y = all.X[lo*n:hi*n], all.Y[lo*n:hi*n]
	}
	w.call = w.each(func(tid int) { f(&parts[tid]) })
	w.check = func() float64 { return checksum(all.Y) }
	return nil
}
