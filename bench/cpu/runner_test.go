package cpu

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

func codes(res bench.Result) []string {
	c := []string{}
	for _, w := range res.Warnings {
		c = append(c, w.Code)
	}
	return c
}

func near(p *float64, want float64) bool { return p != nil && math.Abs(*p/want-1) < 1e-9 }

// TestResultOfAQuietKernel: a relu of 4000 elements in 200 µs, on one thread.
func TestResultOfAQuietKernel(t *testing.T) {
	clock := &fakeClock{}
	r := newFake(t, clock, unary(goRelu(clock, 200*time.Microsecond)))
	c := caseOf(kernels.ReLU, kernels.FP32, n(4000), 1)
	res := run(t, r, c)
	if res.Status != bench.OK || res.Error != "" || len(res.Warnings) != 0 || res.Warnings == nil {
		t.Fatalf("%+v", res)
	}
	if res.Device != "host-1" || res.DeviceModel != "Fake 1" || res.Engine != "fake" || res.Level != "l1" || res.Threads != 1 || res.Data != bench.Randn || res.Spec() != c.Spec || !res.Time.Equal(time.Unix(0, 0)) {
		t.Errorf("identity %+v", res)
	}
	for name, p := range map[string]struct {
		got  *float64
		want float64
	}{
		"flop": {res.FlopPerS, 20e6}, "flop lo": {res.FlopPerSLo, 20e6}, "flop hi": {res.FlopPerSHi, 20e6}, "flop burst": {res.FlopPerSBurst, 20e6},
		"elements": {res.ElementsPerS, 20e6}, "elements lo": {res.ElementsPerSLo, 20e6}, "elements burst": {res.ElementsPerSBurst, 20e6},
		"bytes": {res.BytesPerS, 160e6}, "bytes hi": {res.BytesPerSHi, 160e6}, "bytes burst": {res.BytesPerSBurst, 160e6},
		"clock": {res.ClockHz, 3e9},
	} {
		if !near(p.got, p.want) {
			t.Errorf("%s: %v, want %v", name, p.got, p.want)
		}
	}
	if res.PlateauS == nil || *res.PlateauS != 0 || res.N != 32 || math.Abs(res.Seconds-0.1024) > 1e-9 {
		t.Errorf("n %d, %v s, plateau %v", res.N, res.Seconds, res.PlateauS)
	}
	if len(res.Checksum) != 16 || res.Bound != bench.UnknownBound || res.OfLimit != nil || res.PowerW != nil || res.OfDatasheet != nil {
		t.Errorf("checksum %q, bound %s, of limit %v", res.Checksum, res.Bound, res.OfLimit)
	}
	if again := run(t, r, c); again.Checksum != res.Checksum {
		t.Errorf("the same data has checksum %s, then %s", res.Checksum, again.Checksum)
	}
	c.Seed++
	if other := run(t, r, c); other.Checksum == res.Checksum {
		t.Error("other data has the same checksum")
	}
}

// TestFMACountsAllThreads: two threads, each 786,432 multiply-adds in 1 ms of the shared
// fake clock: 2·2·786,432 FLOP in 2 ms.
func TestFMACountsAllThreads(t *testing.T) {
	clock := &fakeClock{}
	r := newFake(t, clock, cpu.FMAFunc(func(n int) float64 { clock.work(time.Millisecond); return float64(n) }))
	res := run(t, r, caseOf(kernels.FMA, kernels.FP32FP32, n(786_432), 2))
	if !near(res.FlopPerS, 2*2*786_432/0.002) || res.ElementsPerS != nil || res.BytesPerS != nil {
		t.Errorf("%+v", res)
	}
	if res.Data != bench.Constant || res.Level != bench.LevelRegister || res.Bound != bench.ComputeBound || res.OfLimit != nil {
		t.Errorf("data %s, level %s, bound %s", res.Data, res.Level, res.Bound)
	}
}

