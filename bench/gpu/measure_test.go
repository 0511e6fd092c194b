package gpu

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels"
)

// TestResultOfAQuietDevice: a relu of a million elements in 1 ms, for a second.
func TestResultOfAQuietDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		r := runner(c)
		defer r.Close()
		began := time.Now()
		res := measure(t, r, relu())
		if res.Status != bench.OK || res.Error != "" || len(res.Warnings) != 0 || res.Warnings == nil {
			t.Fatalf("%+v", res)
		}
		if res.Device != "GPU-1" || res.DeviceModel != "Fake 100" || res.Engine != "fake-simt" || res.Level != bench.LevelL2 || res.Threads != 0 ||
			res.Data != bench.Randn || res.Spec() != relu().Spec || !res.Time.Equal(began) || res.Note != "row-major" || res.Together != 0 || res.OfAlone != nil {
			t.Errorf("identity %+v", res)
		}
		for name, p := range map[string]struct {
			got  *float64
			want float64
		}{
			"flop": {res.FlopPerS, 1e9}, "flop lo": {res.FlopPerSLo, 1e9}, "flop burst": {res.FlopPerSBurst, 1e9},
			"elements": {res.ElementsPerS, 1e9}, "bytes": {res.BytesPerS, 8e9}, "bytes hi": {res.BytesPerSHi, 8e9},
			"clock": {res.ClockHz, 1.4e9}, "power": {res.PowerW, 300}, "temperature": {res.TemperatureC, 60},
		} {
			if !near(p.got, p.want) {
				t.Errorf("%s: %v, want %v", name, p.got, p.want)
			}
		}
		if res.ThrottleShare == nil || *res.ThrottleShare != 0 || res.OfLimit != nil || res.OfDatasheet != nil || res.Bound != bench.UnknownBound {
			t.Errorf("throttle %v, of limit %v, bound %s", res.ThrottleShare, res.OfLimit, res.Bound)
		}
		if res.Checksum != "c0ffee" || res.PlateauS == nil || res.Seconds < 0.99 || res.Seconds > 1.06 || res.N < 200 {
			t.Errorf("n %d, %v s, plateau %v, checksum %s", res.N, res.Seconds, res.PlateauS, res.Checksum)
		}
		l := c.lives[0]
		if l.prep.Cold || l.prep.Seed != 7 || l.prep.Data != bench.Randn || l.prep.Engine != "" {
			t.Errorf("prepared %+v", l.prep)
		}
		// Warm-up 0.1 s and a second, in batches of 50 ms; then the next case by the same worker.
		if len(l.sampled) < 20 || len(l.sampled) > 24 {
			t.Errorf("%d batches: %v", len(l.sampled), l.sampled)
		}
		far := relu()
		far.Shape = n(100_000_000)
		if res := measure(t, r, far); res.Level != bench.LevelMemory || !l.prep.Cold || len(c.lives) != 1 || l.prep.Shape != far.Shape {
			t.Errorf("level %s, %d workers, prepared %+v", res.Level, len(c.lives), l.prep)
		}
	})
}

// TestBatchesAreShort: about 50 ms of samples of 3 ms or one pass, however long a pass is.
func TestBatchesAreShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			passS float64
			want  worker.SampleRequest
		}{
			{1e-6, worker.SampleRequest{Passes: 3001, Samples: 17}},
			{0.001, worker.SampleRequest{Passes: 3, Samples: 17}},
			{0.01, worker.SampleRequest{Passes: 1, Samples: 5}},
			{0.2, worker.SampleRequest{Passes: 1, Samples: 1}},
		} {
			k := newCard("GPU-1")
			k.passS = c.passS
			r := runner(k)
			res := measure(t, r, relu())
			r.Close()
			batches := k.lives[0].sampled
			last := batches[len(batches)-1]
			// 3 ms may fall on either side of a whole number of passes.
			if d := last.Passes - c.want.Passes; d < -1 || d > 1 || last.Samples != c.want.Samples || res.Status != bench.OK {
				t.Errorf("passes of %g s: batches of %+v, want %+v", c.passS, last, c.want)
			}
		}
	})
}

// TestALongPassIsTheOneSample: no second one is run, and none is to check it.
func TestALongPassIsTheOneSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		c.passS = 2
		r := runner(c)
		defer r.Close()
		res := measure(t, r, relu())
		if res.Status != bench.OK || res.N != 1 || !near(res.FlopPerS, 5e5) || !slices.Equal(c.lives[0].calls, []string{"hello", "open", "prepare", "release"}) {
			t.Errorf("%v: %+v", c.lives[0].calls, res)
		}
		if want := []string{bench.FewSamples, bench.ClockUnknown}; !slices.Equal(codes(res), want) {
			t.Errorf("warnings %v, want %v", res.Warnings, want)
		}
	})
}

