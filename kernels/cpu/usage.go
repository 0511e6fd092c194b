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

// watch decides whether the machine is a pool's own.
type watch struct {
	contended bool
	calm      int // windows without preemption since

	began       time.Time
	before      Usage
	known       bool // before is
	runs, every int  // the clock is read at every so manieth Run

	now  func() time.Time
	used func() (Usage, bool)
}

const (
	// watchWindow is the least time over which preemption is judged: several of the slices, of 3 to 4 ms, in which
	// Linux shares a CPU.
	watchWindow = 20 * time.Millisecond
	// watchCalm is how many windows without preemption end contention.
	watchCalm = 25
	// watchRuns bounds how seldom the clock is read.
	watchRuns = 1 << 10
)

func newWatch() watch { return watch{every: 1, now: time.Now, used: ProcessUsage} }

// ran notes that a Run of so many threads has ended. Reading the clock takes a third of an empty Run, so
// short Runs are noted together.
func (w *watch) ran(threads int) {
	if w.runs++; w.runs < w.every {
		return
	}
	w.runs = 0
	now := w.now()
	passed := now.Sub(w.began)
	switch {
	case passed < watchWindow/16:
		w.every = min(2*w.every, watchRuns)
		return
	case passed < watchWindow:
		return
	}
	w.every = max(1, w.every/2)
	after, known := w.used()
	if known && w.known {
		w.judge(after.Sub(w.before), passed*time.Duration(threads))
	}
	w.began, w.before, w.known = now, after, known
}

func (w *watch) judge(u Usage, wanted time.Duration) {
	if _, _, preempted := u.Preempted(wanted); preempted {
		w.contended, w.calm = true, 0
		return
	}
	if w.calm++; w.calm >= watchCalm {
		w.contended = false
	}
}

// Contended reports whether other programs have lately taken CPU time from the pool's threads: by the involuntary
// switches and the CPU time of this process, over windows of 20 ms in which the pool was in use. Then work is best handed
// out in small pieces ([Chunks]), and threads are not kept on CPUs of their own.
func (p *Pool) Contended() bool { return p.watch.contended }
