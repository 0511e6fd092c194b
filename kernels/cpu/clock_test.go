package cpu

import (
	"runtime"
	"testing"

	"github.com/klauspost/cpuid/v2"
)

func TestClockChainMultipliesNTimes(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 1003} {
		want := uint32(n) | 1
		for range n {
			want *= uint32(n) | 3
		}
		if got := ClockChain(n); got != want {
			t.Errorf("%d multiplies: %d, not %d", n, got, want)
		}
	}
}

// TestClockLatencyIsKnownWhereTheTablesSayIt, and nowhere else.
func TestClockLatencyIsKnownWhereTheTablesSayIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		arch   string
		vendor cpuid.Vendor
		family int
		cycles int
	}{
		{"Gracemont", "amd64", cpuid.Intel, 6, 3},
		{"Zen 1", "amd64", cpuid.AMD, 0x17, 3},
		{"Zen 5", "amd64", cpuid.AMD, 0x1a, 3},
		{"Dhyana", "amd64", cpuid.Hygon, 0x18, 3},
		{"Excavator", "amd64", cpuid.AMD, 0x15, 0},
		{"VIA", "amd64", cpuid.VIA, 6, 0},
		{"hidden", "amd64", cpuid.VendorUnknown, 0, 0},
		{"Neoverse", "arm64", cpuid.ARM, 0, 0},
	} {
		if cycles, ok := multiplyLatency(c.arch, c.vendor, c.family); cycles != c.cycles || ok != (c.cycles > 0) {
			t.Errorf("%s: %d, %v, want %d", c.name, cycles, ok, c.cycles)
		}
	}
	cycles, ok := ClockLatency()
	if want, known := multiplyLatency(runtime.GOARCH, cpuid.CPU.VendorID, cpuid.CPU.Family); cycles != want || ok != known {
		t.Errorf("this CPU: %d, %v", cycles, ok)
	}
}
