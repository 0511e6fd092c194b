package bench

import "github.com/realflops/realflops/kernels"

// Rate is the figure that a kernel is known by, with its interval, as one value.
type Rate struct {
	Value, Lo, Hi, Burst float64
	Unit                 string // FLOP/s, elem/s, load/s or B/s
}

// Rate picks the figure of r that its kernel's class is known by: FLOP/s for fma and
// gemm, elements/s for activations and rowwise kernels, bytes/s for bandwidth, loads/s for latency. It is false for a failed result.
func (r Result) Rate() (Rate, bool) {
	d, err := kernels.Lookup(string(r.Kernel))
	if err != nil || r.Status != OK {
		return Rate{}, false
	}
	switch d.Class {
	case kernels.Latency:
		return rate("load/s", r.ElementsPerS, r.ElementsPerSLo, r.ElementsPerSHi, r.ElementsPerSBurst)
	case kernels.Elementwise, kernels.Rowwise:
		return rate("elem/s", r.ElementsPerS, r.ElementsPerSLo, r.ElementsPerSHi, r.ElementsPerSBurst)
	case kernels.Bandwidth:
		return rate("B/s", r.BytesPerS, r.BytesPerSLo, r.BytesPerSHi, r.BytesPerSBurst)
	default:
		return rate("FLOP/s", r.FlopPerS, r.FlopPerSLo, r.FlopPerSHi, r.FlopPerSBurst)
	}
}

func rate(unit string, value, lo, hi, burst *float64) (Rate, bool) {
	if value == nil {
		return Rate{}, false
	}
	or := func(p *float64) float64 {
		if p == nil {
			return *value
		}
		return *p
	}
	return Rate{*value, or(lo), or(hi), or(burst), unit}, true
}
