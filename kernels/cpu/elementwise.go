package cpu

import (
	"math"

	"github.com/realflops/realflops/kernels"
)

// The plain Go twins: what the assembly of the other engines is held to.

func init() {
	register(
		Impl{Kernel: kernels.ReLU, Precision: kernels.FP32, Engine: Go, Func: UnaryFunc[float32](reluFP32)},
		Impl{Kernel: kernels.ReLU, Precision: kernels.FP16, Engine: Go, Func: UnaryFunc[kernels.Float16](reluFP16)},
		Impl{Kernel: kernels.Sigmoid, Precision: kernels.FP32, Engine: Go, Func: UnaryFunc[float32](sigmoidFP32)},
		Impl{Kernel: kernels.Sigmoid, Precision: kernels.FP16, Engine: Go, Func: UnaryFunc[kernels.Float16](sigmoidFP16)},
	)
}

// relu is x, or 0 where x is negative. A NaN stays what it is, and so does -0, which is
// what x86's MAXPS makes of max(0, x) and thereby what vectorised frameworks compute.
func relu(x float32) float32 {
	if x < 0 {
		return 0
	}
	return x
}

// sigmoid is 1/(1+exp(-x)), rounded once from float64, which neither overflows nor
// flushes for any float32. The assembly works in float32 and errs by up to 2.5 ulp.
func sigmoid(x float32) float32 {
	return float32(1 / (1 + math.Exp(-float64(x))))
}

func reluFP32(dst, src []float32) {
	for i, x := range src {
		dst[i] = relu(x)
	}
}

func reluFP16(dst, src []kernels.Float16) {
	for i, x := range src {
		dst[i] = kernels.ToFloat16(relu(x.Float32()))
	}
}

func sigmoidFP32(dst, src []float32) {
	for i, x := range src {
		dst[i] = sigmoid(x)
	}
}

func sigmoidFP16(dst, src []kernels.Float16) {
	for i, x := range src {
		dst[i] = kernels.ToFloat16(sigmoid(x.Float32()))
	}
}
