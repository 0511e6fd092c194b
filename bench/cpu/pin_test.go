//go:build linux

package cpu

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// TestThreadsArePinnedWhileTheyMeasure: each to its CPU, and afterwards the caller is as free as before.
func TestThreadsArePinnedWhileTheyMeasure(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := cpu.AllowedCPUs()
	if err != nil {
		t.Fatal(err)
	}
	clock := &fakeClock{}
	var mu sync.Mutex
	seen := map[int]bool{}
	r := newFake(t, clock, cpu.ElementwiseFunc[float32](func(outputs, inputs [][]float32) {
		goRelu(clock, time.Millisecond)(outputs[0], inputs[0])
		mu.Lock()
		defer mu.Unlock()
		cpus, err := cpu.AllowedCPUs()
		if err != nil || len(cpus) != 1 {
			t.Errorf("a thread may run on %v (%v), want one CPU", cpus, err)
			return
		}
		seen[cpus[0]] = true
	}))
	host, err := cpu.Host()
	if err != nil {
		t.Fatal(err)
	}
	r.machine.CPUs = host.Order()
	threads := min(2, len(home))
	run(t, r, caseOf(kernels.ReLU, kernels.FP32, n(1000), threads))
	for _, c := range r.machine.CPUs[:threads] {
		if !seen[c] {
			t.Errorf("no thread was on CPU %d: %v", c, seen)
		}
	}
	if len(seen) != threads {
		t.Errorf("%d threads ran on the CPUs %v", threads, seen)
	}
	if after, err := cpu.AllowedCPUs(); err != nil || !slices.Equal(after, home) {
		t.Errorf("afterwards the caller may run on %v (%v), want %v", after, err, home)
	}

	r.machine.CPUs = r.machine.CPUs[:threads-1] // too few
	r.pick = func(k kernels.Kernel, p kernels.Precision, _ string) (cpu.Impl, error) {
		return cpu.Impl{Kernel: k, Precision: p, Engine: "fake", Func: cpu.ElementwiseFunc[float32](func(outputs, inputs [][]float32) {
			goRelu(clock, time.Millisecond)(outputs[0], inputs[0])
			if cpus, err := cpu.AllowedCPUs(); err != nil || !slices.Equal(cpus, home) {
				t.Errorf("with too few CPUs for its threads, one may run on %v (%v), want %v", cpus, err, home)
			}
		})}, nil
	}
	run(t, r, caseOf(kernels.ReLU, kernels.FP32, n(1000), threads))
}