// TestHeldUpWarmUpIsNoMeasure: where the passes of the warm-up took ten times as long, the samples
// made by their measure are too short, and are dropped.
func TestHeldUpWarmUpIsNoMeasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		c.passS = 0.002
		c.sample = func(l *life, _ worker.SampleRequest) *worker.Error {
			if l.batches == 3 {
				c.passS = 0.0002
			}
			return nil
		}
		r := runner(c)
		defer r.Close()
		res := measure(t, r, relu())
		if res.Status != bench.OK || !near(res.FlopPerSLo, 5e9) || !near(res.FlopPerSHi, 5e9) {
			t.Errorf("%+v", res)
		}
		batches := c.lives[0].sampled
		if first, last := batches[0], batches[len(batches)-1]; first.Passes != 2 || last.Passes < 15 {
			t.Errorf("batches from %+v to %+v", first, last)
		}
	})
}

// TestADeviceWhoseClockStandsEndsNothing: a batch that takes a second and claims a nanosecond.
func TestADeviceWhoseClockStandsEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		c.passS, c.ownClock = 1e-10, true
		c.sample = func(*life, worker.SampleRequest) *worker.Error { time.Sleep(time.Second); return nil }
		r := runner(c)
		defer r.Close()
		began := time.Now()
		rs := relu()
		rs.MinS, rs.MaxS = 3, 3
		res := measure(t, r, rs)
		if took := time.Since(began); took > 75*time.Second {
			t.Errorf("a case of 3 s took %v", took)
		}
		if got := text(res, bench.HeldUp); !strings.HasPrefix(got, "sampling was ended after 1m1s here, of which the device says that it worked for ") {
			t.Errorf("%v", res.Warnings)
		}
	})
}

// TestTheOutputIsChecked, after the last batch and by the seed after some before; a wrong one
// is a faulty device, which has no figures, and other cases are measured by the same worker.
func TestTheOutputIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		r := runner(c)
		defer r.Close()
		long := relu()
		long.MinS, long.MaxS = 4, 4
		measure(t, r, long)
		first := slices.Clone(c.lives[0].calls)
		if c.checks < 4 || c.checks > 25 || first[len(first)-2] != "check" {
			t.Errorf("%d checks of 80 batches, the last calls %v", c.checks, first[len(first)-3:])
		}
		c.lives[0].calls = nil
		measure(t, r, long)
		if again := c.lives[0].calls; !slices.Equal(again, first[2:]) {
			t.Error("the same seed chose other batches")
		}

		checks := c.checks
		c.check = func(i int) string {
			if i == checks+2 {
				return "bad"
			}
			return "c0ffee"
		}
		res := measure(t, r, long)
		want := "a later pass did not repeat the first: the checksum of its output is bad, and was c0ffee"
		if res.Status != bench.Failed || res.Error != want || !slices.Equal(codes(res), []string{bench.WrongResult}) || res.FlopPerS != nil || res.N != 0 {
			t.Errorf("%+v", res)
		}
		if res := measure(t, r, relu()); res.Status != bench.OK || len(c.lives) != 1 || len(res.Warnings) != 0 {
			t.Errorf("the next case: %+v, %d workers", res, len(c.lives))
		}
	})
}

func TestAWrongFirstPassIsAFaultyDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		c.prepare = func(*life, worker.PrepareRequest) (worker.Prepared, *worker.Error) {
			return worker.Prepared{}, &worker.Error{Kind: worker.Wrong, Text: "element 17 is 0 and should be 1.5"}
		}
		r := runner(c)
		defer r.Close()
		res := measure(t, r, relu())
		if res.Status != bench.Failed || text(res, bench.WrongResult) != "element 17 is 0 and should be 1.5" || len(c.lives) != 1 || res.Engine != "fake-simt" {
			t.Errorf("%+v", res)
		}
	})
}

