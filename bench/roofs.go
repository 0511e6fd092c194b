package bench

import "github.com/realflops/realflops/kernels"

// Roofs are the limits that a run has measured on one device so far. Every later result
// is held against them as it is made. Not for concurrent use.
type Roofs struct {
	flopPerS  map[limitKey]float64
	bytesPerS map[levelKey]float64  // the best of the bandwidth kernels
	compute   map[kernelKey]float64 // elements a second of the kernels that were found bound by compute
}

type kernelKey struct {
	place     string
	kernel    kernels.Kernel
	precision kernels.Precision
	threads   int
}

type limitKey struct {
	place   string
	limit   kernels.Precision
	engine  string
	threads int
}

type levelKey struct {
	place   string
	level   string
	threads int
}

// NewRoofs has none yet.
func NewRoofs() *Roofs {
	return &Roofs{map[limitKey]float64{}, map[levelKey]float64{}, map[kernelKey]float64{}}
}

// Pass is what a judgement needs to know of one pass beside the result itself.
type Pass struct {
	Seconds float64           // the sustained time of a pass
	FixedS  float64           // of it, what no work is done in: dispatch, a launch, a call
	Bytes   float64           // that it must move
	Limit   kernels.Precision // the precision of fma whose rate is its limit
	Engine  string            // and the engine of that fma; "" where the best of all engines is the limit
}

const (
	// roofShare is the share of a roof from which on it is called the bound.
	roofShare = 0.5
	// sameRate is the share of an earlier rate from which on a kernel has kept it.
	sameRate = 0.9
	// latencyShare is how many times its fixed cost a pass must take not to be called
	// bound by latency.
	latencyShare = 10
)

// Judge sets of_limit and bound of a result with figures, and remembers it if it is
// a roof itself.
//
// Of the limit for multiply-adds and of the best of the bandwidth kernels at the same level,
// both with as many threads at the same place, the one of which the larger share was
// reached is the bound, if that is at least half. An elementwise kernel below half of both
// is bound by compute: it executes more instructions than its convention counts FLOP; and it is at
// a lower level too where it keeps 0.9 of that rate. A pass
// that takes less than ten times its fixed cost is bound by
// latency, and what was held against neither roof is unknown.
func (r *Roofs) Judge(res *Result, pass Pass) {
	class := classOf(res.Kernel)
	limitAt := limitKey{res.Placement, pass.Limit, pass.Engine, res.Threads}
	levelAt := levelKey{res.Placement, res.Level, res.Threads}
	switch class {
	case kernels.Register:
		res.Bound = ComputeBound
		r.flopPerS[limitAt] = max(r.flopPerS[limitAt], *res.FlopPerS)
		return
	case kernels.Bandwidth:
		r.bytesPerS[levelAt] = max(r.bytesPerS[levelAt], *res.BytesPerS)
	}
	var compute, bandwidth float64 // shares
	if limit := r.flopPerS[limitAt]; limit > 0 && class != kernels.Bandwidth {
		compute = *res.FlopPerS / limit
		res.OfLimit = &compute
	}
	if roof := r.bytesPerS[levelAt]; roof > 0 {
		bandwidth = pass.Bytes / pass.Seconds / roof
	}
	res.Bound = bound(class, pass, compute, bandwidth)
	if class == kernels.Elementwise || class == kernels.Rowwise {
		r.judgeBySmaller(res)
	}
}

// judgeBySmaller: an elementwise kernel that is bound by compute in a cache is bound by it
// as long as it keeps that rate, however near it comes to the bandwidth of a lower level.
func (r *Roofs) judgeBySmaller(res *Result) {
	key := kernelKey{res.Placement, res.Kernel, res.Precision, res.Threads}
	if best := r.compute[key]; best > 0 && *res.ElementsPerS >= sameRate*best {
		res.Bound = ComputeBound
	}
	if res.Bound == ComputeBound {
		r.compute[key] = max(r.compute[key], *res.ElementsPerS)
	}
}

func bound(class kernels.Class, pass Pass, compute, bandwidth float64) Bound {
	switch {
	case pass.Seconds < latencyShare*pass.FixedS:
		return LatencyBound
	case class == kernels.Bandwidth:
		return BandwidthBound
	case class == kernels.Latency:
		return LatencyBound
	case max(compute, bandwidth) >= roofShare && bandwidth >= compute:
		return BandwidthBound
	case max(compute, bandwidth) >= roofShare:
		return ComputeBound
	case (class == kernels.Elementwise || class == kernels.Rowwise) && compute > 0 && bandwidth > 0:
		return ComputeBound
	}
	return UnknownBound
}

func classOf(k kernels.Kernel) kernels.Class {
	d, _ := kernels.Lookup(string(k)) // the case was checked
	return d.Class
}
