package cpu

import (
	"math"
	"testing"
	"time"
)

// TestPreemptedTakesBothTimeAndSwitches: 2 threads for a second.
func TestPreemptedTakesBothTimeAndSwitches(t *testing.T) {
	for _, c := range []struct {
		cpu      time.Duration
		switches int64
		lost     float64
		want     bool
	}{
		{2 * time.Second, 0, 0, false},
		{1500 * time.Millisecond, 100, 0.25, true},
		{1500 * time.Millisecond, 40, 0.25, false},
		{1920 * time.Millisecond, 500, 0.04, false},
	} {
		earlier := Usage{CPU: time.Minute, Involuntary: 7}
		u := Usage{CPU: earlier.CPU + c.cpu, Involuntary: earlier.Involuntary + c.switches}.Sub(earlier)
		lost, rate, got := u.Preempted(2 * time.Second)
		if got != c.want || math.Abs(lost-c.lost) > 1e-9 || rate != float64(c.switches)/2 {
			t.Errorf("%v in %d switches: lost %v at %v a second, preempted %v", c.cpu, c.switches, lost, rate, got)
		}
	}
	if _, _, got := (Usage{Involuntary: 9}).Preempted(0); got {
		t.Error("nothing was wanted, and it was taken")
	}
}

func TestProcessUsageGrows(t *testing.T) {
	before, ok := ProcessUsage()
	if !ok {
		t.Skip("skip: this system does not tell what a process had of its CPUs")
	}
	for u := before; u.CPU <= before.CPU; u, _ = ProcessUsage() {
		_ = ClockChain(1 << 20)
	}
}
