package schema_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
	"github.com/realflops/realflops/calibrate/estimate"
	"github.com/realflops/realflops/calibrate/model"
	"github.com/realflops/realflops/docs/schema"
	"github.com/realflops/realflops/kernels"
)

func TestEveryTaskOfEveryPresetKeepsTheModelContract(t *testing.T) {
	for _, name := range model.Presets() {
		m, err := model.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range []model.Task{model.Forward, model.Backward, model.Step, model.Prefill, model.Decode} {
			if task == model.Decode && m.Architecture.Pooler {
				continue // an encoder decodes nothing
			}
			doc, err := m.Count(model.Setup{Task: task, Batch: 2})
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate("realflops-model-1", encode(t, doc)); err != nil {
				t.Errorf("%s %s: %v", name, task, err)
			}
		}
	}
}

func TestBrokenModelDocumentsAreRefused(t *testing.T) {
	m, err := model.Load("gpt2")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := m.Count(model.Setup{})
	if err != nil {
		t.Fatal(err)
	}
	gemm := slices.IndexFunc(doc.Ops, func(o model.Op) bool { return o.Kind == model.GEMM })
	refuse(t, "realflops-model-1", encode(t, doc), []fault{
		{"schema", "realflops/1"},
		{"model/params", 1.5},
		{"model/params", 0},
		{"model/parts", remove},
		{"model/weights", 1},
		{"setup", remove},
		{"setup/task", "train"},
		{"flop/forward", nil},
		{"flop/forward/convention", ""},
		{"flop/backward", 0},
		{"growth/crossover_seq", 0},
		{"ops", []any{}},
		{"ops/0/kind", "matmul"},
		{"ops/0/count", 0},
		{fmt.Sprintf("ops/%d/m", gemm), remove},
		{"warnings", nil},
	})
}

// machine computes, moves and dispatches at one rate each.
type machine struct{ rate calibrate.Lookup }

func (m machine) GEMMRate(kernels.Precision, int, int, int, int) (calibrate.Lookup, error) {
	return m.rate, nil
}

func (m machine) ElementwiseRate(kernels.Kernel, kernels.Precision, int, float64) (calibrate.Lookup, error) {
	return m.rate, nil
}

func (m machine) BandwidthRate(int, float64) (calibrate.Lookup, error) { return m.rate, nil }

func (m machine) Overhead(string, int) (calibrate.Figure, bool) {
	return calibrate.Figure{Value: 1e-6, Lo: 1e-6, Hi: 2e-6}, true
}

func (m machine) ThreadCounts() []int { return []int{1} }

func (m machine) Doubts() []bench.Warning { return nil }

func price(t *testing.T, s estimate.Setup) *estimate.Document {
	t.Helper()
	m, err := model.Load("gpt2")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := estimate.Estimate(m, machine{calibrate.Lookup{Figure: calibrate.Figure{Value: 1e10, Lo: 9e9, Hi: 1.1e10}}}, s)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEveryTaskKeepsTheEstimateContract(t *testing.T) {
	for _, s := range []estimate.Setup{
		{},
		{Task: estimate.Prefill, Batch: 4, Precision: kernels.FP16},
		{Task: estimate.Decode, Context: 512, NewTokens: 8, MemoryBytes: 1e6},
		{Task: estimate.Train, Tokens: 1e9, PricePerHour: 2, PowerW: 300},
	} {
		if err := schema.Validate("realflops-estimate-1", encode(t, price(t, s))); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestBrokenEstimateDocumentsAreRefused(t *testing.T) {
	doc := price(t, estimate.Setup{Task: estimate.Train, Tokens: 1e9, PricePerHour: 2})
	gemm := slices.IndexFunc(doc.Ops, func(o estimate.Op) bool { return o.Kind == model.GEMM })
	refuse(t, "realflops-estimate-1", encode(t, doc), []fault{
		{"schema", "realflops-estimate/2"},
		{"task", "step"},
		{"unit", "second"},
		{"time_s", nil},
		{"time_s/value", 0},
		{"time_s/lo", remove},
		{"time_s/source", "guessed"},
		{"time_s/convention", ""},
		{"total_time_s", 0},
		{"energy_j", remove},
		{"cost/value", 0},
		{"memory_bytes/total", remove},
		{"memory_bytes/kv_cache", nil},
		{"memory_bytes/weights/value", 0},
		{"setup/threads", 0},
		{"setup/task", remove},
		{"setup/tokens", 0},
		{"model/params", nil},
		{"ops", nil},
		{fmt.Sprintf("ops/%d/time_s", gemm), nil},
		{fmt.Sprintf("ops/%d/bound", gemm), "memory"},
		{fmt.Sprintf("ops/%d/kernel", gemm), "gemm"},
		{fmt.Sprintf("ops/%d/m", gemm), 0},
		{"warnings", nil},
	})
}
