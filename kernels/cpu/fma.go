package cpu

import "github.com/realflops/realflops/kernels"

func init() {
	register(
		Impl{Kernel: kernels.FMA, Precision: kernels.FP32FP32, Engine: Go, Needs: nil, Func: FMAFunc(fmaGo[float32])},
		Impl{Kernel: kernels.FMA, Precision: kernels.FP64FP64, Engine: Go, Needs: nil, Func: FMAFunc(fmaGo[float64])},
		Impl{Kernel: kernels.FMA, Precision: kernels.INT8INT32, Engine: Go, Needs: nil, Func: FMAFunc(fmaGo[int32])},
	)
}

// one is a variable, so that no compiler can leave out the multiplication by it.
var one = 1.0

// fmaGo runs 12 chains: as many as amd64 has registers for. The compiler makes x·a + b one
// fused instruction where the architecture always has one (arm64), and two on amd64.
func fmaGo[T float32 | float64 | int32](n int) float64 {
	const chains = 12
	u := T(one)
	var x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11 T
	for range n / chains {
		x0 = x0*u + u
		x1 = x1*u + u
		x2 = x2*u + u
		x3 = x3*u + u
		x4 = x4*u + u
		x5 = x5*u + u
		x6 = x6*u + u
		x7 = x7*u + u
		x8 = x8*u + u
		x9 = x9*u + u
		x10 = x10*u + u
		x11 = x11*u + u
	}
	return sum([]T{x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11})
}

// sum adds in fp64, where the counts of all chains together stay exact.
func sum[T float32 | float64 | int32](chains []T) float64 {
	total := 0.0
	for _, x := range chains {
		total += float64(x)
	}
	return total
}
