package cpu

import (
	"fmt"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels/cpu"
)

// tally adds up what the process had of the CPUs during the samples of one measurement.
type tally struct {
	used   cpu.Usage
	wanted time.Duration // seconds times threads: a thread of the pool works or spins all the time
	known  bool
}

// add counts one sample.
func (t *tally) add(before, after cpu.Usage, known bool, seconds float64, threads int) {
	t.known = known
	u := after.Sub(before)
	t.used.CPU += u.CPU
	t.used.Involuntary += u.Involuntary
	t.wanted += time.Duration(seconds * float64(threads) * float64(time.Second))
}

// doubt is the preempted warning, if the threads did not have the CPUs to themselves.
func (t *tally) doubt() []bench.Warning {
	lost, rate, preempted := t.used.Preempted(t.wanted)
	if !t.known || !preempted {
		return nil
	}
	text := fmt.Sprintf("others took %.0f%% of the threads' CPU time, in %.0f involuntary switches a second and thread", 100*lost, rate)
	return []bench.Warning{bench.Warn(bench.Preempted, "%s", text)}
}
