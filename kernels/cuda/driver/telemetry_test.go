package driver

import (
	"slices"
	"testing"
)

// TestCombinedReasonsAreAllNamed: a mask is tested bit by bit, so two reasons at once hide
// neither.
func TestCombinedReasonsAreAllNamed(t *testing.T) {
	for _, c := range []struct {
		mask  uint64
		names []string
		held  bool
	}{
		{0, nil, false},
		{0x1, []string{"gpu_idle"}, false},
		{0x4 | 0x20, []string{"sw_power_cap", "sw_thermal"}, true},
		{0x1 | 0x40, []string{"gpu_idle", "hw_thermal"}, true},
		{0x1ff, []string{"gpu_idle", "applications_clocks", "sw_power_cap", "hw_slowdown", "sync_boost", "sw_thermal", "hw_thermal", "hw_power_brake", "display"}, true},
		{0x80 | 1<<40, []string{"hw_power_brake", "unknown"}, true},
		{1 << 40, []string{"unknown"}, false},
	} {
		if got := ReasonNames(c.mask); !slices.Equal(got, c.names) {
			t.Errorf("%#x: %v, want %v", c.mask, got, c.names)
		}
		if got := Throttled(c.mask); got != c.held {
			t.Errorf("%#x: throttled %t, want %t", c.mask, got, c.held)
		}
	}
}
