package cpu

import "github.com/realflops/realflops/kernels/kerneltest"

func adamWSuite[T Float](f AdamWFunc[T]) func(p, m, v []float32, w, g []T, s kerneltest.AdamWStep) {
	return func(p, m, v []float32, w, g []T, s kerneltest.AdamWStep) { f(p, m, v, w, g, AdamWStep(s)) }
}