// TestEveryImplementationOfThisMachineRuns, on one thread and on two, with the real clock.
func TestEveryImplementationOfThisMachineRuns(t *testing.T) {
	r, err := New(Machine{ID: "host-1", Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ran := 0
	for _, i := range cpu.All() {
		if missing := i.Missing(); len(missing) > 0 {
			t.Logf("%s %s %s: this CPU lacks %v", i.Engine, i.Kernel, i.Precision, missing)
			continue
		}
		d, err := kernels.Lookup(string(i.Kernel))
		if err != nil {
			t.Fatal(err)
		}
		shape := n(70_001)
		switch d.Class {
		case kernels.Register:
			shape = n(kernels.FMAQuantum)
		case kernels.Rowwise:
			shape = kernels.Shape{M: 67, N: 1021}
		case kernels.Matrix:
			shape = kernels.Shape{M: 33, N: 65, K: 70}
			if i.Kernel == kernels.Batched {
				shape.Batch = 3
			}
		}
		var sums [2]string
		for threads := 1; threads <= 2; threads++ {
			c := caseOf(i.Kernel, i.Precision, shape, threads)
			c.Engine, c.MinS, c.MaxS = i.Engine, 0, 0
			res := run(t, r, c)
			if res.Status != bench.OK || res.N != 1 || res.Engine != i.Engine || !slices.Contains(codes(res), bench.FewSamples) {
				t.Errorf("%s %v, %d threads: %+v", i.Engine, c.Spec, threads, res)
			}
			if d.Class == kernels.Matrix && (res.FlopPerS == nil || res.BytesPerS != nil) || d.Class == kernels.Bandwidth && res.BytesPerS == nil || i.Kernel == kernels.Copy && res.FlopPerS != nil {
				t.Errorf("%v: rates %+v", c.Spec, res)
			}
			sums[threads-1] = res.Checksum
		}
		if sums[0] != sums[1] {
			t.Errorf("%s %s %s: checksum %s with one thread, %s with two", i.Engine, i.Kernel, i.Precision, sums[0], sums[1])
		}
		ran++
	}
	if ran < 10 {
		t.Errorf("only %d implementations ran: the plain Go twins alone are 10", ran)
	}
}

func TestCasesThatCannotRunSayWhy(t *testing.T) {
	clock := &fakeClock{}
	r := newFake(t, clock, unary(goRelu(clock, time.Millisecond)))
	good := caseOf(kernels.ReLU, kernels.FP32, n(1000), 1)
	edit := func(f func(c *bench.Case)) bench.Case {
		c := good
		f(&c)
		return c
	}
	for _, c := range []struct {
		want string
		code string
		c    bench.Case
	}{
		{"every dimension must be at least 1", "", edit(func(c *bench.Case) { c.Shape.N = 0 })},
		{"unknown kernel", "", edit(func(c *bench.Case) { c.Kernel = "rellu" })},
		{"unknown precision", "", edit(func(c *bench.Case) { c.Precision = "fp33" })},
		{"threads 3: this process may use 1 to 2", "", edit(func(c *bench.Case) { c.Threads = 3 })},
		{"threads 0", "", edit(func(c *bench.Case) { c.Threads = 0 })},
		{"seconds NaN to 1", "", edit(func(c *bench.Case) { c.MinS, c.MaxS = math.NaN(), 1 })},
		{"seconds -1 to 1", "", edit(func(c *bench.Case) { c.MinS, c.MaxS = -1, 1 })},
		{"seconds 2 to 1", "", edit(func(c *bench.Case) { c.MinS, c.MaxS = 2, 1 })},
		{`unknown data "noise"`, "", edit(func(c *bench.Case) { c.Data = "noise" })},
		{"shape 200000000 needs 1.6 GB, and this process may use 1.1 GB: choose a smaller one", bench.ShapeSkipped, edit(func(c *bench.Case) { c.Shape.N = 200_000_000 })},
		{"fma stays exact up to 134217728", "", edit(func(c *bench.Case) {
			c.Spec = kernels.Spec{Kernel: kernels.FMA, Precision: kernels.FP32FP32, Shape: n(kernels.FMAQuantum << 12)}
		})},
	} {
		res := run(t, r, c.c)
		if res.Status != bench.Failed || !strings.Contains(res.Error, c.want) || strings.Contains(res.Error, "\n") {
			t.Errorf("want %q: %s %q", c.want, res.Status, res.Error)
		}
		if got := strings.Join(codes(res), " "); got != c.code || res.Warnings == nil || res.Spec() != c.c.Spec {
			t.Errorf("%q: warnings %q, spec %v", c.want, got, res.Spec())
		}
	}
	r.pick = cpu.Pick
	if res := run(t, r, edit(func(c *bench.Case) { c.Engine = "go-avx3" })); !strings.Contains(res.Error, "unknown engine") {
		t.Errorf("%q", res.Error)
	}
	if _, err := New(Machine{}); err == nil || !strings.Contains(err.Error(), "at least 1") {
		t.Errorf("a machine without threads: %v", err)
	}
}

func TestPlanInputIsTheMachine(t *testing.T) {
	m := Machine{Threads: 3, MemoryBytes: 5, Caches: []Cache{{Level: 1, Bytes: 9, SharedBy: 2}}}
	in := m.PlanInput()
	if in.Threads != 3 || in.MemoryBytes != 5 || !slices.Equal(in.Caches, m.Caches) {
		t.Errorf("%+v", in)
	}
	i, err := cpu.Pick(kernels.GEMM, kernels.FP32FP32, "")
	if err != nil {
		t.Fatal(err)
	}
	if slow := in.FlopPerS > 0; slow != (i.Engine == cpu.Go) {
		t.Errorf("engine %s is planned at %v FLOP/s", i.Engine, in.FlopPerS)
	}
}

// TestInterruptedKeepsItsSamples, and the Runner can be used again.
func TestInterruptedKeepsItsSamples(t *testing.T) {
	clock := &fakeClock{}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	interrupt := cancel
	relu := goRelu(clock, 4*time.Millisecond)
	calls, cancelAt := 0, 15
	r := newFake(t, clock, unary(func(dst, src []float32) {
		if calls++; calls == cancelAt {
			interrupt()
		}
		relu(dst, src)
	}))
	c := caseOf(kernels.ReLU, kernels.FP32, n(1000), 1)
	res, err := r.Run(ctx, c)
	// 1 checked pass, 2 more until 10 ms are warm, 11 whole samples; the 15th call is cut off.
	if !errors.Is(err, context.Canceled) || res.Status != bench.OK || res.N != 11 || !near(res.FlopPerS, 250e3) {
		t.Fatalf("%v: %+v", err, res)
	}
	if got := codes(res); !slices.Equal(got, []string{bench.Interrupted}) {
		t.Errorf("warnings %v", got)
	}

	if again := run(t, r, c); again.Status != bench.OK || again.N < 20 {
		t.Errorf("after an interruption: %+v", again)
	}

	if res, err := r.Run(ctx, c); !errors.Is(err, context.Canceled) || res.Status != bench.Failed || !strings.Contains(res.Error, "interrupted before") {
		t.Errorf("on a context that has ended: %v, %+v", err, res)
	}
	for _, early := range []int{1, 2} { // in the checked pass, in the warm-up
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		interrupt, cancelAt = cancel, calls+early
		if res, err := r.Run(ctx, c); !errors.Is(err, context.Canceled) || res.Status != bench.Failed || !strings.Contains(res.Error, "interrupted before the first sample") || len(res.Warnings) != 0 {
			t.Errorf("interrupted in call %d: %v, %+v", early, err, res)
		}
	}
}

// TestASlowPassIsRunOnce: where one pass takes longer than MaxS, it is the measurement.
func TestASlowPassIsRunOnce(t *testing.T) {
	clock := &fakeClock{}
	calls := 0
	relu := goRelu(clock, time.Minute)
	r := newFake(t, clock, unary(func(dst, src []float32) { calls++; relu(dst, src) }))
	res := run(t, r, caseOf(kernels.ReLU, kernels.FP32, n(1000), 1))
	if calls != 1 || res.N != 1 || res.Status != bench.OK || !slices.Equal(codes(res), []string{bench.FewSamples}) || !near(res.ClockHz, 3e9) {
		t.Errorf("%d calls: %+v", calls, res)
	}
}

// TestAHeldUpWarmUpDoesNotShortenTheSamples: a first pass that is preempted for 40 ms says
// nothing of how many passes make a sample.
func TestAHeldUpWarmUpDoesNotShortenTheSamples(t *testing.T) {
	clock := &fakeClock{}
	relu := goRelu(clock, 20*time.Microsecond)
	calls := 0
	r := newFake(t, clock, unary(func(dst, src []float32) {
		if calls++; calls == 1 {
			clock.work(40 * time.Millisecond)
		}
		relu(dst, src)
	}))
	res := run(t, r, caseOf(kernels.ReLU, kernels.FP32, n(200), 1))
	if !near(res.ElementsPerS, 200/20e-6) || res.N > 34 || res.Seconds < 0.09 {
		t.Errorf("%v elements/s, %d samples in %v s", *res.ElementsPerS, res.N, res.Seconds)
	}
}

// TestAMismatchOutlivesAnInterruption that comes while the wrong element is looked for.
func TestAMismatchOutlivesAnInterruption(t *testing.T) {
	interrupted := func() error { return errInterrupted }
	if err := (&measurement{work: &workload{verify: interrupted}}).mismatch(); errors.Is(err, errInterrupted) || !strings.HasSuffix(err.Error(), "differs in bits") {
		t.Errorf("%v", err)
	}
}

func TestDoubtsBecomeWarnings(t *testing.T) {
	clock := &fakeClock{}
	slow := unary(goRelu(clock, time.Millisecond))
	big := caseOf(kernels.ReLU, kernels.FP32, n(200_000), 1)
	big.Level = bench.LevelL2
	for want, set := range map[string]func(r *Runner, c *bench.Case){
		bench.ClockUnknown: func(r *Runner, _ *bench.Case) { r.clockHz = func(*cpu.Pool) (float64, bool) { return 0, false } },
		bench.Preempted: func(r *Runner, _ *bench.Case) {
			all, taken := r.processUsage, int64(0)
			r.processUsage = func() (cpu.Usage, bool) { // a tenth of the time is taken, in a switch at each reading
				u, known := all()
				taken++
				return cpu.Usage{CPU: u.CPU * 9 / 10, Involuntary: taken}, known
			}
		},
		bench.CacheResident: func(_ *Runner, c *bench.Case) { c.Level = bench.LevelMemory },
	} {
		r, c := newFake(t, clock, slow), big
		set(r, &c)
		if got := codes(run(t, r, c)); !slices.Equal(got, []string{want}) {
			t.Errorf("warnings %v, want %s", got, want)
		}
	}
}

func TestClockIsTheMedianBesideTheSamples(t *testing.T) {
	clock := &fakeClock{}
	r := newFake(t, clock, unary(goRelu(clock, time.Millisecond)))
	reading := 0
	r.clockHz = func(*cpu.Pool) (float64, bool) {
		reading++
		return map[int]float64{0: 1e9, 1: 3e9, 2: 4e9}[reading%3], reading%5 != 0
	}
	if res := run(t, r, caseOf(kernels.ReLU, kernels.FP32, n(1000), 1)); !near(res.ClockHz, 3e9) {
		t.Errorf("clock %v", res.ClockHz)
	}
}

// TestCoreClockIsAClock: on a CPU whose multiply is known, between 0.1 and 10 GHz.
func TestCoreClockIsAClock(t *testing.T) {
	pool := cpu.NewPool(2)
	defer pool.Close()
	hz, ok := coreClock(pool)
	if _, known := cpu.ClockLatency(); ok != known || ok && (hz < 1e8 || hz > 1e10) {
		t.Errorf("%v Hz, %v", hz, ok)
	}
}

// TestAKeptRateIsBoundByCompute: a kernel that is as fast in memory as in L1 waits for its
// arithmetic there too, though it comes near the bandwidth; a slower one waits for memory.
func TestAKeptRateIsBoundByCompute(t *testing.T) {
	for _, c := range []struct {
		memory time.Duration // a call on the same number of elements
		want   bench.Bound
	}{{time.Millisecond, bench.ComputeBound}, {1300 * time.Microsecond, bench.BandwidthBound}} {
		clock := &fakeClock{}
		r := newFake(t, clock, nil)
		roof := func(k kernels.Kernel, level string, rate float64) {
			res := bench.Result{Kernel: k, Precision: kernels.FP64, Threads: 1, Level: level, FlopPerS: &rate, BytesPerS: &rate}
			r.roofs.Judge(&res, bench.Pass{Seconds: 1, Limit: kernels.FP32FP32, Engine: "fake"})
		}
		roof(kernels.FMA, bench.LevelRegister, 1e12)
		roof(kernels.Copy, bench.LevelL1, 1e9)
		roof(kernels.Copy, bench.LevelMemory, 1e7) // 8e6 are moved
		for _, at := range []struct {
			level string
			call  time.Duration
			want  bench.Bound
		}{{bench.LevelL1, time.Millisecond, bench.ComputeBound}, {bench.LevelMemory, c.memory, c.want}} {
			r.pick = func(k kernels.Kernel, p kernels.Precision, _ string) (cpu.Impl, error) {
				return cpu.Impl{Kernel: k, Precision: p, Engine: "fake", Func: unary(goRelu(clock, at.call))}, nil
			}
			relu := caseOf(kernels.ReLU, kernels.FP32, n(1000), 1)
			relu.Level = at.level
			if res := run(t, r, relu); res.Bound != at.want {
				t.Errorf("in %s, %v a call: %s, want %s", at.level, at.call, res.Bound, at.want)
			}
		}
	}
}
