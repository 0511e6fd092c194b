package cpu

import (
	"fmt"

	"github.com/realflops/realflops/bench"
)

// usage is what a process has had of the CPUs: its time on them, and how often one was taken
// from a thread that would have gone on (ru_nivcsw).
type usage struct {
	cpuS     float64
	switches int64
}

// tally adds up the usage of the samples of one measurement.
type tally struct {
	usage
	wantedS float64 // seconds times threads: a thread of the pool works or spins all the time
	known   bool
}

// add counts one sample.
func (t *tally) add(before, after usage, known bool, seconds float64, threads int) {
	t.known = known
	t.cpuS += after.cpuS - before.cpuS
	t.switches += after.switches - before.switches
	t.wantedS += seconds * float64(threads)
}

const (
	// lostShare is the share of the threads' time that others may take before a figure is in
	// doubt. The runtime's and the kernel's own threads take up to 3% where every CPU is busy.
	lostShare = 0.05
	// lostSwitches is how many involuntary switches a second and thread go with it: time that is
	// lost without them was not taken but given, by threads that waited for each other.
	lostSwitches = 20
)

// doubt is the preempted warning, if the threads did not have the CPUs to themselves.
func (t *tally) doubt() []bench.Warning {
	if !t.known || t.wantedS == 0 {
		return nil
	}
	lost, rate := 1-t.cpuS/t.wantedS, float64(t.switches)/t.wantedS
	if lost <= lostShare || rate <= lostSwitches {
		return nil
	}
	text := fmt.Sprintf("others took %.0f%% of the threads' CPU time, in %.0f involuntary switches a second and thread", 100*lost, rate)
	return []bench.Warning{bench.Warn(bench.Preempted, "%s", text)}
}
