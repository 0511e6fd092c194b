package cpu

import "testing"

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
		sum.add(usage{}, usage{c.cpuS / 2, c.switches / 2}, c.known, 0.5, 2)
		sum.add(usage{1, 100}, usage{1 + c.cpuS/2, 100 + c.switches/2}, c.known, 0.5, 2)
		if got := len(sum.doubt()) > 0; got != c.warns {
			t.Errorf("%s: warned %v, want %v", c.name, got, c.warns)
		}
	}
	if (&tally{known: true}).doubt() != nil {
		t.Error("no sample, and a warning")
	}
}
