package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/kernels"
)

// playsPeer in the environment makes this test's binary a server that behaves as it says.
const playsPeer = "REALFLOPS_TEST_PLAYS_PEER"

// playPeer is a spinner where no behaviour is asked for.
func playPeer(behaviour string) {
	if behaviour == "" {
		spin(os.Stdin)
		return
	}
	if behaviour == "mute" {
		return
	}
	fmt.Println("Fake 1.0")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var k, p, shape string
		var sets, passes, count int
		if _, err := fmt.Sscan(in.Text(), &k, &p, &shape, &sets, &passes, &count); err != nil {
			fmt.Println("not understood:", in.Text())
			continue
		}
		honest := "ok 7" + strings.Repeat(" 0.25", count)
		switch behaviour {
		case "honest":
			fmt.Println(honest)
		case "dies":
			return
		case "cut off":
			fmt.Print("ok 7 0.")
			return
		case "hangs":
			select {} // the deadline's kill ends it
		default: // a line of its own
			fmt.Println(behaviour)
		}
	}
}

// fakeServers is a folder in which every peer's server is a fake.
func fakeServers(t *testing.T, behaviour string) string {
	t.Helper()
	t.Setenv(playsPeer, behaviour)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, p := range peers {
		if err := os.Symlink(binary, filepath.Join(dir, p.program)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	return dir
}

var anySpec = spec{kernels.Spec{Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Shape: kernels.Shape{M: 8, N: 8, K: 8}}, 1}

func TestAnHonestServerIsBelieved(t *testing.T) {
	s, err := peers[0].start(fakeServers(t, "honest"), 1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a, err := s.burst(anySpec, 5, 3)
		if err != nil || a.check != 7 || !slices.Equal(a.seconds, []float64{0.25, 0.25, 0.25}) {
			t.Errorf("the answer is %+v, error %v", a, err)
		}
	}
	if s.about != "Fake 1.0" {
		t.Errorf("it says of itself %q", s.about)
	}
	if err := s.close(); err != nil {
		t.Errorf("closing it: %v", err)
	}
}

func TestAServerThatMisbehavesIsNamedAndAskedNoMore(t *testing.T) {
	for behaviour, want := range map[string]string{
		"dies":            "the OpenBLAS server is gone: EOF",
		"cut off":         `the line "ok 7 0." is cut off`,
		"hangs":           "the OpenBLAS server said nothing for 300ms and was killed",
		"segfault!":       `answered "segfault!", want ok or no`,
		"":                "", // see below
		"ok 7 0.25":       "answered 2 numbers, want 4",
		"ok 7 a b c":      `answered "a", which is no number`,
		"ok 7 1 0 1":      "a call took 0 s, want more than 0",
		"ok 7 1 -1 1":     "a call took -1 s, want more than 0",
		"ok 7 1 NaN 1":    "a call took NaN s, want more than 0",
		"ok 7 1 1e9 1":    "a call took 1e+09 s, want more than 0 and less than 2m0s",
		"ok 7 1 1 1 1 1":  "answered 6 numbers, want 4",
		"hello ok 7 1 1 ": `answered "hello ok 7 1 1", want ok or no`,
	} {
		if behaviour == "" {
			continue
		}
		t.Run(behaviour, func(t *testing.T) {
			deadline := time.Minute
			if behaviour == "hangs" {
				deadline = 300 * time.Millisecond
			}
			s, err := peers[0].start(fakeServers(t, behaviour), 1, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			s.deadline = deadline
			if _, err := s.burst(anySpec, 1, 3); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error is %v, want %q", err, want)
			}
			if _, err := s.burst(anySpec, 1, 3); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("asked again, its error is %v, want %q", err, want)
			}
			if err := s.close(); err != nil {
				t.Errorf("closing it: %v", err)
			}
		})
	}
}

func TestARefusalIsNoFailure(t *testing.T) {
	s, err := peers[0].start(fakeServers(t, "no such work here"), 1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.burst(anySpec, 1, 1)
	if r, ok := err.(*refusal); !ok || r.who != "OpenBLAS" || r.why != "such work here" || s.broken != nil {
		t.Errorf("error is %#v, broken: %v", err, s.broken)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

func TestAServerThatSaysNothingAtTheStartIsNotStarted(t *testing.T) {
	if _, err := peers[0].start(fakeServers(t, "mute"), 1, time.Minute); err == nil || !strings.Contains(err.Error(), "the OpenBLAS server is gone: EOF") {
		t.Errorf("error is %v", err)
	}
	_, err := peers[0].start(t.TempDir(), 1, time.Minute)
	if _, ok := err.(*refusal); !ok || !strings.Contains(err.Error(), "openblas; scripts/peers.sh installs it") {
		t.Errorf("a server that is not there: error is %v", err)
	}
}

func TestServersSeeNoSettingOfTheirLibraries(t *testing.T) {
	got := serverEnvironment([]string{"PATH=/bin", "OPENBLAS_CORETYPE=Haswell", "OPENBLAS_L2_SIZE=1", "OMP_NUM_THREADS=9", "KMP_BLOCKTIME=0", "MKL_CBWR=COMPATIBLE", "LD_PRELOAD=x"}, 2)
	want := []string{"PATH=/bin", "OPENBLAS_NUM_THREADS=2", "OMP_NUM_THREADS=2", "MKL_NUM_THREADS=2", "BLIS_NUM_THREADS=2", "OPENBLAS_THREAD_TIMEOUT=24", "OMP_WAIT_POLICY=active", "GOMP_SPINCOUNT=200000"}
	if !slices.Equal(got, want) {
		t.Errorf("the environment is %q, want %q", got, want)
	}
}

func TestAThreadThatRunsIsNotAsleep(t *testing.T) {
	tasks := t.TempDir()
	thread := func(id, stat string) {
		if err := os.MkdirAll(filepath.Join(tasks, id), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tasks, id, "stat"), []byte(stat), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	thread("1", "1 (a) R name) S 1 1")
	if thread("2", "2 (worker) S 1 1"); !asleep(tasks) {
		t.Error("two sleeping threads are not asleep")
	}
	if thread("3", "3 (worker) R 1 1"); asleep(tasks) {
		t.Error("a running thread is asleep")
	}
}

func TestABusyNeighbourIsHeldBetweenTurnsAndEndedAtTheEnd(t *testing.T) {
	state := func(pid int) string {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return "gone"
		}
		return string(stat)[strings.LastIndex(string(stat), ") ")+2:][:1]
	}
	until := func(pid int, want string) {
		t.Helper()
		for !strings.Contains(want, state(pid)) { // a signal takes a moment
			if t.Context().Err() != nil {
				t.Fatalf("the state is %s, want one of %s", state(pid), want)
			}
		}
	}
	s, err := startSpinner()
	if err != nil {
		t.Fatal(err)
	}
	pid := s.process.Process.Pid
	until(pid, "T")
	after, err := s.meanwhile()
	if err != nil {
		t.Fatal(err)
	}
	until(pid, "R")
	after()
	until(pid, "T")
	if err := s.close(); err != nil || state(pid) != "gone" {
		t.Errorf("after close it is %s, error %v", state(pid), err)
	}
	if _, err := s.meanwhile(); err == nil {
		t.Error("a process that is gone is let run")
	}
}
