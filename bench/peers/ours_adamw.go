package main

import "github.com/realflops/realflops/kernels/cpu"

// bindAdamW: a call is a step, which goes on from the last one; the check begins anew.
func bindAdamW(w *work, s spec) (bool, error) {
	f, ok := w.impl.Func.(cpu.AdamWFunc[float32])
	if !ok {
		return false, nil
	}
	n := s.Shape.N
	starts := []func(i int) float64{func(i int) float64 { return wave(i, 1) }, adamwM, adamwV, adamwG}
	all := make([][]float32, len(starts)) // p, m, v, g
	for i, start := range starts {
		var err error
		if all[i], err = block[float32](w, n, start); err != nil {
			return true, err
		}
	}
	step := cpu.NewAdamWStep(1)
	step.Rate = adamwRate
	parts := make([][4][]float32, w.pool.Threads())
	for tid := range parts {
		lo, hi := cpu.Split(n, 64, len(parts), tid)
		for i, x := range all {
			parts[tid][i] = x[lo:hi]
		}
	}
	w.call = w.each(func(tid int) {
		x := &parts[tid]
		f(x[0], x[1], x[2], nil, x[3], step)
	})
	w.check = func() float64 {
		for i := range all[:3] {
			fill(all[i], starts[i])
		}
		w.call(0)
		return checksum(all[0])
	}
	return true, nil
}
