package main

import (
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// scalar is the s of STREAM.
const scalar = 3

// lines are what threads' shares of elements are a multiple of: whole pairs of cache lines, of the smallest elements.
const lines = 128

// shares is a call of f on every thread, with its share of n elements.
func (w *work) shares(n int, f func(tid, lo, hi int)) func(set int) {
	bounds := make([][2]int, w.pool.Threads())
	for tid := range bounds {
		bounds[tid][0], bounds[tid][1] = cpu.Split(n, lines, len(bounds), tid)
	}
	return w.each(func(tid int) { f(tid, bounds[tid][0], bounds[tid][1]) })
}

func bindBandwidth(w *work, s spec) (bool, error) {
	n := s.Shape.N
	var a, b, c []float64
	var call func(lo, hi int)
	sums := make([][16]uint64, w.pool.Threads())
	switch f := w.impl.Func.(type) {
	case cpu.CopyFunc:
		call = func(lo, hi int) { f(a[lo:hi], b[lo:hi]) }
	case cpu.ScaleFunc:
		call = func(lo, hi int) { f(a[lo:hi], b[lo:hi], scalar) }
	case cpu.AddFunc:
		call = func(lo, hi int) { f(a[lo:hi], b[lo:hi], c[lo:hi]) }
	case cpu.TriadFunc:
		call = func(lo, hi int) { f(a[lo:hi], b[lo:hi], c[lo:hi], scalar) }
	case cpu.WriteFunc:
		call = func(lo, hi int) { f(a[lo:hi], scalar) }
	case cpu.ReadFunc:
		w.call = w.shares(n, func(tid, lo, hi int) { sums[tid][0] = f(b[lo:hi]) })
	default:
		return false, nil
	}
	d, err := kernels.Lookup(string(s.Kernel))
	if err != nil {
		return false, err
	}
	for _, x := range []struct {
		to     *[]float64
		needed bool
		f      func(i int) float64
	}{{&a, d.Writes > 0, zero}, {&b, d.Reads > 0, func(i int) float64 { return small(i, 1) }}, {&c, d.Reads > 1, func(i int) float64 { return small(i, 2) }}} {
		if !x.needed {
			continue
		}
		if *x.to, err = block[float64](w, n, x.f); err != nil {
			return false, err
		}
	}
	w.check = func() float64 { return checksum(a) }
	if s.Kernel == kernels.Read { // it sums bits, which no other program does: what it read is the conformance suite's to prove
		var sum float64
		for _, x := range b {
			sum += x
		}
		w.check = func() float64 { return sum }
		return true, nil
	}
	w.call = w.shares(n, func(_, lo, hi int) { call(lo, hi) })
	return true, nil
}
