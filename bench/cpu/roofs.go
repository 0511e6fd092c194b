package cpu

import (
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// callS is the fixed cost of one pass of an elementwise kernel, whose passes follow each
// other within one dispatch: a call and the loop around it.
const callS = 5e-9

// judge holds the result against the limits of this run ([bench.Roofs]). A product
// pays a dispatch, every other pass a call.
func (m *measurement) judge(res *bench.Result, s bench.Summary) {
	pass := bench.Pass{Seconds: 1 / s.Sustained.Median, FixedS: callS, Bytes: m.c.Bytes(), Limit: accumulator(m.c.Precision)}
	if d, _ := kernels.Lookup(string(m.c.Kernel)); d.Class == kernels.Matrix { // the case was checked
		pass.FixedS = m.dispatchSeconds(m.ctx, m.c.Threads)
	}
	m.roofs.Judge(res, pass)
}

// accumulator is the precision of the limit that p is held against: fp16 operands are
// computed on in fp32.
func accumulator(p kernels.Precision) kernels.Precision {
	if p.Storage() == kernels.FP64 {
		return kernels.FP64FP64
	}
	return kernels.FP32FP32
}
