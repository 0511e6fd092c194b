package main

import (
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

func bindElementwise(w *work, s spec) (bool, error) {
	switch f := w.impl.Func.(type) {
	case cpu.ElementwiseFunc[float32]:
		return true, elementwise(w, s, f)
	case cpu.ElementwiseFunc[kernels.Float16]:
		return true, elementwise(w, s, f)
	case cpu.ElementwiseFunc[kernels.BFloat16]:
		return true, elementwise(w, s, f)
	}
	return false, nil
}

// elementwise has as many outputs and inputs as its definition says; the first output is checked.
func elementwise[T cpu.Float](w *work, s spec, f cpu.ElementwiseFunc[T]) error {
	d, err := kernels.Lookup(string(s.Kernel))
	if err != nil {
		return err
	}
	n := s.Shape.N
	all := make([][]T, d.Writes+d.Reads) // the outputs, then the inputs
	for i := range all {
		fill := zero
		if in := i - d.Writes; in >= 0 {
			fill = func(j int) float64 { return wave(j, uint32(1+in)) }
		}
		if all[i], err = block[T](w, n, fill); err != nil {
			return err
		}
	}
	parts := make([][][]T, w.pool.Threads())
	for tid := range parts {
		lo, hi := cpu.Split(n, 64, len(parts), tid)
		for _, x := range all {
			parts[tid] = append(parts[tid], x[lo:hi])
		}
	}
	w.call = w.each(func(tid int) { f(parts[tid][:d.Writes], parts[tid][d.Writes:]) })
	w.check = func() float64 { return checksum(all[0]) }
	return nil
}
