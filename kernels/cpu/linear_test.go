package cpu

import (
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/kerneltest"
)

// conformLinear runs the suite of an implementation of linear.
func conformLinear[T LinearElement, Y LinearSum](t *testing.T, impl Impl, l *Linear[T, Y]) {
	t.Helper()
	pools := map[int]*Pool{}
	t.Cleanup(func() {
		for _, p := range pools {
			p.Close()
		}
	})
	kerneltest.Linear(t, func(y []Y, x, w []T, m, n, k, threads int) {
		t.Helper()
		if pools[threads] == nil {
			pools[threads] = NewPool(threads)
		}
		ws, err := l.Pack(pools[threads], w, n, k)
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		ws.Run(y, x, m)
	}, linearForm(impl))
}

// linearForm is what the suite is to know of an implementation.
func linearForm(impl Impl) kerneltest.LinearForm {
	form := kerneltest.LinearForm{FlushX: impl.Engine == GoAVX512BF16}
	switch impl.Precision {
	case kernels.INT8FP32:
		form.Weights = 127
	case kernels.INT4FP32:
		form.Weights = 8
	}
	form.X = form.Weights != 0 && impl.Limit == kernels.INT8INT32
	form.NaN = form.X || form.Weights != 0 && impl.Engine == GoAVX512
	return form
}
