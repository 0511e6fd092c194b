package estimate

import (
	"math"
	"testing"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate/model"
	"github.com/realflops/realflops/kernels"
)

// On a machine that computes in no time, a token takes what streaming the weights
// takes: Llama-2-7B in fp16 without its input table, 13.21 GB at 10 GB/s; cache and
// norms add less than 1% at a context of 16.
func TestDecodeIsWeightsOverBandwidth(t *testing.T) {
	m := load(t, "llama-2-7b")
	f := flat()
	f.flopPerS = func(int, int, int) float64 { return 1e18 }
	f.elementsPS = 1e18
	got := estimate(t, m, f, Setup{Task: Decode, Context: 16, Precision: kernels.FP16})
	want := 2 * float64(m.Params-32000*4096) / 1e10
	if r := got.TimeS.Value / want; r < 1 || r > 1.01 {
		t.Errorf("a token takes %g s, weights over bandwidth %g s", got.TimeS.Value, want)
	}
	for _, o := range got.Ops {
		if o.Kind == model.GEMM && o.Bound != bench.BandwidthBound {
			t.Errorf("%s is bound by %s", o.Name, o.Bound)
		}
	}
	// The bandwidth asked for is that of the whole model, whichever matrix is read.
	if set := f.asked["set"]; set < got.Model.Bytes || set > 1.01*got.Model.Bytes {
		t.Errorf("largest working set asked for %g, the model has %g bytes", set, got.Model.Bytes)
	}
	if math.Abs(got.TokensPerS.Value*got.TimeS.Value-1) > 1e-12 {
		t.Errorf("%g tokens/s at %g s", got.TokensPerS.Value, got.TimeS.Value)
	}
}

// The measured rate of one row is what memory lets through: 8 GFLOP/s here are 16 GB/s
// of fp32 weights, a little slower than bandwidth alone says. Memory binds it all the same.
func TestSkinnyProductsAreBoundByMemory(t *testing.T) {
	f := flat()
	f.flopPerS = func(m, _, _ int) float64 { return min(1e11, 8e9*float64(m)) }
	f.bytesPerS = func(float64) float64 { return 2e10 }
	for seq, want := range map[int]bench.Bound{1: bench.BandwidthBound, 512: bench.ComputeBound} {
		for _, o := range estimate(t, load(t, "gpt2"), f, Setup{Seq: seq}).Ops {
			if o.Kind == model.GEMM && o.Bound != want {
				t.Errorf("%s over %d rows is bound by %s, want %s", o.Name, seq, o.Bound, want)
			}
		}
	}
}

// GELU at 1e9 elements/s moves 8 GB/s: a memory of 10 GB/s explains all of its time, one of
// 1 TB/s little. Its time is that of its own curve, also where triad's says more.
func TestActivationsAreBoundByWhatExplainsTheirRate(t *testing.T) {
	for rate, want := range map[float64]bench.Bound{1e9: bench.BandwidthBound, 1e10: bench.BandwidthBound, 1e12: bench.ComputeBound} {
		f := flat()
		f.bytesPerS = func(float64) float64 { return rate }
		for _, o := range estimate(t, load(t, "gpt2"), f, Setup{}).Ops {
			if o.Function != "gelu_new" {
				continue
			}
			if seconds := 12 * 1024 * 3072 / 1e9; o.Bound != want || math.Abs(o.TimeS/seconds-1) > 1e-9 {
				t.Errorf("at %g bytes/s %s takes %g s, bound by %s; want %g and %s", rate, o.Name, o.TimeS, o.Bound, seconds, want)
			}
		}
	}
}

// A small matrix of a large model does not get a cache's bandwidth in decode: where
// only what exceeds 1 MB is slow, the result is that of a machine slow throughout.
func TestSmallMatricesOfALargeModelStreamFromMemory(t *testing.T) {
	m := load(t, "gpt2")
	slow, cached := flat(), flat()
	cached.bytesPerS = func(set float64) float64 {
		if set < 100e6 {
			return 1e15
		}
		return 1e10
	}
	a, b := estimate(t, m, slow, Setup{Task: Decode}), estimate(t, m, cached, Setup{Task: Decode})
	for i, o := range a.Ops {
		if o.Kind == model.GEMM && b.Ops[i].TimeS != o.TimeS {
			t.Errorf("%s: %g s, with a fast cache %g s", o.Name, o.TimeS, b.Ops[i].TimeS)
		}
	}
}

