package cpu

import "time"

// Usage is what a process has had of the CPUs: its time on them, and how often one was taken
// from a thread that would have gone on (ru_nivcsw of getrusage(2)).
type Usage struct {
	CPU         time.Duration
	Involuntary int64
}

// Sub is what came between before and u.
func (u Usage) Sub(before Usage) Usage {
	return Usage{u.CPU - before.CPU, u.Involuntary - before.Involuntary}
}

const (
	// lostShare is the share of the threads' time that others may take before a figure is in
	// doubt. The runtime's and the kernel's own threads take up to 3% where every CPU is busy.
	lostShare = 0.05
	// lostSwitches is how many involuntary switches a second and thread go with it: time that is
	// lost without them was not taken but given, by threads that waited for each other.
	lostSwitches = 20
)

// Preempted reports whether others took CPU time from threads that would have used all of wanted (their number
// times the time that passed): which share of it, and in how many involuntary switches a second and thread.
func (u Usage) Preempted(wanted time.Duration) (lost, rate float64, preempted bool) {
	if wanted <= 0 {
		return 0, 0, false
	}
	lost, rate = 1-u.CPU.Seconds()/wanted.Seconds(), float64(u.Involuntary)/wanted.Seconds()
	return lost, rate, lost > lostShare && rate > lostSwitches
}
