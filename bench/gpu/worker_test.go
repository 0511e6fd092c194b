package gpu

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realflops/realflops/bench/worker"
)

// TestWorkersAsProcesses: a runner copes with whatever a process does, and none is left behind.
func TestWorkersAsProcesses(t *testing.T) {
	asItself(t)
	const short = 100 * time.Millisecond
	quickly := func(c *Config) {
		c.Deadlines.Verbs, c.Deadlines.SampleFactor = map[worker.Verb]time.Duration{worker.Sample: short}, 1e-9
	}
	for _, x := range []struct {
		behaviour string
		change    func(*Config)
		code      string // "" of a failure that is no fault
		want      string // of the error; "" is none
	}{
		{"good", nil, "", ""},
		{"other version", nil, "", "is of version 0.9 and this program of version 1"},
		{"other protocol", nil, "lost", "version 2 of the protocol and this program version 1"},
		{"exits at once", nil, "lost", "the worker ended during hello: exit status 127 (its last words: libfake.so.1: undefined symbol: cuInit)"},
		{"killed", nil, "lost", "the worker ended during sample: signal: killed"},
		{"killed before its child", nil, "lost", "the worker ended during sample: signal: killed"},
		{"stopped", func(c *Config) { c.Deadlines.Silence = 2 * time.Second }, "lost", "has said nothing for 2s during sample"},
		{"hangs", quickly, "timed_out", "lives but has not carried out sample within 100ms"},
		{"hangs and deaf", func(c *Config) { quickly(c); c.Deadlines.Term = short }, "timed_out", "lives but has not carried out sample"},
		{"panics", nil, "lost", "the worker panicked in sample: a bug"},
		{"crashes", nil, "lost", "the worker ended during sample: exit status 2"},
		{"garbage", nil, "lost", `no reply: "NVRM: something\a odd"`},
		{"half a line", nil, "lost", "half a line of 19 bytes"},
		{"closes stdout", nil, "lost", "closed its pipes during hello and did not end"},
		{"a gigabyte", nil, "lost", "a line of 1073741824 bytes, longer than the 1048576"},
	} {
		t.Run(x.behaviour, func(t *testing.T) {
			var processes []*process
			config := processConfig(x.behaviour)
			config.start = func(c Config) (*process, error) {
				p, err := launch(c)
				processes = append(processes, p)
				return p, err
			}
			if x.change != nil {
				x.change(&config)
			}
			r := New(config, newDevice("GPU-1"))
			short := relu()
			short.MinS, short.MaxS = 0.1, 0.1
			res := measure(t, r, short)
			r.Close()
			switch {
			case x.want == "" && (res.Status != "ok" || res.Error != ""):
				t.Errorf("%+v", res)
			case x.want != "" && (res.Status != "failed" || !strings.Contains(res.Error, x.want) || strings.ContainsAny(res.Error, "\n\a")):
				t.Errorf("%s\nwant %s", res.Error, x.want)
			case x.want != "" && (len(res.Warnings) > 0) != (x.code != ""):
				t.Errorf("%v", res.Warnings)
			}
			for _, w := range res.Warnings {
				if w.Code != x.code && w.Code != "clock_unknown" {
					t.Errorf("warning %v, want %s", w, x.code)
				}
			}
			if len(processes) == 0 || len(processes) > attempts {
				t.Errorf("%d processes", len(processes))
			}
			for i, p := range processes {
				select {
				case <-p.done:
				default:
					t.Errorf("process %d was left behind", i)
				}
			}
		})
	}
}

func TestListTellsOfDevices(t *testing.T) {
	asItself(t)
	w, err := List(t.Context(), processConfig("good"))
	if err != nil || len(w.Devices) != 1 || w.Devices[0].ID != "GPU-1" || w.Backend != "test" {
		t.Errorf("%+v, %v", w, err)
	}
	if _, err := List(t.Context(), processConfig("exits at once")); err == nil || !strings.HasPrefix(err.Error(), "devices cannot be listed: the worker ended during hello: exit status 127") {
		t.Errorf("%v", err)
	}
	missing := processConfig("good")
	missing.Worker = filepath.Join(t.TempDir(), WorkerName)
	if _, err := List(t.Context(), missing); err == nil || !strings.Contains(err.Error(), "cannot be started") || !strings.Contains(err.Error(), missing.Worker) {
		t.Errorf("%v", err)
	}
}

// TestAWorkerSeesWhatItShould: of the environment nothing that makes a device an emulated one,
// unless it is asked for, and no secret; and it leads a process group of its own.
func TestAWorkerSeesWhatItShould(t *testing.T) {
	asItself(t)
	for _, name := range []string{"REALFLOPS_LIBCUDA", "REALFLOPS_LIBNVML", "REALFLOPS_EMULATOR", "REALFLOPS_LIBCUBLASLT", "REALFLOPS_OTHER", "INFLUX_TOKEN", "INFLUX_ORG"} {
		t.Setenv(name, "inherited")
	}
	w, err := List(t.Context(), processConfig("environment", "REALFLOPS_LIBCUDA=/shim.so"))
	if want := []string{"INFLUX_ORG=inherited", "REALFLOPS_LIBCUDA=/shim.so", "REALFLOPS_OTHER=inherited", "leader true"}; err != nil || !slices.Equal(w.Absent, want) {
		t.Errorf("%q, %v, want %q", w.Absent, err, want)
	}
}

