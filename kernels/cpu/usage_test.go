package cpu

import (
	"testing"
	"time"
)

// TestContendedIsPreemptionSeenInAWindow drives the watch by a clock and by usage of its own: 2 threads, Runs of
// 5 ms.
func TestContendedIsPreemptionSeenInAWindow(t *testing.T) {
	const run = 5 * time.Millisecond
	var clock time.Duration
	var used Usage
	known := true
	p := Pool{threads: 2, watch: watch{
		every: 1,
		now:   func() time.Time { return time.Unix(0, 0).Add(clock) },
		used:  func() (Usage, bool) { return used, known },
	}}
	runs := func(windows int, share float64, switches int64) {
		for range windows * int(watchWindow/run) {
			clock += run
			used.CPU += time.Duration(2 * float64(run) * share)
			used.Involuntary += switches
			p.watch.ran(2)
		}
	}
	for _, c := range []struct {
		name     string
		windows  int
		share    float64 // of the threads' time that they have
		switches int64   // in each Run
		want     bool
	}{
		{"alone", 10, 1, 0, false},
		{"waiting for each other", 10, 0.7, 0, false},
		{"alone again", 2, 1, 0, false},
		{"the runtime's visits", 10, 0.97, 3, false},
		{"a neighbour comes", 2, 0.75, 1, true},
		{"it goes", watchCalm / 2, 1, 0, true},
		{"and comes again", 2, 0.75, 1, true},
		{"it went long ago", watchCalm + 1, 1, 0, false},
	} {
		runs(c.windows, c.share, c.switches)
		if got := p.Contended(); got != c.want {
			t.Errorf("%s: contended is %v", c.name, got)
		}
	}
	known = false
	runs(4, 0.5, 9)
	if p.Contended() {
		t.Error("contended, and what the process had is unknown")
	}
}

// TestWatchReadsTheClockSeldomForShortRuns: and often enough again once they are long.
func TestWatchReadsTheClockSeldomForShortRuns(t *testing.T) {
	var clock time.Duration
	readings := 0
	w := watch{
		every: 1,
		now:   func() time.Time { readings++; return time.Unix(0, 0).Add(clock) },
		used:  func() (Usage, bool) { return Usage{}, true },
	}
	const runs = 100_000
	for range runs {
		clock += time.Microsecond
		w.ran(1)
	}
	if readings > runs/100 {
		t.Errorf("%d readings in %d Runs of a microsecond", readings, runs)
	}
	for range 2 * watchRuns {
		clock += watchWindow
		w.ran(1)
	}
	readings = 0
	for range 100 {
		clock += watchWindow
		w.ran(1)
	}
	if readings != 100 {
		t.Errorf("%d readings in 100 Runs that take a window each", readings)
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
