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
		Impl{Kernel: kernels.FMA, Precision: kernels.BF16FP32, Engine: GoAVX512BF16, Needs: needsAVX512BF16, Func: FMAFunc(func(n int) float64 {
			var s [384]float32
			fmaAVX512BF16(n/(2*len(s)), oneBF16<<16|oneBF16, &s)
			return sum(s[:])
		})},
		Impl{Kernel: kernels.FMA, Precision: kernels.INT8INT32, Engine: GoAVX512VNNI, Needs: needsAVX512VNNI, Func: FMAFunc(func(n int) float64 {
			var s [384]int32
			fmaAVX512VNNI(n/(4*len(s)), 0x01010101, &s)
			return sum(s[:])
		})},
		Impl{Kernel: kernels.FMA, Precision: kernels.INT8INT32, Engine: GoAVXVNNI, Needs: needsAVXVNNI, Func: FMAFunc(func(n int) float64 {
			var s [96]int32
			fmaAVX2VNNI(n/(4*len(s)), 0x01010101, &s)
			return sum(s[:])
		})},
		// Without VPDPBUSD, int8 is multiplied as int16: VPMADDUBSW, of bytes, saturates.
		Impl{Kernel: kernels.FMA, Precision: kernels.INT8INT32, Engine: GoAVX512, Needs: needsAVX512, Func: FMAFunc(func(n int) float64 {
			var s [384]int32
			fmaAVX512INT16(n/(2*len(s)), 0x00010001, &s)
			return sum(s[:])
		})},
		Impl{Kernel: kernels.FMA, Precision: kernels.INT8INT32, Engine: GoAVX2, Needs: needsAVX2, Func: FMAFunc(func(n int) float64 {
			var s [96]int32
			fmaAVX2INT16(n/(2*len(s)), 0x00010001, &s)
			return sum(s[:])
		})},
	)
}

// oneBF16 is 1: the upper half of its fp32.
const oneBF16 = 0x3f80
