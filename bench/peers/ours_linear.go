package main

import (
	"fmt"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// bindAhead is linear by a GEMM whose B is packed ahead.
func bindAhead(w *work, s spec) (bool, error) {
	switch f := w.impl.Func.(type) {
	case *cpu.GEMM[float32, float32]:
		return true, ahead(w, s, f)
	case *cpu.GEMM[kernels.Float16, float32]:
		return true, ahead(w, s, f)
	case *cpu.GEMM[kernels.BFloat16, float32]:
		return true, ahead(w, s, f)
	case *cpu.GEMM[int8, int32]:
		return true, ahead(w, s, f)
	}
	return false, nil
}

// linearData are the elements of x and W: of int8 products those of gemm, of others such that quantisation is exact.
func linearData(s spec) (x, weights func(i int) float64) {
	if s.Precision == kernels.INT8INT32 {
		return gemmData(s)
	}
	return func(i int) float64 { return octet(i%s.Shape.K, i, 1) }, func(i int) float64 { return nibble(i/s.Shape.N, i, 2) }
}

func ahead[T cpu.Stored, C cpu.Summed](w *work, s spec, f *cpu.GEMM[T, C]) error {
	m, n, k := s.Shape.M, s.Shape.N, s.Shape.K
	fx, fw := linearData(s)
	x, err := block[T](w, m*k, fx)
	if err != nil {
		return err
	}
	y, err := block[C](w, m*n, zero)
	if err != nil {
		return err
	}
	product := cpu.ProductOf(s.Spec)
	product.Ahead = true
	plan, err := f.Plan(w.pool, product)
	if err != nil {
		return err
	}
	w.frees = append(w.frees, plan.Close)
	packed, err := weights(w, s, fw, func(b []T) (*cpu.Packed[T], error) { return f.PackB(w.pool, b, n, k, false) })
	if err != nil {
		return err
	}
	w.call = func(set int) { plan.RunPacked(y, x, packed[set]) }
	w.check = func() float64 { return checksum(y) }
	return nil
}

// weights are as many packed copies of W as s has sets: kept, since the next job is often of the same weights and more rows.
func weights[T kernels.Element, P interface{ Close() }](w *work, s spec, f func(i int) float64, pack func(b []T) (P, error)) ([]P, error) {
	key := fmt.Sprintf("%s %s %dx%d %d %T", s.Precision, w.impl.Engine, s.Shape.K, s.Shape.N, s.Sets, *new(P))
	return kept(w.keep, key, func() (packed []P, free func(), err error) {
		free = func() {
			for _, p := range packed {
				p.Close()
			}
		}
		b := make([]T, s.Shape.K*s.Shape.N)
		fill(b, f)
		for range s.Sets {
			p, err := pack(b)
			if err != nil {
				free()
				return nil, nil, err
			}
			packed = append(packed, p)
		}
		return packed, free, nil
	})
}
