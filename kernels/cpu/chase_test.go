package cpu

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

// TestChaseWalksTheWholeCycle: every line once, and the walk ends where it began.
func TestChaseWalksTheWholeCycle(t *testing.T) {
	if size := unsafe.Sizeof(Line{}); size != 64 {
		t.Fatalf("a line is %d bytes", size)
	}
	for _, impl := range All() {
		c, ok := impl.Func.(*Chase)
		if !ok {
			continue
		}
		for _, n := range []int{1, 2, 3, 8, 9, 1000, 5003} {
			lines, free, err := c.Cycle(n, 7)
			if err != nil {
				t.Fatal(err)
			}
			if got := CycleLength(lines); got != n {
				t.Errorf("%s, %d lines: a cycle of %d", impl.Engine, n, got)
			}
			seen := make([]bool, n)
			at := &lines[0]
			for range n {
				seen[LineIndex(lines, at)] = true
				at = c.Walk(at, 1)
			}
			for i, s := range seen {
				if !s {
					t.Fatalf("%s, %d lines: line %d was left out", impl.Engine, n, i)
				}
			}
			if at != &lines[0] || c.Walk(at, n) != at || c.Walk(at, 0) != at || n > 1 && c.Walk(at, n+1) == at {
				t.Errorf("%s, %d lines: a walk does not end where it should", impl.Engine, n)
			}
			free()
		}
	}
}

// TestCycleOnANodeIsThatOfAnyMemory, and lies there.
func TestCycleOnANodeIsThatOfAnyMemory(t *testing.T) {
	topology, err := ReadTopology("/")
	if errors.Is(err, ErrNoTopology) {
		return // TestPagesLieOnTheNodeAskedFor says so
	}
	if err != nil {
		t.Fatal(err)
	}
	const n = 70_000 // two pages of 2 MiB and more
	for _, c := range []*Chase{{HugePages: true}, {}} {
		want, freeWant, err := c.Cycle(n, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range topology.Nodes {
			if node.MemoryBytes == 0 {
				continue
			}
			lines, free, err := c.CycleOn(node.ID, n, 7)
			if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
				t.Logf("this system lets nobody place pages: %v", err)
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range lines {
				if LineIndex(lines, lines[i].Next) != LineIndex(want, want[i].Next) {
					t.Fatalf("on node %d line %d leads elsewhere than in other memory", node.ID, i)
				}
			}
			if got, err := NodeOf(lines[n-1:]); err != nil || got != node.ID {
				t.Errorf("the last line is on node %d (%v), want %d", got, err, node.ID)
			}
			free()
		}
		freeWant()
		if _, _, err := c.CycleOn(maxListed-1, n, 7); err == nil || !strings.HasPrefix(err.Error(), "cannot place 70000 elements on memory node 8191") {
			t.Errorf("on a node that is not there: %v", err)
		}
	}
}

// TestCycleHasNoOrder: a step goes anywhere, as far on average as between two random lines, n/3; and another seed is
// another cycle.
func TestCycleHasNoOrder(t *testing.T) {
	const n = 10_000
	c := implOf(t, kernels.Chase, kernels.FP64, Go).Func.(*Chase)
	step := func(seed uint64) (mean float64, first int) {
		lines, free, err := c.Cycle(n, seed)
		if err != nil {
			t.Fatal(err)
		}
		defer free()
		for i := range lines {
			mean += math.Abs(float64(LineIndex(lines, lines[i].Next)-i)) / n
		}
		return mean, LineIndex(lines, lines[0].Next)
	}
	mean, first := step(1)
	if mean < 0.31*n || mean > 0.36*n {
		t.Errorf("a step goes %v lines far, want about %d", mean, n/3)
	}
	if _, other := step(2); other == first {
		t.Error("two seeds begin alike")
	}
}

func TestCycleLengthTellsShorterCyclesAndNone(t *testing.T) {
	lines := make([]Line, 4)
	for i := range lines {
		lines[i].Next = &lines[[]int{1, 0, 3, 2}[i]]
	}
	if got := CycleLength(lines); got != 2 {
		t.Errorf("a cycle of 2 of 4 lines has length %d", got)
	}
	lines[0].Next, lines[1].Next = &lines[1], &lines[1] // never back at the first
	if got := CycleLength(lines); got != 5 {
		t.Errorf("no cycle of 4 lines has length %d, want one more than there are", got)
	}
}

func TestCycleSaysWhatItCannotAllocate(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // the Go heap ends the program instead
	}
	for _, c := range []Chase{{HugePages: true}, {}} {
		if _, _, err := c.Cycle(1<<56, 1); err == nil {
			t.Errorf("%+v: 2^62 bytes were allocated", c)
		}
	}
}

// BenchmarkChase reports the nanoseconds of a load by the size of the cycle.
func BenchmarkChase(b *testing.B) {
	for _, impl := range All() {
		c, ok := impl.Func.(*Chase)
		if !ok {
			continue
		}
		for _, size := range []struct {
			name  string
			lines int
		}{{"16K", 16 << 4}, {"256K", 256 << 4}, {"2M", 2 << 14}, {"8M", 8 << 14}, {"256M", 256 << 14}} {
			b.Run(impl.Engine+"/"+size.name, func(b *testing.B) {
				lines, free, err := c.Cycle(size.lines, 1)
				if err != nil {
					b.Fatal(err)
				}
				defer free()
				at := c.Walk(&lines[0], size.lines)
				const loads = 1 << 20
				for b.Loop() {
					at = c.Walk(at, loads)
				}
				runtime.KeepAlive(at)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/loads, "ns/load")
			})
		}
	}
}
