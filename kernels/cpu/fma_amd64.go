package cpu

import "github.com/realflops/realflops/kernels"

func init() {
	register(
		Impl{kernels.FMA, kernels.FP32FP32, GoAVX2, needsAVX2, FMAFunc(func(n int) float64 {
			var s [96]float32
			fmaAVX2FP32(n/len(s), 1, &s)
			return sum(s[:])
		})},
		Impl{kernels.FMA, kernels.FP64FP64, GoAVX2, needsAVX2, FMAFunc(func(n int) float64 {
			var s [48]float64
			fmaAVX2FP64(n/len(s), 1, &s)
			return sum(s[:])
		})},
		Impl{kernels.FMA, kernels.FP32FP32, GoAVX512, needsAVX512, FMAFunc(func(n int) float64 {
			var s [384]float32
			fmaAVX512FP32(n/len(s), 1, &s)
			return sum(s[:])
		})},
		Impl{kernels.FMA, kernels.FP64FP64, GoAVX512, needsAVX512, FMAFunc(func(n int) float64 {
			var s [192]float64
			fmaAVX512FP64(n/len(s), 1, &s)
			return sum(s[:])
		})},
	)
}
