package cpu

import (
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

func init() {
	table := addresses(adamWTable)
	assembled := map[kernels.Precision]func(routine uintptr) any{
		kernels.FP32: adamWFuncOf[float32], kernels.FP16: adamWFuncOf[kernels.Float16], kernels.BF16: adamWFuncOf[kernels.BFloat16],
	}
	for i, r := range adamWRoutines {
		register(Impl{Kernel: kernels.AdamW, Precision: r.precision, Engine: r.engine, Needs: r.needs, Func: assembled[r.precision](table[i])})
	}
}

// adamWArgs is what a routine gets. The generator knows its layout.
type adamWArgs struct {
	n       int
	p, m, v unsafe.Pointer
	w, g    unsafe.Pointer

	beta1, rest1 float32 // β1 and 1-β1
	beta2, rest2 float32

	correct1, correct2, epsilon, rate, decay float32
}

// adamWFuncOf is an AdamWFunc[T].
func adamWFuncOf[T Float](routine uintptr) any {
	return AdamWFunc[T](func(p, m, v []float32, w, g []T, s AdamWStep) {
		checkAdamW(p, m, v, w, g)
		args := adamWArgs{
			n: len(p), p: pointer(p), m: pointer(m), v: pointer(v), w: pointer(w), g: pointer(g),
			beta1: s.Beta1, rest1: 1 - s.Beta1, beta2: s.Beta2, rest2: 1 - s.Beta2,
			correct1: s.Correct1, correct2: s.Correct2, epsilon: s.Epsilon, rate: s.Rate, decay: s.Decay,
		}
		call(routine, unsafe.Pointer(&args))
	})
}
