package cpu

import "github.com/realflops/realflops/kernels"

func init() {
	register(
		Impl{Kernel: kernels.FMA, Precision: kernels.FP32FP32, Engine: GoAVX2, Needs: needsAVX2, Func: FMAFunc(func(n int) float64 {
			var s [96]float32
			fmaAVX2FP32(n/len(s), 1, &s)
			return sum(s[:])
		})},
		Impl{Kernel: kernels.FMA, Precision: kernels.FP64FP64, Engine: GoAVX2, Needs: needsAVX2, Func: FMAFunc(func(n int) float64 {
			var s [48]float64
			fmaAVX2FP64(n/len(s), 1, &s)
			return sum(s[:])
		})},
		Impl{Kernel: kernels.FMA, Precision: kernels.FP32FP32, Engine: GoAVX512, Needs: needsAVX512, Func: FMAFunc(func(n int) float64 {
			var s [384]float32
			fmaAVX512FP32(n/len(s), 1, &s)
			return sum(s[:])
		})},
		Impl{Kernel: kernels.FMA, Precision: kernels.FP64FP64, Engine: GoAVX512, Needs: needsAVX512, Func: FMAFunc(func(n int) float64 {
			var s [192]float64
			fmaAVX512FP64(n/len(s), 1, &s)
			return sum(s[:])
		})},
	)
}
