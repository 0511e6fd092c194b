package cpu

import (
	"runtime"
	"testing"
	"time"
)

// scripted is a watch on 2 threads whose clock and waits a test moves.
type scripted struct {
	watch
	clock    time.Duration
	line     waits
	known    bool
	readings int
}

func newScripted() *scripted {
	s := &scripted{known: true}
	s.watch = newWatch(2, func() (waits, bool) { return s.line, s.known })
	s.now = func() time.Time { s.readings++; return time.Unix(0, 0).Add(s.clock) }
	return s
}

// run is one Run of the given length in which both threads together stood in line for a share of their time.
func (s *scripted) run(length time.Duration, share float64, switches int64) {
	s.starts()
	s.clock += length
	s.line.line += time.Duration(2 * float64(length) * share)
	s.line.involuntary += switches
	s.ran(2)
}

// TestContendedIsPreemptionSeenInAWindow: Runs of 5 ms.
func TestContendedIsPreemptionSeenInAWindow(t *testing.T) {
	s := newScripted()
	const perWindow = int(watchWindow / (5 * time.Millisecond))
	for _, c := range []struct {
		name     string
		windows  int
		share    float64 // of the threads' time that they stand in line
		switches int64   // in each Run
		want     bool
	}{
		{"alone", 10, 0, 0, false},
		{"the runtime's visits", 10, 0.03, 3, false},
		{"alone again", 2, 0, 0, false},
		{"kept waiting by no one", 2, 0.1, 0, false},
		{"alone once more", 2, 0, 0, false},
		{"a turn's remains", watchTaken - 1, 0.25, 1, false},
		{"alone after them", 1, 0, 0, false},
		{"a neighbour comes", watchTaken + 1, 0.25, 1, true},
		{"it goes", watchCalm / 2, 0, 0, true},
		{"and comes again", 2, 0.25, 1, true},
		{"it went long ago", watchCalm + 1, 0, 0, false},
	} {
		for range c.windows * perWindow {
			s.run(5*time.Millisecond, c.share, c.switches)
		}
		if s.contended != c.want {
			t.Errorf("%s: contended is %v", c.name, s.contended)
		}
	}
	s.known = false
	for range 4 * perWindow {
		s.run(5*time.Millisecond, 0.5, 9)
	}
	if s.contended {
		t.Error("contended, and what the threads waited for is unknown")
	}
}

// TestWhatHappensBetweenBurstsIsNotThePools: somebody else's turn takes CPUs, and the pool does not want them.
func TestWhatHappensBetweenBurstsIsNotThePools(t *testing.T) {
	for _, length := range []time.Duration{50 * time.Microsecond, 1300 * time.Microsecond, 30 * time.Millisecond} {
		s := newScripted()
		for range 40 {
			for began := s.clock; s.clock-began < 45*time.Millisecond; {
				s.run(length, 0, 0)
			}
			s.clock += 60 * time.Millisecond
			s.line.line += 20 * time.Millisecond // two threads stand in line as they park and wake
			s.line.involuntary += 30
			if s.contended {
				t.Fatalf("Runs of %v in bursts: contended", length)
			}
		}
		for range int(8*watchWindow/length) + 1 {
			s.run(length, 0.25, 1+int64(length/(5*time.Millisecond)))
		}
		if !s.contended {
			t.Errorf("Runs of %v beside a neighbour: not contended", length)
		}
	}
}

// TestWatchReadsTheClockSeldomForShortRuns: and often enough again once they are long.
func TestWatchReadsTheClockSeldomForShortRuns(t *testing.T) {
	s := newScripted()
	const runs = 100_000
	for range runs {
		s.run(time.Microsecond, 0, 0)
	}
	if s.readings > runs/100 {
		t.Errorf("%d readings in %d Runs of a microsecond", s.readings, runs)
	}
	for range 2 * watchRuns {
		s.run(watchWindow, 0, 0)
	}
	for range 100 {
		s.run(time.Microsecond, 0, 0)
	}
	s.anew()
	s.readings = 0
	for range 100 {
		s.run(watchWindow, 0, 0)
	}
	if s.readings != 200 {
		t.Errorf("%d readings in 100 Runs that take a window each, want 2 a Run", s.readings)
	}
}

// TestThreadsOfAPoolTellWhatTheyWaited: that of a thread never shrinks, and one that has the CPU to itself for a
// moment does not wait meanwhile.
func TestThreadsOfAPoolTellWhatTheyWaited(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := NewPool(2)
	defer p.Close()
	p.Run(func(int) {})
	before, ok := p.waited()
	if runtime.GOOS != "linux" {
		if ok {
			t.Errorf("on %s: %+v", runtime.GOOS, before)
		}
		return
	}
	if !ok {
		t.Fatal("/proc/self/task tells nothing of this pool's threads")
	}
	if before.line <= 0 {
		t.Errorf("two threads have started, and never stood in line: %v", before.line)
	}
	p.Run(func(int) { runtime.KeepAlive(ClockChain(1 << 20)) })
	if after, ok := p.waited(); !ok || after.line < before.line || after.involuntary < before.involuntary {
		t.Errorf("%+v became %+v", before, after)
	}
}
