package cpu

import "github.com/realflops/realflops/kernels"

func init() {
	register(
		Impl{Kernel: kernels.FMA, Precision: kernels.FP32FP32, Engine: GoNEON, Needs: needsNEON, Func: FMAFunc(func(n int) float64 {
			var s [96]float32
			fmaNEONFP32(n/len(s), &s)
			return sum(s[:])
		})},
		Impl{Kernel: kernels.FMA, Precision: kernels.FP64FP64, Engine: GoNEON, Needs: needsNEON, Func: FMAFunc(func(n int) float64 {
			var s [48]float64
			fmaNEONFP64(n/len(s), &s)
			return sum(s[:])
		})},
		Impl{Kernel: kernels.FMA, Precision: kernels.FP16FP16, Engine: GoNEONFP16, Needs: needsNEONFP16, Func: FMAFunc(func(n int) float64 {
			var s [8]float32
			fmaNEONFP16(n/(24*len(s)), &s)
			return sum(s[:])
		})},
		Impl{Kernel: kernels.FMA, Precision: kernels.BF16FP32, Engine: GoNEONBF16, Needs: needsNEONBF16, Func: FMAFunc(func(n int) float64 {
			var s [96]float32
			fmaNEONBF16(n/(4*len(s)), &s)
			return sum(s[:])
		})},
		fmaInt8(GoNEON, needsNEON, fmaNEONINT8, 1),
		fmaInt8(GoNEONDot, needsNEONDot, fmaNEONDot, 4),
		fmaInt8(GoNEONI8MM, needsNEONI8MM, fmaNEONI8MM, 8),
	)
}

// fmaInt8 is the loop of an instruction that adds the given number of products to a sum.
func fmaInt8(engine string, needs []string, loop func(rounds int, sums *[96]int32), terms int) Impl {
	return Impl{Kernel: kernels.FMA, Precision: kernels.INT8INT32, Engine: engine, Needs: needs, Func: FMAFunc(func(n int) float64 {
		var s [96]int32
		loop(n/(terms*len(s)), &s)
		return sum(s[:])
	})}
}
