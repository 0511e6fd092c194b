package cpu

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"
)

func TestRunCallsEveryThreadOnce(t *testing.T) {
	for threads := 1; threads <= 3; threads++ {
		p := NewPool(threads)
		calls := make([]int, threads)
		for range 200 {
			p.Run(func(tid int) { calls[tid]++ })
		}
		p.Close()
		for tid, n := range calls {
			if n != 200 {
				t.Errorf("%d threads: thread %d ran %d times, not 200", threads, tid, n)
			}
		}
	}
}

func TestParkedWorkersWake(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	var ran atomic.Int64
	for range 3 {
		for _, w := range p.workers {
			for !w.parked.Load() {
				runtime.Gosched()
			}
		}
		p.Run(func(int) { ran.Add(1) })
	}
	if ran.Load() != 9 {
		t.Errorf("%d calls, not 9", ran.Load())
	}
}

// TestBarrierSeparatesPhases: what every thread wrote before a barrier, every thread reads
// after it. Under -race it also shows that the barrier orders memory.
func TestBarrierSeparatesPhases(t *testing.T) {
	const phases = 300
	for threads := 1; threads <= 3; threads++ {
		p := NewPool(threads)
		slots := make([]int, threads)
		var wrong atomic.Int64
		p.Run(func(tid int) {
			for phase := range phases {
				slots[tid] = phase
				if !p.Barrier() {
					wrong.Add(1)
				}
				for _, s := range slots {
					if s != phase {
						wrong.Add(1)
					}
				}
				p.Barrier()
			}
		})
		p.Close()
		if wrong.Load() != 0 {
			t.Errorf("%d threads: %d values of another phase", threads, wrong.Load())
		}
	}
}

func TestStopReleasesTheBarrier(t *testing.T) {
	for threads := 2; threads <= 3; threads++ {
		p := NewPool(threads)
		var passed atomic.Int64
		p.Run(func(tid int) {
			if tid == 0 {
				p.Stop() // and never comes to the barrier
				return
			}
			if p.Barrier() {
				passed.Add(1)
			}
		})
		if passed.Load() != 0 {
			t.Errorf("%d threads: %d passed a barrier that thread 0 never reached", threads, passed.Load())
		}
		p.Run(func(int) { passed.Add(1) })
		if passed.Load() != 0 || !p.Stopped() {
			t.Error("a stopped pool ran")
		}
		p.Close()
		p.Close() // closing twice does nothing
	}
}

func TestSplitCoversEverythingOnce(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 63, 64, 100, 4097, 1 << 60} {
		for _, align := range []int{1, 8, 48} {
			for threads := 1; threads <= 7; threads++ {
				at, least, most := 0, n, 0
				for tid := range threads {
					lo, hi := Split(n, align, threads, tid)
					if lo != at || hi < lo || lo%align != 0 && lo != n {
						t.Fatalf("Split(%d, %d, %d, %d) is [%d, %d) after %d", n, align, threads, tid, lo, hi, at)
					}
					least, most, at = min(least, hi-lo), max(most, hi-lo), hi
				}
				if at != n {
					t.Errorf("Split(%d, %d, %d): shares end at %d", n, align, threads, at)
				}
				if most-least > 2*align-1 {
					t.Errorf("Split(%d, %d, %d): shares of %d and of %d", n, align, threads, least, most)
				}
			}
		}
	}
}

func TestAllocIsZeroedAndAligned(t *testing.T) {
	for _, n := range []int{0, 1, 1000, 70_000, 600_000} {
		x, free, err := Alloc[float64](n)
		if err != nil {
			t.Fatal(err)
		}
		if len(x) != n || cap(x) != n {
			t.Errorf("%d elements: length %d, capacity %d", n, len(x), cap(x))
		}
		align := uintptr(4096)
		if runtime.GOOS == "linux" && n*8 >= hugePage/8 {
			align = hugePage
		}
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(x))); n > 0 && at%align != 0 {
			t.Errorf("%d elements: at %#x, not a multiple of %d", n, at, align)
		}
		for i := range x {
			if x[i] != 0 {
				t.Fatalf("%d elements: [%d] is %v", n, i, x[i])
			}
			x[i] = 1
		}
		free()
	}
}

func TestAllocSaysWhatItCannotGive(t *testing.T) {
	for n, want := range map[int]string{
		-1:      "cannot allocate -1 elements of 8 bytes",
		1 << 61: "cannot allocate 2305843009213693952 elements of 8 bytes",
		1 << 59: "cannot allocate 4611686018427387904 bytes",
	} {
		if runtime.GOOS != "linux" && n == 1<<59 {
			continue // the Go heap ends the program instead
		}
		_, _, err := Alloc[float64](n)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%d elements: %v, should begin %q", n, err, want)
		}
	}
}
