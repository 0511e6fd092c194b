package cpu

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// TestBandwidthThatIsNotUsedIsFound: kernels that leave memory untouched, all of it or some, always or only in
// later passes.
func TestBandwidthThatIsNotUsedIsFound(t *testing.T) {
	clock := &fakeClock{}
	calls := 0
	work := func() bool { clock.work(time.Millisecond); calls++; return calls > 5 }
	sum := func(src []float64) (sum uint64) {
		for _, x := range src {
			sum += math.Float64bits(x)
		}
		return sum
	}
	chase := func(walk func(at *cpu.Line, loads int) *cpu.Line) *cpu.Chase { return &cpu.Chase{Walk: walk} }
	walk := chaseOf(t).Walk
	for _, c := range []struct {
		name   string
		kernel kernels.Kernel
		f      any
		wrong  string // in the error
	}{
		{"read reads nothing", kernels.Read, cpu.ReadFunc(func([]float64) uint64 { work(); return 0 }), "the sum of the bits of 1001 elements is 0x0, want 0x"},
		{"read leaves out the last", kernels.Read, cpu.ReadFunc(func(src []float64) uint64 { work(); return sum(src[:len(src)-1]) }), "the sum of the bits of 1001"},
		{"read later remembers", kernels.Read, cpu.ReadFunc(func(src []float64) uint64 {
			if work() {
				return sum(src[:1])
			}
			return sum(src)
		}), "a later pass did not repeat the first: the sum of the bits"},
		{"write writes another", kernels.Write, cpu.WriteFunc(func(dst []float64, s float64) {
			work()
			for i := range dst {
				dst[i] = s
			}
			dst[1000] = 4
		}), "element 1000 of 1001 is 4, want 3"},
		{"scale copies", kernels.Scale, cpu.ScaleFunc(func(dst, src []float64, _ float64) { work(); copy(dst, src) }), "element 0 of 1001 is"},
		{"add forgets an operand", kernels.Add, cpu.AddFunc(func(dst, a, _ []float64) { work(); copy(dst, a) }), "element 0 of 1001 is"},
		{"triad rounds twice", kernels.Triad, cpu.TriadFunc(func(dst, a, b []float64, s float64) {
			work()
			for i := range dst {
				product := s * b[i]
				dst[i] = a[i] + float64(product)
			}
		}), "of 1001 is"},
		{"chase stands still but for one", kernels.Chase, chase(func(at *cpu.Line, _ int) *cpu.Line { work(); return at.Next }), "thread 0: 1001 loads from line 0 on end at another line"},
		{"chase later stops early", kernels.Chase, chase(func(at *cpu.Line, loads int) *cpu.Line {
			if work() {
				loads--
			}
			return walk(at, loads)
		}), "a later pass did not repeat the first: thread 0: 1001 loads"},
	} {
		calls = 0
		res := run(t, newFake(t, clock, c.f), caseOf(c.kernel, kernels.FP64, n(1001), 1))
		if res.Status != bench.Failed || !strings.Contains(res.Error, c.wrong) {
			t.Errorf("%s: %s %q, want %q", c.name, res.Status, res.Error, c.wrong)
		}
	}
}

func chaseOf(t *testing.T) *cpu.Chase {
	t.Helper()
	i, err := cpu.Pick(kernels.Chase, kernels.FP64, cpu.Go)
	if err != nil {
		t.Fatal(err)
	}
	return i.Func.(*cpu.Chase)
}

// TestAPoisonedChaseIsNotDone: until each thread has walked again.
func TestAPoisonedChaseIsNotDone(t *testing.T) {
	pool := cpu.NewPool(2)
	defer pool.Close()
	w := &workload{}
	defer w.free()
	if err := bindChase(w, caseOf(kernels.Chase, kernels.FP64, n(1001), 2), pool, chaseOf(t)); err != nil {
		t.Fatal(err)
	}
	w.run(2)
	if err := w.verify(); err != nil {
		t.Fatal(err)
	}
	done := w.checksum()
	w.poison()
	if w.verify() == nil || w.checksum() == done {
		t.Error("nothing was walked, and it passes for done")
	}
	w.run(1)
	if err := w.verify(); err != nil || w.checksum() != done {
		t.Errorf("it was walked again: %v", err)
	}
}

// TestALoadOfAChaseIsAnElement: 100 ns a load are 10 million elements a second.
func TestALoadOfAChaseIsAnElement(t *testing.T) {
	clock := &fakeClock{}
	walk := chaseOf(t).Walk
	f := &cpu.Chase{Walk: func(at *cpu.Line, loads int) *cpu.Line {
		clock.work(time.Duration(loads) * time.Nanosecond * 100)
		return walk(at, loads)
	}}
	res := run(t, newFake(t, clock, f), caseOf(kernels.Chase, kernels.FP64, n(1000), 1))
	if !near(res.ElementsPerS, 1e7) || res.FlopPerS != nil {
		t.Errorf("%+v", res)
	}
}
