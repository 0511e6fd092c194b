package cpu

import (
	"runtime"

	"github.com/klauspost/cpuid/v2"
)

// ClockChain performs n integer multiplies, each of which needs the one before. Nothing else
// in it takes time, so that n times [ClockLatency] over its duration is the core's clock in Hz. The
// product is returned so that none can be left out.
//
//go:noinline
func ClockChain(n int) uint32 {
	x, factor := uint32(n)|1, uint32(n)|3
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

// ClockLatency is the latency in cycles of a multiply of [ClockChain]: 3 for the 32-bit IMUL of
// Intel's cores from Nehalem and Silvermont on and of AMD's from Zen on (A. Fog, Instruction tables; the
// 64-bit one takes 4 on Zen 1 and 5 on Gracemont). It is 4 or more on AMD's families before Zen (17h) and
// differs between arm64 cores: there ok is false.
func ClockLatency() (cyclesPerMultiply int, ok bool) {
	if runtime.GOARCH != "amd64" || cpuid.CPU.VendorID == cpuid.AMD && cpuid.CPU.Family < 0x17 {
		return 0, false
	}
	return 3, true
}
