package cpu

import "github.com/realflops/realflops/kernels"

func init() {
	register(
		Impl{Kernel: kernels.ReLU, Precision: kernels.FP32, Engine: GoAVX2, Needs: needsAVX2, Func: unary32(reluFP32AVX2)},
		Impl{Kernel: kernels.ReLU, Precision: kernels.FP16, Engine: GoAVX2, Needs: needsAVX2, Func: unary16(reluFP16AVX2)},
		Impl{Kernel: kernels.Sigmoid, Precision: kernels.FP32, Engine: GoAVX2, Needs: needsAVX2, Func: unary32(sigmoidFP32AVX2)},
		Impl{Kernel: kernels.Sigmoid, Precision: kernels.FP16, Engine: GoAVX2, Needs: needsAVX2, Func: unary16(sigmoidFP16AVX2)},

		Impl{Kernel: kernels.ReLU, Precision: kernels.FP32, Engine: GoAVX512, Needs: needsAVX512, Func: unary32(reluFP32AVX512)},
		Impl{Kernel: kernels.ReLU, Precision: kernels.FP16, Engine: GoAVX512, Needs: needsAVX512, Func: unary16(reluFP16AVX512)},
		Impl{Kernel: kernels.Sigmoid, Precision: kernels.FP32, Engine: GoAVX512, Needs: needsAVX512, Func: unary32(sigmoidFP32AVX512)},
		Impl{Kernel: kernels.Sigmoid, Precision: kernels.FP16, Engine: GoAVX512, Needs: needsAVX512, Func: unary16(sigmoidFP16AVX512)},
	)
}

// The assembly takes pointers. These wrappers give it slices, and panic, as the twins do,
// where one is shorter than that which says n.

func unary32(f func(dst, src *float32, n int)) UnaryFunc[float32] {
	return func(dst, src []float32) {
		if n := len(src); n > 0 {
			_ = dst[n-1]
			f(&dst[0], &src[0], n)
		}
	}
}

func unary16(f func(dst, src *uint16, n int)) UnaryFunc[kernels.Float16] {
	return func(dst, src []kernels.Float16) {
		if n := len(src); n > 0 {
			_ = dst[n-1]
			f((*uint16)(&dst[0]), (*uint16)(&src[0]), n)
		}
	}
}
