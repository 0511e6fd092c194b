package cpu

import (
	"cmp"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// callS is the fixed cost of one pass of an elementwise kernel, whose passes follow each
// other within one dispatch: a call and the loop around it.
const callS = 5e-9

// judge holds the result against the limits of this run ([bench.Roofs]). A product
// pays a dispatch, every other pass a call.
func (m *measurement) judge(res *bench.Result, s bench.Summary) {
	pass := bench.Pass{Seconds: 1 / s.Sustained.Median, FixedS: callS, Bytes: m.c.Bytes()}
	pass.Limit, pass.Engine = limitOf(m.impl)
	if d, _ := kernels.Lookup(string(m.c.Kernel)); d.Class == kernels.Matrix { // the case was checked
		pass.FixedS = m.dispatchSeconds(m.ctx, m.c.Threads)
	}
	m.roofs.Judge(res, pass)
}

// limitOf is the precision and the engine of the fma that i is held against, or that it is.
func limitOf(i cpu.Impl) (kernels.Precision, string) {
	if i.Kernel == kernels.FMA {
		return i.Precision, i.Engine
	}
	return cmp.Or(i.Limit, accumulator(i.Precision)), cmp.Or(i.LimitEngine, i.Engine)
}

// accumulator is the precision of the limit of a kernel that names none: fp16 operands are
// computed on in fp32.
func accumulator(p kernels.Precision) kernels.Precision {
	if p.Storage() == kernels.FP64 {
		return kernels.FP64FP64
	}
	return kernels.FP32FP32
}
