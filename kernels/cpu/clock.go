package cpu

import "runtime"

// ClockChain performs n integer multiplies, each of which needs the one before. Nothing else
// in it takes time, so that n times [ClockLatency] over its duration is the core's clock in Hz. The
// product is returned so that none can be left out.
//
//go:noinline
func ClockChain(n int) uint64 {
	x, factor := uint64(n)|1, uint64(n)|3
	for ; n >= 8; n -= 8 {
		x *= factor
		x *= factor
		x *= factor
		x *= factor
		x *= factor
		x *= factor
		x *= factor
		x *= factor
	}
	for ; n > 0; n-- {
		x *= factor
	}
	return x
}

// ClockLatency is the latency in cycles of a multiply of [ClockChain]: 3 for IMUL on every amd64
// core with AVX2 (A. Fog, Instruction tables: Intel from Nehalem on, AMD from Zen on). It differs
// between arm64 cores, where ok is false.
func ClockLatency() (cyclesPerMultiply int, ok bool) {
	if runtime.GOARCH == "amd64" {
		return 3, true
	}
	return 0, false
}
