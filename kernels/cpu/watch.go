package cpu

import "time"

// watch decides whether the machine is a pool's own: by how long its threads stood in line for a CPU while it was in
// use, and how often one was taken from them.
type watch struct {
	contended bool
	against   time.Duration // of windows on end that speak against contended

	window      time.Duration
	began       time.Time // of this window
	ended       time.Time // of the last Run that was timed
	before      waits
	known       bool // before is
	runs, every int  // every so manieth Run is timed

	now    func() time.Time
	waited func() (waits, bool) // of the pool's threads; called on thread 0
}

// waits is what threads have been kept from: how long they were ready to run and did not, and how often a
// CPU was taken from this process.
type waits struct {
	line        time.Duration
	involuntary int64
}

const (
	// watchWindow is the least time over which preemption is judged: several of the slices, of 3 to 4 ms, in which
	// Linux shares a CPU. It is longer for more threads: reading what one waited takes some 2 µs.
	watchWindow    = 20 * time.Millisecond
	watchPerThread = time.Millisecond / 2
	// watchGap is how long a pool is out of use before a new window begins.
	watchGap = time.Millisecond
	// watchTaken is for how many windows' time on end there is preemption before it is contention. One or two are what a
	// program leaves behind that has just ended its own turn, or the system's visits; claims cost the dot engines a quarter
	// at n = 512.
	watchTaken = 3
	// watchCalm is for how many windows' time on end there is none before contention ends.
	watchCalm = 25
	// watchRuns bounds how seldom a Run is timed.
	watchRuns = 1 << 10
)

func newWatch(threads int, waited func() (waits, bool)) watch {
	return watch{every: 1, window: max(watchWindow, time.Duration(threads)*watchPerThread), now: time.Now, waited: waited}
}

// starts notes that a Run starts. What happened since the last one is not the pool's.
func (w *watch) starts() {
	if w.every > 1 { // Runs are short, and ran notices a gap
		return
	}
	if now := w.now(); !w.known || now.Sub(w.ended) > watchGap {
		w.restart(now)
	}
}

// anew makes the next Run one that is timed, however short the last ones were.
func (w *watch) anew() { w.every, w.runs, w.known = 1, 0, false }

func (w *watch) restart(now time.Time) {
	w.began = now
	w.before, w.known = w.waited()
}

// ran notes that a Run of so many threads has ended. Reading the clock takes a third of an empty Run, so
// short Runs are noted together.
func (w *watch) ran(threads int) {
	if w.runs++; w.runs < w.every {
		return
	}
	w.runs = 0
	now := w.now()
	passed, since := now.Sub(w.began), now.Sub(w.ended)
	w.ended = now
	switch {
	case w.every > 1 && since > w.window/4: // so few short Runs do not take that long
		w.every /= 2
		w.restart(now)
		return
	case passed < w.window/16:
		w.every = min(2*w.every, watchRuns)
		return
	case passed < w.window:
		return
	}
	w.every = max(1, w.every/2)
	before, known := w.before, w.known
	w.restart(now)
	if known && w.known {
		w.judge(w.before.line-before.line, w.before.involuntary-before.involuntary, passed, threads)
	}
}

func (w *watch) judge(line time.Duration, involuntary int64, passed time.Duration, threads int) {
	wanted := passed * time.Duration(threads)
	// The rule is that of Usage.Preempted, with what was lost known exactly.
	_, _, preempted := (Usage{CPU: wanted - line, Involuntary: involuntary}).Preempted(wanted)
	if preempted == w.contended {
		w.against = 0
		return
	}
	needed := watchTaken * w.window
	if w.contended {
		needed = watchCalm * w.window
	}
	if w.against += passed; w.against >= needed {
		w.contended, w.against = preempted, 0
	}
}

// Contended reports whether other programs have lately taken CPUs from the pool's threads: by the time that those stood in
// line and the involuntary switches of this process, over several windows of 20 ms or more in which the pool was in use. Then
// work is best handed out in small pieces ([Chunks]). Where the system does not tell, it is false.
func (p *Pool) Contended() bool { return p.watch.contended }

// waited is what the pool's threads have been kept from, up to now.
func (p *Pool) waited() (waits, bool) {
	u, ok := ProcessUsage()
	if !ok {
		return waits{}, false
	}
	all := waits{involuntary: u.Involuntary}
	for t := range p.seats {
		thread := p.seats[t].thread.Load()
		if t == 0 {
			thread = int64(threadID())
		}
		line, ok := inLine(thread)
		if !ok {
			return waits{}, false
		}
		all.line += line
	}
	return all, true
}