// TestAWorkerDiesWithItsParent, even one that is killed and whose worker hangs.
func TestAWorkerDiesWithItsParent(t *testing.T) {
	asItself(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	between, err := launch(processConfig("parent", toldPipe+"="+pipe))
	if err != nil {
		t.Fatal(err)
	}
	defer between.end(0, time.Minute)
	f, err := os.Open(pipe) // waits for the worker to open it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // it is only read from
	var pid, child int
	if _, err := fmt.Fscanln(f, &pid, &child); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.SetReadDeadline(time.Now().Add(20*time.Second)), syscall.Kill(pid, syscall.SIGKILL)); err != nil {
		t.Fatal(err)
	}
	<-between.done
	if how := between.how(); how != "signal: killed" {
		t.Errorf("the parent %d: %s", pid, how)
	}
	if rest, err := io.ReadAll(f); err != nil || len(rest) != 0 { // ends when the worker is gone
		t.Errorf("its worker %d lives on: %q, %v, %v", child, rest, err, syscall.Kill(child, syscall.SIGKILL))
	}
}

func TestFindLooksBesideTheProgramAndInPath(t *testing.T) {
	beside, path := t.TempDir(), t.TempDir()
	t.Setenv("PATH", path)
	if _, err := find(beside); err == nil || err.Error() != "realflops-worker is neither in "+beside+" nor in PATH: build it with `make worker`" {
		t.Errorf("%v", err)
	}
	for i, dir := range []string{path, beside} {
		file := filepath.Join(dir, WorkerName)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := find(beside); got == file || i == 0 && err == nil {
			t.Errorf("%s cannot be executed and was found: %v", got, err)
		}
		if err := os.Chmod(file, 0o700); err != nil {
			t.Fatal(err)
		}
		if got, err := find(beside); err != nil || got != file {
			t.Errorf("%s, %v, want %s", got, err, file)
		}
	}
	if _, err := Find(); err != nil { // in PATH
		t.Error(err)
	}
}

func TestTheLastWordsAreOneShortLine(t *testing.T) {
	for want, said := range map[string][]string{
		"":                       {},
		"b":                      {"a\nb\n\n  \n"},
		"one two":                {"one", " two"},
		"red?[31m":               {"red\x1b[31m"},
		strings.Repeat("z", 200): {strings.Repeat("x", 10<<10), strings.Repeat("z", 5<<10)},
		"end":                    {strings.Repeat("x\n", 10<<10) + "end"},
	} {
		s := &tail{}
		for _, b := range said {
			if n, err := s.Write([]byte(b)); n != len(b) || err != nil {
				t.Errorf("%d of %d bytes, %v", n, len(b), err)
			}
		}
		if got := s.line(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if len(s.last) > tailBytes {
			t.Errorf("%d bytes are kept", len(s.last))
		}
	}
}

func TestDeadlinesThatAreNotSetAreTheDefault(t *testing.T) {
	d := Deadlines{Verbs: map[worker.Verb]time.Duration{worker.Open: time.Hour}, Kill: time.Minute}.orDefault()
	want := DefaultDeadlines()
	want.Verbs[worker.Open], want.Kill = time.Hour, time.Minute
	if fmt.Sprint(d) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", d, want)
	}
	twice := want.Times(2)
	if twice.Verbs[worker.Hello] != 40*time.Second || twice.Kill != 2*time.Minute || twice.Term != time.Minute || twice.Silence != want.Silence || want.Verbs[worker.Hello] != 20*time.Second {
		t.Errorf("twice as long is %v", twice)
	}
	for _, v := range []worker.Verb{worker.Hello, worker.Open, worker.Prepare, worker.Sample, worker.Check, worker.Release, worker.Close} {
		if DefaultDeadlines().Verbs[v] < 10*time.Second {
			t.Error("no deadline for " + strconv.Quote(string(v)))
		}
	}
}

// TestThePageNamesTheDeadlines as they are: docs/worker.md.
func TestThePageNamesTheDeadlines(t *testing.T) {
	page, err := os.ReadFile("../../docs/worker.md")
	if err != nil {
		t.Fatal(err)
	}
	d := DefaultDeadlines()
	for _, want := range []string{
		fmt.Sprintf("| `hello` | %.0f s |", d.Verbs[worker.Hello].Seconds()),
		fmt.Sprintf("| `open` | %.0f s |", d.Verbs[worker.Open].Seconds()),
		fmt.Sprintf("| `prepare` | %.0f s, and a second for each %.0f MB of operands |", d.Verbs[worker.Prepare].Seconds(), d.PrepareBytesPerS/1e6),
		fmt.Sprintf("| `sample` | %.0f s, and ten times", d.Verbs[worker.Sample].Seconds()),
		fmt.Sprintf("| `check` | %.0f s, and ten times", d.Verbs[worker.Check].Seconds()),
		fmt.Sprintf("| `release`, `close` | %.0f s |", d.Verbs[worker.Release].Seconds()),
		fmt.Sprintf("once it has answered `hello` | %.0f s:", d.Silence.Seconds()),
		fmt.Sprintf("| an interrupt | %.1f s", d.Leave.Seconds()),
		fmt.Sprintf("SIGTERM, after %.0f s SIGKILL", d.Term.Seconds()),
		fmt.Sprintf("after\n%.0f s more", d.Kill.Seconds()),
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("docs/worker.md does not say %q", want)
		}
	}
	if d.SampleFactor != 10 || d.Verbs[worker.Close] != d.Verbs[worker.Release] {
		t.Errorf("docs/worker.md says ten times, and one deadline of release and close: %+v", d)
	}
}

// asItself skips where the system cannot run the test binary by itself, because these tests run
// under user-mode emulation: what they are about, signals and the end of processes, would be the emulator's.
func asItself(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	probe := exec.Command(self, "-test.list=^$")
	probe.Env = []string{} // not to play
	if errors.Is(probe.Run(), syscall.ENOEXEC) {
		t.Skip("skip: the system does not run this binary by itself, and end-to-end has run it")
	}
}
