//go:build linux

package cpu

import (
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// allowed is what each thread of p may run on.
func allowed(t *testing.T, p *Pool) [][]int {
	t.Helper()
	cpus, errs := make([][]int, p.Threads()), make([]error, p.Threads())
	p.Run(func(tid int) { cpus[tid], errs[tid] = AllowedCPUs() })
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return cpus
}

// TestPinnedThreadsComeHome: after Unpin each thread, and a child of the caller's, may run where it could before.
func TestPinnedThreadsComeHome(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := AllowedCPUs()
	if err != nil {
		t.Fatal(err)
	}
	for threads := 1; threads <= 3; threads++ {
		p := NewPool(threads)
		defer p.Close()
		place := make([]int, threads)
		for i := range place {
			place[i] = home[(i+1)%len(home)]
		}
		if err := p.Pin(place); err != nil {
			t.Fatal(err)
		}
		for tid, cpus := range allowed(t, p) {
			if !slices.Equal(cpus, place[tid:tid+1]) {
				t.Errorf("%d threads: thread %d may run on %v, want CPU %d alone", threads, tid, cpus, place[tid])
			}
		}
		if got := p.elsewhere; got != (len(home) > threads) {
			t.Errorf("%d threads on %d CPUs: there is an elsewhere: %v", threads, len(home), got)
		}
		p.watch.contended, p.elsewhere = true, true // they are let go
		for tid, cpus := range allowed(t, p) {
			if !slices.Equal(cpus, home) {
				t.Errorf("%d threads, contended: thread %d may run on %v, want %v", threads, tid, cpus, home)
			}
		}
		p.elsewhere = false
		if cpus := allowed(t, p)[0]; !slices.Equal(cpus, place[:1]) {
			t.Errorf("%d threads, nowhere else to go: thread 0 may run on %v, want CPU %d alone", threads, cpus, place[0])
		}
		p.watch.contended = false
		if cpus := allowed(t, p)[0]; !slices.Equal(cpus, place[:1]) {
			t.Errorf("%d threads, no longer contended: thread 0 may run on %v, want CPU %d alone", threads, cpus, place[0])
		}
		p.Unpin()
		for tid, cpus := range allowed(t, p) {
			if !slices.Equal(cpus, home) {
				t.Errorf("%d threads: thread %d may run on %v after Unpin, want %v", threads, tid, cpus, home)
			}
		}
		if err := p.Hold(place); err != nil {
			t.Fatal(err)
		}
		p.watch.contended = true
		for tid, cpus := range allowed(t, p) {
			if !slices.Equal(cpus, place[tid:tid+1]) {
				t.Errorf("%d threads, held and contended: thread %d may run on %v, want CPU %d alone", threads, tid, cpus, place[tid])
			}
		}
		p.Unpin()
	}
	out, err := exec.Command("cat", "/proc/self/status").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(out), "Cpus_allowed_list:")
	list, _, _ = strings.Cut(list, "\n")
	if cpus, err := parseList(list); err != nil || !slices.Equal(cpus, home) {
		t.Errorf("a child may run on %q (%v), want %v", list, err, home)
	}
}

func TestPinSaysWhatItCannotDo(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := AllowedCPUs()
	if err != nil {
		t.Fatal(err)
	}
	p := NewPool(2)
	defer p.Close()
	for want, place := range map[string][]int{
		"cannot pin 2 threads to 1 CPUs":                {home[0]},
		"thread 1: cannot move this thread to CPUs [81": {home[0], maxListed - 1},
	} {
		if err := p.Pin(place); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("pinned to %v: %v, should begin %q", place, err, want)
		}
		for tid, cpus := range allowed(t, p) {
			if !slices.Equal(cpus, home) {
				t.Errorf("pinned to %v in vain: thread %d may run on %v, want %v", place, tid, cpus, home)
			}
		}
	}
}

// TestAStoppedPoolLetsTheCallerGo: its workers end with it.
func TestAStoppedPoolLetsTheCallerGo(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := AllowedCPUs()
	if err != nil {
		t.Fatal(err)
	}
	p := NewPool(2)
	defer p.Close()
	if err := p.Pin([]int{home[0], home[0]}); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	p.Unpin()
	if cpus, err := AllowedCPUs(); err != nil || !slices.Equal(cpus, home) {
		t.Errorf("the caller may run on %v (%v), want %v", cpus, err, home)
	}
}
