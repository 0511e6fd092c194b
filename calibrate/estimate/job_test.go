package estimate

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
)

func TestMemoryPartsSumAndHoldTheCache(t *testing.T) {
	for _, task := range []Task{Forward, Prefill, Decode, Train} {
		mem := estimate(t, load(t, "llama-3-8b"), flat(), Setup{Task: task, Batch: 4, Seq: 1024, Precision: kernels.FP16}).MemoryBytes
		sum := mem.Weights.Value + mem.Gradients.Value + mem.Optimizer.Value + mem.Activations.Value + mem.KVCache.Value + mem.Workspace.Value
		if sum != mem.Total.Value || mem.Workspace.Value <= 0 {
			t.Errorf("%s: parts sum to %g, total %g", task, sum, mem.Total.Value)
		}
		want := 0.0
		if task == Prefill || task == Decode {
			want = 2 * 4 * 1024 * 32 * 8 * 128 * 2
		}
		if mem.KVCache.Value != want {
			t.Errorf("%s: cache %g, want %g", task, mem.KVCache.Value, want)
		}
	}
}

func TestWorkspaceIsTheLargestOperand(t *testing.T) {
	m := load(t, "gpt2")
	// decode: the head's input and its logits, not the cache
	if got, want := estimate(t, m, flat(), Setup{Task: Decode, Batch: 2}).MemoryBytes.Workspace.Value, 4.0*2*(768+50257); got != want {
		t.Errorf("decode: workspace %g, want %g", got, want)
	}
	// forward over 1024: the same for every position
	if got, want := estimate(t, m, flat(), Setup{}).MemoryBytes.Workspace.Value, 4.0*1024*(768+50257); got != want {
		t.Errorf("forward: workspace %g, want %g", got, want)
	}
}

func TestTotalsFollowTheJob(t *testing.T) {
	m := load(t, "gpt2")
	e := estimate(t, m, flat(), Setup{Task: Train, Batch: 8, Seq: 128, Tokens: 1e6, PricePerHour: 3.6, PowerW: 100})
	steps := math.Ceil(1e6 / 1024)
	if e.TotalTimeS == nil || e.TotalTimeS.Value != steps*e.TimeS.Value {
		t.Fatalf("total %v, want %g steps of %g s", e.TotalTimeS, steps, e.TimeS.Value)
	}
	if c := e.Cost; c == nil || math.Abs(c.Value-e.TotalTimeS.Value/1000) > 1e-9*c.Value || c.Lo >= c.Value {
		t.Errorf("cost %+v of %g s", c, e.TotalTimeS.Value)
	}
	if j := e.EnergyJ; j == nil || math.Abs(j.Value/e.TotalTimeS.Value-100) > 1e-9 {
		t.Errorf("energy %+v of %g s", j, e.TotalTimeS.Value)
	}
	e = estimate(t, m, flat(), Setup{Task: Train, Batch: 8, Seq: 128, Samples: 33})
	if e.TotalTimeS == nil || e.TotalTimeS.Value != 5*e.TimeS.Value {
		t.Errorf("33 samples in batches of 8 take %v of %g s", e.TotalTimeS, e.TimeS.Value)
	}
	e = estimate(t, m, flat(), Setup{})
	if e.TotalTimeS != nil || e.Cost != nil || e.EnergyJ != nil {
		t.Errorf("nobody asked for %v, %v, %v", e.TotalTimeS, e.Cost, e.EnergyJ)
	}
}

// The sum over every context, priced one by one, is what new tokens take.
func TestNewTokensSumOverTheGrowingContext(t *testing.T) {
	m := load(t, "gpt2")
	e := estimate(t, m, flat(), Setup{Task: Decode, Context: 100, NewTokens: 50})
	sum := 0.0
	for c := range 50 {
		sum += estimate(t, m, flat(), Setup{Task: Decode, Context: 100 + c}).TimeS.Value
	}
	if e.TotalTimeS == nil || math.Abs(e.TotalTimeS.Value/sum-1) > 1e-3 {
		t.Errorf("50 tokens take %v, one by one %g s", e.TotalTimeS, sum)
	}
	if want := 2.0 * 149 * 12 * 768 * 4; e.MemoryBytes.KVCache.Value != want {
		t.Errorf("cache %g at the end, want %g", e.MemoryBytes.KVCache.Value, want)
	}
}

func TestWhatDoesNotFitIsTold(t *testing.T) {
	m := load(t, "gpt2")
	full := estimate(t, m, flat(), Setup{Task: Train, Batch: 8}).MemoryBytes.Total.Value
	for _, c := range []struct {
		memory float64
		want   string
	}{
		{full, ""},
		{full - 1, "batch 7 would fit"},
		{1e9, "no batch fits"},
		{2.1e9, "not even batch 1 fits"},
	} {
		e := estimate(t, m, flat(), Setup{Task: Train, Batch: 8, MemoryBytes: c.memory})
		if got := has(e.Warnings, "does_not_fit", c.want); got != (c.want != "") {
			t.Errorf("%g bytes: %v, want %q", c.memory, e.Warnings, c.want)
		}
		if c.want == "batch 7 would fit" {
			fits := estimate(t, m, flat(), Setup{Task: Train, Batch: 7, MemoryBytes: c.memory})
			if has(fits.Warnings, "does_not_fit", "") {
				t.Errorf("batch 7 does not fit: %v", fits.Warnings)
			}
		}
	}
}

func TestWhatMeansNothingIsRefused(t *testing.T) {
	m := load(t, "gpt2")
	f := flat()
	f.fp32Only = true
	zero := flat()
	zero.flopPerS = func(int, int, int) float64 { return 0 }
	for _, c := range []struct {
		machine Machine
		setup   Setup
		want    string
	}{
		{f, Setup{Task: "tran"}, `unknown task "tran": did you mean "train"?`},
		{f, Setup{Precision: kernels.FP16}, "qkv projection: gemm was not measured at fp16/fp32: the profile has fp32/fp32"},
		{f, Setup{Precision: "fp8"}, `unknown precision "fp8"`},
		{f, Setup{Threads: 3}, "threads 3 were not calibrated: the profile has 1, 2"},
		{f, Setup{Threads: -1}, "threads -1"},
		{f, Setup{Batch: -1}, "batch -1: want at least 1"},
		{f, Setup{Tokens: math.NaN()}, "tokens NaN: want a number above 0"},
		{f, Setup{PricePerHour: math.Inf(1)}, "price +Inf"},
		{f, Setup{Tokens: 1, Samples: 1}, "want one of them"},
		{f, Setup{Task: Decode, Samples: 1}, "decode is counted in tokens"},
		{f, Setup{Task: Decode, NewTokens: 1, Tokens: 1}, "tokens and new tokens both say how long the job is"},
		{f, Setup{NewTokens: 1}, "new tokens belong to task decode"},
		{f, Setup{Task: Decode, NewTokens: math.MaxInt, Context: 2}, "overflow"},
		{f, Setup{Task: Train, Optimizer: "adam"}, `unknown optimizer "adam": did you mean "adamw"?`},
		{zero, Setup{}, "the profile's rate for gemm fp32/fp32 is 0"},
	} {
		_, err := Estimate(m, c.machine, c.setup)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: error %v, want one with %q", c.setup, err, c.want)
		}
	}
	var none *fake
	for _, machine := range []Machine{nil, none} {
		if _, err := Estimate(m, machine, Setup{}); !errors.Is(err, ErrNoProfile) {
			t.Errorf("without a machine: %v", err)
		}
	}
}
