package cpu

import (
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// roofs are the limits measured so far by a Runner.
type roofs struct {
	flopPerS  map[limitKey]float64
	bytesPerS map[levelKey]float64  // the better of copy and triad
	dispatchS map[int]float64       // by threads
	compute   map[kernelKey]float64 // elements a second of the kernels that were found bound by compute
}

type kernelKey struct {
	kernel    kernels.Kernel
	precision kernels.Precision
	threads   int
}

type limitKey struct {
	accumulate kernels.Precision
	threads    int
}

type levelKey struct {
	level   string
	threads int
}

func newRoofs() roofs {
	return roofs{map[limitKey]float64{}, map[levelKey]float64{}, map[int]float64{}, map[kernelKey]float64{}}
}

const (
	// roofShare is the share of a roof from which on it is called the bound.
	roofShare = 0.5
	// sameRate is the share of an earlier rate from which on a kernel has kept it.
	sameRate = 0.9
	// latencyShare is how many times its fixed cost a pass must take not to be called
	// bound by latency.
	latencyShare = 10
	// callS is the fixed cost of one pass of an elementwise kernel, whose passes follow each
	// other within one dispatch: a call and the loop around it.
	callS = 5e-9
)

// judge sets of_limit and bound by the roofline of this run, and remembers the result if
// it is a roof itself.
//
// Of the limit for multiply-adds in the accumulator's precision and of the better of copy
// and triad at the same level, both with as many threads, the one of which the larger share was
// reached is the bound, if that is at least half. An elementwise kernel below half of both
// is bound by compute: it executes more instructions than its convention counts FLOP; and it is at
// a lower level too where it keeps 0.9 of that rate. A pass
// that takes less than ten times its fixed cost (dispatch, or a call) is bound by
// latency, and what was held against neither roof is unknown.
func (m *measurement) judge(res *bench.Result, s bench.Summary) {
	class := classOf(m.c.Kernel)
	limitAt := limitKey{accumulator(m.c.Precision), m.c.Threads}
	levelAt := levelKey{m.c.Level, m.c.Threads}
	switch class {
	case kernels.Register:
		res.Bound = bench.ComputeBound
		m.roofs.flopPerS[limitAt] = max(m.roofs.flopPerS[limitAt], *res.FlopPerS)
		return
	case kernels.Bandwidth:
		m.roofs.bytesPerS[levelAt] = max(m.roofs.bytesPerS[levelAt], *res.BytesPerS)
	}

	passS, fixedS := 1/s.Sustained.Median, callS
	if class == kernels.Matrix {
		fixedS = m.dispatchSeconds(m.ctx, m.c.Threads)
	}
	var compute, bandwidth float64 // shares
	if limit := m.roofs.flopPerS[limitAt]; limit > 0 && class != kernels.Bandwidth {
		compute = *res.FlopPerS / limit
		res.OfLimit = &compute
	}
	if roof := m.roofs.bytesPerS[levelAt]; roof > 0 {
		bandwidth = m.c.Bytes() / passS / roof
	}
	res.Bound = bound(class, passS, fixedS, compute, bandwidth)
	if class == kernels.Elementwise {
		m.judgeBySmaller(res)
	}
}

// judgeBySmaller: an elementwise kernel that is bound by compute in a cache is bound by it
// as long as it keeps that rate, however near it comes to the bandwidth of a lower level.
func (m *measurement) judgeBySmaller(res *bench.Result) {
	key := kernelKey{m.c.Kernel, m.c.Precision, m.c.Threads}
	if best := m.roofs.compute[key]; best > 0 && *res.ElementsPerS >= sameRate*best {
		res.Bound = bench.ComputeBound
	}
	if res.Bound == bench.ComputeBound {
		m.roofs.compute[key] = max(m.roofs.compute[key], *res.ElementsPerS)
	}
}

func bound(class kernels.Class, passS, fixedS, compute, bandwidth float64) bench.Bound {
	switch {
	case passS < latencyShare*fixedS:
		return bench.LatencyBound
	case class == kernels.Bandwidth:
		return bench.BandwidthBound
	case max(compute, bandwidth) >= roofShare && bandwidth >= compute:
		return bench.BandwidthBound
	case max(compute, bandwidth) >= roofShare:
		return bench.ComputeBound
	case class == kernels.Elementwise && compute > 0 && bandwidth > 0:
		return bench.ComputeBound
	}
	return bench.UnknownBound
}

func classOf(k kernels.Kernel) kernels.Class {
	d, _ := kernels.Lookup(string(k)) // the case was checked
	return d.Class
}

// accumulator is the precision of the limit that p is held against: fp16 operands are
// computed on in fp32.
func accumulator(p kernels.Precision) kernels.Precision {
	if p.Storage() == kernels.FP64 {
		return kernels.FP64FP64
	}
	return kernels.FP32FP32
}
