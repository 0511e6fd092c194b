package cpu

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

// AdamWStep is what a step of AdamW needs beside its vectors (I. Loshchilov and F. Hutter, "Decoupled
// weight decay regularization", 2019, algorithm 2): the rates, and the corrections of the step's number.
type AdamWStep struct {
	Rate, Beta1, Beta2, Epsilon, Decay float32
	Correct1, Correct2                 float32 // 1/(1-β1^t) and 1/√(1-β2^t)
}

// NewAdamWStep is step t, from 1, with the defaults of the paper (β1 0.9, β2 0.999, ε 1e-8), a
// learning rate of 1e-3 and a weight decay of 1e-2.
func NewAdamWStep(t int) AdamWStep {
	const beta1, beta2 = 0.9, 0.999
	return AdamWStep{
		Rate: 1e-3, Beta1: beta1, Beta2: beta2, Epsilon: 1e-8, Decay: 1e-2,
		Correct1: float32(1 / (1 - math.Pow(beta1, float64(t)))), Correct2: float32(1 / math.Sqrt(1-math.Pow(beta2, float64(t)))),
	}
}

// AdamWFunc performs a step on the parameters p, in place, with their moments m and v, from the
// gradient g; all are equally long and apart. Where the model works on parameters in a storage of its own, w
// gets p in it; at fp32 w is nil. In fp32:
//
//	m = β1·m + (1-β1)·g
//	v = β2·v + (1-β2)·g²
//	p = p - rate·(decay·p + correct1·m / (correct2·√v + ε))
type AdamWFunc[T Float] func(p, m, v []float32, w, g []T, s AdamWStep)

func init() {
	register(
		Impl{Kernel: kernels.AdamW, Precision: kernels.FP32, Engine: Go, Func: AdamWFunc[float32](adamWGo[float32])},
		Impl{Kernel: kernels.AdamW, Precision: kernels.FP16, Engine: Go, Func: AdamWFunc[kernels.Float16](adamWGo[kernels.Float16])},
		Impl{Kernel: kernels.AdamW, Precision: kernels.BF16, Engine: Go, Func: AdamWFunc[kernels.BFloat16](adamWGo[kernels.BFloat16])},
	)
}

// checkAdamW panics where operands are not of one length.
func checkAdamW[T Float](p, m, v []float32, w, g []T) {
	copies := len(p)
	if size := unsafe.Sizeof(*new(T)); size == 4 {
		copies = 0
	}
	if len(m) != len(p) || len(v) != len(p) || len(g) != len(p) || len(w) != copies {
		panic(fmt.Sprintf("cpu: adamw of %d parameters with %d, %d moments, %d gradients and %d copies; want as many of each, and %d copies", len(p), len(m), len(v), len(g), len(w), copies))
	}
}

func adamWGo[T Float](p, m, v []float32, w, g []T, s AdamWStep) {
	checkAdamW(p, m, v, w, g)
	for i := range p {
		d := float32(kernels.Value(g[i]))
		m[i] = s.Beta1*m[i] + (1-s.Beta1)*d
		v[i] = s.Beta2*v[i] + (1-s.Beta2)*d*d
		update := s.Correct1 * m[i] / (s.Correct2*float32(math.Sqrt(float64(v[i]))) + s.Epsilon)
		p[i] -= s.Rate * (s.Decay*p[i] + update)
		if w != nil {
			w[i] = kernels.Rounded[T](float64(p[i]))
		}
	}
}
