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
		Impl{Kernel: kernels.Triad, Precision: kernels.FP64, Engine: Go, Func: TriadFunc(triadFP64)},
		Impl{Kernel: kernels.Copy, Precision: kernels.FP64, Engine: Go, Func: CopyFunc(copyFP64)},
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

// triadFP64 rounds once an element, as the fused multiply-add of every engine does.
func triadFP64(dst, a, b []float64, s float64) {
	for i := range dst {
		dst[i] = math.FMA(s, b[i], a[i])
	}
}

func copyFP64(dst, src []float64) { copy(dst, src) }