// TestShapesThatDoNotFitAreHalved: the largest dimension, six times at most.
func TestShapesThatDoNotFitAreHalved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := 0
		c := newCard("GPU-1")
		c.prepare = func(l *life, r worker.PrepareRequest) (worker.Prepared, *worker.Error) {
			if int(r.Shape.M)*r.Shape.N*r.Shape.K > room {
				return worker.Prepared{}, &worker.Error{Kind: worker.NoMemory, Code: "OUT_OF_MEMORY (2)", Text: "too large"}
			}
			return l.prepared(r), nil
		}
		r := runner(c)
		defer r.Close()
		for _, x := range []struct {
			asked kernels.Shape
			room  int
			got   string // "" fails
		}{
			{mnk(64, 64, 64), 1 << 18, "64x64x64"},
			{mnk(64, 64, 128), 1 << 18, "64x64x64"},
			{mnk(64, 64, 64), 1 << 12, "16x16x16"},
			{mnk(64, 64, 64), 1 << 11, ""},
			{mnk(7, 100, 1), 7 * 12, "7x12x1"},
			{mnk(1, 1, 1), 0, ""},
		} {
			room = x.room
			res := measure(t, r, caseOf(kernels.GEMM, kernels.FP32FP32, x.asked))
			switch {
			case x.got == "" && (res.Status != bench.Failed || res.Shape != x.asked || !strings.Contains(res.Error, "prepare: too large")):
				t.Errorf("%s in room for %d: %+v", x.asked, x.room, res)
			case x.got == x.asked.String() && (res.Status != bench.OK || res.Shape != x.asked || len(res.Warnings) != 0):
				t.Errorf("%s that fits: %+v", x.asked, res)
			case x.got != "" && x.got != x.asked.String() && (res.Shape.String() != x.got || !slices.Equal(codes(res), []string{bench.ShapeReduced})):
				t.Errorf("%s in room for %d: %+v, want %s", x.asked, x.room, res, x.got)
			}
			if x.got == "16x16x16" && text(res, bench.ShapeReduced) != "64x64x64 was asked for and does not fit (too large: OUT_OF_MEMORY (2)): 16x16x16 was measured" {
				t.Errorf("%v", res.Warnings)
			}
			if x.got == "16x16x16" && !near(res.FlopPerS, 2*16*16*16/0.001) {
				t.Errorf("the rate is not that of the shape measured: %v", *res.FlopPerS)
			}
		}
	})
}

func TestWhatTheDeviceCannotDoFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		c.prepare = func(l *life, r worker.PrepareRequest) (worker.Prepared, *worker.Error) {
			if r.Engine == "cublaslt" {
				return worker.Prepared{}, &worker.Error{Kind: worker.Unsupported, Text: "cublaslt is not there"}
			}
			return l.prepared(r), nil
		}
		r := runner(c)
		defer r.Close()
		x := relu()
		x.Engine = "cublaslt"
		if res := measure(t, r, x); res.Status != bench.Failed || res.Error != "prepare: cublaslt is not there" || res.Engine != "cublaslt" || len(res.Warnings) != 0 {
			t.Errorf("%+v", res)
		}
		if res := measure(t, r, relu()); res.Status != bench.OK || len(c.lives) != 1 {
			t.Errorf("%d workers, then %+v", len(c.lives), res)
		}
	})
}

func TestImpossibleCasesAreRefusedWithoutAWorker(t *testing.T) {
	c := newCard("GPU-1")
	r := runner(c)
	defer r.Close()
	for want, change := range map[string]func(*bench.Case){
		"every dimension": func(c *bench.Case) { c.Shape = n(0) },
		"seconds 2 to 1":  func(c *bench.Case) { c.MinS, c.MaxS = 2, 1 },
		`data "nothing"`:  func(c *bench.Case) { c.Data = "nothing" },
		"precision":       func(c *bench.Case) { c.Precision = kernels.FP64 },
	} {
		x := relu()
		change(&x)
		if res := measure(t, r, x); res.Status != bench.Failed || !strings.Contains(res.Error, want) || res.Engine == "" {
			t.Errorf("%s: %+v", want, res)
		}
	}
	if len(c.lives) != 0 {
		t.Error("a worker was started")
	}
}

func TestEveryLevelHasItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runner(newCard("GPU-1"))
		defer r.Close()
		asked := caseOf(kernels.GEMM, kernels.FP16FP32, mnk(64, 64, 64))
		asked.Level = bench.LevelMemory
		for want, c := range map[string]bench.Case{
			bench.LevelRegister: caseOf(kernels.FMA, kernels.FP16FP32, n(kernels.FMAQuantum)),
			bench.LevelBus:      caseOf(kernels.HostToDevice, kernels.FP64, n(1000)),
			bench.LevelL2:       caseOf(kernels.Copy, kernels.FP64, n(1000)),
			bench.LevelMemory:   asked,
		} {
			if res := measure(t, r, c); res.Level != want || res.Status != bench.OK {
				t.Errorf("%v: level %s, want %s", c.Spec, res.Level, want)
			}
		}
	})
}
