package gpu

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
)

// faults are what may become of a worker, and what is said of it.
var faults = []struct {
	name string
	do   func(*life) *worker.Error // in a batch
	code string
	want string // in the sentence
	took time.Duration
}{
	{"an error after which it is of no use", func(*life) *worker.Error { return broken() }, bench.Lost, "the device stopped: CUDA_ERROR_ILLEGAL_ADDRESS (700)", 0},
	{"a panic", func(*life) *worker.Error { panic("index out of range") }, bench.Lost, "the worker panicked in sample: index out of range", 0},
	{"killed", func(l *life) *worker.Error { l.die("signal: killed"); return nil }, bench.Lost, "the worker ended during sample: signal: killed", 0},
	{"hangs with heartbeats", func(l *life) *worker.Error { l.hang(); return nil }, bench.TimedOut, "lives but has not carried out sample within 10.5", 10 * time.Second},
	{"stopped", func(l *life) *worker.Error { l.mute(); l.hang(); return nil }, bench.Lost, "has said nothing for 5s during sample", 5 * time.Second},
	{"closed its output", func(l *life) *worker.Error { _ = l.out.Close(); l.hang(); return nil }, bench.Lost, "closed its pipes during sample and did not end", time.Second},
	{"garbage", func(l *life) *worker.Error { _, _ = l.out.Write([]byte("Segmentation fault\n")); return nil }, bench.Lost, `wrote what is no reply: "Segmentation fault"`, 0},
	{"half a line", func(l *life) *worker.Error {
		_, _ = l.out.Write([]byte(`{"seq":`))
		l.die("exit status 1")
		return nil
	}, bench.Lost, "half a line of 7 bytes", 0},
	{"another request's answer", func(l *life) *worker.Error {
		_, _ = l.out.Write([]byte("{\"seq\":99,\"type\":\"done\"}\n"))
		return nil
	}, bench.Lost, "answered request 99 where 4 was asked", 0},
}

// TestALostWorkerIsReplacedOnce: the case is measured by a second worker, and says so; where that is
// lost too, the case fails.
func TestALostWorkerIsReplacedOnce(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCard("GPU-1")
				c.words = "libfake: oops"
				bad := 1
				c.sample = func(l *life, _ worker.SampleRequest) *worker.Error {
					if l.number <= bad && l.batches == 1 {
						return f.do(l)
					}
					return nil
				}
				r := runner(c)
				defer r.Close()
				began := time.Now()
				res := measure(t, r, relu())
				if res.Status != bench.OK || !near(res.FlopPerS, 1e9) || !slices.Equal(codes(res), []string{f.code}) || len(c.lives) != 2 {
					t.Fatalf("%d workers: %+v", len(c.lives), res)
				}
				if got := text(res, f.code); !strings.Contains(got, f.want) || !strings.HasPrefix(got, "the attempt before failed") || !strings.HasSuffix(got, "(its last words: libfake: oops)") {
					t.Errorf("said: %s", got)
				}
				if took := time.Since(began); took < f.took || took > f.took+4*time.Second {
					t.Errorf("took %v, want about %v", took, f.took)
				}

				bad = 3
				r2 := runner(c)
				defer r2.Close()
				res = measure(t, r2, relu()) // by workers 3 and 4
				if res.Status != bench.OK {
					t.Errorf("%+v", res)
				}
				bad = 99
				r3 := runner(c)
				defer r3.Close()
				res = measure(t, r3, relu())
				if res.Status != bench.Failed || !strings.Contains(res.Error, f.want) || !slices.Equal(codes(res), []string{f.code, f.code}) || res.FlopPerS != nil || len(c.lives) != 6 {
					t.Errorf("%d workers: %+v", len(c.lives), res)
				}
			})
		})
	}
}

// TestOneBadCaseIsLeftAndOthersGoOn, but a device that loses a third worker is given up: the rest fails at once.
func TestOneBadCaseIsLeftAndOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		c.prepare = func(l *life, r worker.PrepareRequest) (worker.Prepared, *worker.Error) {
			if r.Shape.N == 666 {
				return worker.Prepared{}, broken()
			}
			return l.prepared(r), nil
		}
		var said []string
		r := runner(c, func(c *Config) { c.Log = func(s string) { said = append(said, s) } })
		defer r.Close()
		poison := relu()
		poison.Shape = n(666)
		if res := measure(t, r, poison); res.Status != bench.Failed || len(c.lives) != 2 {
			t.Errorf("%+v, %d workers", res, len(c.lives))
		}
		if res := measure(t, r, relu()); res.Status != bench.OK || len(res.Warnings) != 0 || len(c.lives) != 3 || r.Refused() != "" {
			t.Errorf("the next case: %+v, %d workers", res, len(c.lives))
		}
		poison.Shape = n(666)
		if res := measure(t, r, poison); res.Status != bench.Failed || len(c.lives) != 3 || !slices.Equal(codes(res), []string{bench.Lost}) {
			t.Errorf("a third loss: %+v, %d workers", res, len(c.lives))
		}
		res := measure(t, r, relu())
		if want := "3 workers on this device were lost, and no other is started; the last: the device stopped: CUDA_ERROR_ILLEGAL_ADDRESS (700)"; res.Status != bench.Failed || res.Error != want || r.Refused() != want || len(c.lives) != 3 {
			t.Errorf("afterwards: %+v, %d workers", res, len(c.lives))
		}
		if len(said) != 3 || !strings.Contains(said[2], "GPU-1 (Fake 100): worker 3 of at most 3 was lost") {
			t.Errorf("told %q", said)
		}
	})
}

func TestAWorkerThatIsNotReleasedIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		c.release = func(l *life) *worker.Error { return broken() }
		r := runner(c)
		defer r.Close()
		for i := range 4 { // it costs no attempt: every case was measured
			if res := measure(t, r, relu()); res.Status != bench.OK || len(res.Warnings) != 0 || len(c.lives) != i+1 {
				t.Errorf("%d workers: %+v", len(c.lives), res)
			}
		}
	})
}

// TestTheKillLadder: SIGTERM, 30 s, SIGKILL, 10 s, and then the device is left alone until the next boot.
func TestTheKillLadder(t *testing.T) {
	for _, x := range []struct {
		name             string
		deaf, unkillable bool
		signals          []string
		took             time.Duration
		lives            int
	}{
		{"ends by SIGTERM", false, false, []string{"terminated", "continued"}, 0, 2},
		{"ends by SIGKILL", true, false, []string{"terminated", "continued", "killed"}, 30 * time.Second, 2},
		{"does not end", true, true, []string{"terminated", "continued", "killed"}, 40 * time.Second, 1},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCard("GPU-1")
				c.deaf, c.unkillable = x.deaf, x.unkillable
				c.sample = func(l *life, _ worker.SampleRequest) *worker.Error {
					if l.number == 1 {
						l.hang()
					}
					return nil
				}
				dir, boot := filepath.Join(t.TempDir(), "state"), "boot-1"
				config := func(c *Config) { c.StateDir, c.bootID = dir, func() string { return boot } }
				r := runner(c, config)
				began := time.Now()
				res := measure(t, r, relu())
				took := time.Since(began) - 10*time.Second // the deadline of the batch
				if took < x.took || took > x.took+4*time.Second || len(c.lives) != x.lives {
					t.Errorf("took %v and %d workers", took, len(c.lives))
				}
				if got := c.lives[0].signals; !slices.Equal(got, x.signals) {
					t.Errorf("signals %v", got)
				}
				if why, yes := (Config{StateDir: dir, bootID: func() string { return boot }}).Quarantined("GPU-1"); yes != x.unkillable || yes && !strings.Contains(why, "not even by SIGKILL") {
					t.Errorf("in quarantine: %v: %s", yes, why)
				}
				if x.unkillable {
					if res.Status != bench.Failed || !slices.Equal(codes(res), []string{bench.TimedOut}) {
						t.Errorf("%+v", res)
					}
					quarantined(t, c, r, dir, &boot, config)
				} else if res.Status != bench.OK || r.Refused() != "" {
					t.Errorf("%+v", res)
				}
				c.lives[0].die("at the test's end")
				r.Close()
			})
		})
	}
}

// quarantined: after a process could not be ended, neither this runner nor a new one measures, until the
// machine is booted or it is forced.
func quarantined(t *testing.T, c *card, r *Runner, dir string, boot *string, config func(*Config)) {
	if res := measure(t, r, relu()); res.Status != bench.Failed || !slices.Equal(codes(res), []string{bench.Quarantined}) || len(c.lives) != 1 {
		t.Errorf("the next case: %+v", res)
	}
	if info, err := os.Stat(filepath.Join(dir, "quarantine.json")); err != nil {
		t.Error(err)
	} else if info.Mode().Perm() != 0o600 {
		t.Errorf("others may read or write it: %v", info.Mode())
	}
	next := runner(c, config)
	if res := measure(t, next, relu()); res.Status != bench.Failed || !strings.HasPrefix(res.Error, "it is in quarantine: ") || len(c.lives) != 1 {
		t.Errorf("the next run: %+v", res)
	}
	forced := runner(c, config, func(c *Config) { c.Force = true })
	defer forced.Close()
	if res := measure(t, forced, relu()); res.Status != bench.OK {
		t.Errorf("by force: %+v", res)
	}
	*boot = "boot-2"
	rebooted := runner(c, config)
	defer rebooted.Close()
	if res := measure(t, rebooted, relu()); res.Status != bench.OK {
		t.Errorf("after a boot: %+v", res)
	}
}

func TestQuarantineKeepsOthersAndForgetsOtherBoots(t *testing.T) {
	boot := "b1"
	var said []string
	c := Config{StateDir: t.TempDir(), bootID: func() string { return boot }, Log: func(s string) { said = append(said, s) }}.withDefaults()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	in := func() (list []string) {
		for _, d := range []string{"A", "B", "C"} {
			if _, yes := c.Quarantined(d); yes {
				list = append(list, d)
			}
		}
		return list
	}
	for _, d := range []string{"A", "B", "B"} {
		if err := c.quarantine(d, "it hangs", at); err != nil {
			t.Fatal(err)
		}
	}
	if why, _ := c.Quarantined("B"); !slices.Equal(in(), []string{"A", "B"}) || why != "it hangs (since 2026-01-02T03:04:05Z, until the next boot)" {
		t.Errorf("%v, %s", in(), why)
	}
	boot = "b2"
	if got := in(); got != nil {
		t.Errorf("after a boot %v", got)
	}
	if err := c.quarantine("C", "it hangs", at); err != nil {
		t.Fatal(err)
	}
	if boot = "b1"; in() != nil {
		t.Errorf("entries of other boots are kept: %v", in())
	}
	if boot = ""; in() != nil || c.quarantine("A", "x", at) != nil {
		t.Error("without a boot's name there is a quarantine")
	}
	boot = "b2"
	path := filepath.Join(c.StateDir, quarantineFile)
	if err := os.WriteFile(path, []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := in(); got != nil || len(said) == 0 || !strings.Contains(said[0], path) {
		t.Errorf("of a torn file %v, told %q", got, said)
	}
	c.StateDir = path // no folder
	if err := c.quarantine("A", "x", at); err == nil || !strings.Contains(err.Error(), "quarantine of A cannot be kept") {
		t.Errorf("%v", err)
	}
}
