package cpu

import (
	"runtime"

	"github.com/klauspost/cpuid/v2"
)

// ClockChain performs n 32-bit integer multiplies, each of which needs the one before. Nothing
// else in it takes time, so that n times [ClockLatency] over its duration is the core's clock in
// Hz. The product is returned so that none can be left out.
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

// ClockLatency is the latency in cycles of a multiply of [ClockChain]: 3 for IMUL r32, r32 on
// Intel from Nehalem on, Gracemont among them, and on AMD and Hygon from Zen on (A. Fog,
// Instruction tables). IMUL r64 takes 4 on Zen 1 and 5 on Gracemont, IMUL r32 4 on AMD before Zen.
// Where it is none of these ok is false: other makers' and older AMD cores, and arm64, whose
// cores differ.
func ClockLatency() (cyclesPerMultiply int, ok bool) {
	return multiplyLatency(runtime.GOARCH, cpuid.CPU.VendorID, cpuid.CPU.Family)
}

// amdZen is the first family of AMD's Zen cores.
const amdZen = 0x17

func multiplyLatency(arch string, vendor cpuid.Vendor, family int) (cycles int, ok bool) {
	if arch != "amd64" {
		return 0, false
	}
	switch {
	case vendor == cpuid.Intel, vendor == cpuid.Hygon, vendor == cpuid.AMD && family >= amdZen:
		return 3, true
	}
	return 0, false
}