// Where moving is free, time is FLOP over the GEMM rate, and what the elementwise
// functions take at theirs.
func TestForwardIsFlopOverRate(t *testing.T) {
	m := load(t, "gpt2")
	f := flat()
	f.bytesPerS = func(float64) float64 { return 1e30 }
	got := estimate(t, m, f, Setup{})
	gelu := 12 * 1024 * 3072 / 1e9
	if want := 272_320_954_368/1e11 + gelu; math.Abs(got.TimeS.Value/want-1) > 1e-9 {
		t.Errorf("%g s, by hand %g s", got.TimeS.Value, want)
	}
	if got.FLOP.Value != 272_320_954_368 {
		t.Errorf("%.0f FLOP", got.FLOP.Value)
	}
	if got.TokensPerS.Value != 1024/got.TimeS.Value {
		t.Errorf("%g tokens/s", got.TokensPerS.Value)
	}
}

// Each product is priced at the rate of its own shape: the rate here is 1 GFLOP/s for
// every row, so that a product of m rows takes 2·n·k nanoseconds whatever m is.
func TestEachShapeHasItsOwnRate(t *testing.T) {
	f := flat()
	f.flopPerS = func(m, _, _ int) float64 { return 1e9 * float64(m) }
	f.bytesPerS = func(float64) float64 { return 1e30 }
	for _, seq := range []int{16, 256} {
		for _, o := range estimate(t, load(t, "gpt2"), f, Setup{Seq: seq}).Ops {
			if want := 12 * 2 * 768 * 3072 / 1e9; o.Name == "mlp up" && math.Abs(o.TimeS/want-1) > 1e-9 {
				t.Errorf("mlp up over %d rows takes %g s, want %g", seq, o.TimeS, want)
			}
		}
	}
}

// A training step by hand: three times the forward products (the loss and the
// gradients of GELU beside them), and 28 bytes a parameter for AdamW.
func TestTrainIsForwardBackwardAndOptimizer(t *testing.T) {
	m := load(t, "gpt2")
	f := flat()
	f.flopPerS = func(int, int, int) float64 { return 1e6 } // products take so long that nothing else counts
	got := estimate(t, m, f, Setup{Task: Train, Batch: 2, Seq: 256})
	forward := estimate(t, m, f, Setup{Batch: 2, Seq: 256})
	if r := got.TimeS.Value / forward.TimeS.Value; math.Abs(r-3) > 1e-3 {
		t.Errorf("a step takes %g forward passes", r)
	}
	if got.FLOP.Value != 3*forward.FLOP.Value || got.Unit != "step" {
		t.Errorf("%g FLOP a %s, forward %g", got.FLOP.Value, got.Unit, forward.FLOP.Value)
	}
	last := got.Ops[len(got.Ops)-1]
	if want := 28 * 124_439_808 / 1e10; last.Kind != model.Optimizer || math.Abs(last.TimeS/want-1) > 1e-9 {
		t.Errorf("%s takes %g s, 28 bytes a parameter %g s", last.Name, last.TimeS, want)
	}
	mem := got.MemoryBytes
	if sum := mem.Weights.Value + mem.Gradients.Value + mem.Optimizer.Value; sum != 16*124_439_808 {
		t.Errorf("weights and states take %g bytes, want 16 a parameter", sum)
	}
	half := estimate(t, m, f, Setup{Task: Train, Precision: kernels.FP16}).MemoryBytes
	if sum := half.Weights.Value + half.Gradients.Value + half.Optimizer.Value; sum != 18*124_439_808 {
		t.Errorf("in fp16 weights and states take %g bytes, want 18 a parameter", sum)
	}
}

