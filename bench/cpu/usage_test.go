package cpu

import (
	"testing"
	"time"

	"github.com/realflops/realflops/kernels/cpu"
)

// TestPreemptedIsTimeThatOthersTook: neither the runtime's own short visits nor threads that
// wait for each other are preemption.
func TestPreemptedIsTimeThatOthersTook(t *testing.T) {
	for _, c := range []struct {
		name     string
		cpuS     float64 // of 2 threads in 1 s
		switches int64
		known    bool
		warns    bool
	}{
		{"alone", 2, 4, true, false},
		{"the runtime's visits", 1.95, 500, true, false},
		{"waiting for each other", 1.7, 4, true, false},
		{"a busy neighbour", 1.5, 200, true, true},
		{"just too much", 1.88, 42, true, true},
		{"unknown", 1.5, 200, false, false},
	} {
		var sum tally
		half := cpu.Usage{CPU: time.Duration(c.cpuS / 2 * float64(time.Second)), Involuntary: c.switches / 2}
		earlier := cpu.Usage{CPU: time.Second, Involuntary: 100}
		sum.add(cpu.Usage{}, half, c.known, 0.5, 2)
		sum.add(earlier, cpu.Usage{CPU: earlier.CPU + half.CPU, Involuntary: earlier.Involuntary + half.Involuntary}, c.known, 0.5, 2)
		if got := len(sum.doubt()) > 0; got != c.warns {
			t.Errorf("%s: warned %v, want %v", c.name, got, c.warns)
		}
	}
	if (&tally{known: true}).doubt() != nil {
		t.Error("no sample, and a warning")
	}
}