func TestOpsSumToTheTime(t *testing.T) {
	f := flat()
	f.dispatch, f.width = 1e-6, 0.1
	for _, name := range model.Presets() {
		m := load(t, name)
		for _, task := range []Task{Forward, Prefill, Decode, Train} {
			if task == Decode && m.Architecture.Pooler {
				continue
			}
			e := estimate(t, m, f, Setup{Task: task, Seq: 128})
			var s span
			for _, o := range e.Ops {
				if !(o.TimeSLo <= o.TimeS && o.TimeS <= o.TimeSHi && o.TimeSLo >= 0 && o.TimeS > 0) {
					t.Errorf("%s %s %s: %g not within %g to %g", name, task, o.Name, o.TimeS, o.TimeSLo, o.TimeSHi)
				}
				s = s.plus(span{o.TimeS, o.TimeSLo, o.TimeSHi})
			}
			if s.value != e.TimeS.Value || s.lo/spread != e.TimeS.Lo || s.hi*spread != e.TimeS.Hi {
				t.Errorf("%s %s: operations take %v, the task %v", name, task, s, e.TimeS)
			}
			for what, f := range figures(e) {
				if !(f.Lo <= f.Value && f.Value <= f.Hi) || f.Convention == "" || f.Source == "" || math.IsNaN(f.Value) {
					t.Errorf("%s %s: %s is %+v", name, task, what, f)
				}
			}
		}
	}
}

func TestTimeNeverFallsWithBatchSequenceOrContext(t *testing.T) {
	f := flat()
	f.dispatch = 1e-6
	m := load(t, "gpt2")
	for name, at := range map[string]func(n int) Setup{
		"batch":   func(n int) Setup { return Setup{Batch: n, Seq: 64} },
		"seq":     func(n int) Setup { return Setup{Seq: n} },
		"prefill": func(n int) Setup { return Setup{Task: Prefill, Seq: n} },
		"context": func(n int) Setup { return Setup{Task: Decode, Context: n} },
		"train":   func(n int) Setup { return Setup{Task: Train, Batch: n, Seq: 16} },
	} {
		before := 0.0
		for n := 1; n <= 512; n *= 2 {
			e := estimate(t, m, f, at(n))
			if e.TimeS.Value <= before {
				t.Errorf("%s %d takes %g s, the half of it %g s", name, n, e.TimeS.Value, before)
			}
			before = e.TimeS.Value
		}
	}
}

func TestDispatchBindsSmallWork(t *testing.T) {
	f := flat()
	f.dispatch = 1
	e := estimate(t, load(t, "gpt2"), f, Setup{Seq: 1})
	var ops int64
	for _, o := range e.Ops {
		ops += o.Count
		if o.Bound != bench.LatencyBound {
			t.Errorf("%s is bound by %s", o.Name, o.Bound)
		}
	}
	if math.Abs(e.TimeS.Value-float64(ops)) > 1 {
		t.Errorf("%d dispatches of a second take %g s", ops, e.TimeS.Value)
	}
	if e := estimate(t, load(t, "gpt2"), flat(), Setup{}); !has(e.Warnings, "no_dispatch", "") {
		t.Errorf("no dispatch overhead in the profile, and no word of it: %v", e.Warnings)
	}
}

// What lies in memory streams at memory's rate however small the piece that one
// operation takes: the cache of all layers in decode, the rows of a table.
func TestPiecesOfLargeThingsStreamFromMemory(t *testing.T) {
	m := load(t, "gpt2")
	cached := flat()
	cached.flopPerS = func(int, int, int) float64 { return 1e18 }
	cached.bytesPerS = func(set float64) float64 {
		if set < 100e6 {
			return 1e15
		}
		return 1e10
	}
	for _, o := range estimate(t, m, cached, Setup{Task: Decode}).Ops {
		inMemory := o.Kind == model.Attention || o.Name == "token embedding"
		if rate := o.Bytes / o.TimeS; inMemory && math.Abs(rate/1e10-1) > 1e-9 {
			t.Errorf("%s is read at %g bytes/s", o.Name, rate)
		}
	}
}

// BenchmarkEstimate is the whole of an estimate, the model's reading included; it is to
// stay far below 100 ms.
func BenchmarkEstimate(b *testing.B) {
	for b.Loop() {
		if _, err := Estimate(load(b, "llama-2-70b"), flat(), Setup{Task: Train}); err != nil {
			b.Fatal(err)
		}
	}
}

func load(t testing.TB, name string) *model.Model {
	t.Helper()
	m, err := model.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func estimate(t testing.TB, m *model.Model, machine Machine, s Setup) *Document {
	t.Helper()
	e, err := Estimate(m, machine, s)
	if err != nil {
		t.Fatalf("%s %+v: %v", m.Name, s, err)
	}
	return e
}
