package estimate

import (
	"math"
	"strings"
	"testing"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate/model"
)

func TestRangeIsThatOfTheCurvesAndTheAssumptions(t *testing.T) {
	m := load(t, "gpt2")
	f := flat()
	f.width = 0.25
	no := false // every pair is counted, so that the mask leaves no doubt
	// decode of a model whose time is all products: time ∝ 1/rate
	e := estimate(t, m, f, Setup{Causal: &no})
	for _, o := range e.Ops {
		if o.Kind == model.GEMM && (math.Abs(o.TimeSLo/o.TimeS-1/1.25) > 1e-9 || math.Abs(o.TimeSHi/o.TimeS-1/0.75) > 1e-9) {
			t.Errorf("%s: %g to %g of %g", o.Name, o.TimeSLo, o.TimeSHi, o.TimeS)
		}
	}
	f.outside = true
	wide := estimate(t, m, f, Setup{Causal: &no})
	if wide.TimeS.Value != e.TimeS.Value || wide.TimeS.Lo >= e.TimeS.Lo || wide.TimeS.Hi <= e.TimeS.Hi {
		t.Errorf("outside the curve %g to %g, inside %g to %g", wide.TimeS.Lo, wide.TimeS.Hi, e.TimeS.Lo, e.TimeS.Hi)
	}
	for i, o := range wide.Ops {
		if o.Kind == model.GEMM && math.Abs(o.TimeSHi/e.Ops[i].TimeSHi-outside) > 1e-9 {
			t.Errorf("%s: up to %g outside the curve, %g inside", o.Name, o.TimeSHi, e.Ops[i].TimeSHi)
		}
	}
	if !has(wide.Warnings, "lookup", "beyond what was measured") {
		t.Errorf("nothing tells that the curve was left: %v", wide.Warnings)
	}
	if has(e.Warnings, "lookup", "") {
		t.Errorf("inside the curve: %v", e.Warnings)
	}
	// a runtime may compute the half of attention that the mask hides
	masked := estimate(t, m, flat(), Setup{})
	for _, o := range masked.Ops {
		if o.Kind == model.Attention && o.Bound == bench.ComputeBound && math.Abs(o.TimeSHi/o.TimeS-2) > 1e-9 {
			t.Errorf("%s: up to %g of %g s", o.Name, o.TimeSHi, o.TimeS)
		}
	}
}

func TestStandInsAreTold(t *testing.T) {
	if e := estimate(t, load(t, "llama-2-7b"), flat(), Setup{Seq: 8}); !has(e.Warnings, "stand_in", "silu was not measured: priced at the measured rate of sigmoid") {
		t.Errorf("warnings %v", e.Warnings)
	}
}

func TestDoubtsAreToldOnce(t *testing.T) {
	f := flat()
	f.note = "nearest measured thread count used"
	e := estimate(t, load(t, "gpt2"), f, Setup{Task: Train, Seq: 8})
	n := 0
	for _, w := range e.Warnings {
		if strings.Contains(w.Text, f.note) {
			n++
		}
	}
	if n != 3 { // gemm, sigmoid, bandwidth
		t.Errorf("%d warnings with the note: %v", n, e.Warnings)
	}
}

// A step of GPT-2 has 15 distinct shapes: 7 forward, of which the gradients repeat some
// and add 8. Each has its own note: one warning that counts the others.
func TestDoubtsOfOneCurveAreOneWarning(t *testing.T) {
	f := flat()
	f.noteShape = true
	e := estimate(t, load(t, "gpt2"), f, Setup{Task: Train, Seq: 8})
	n := 0
	for _, w := range e.Warnings {
		if w.Code == "lookup" {
			n++
		}
	}
	if n != 1 || !has(e.Warnings, "lookup", "gemm fp32/fp32: 8x2304x768 was not measured (and 14 more like it)") {
		t.Errorf("%d warnings: %v", n, e.Warnings)
	}
}

// Weights are only read, which may be 32/24 as fast as triad; norms also write.
func TestReadingMayBeFasterThanTriad(t *testing.T) {
	for _, o := range estimate(t, load(t, "gpt2"), flat(), Setup{Task: Decode}).Ops {
		want := 1.0
		switch {
		case o.Kind == model.GEMM, o.Kind == model.Attention, o.Kind == model.Lookup:
			want = 0.75
		case o.Kind != model.Elementwise || o.Function != "add":
			continue
		}
		if r := o.TimeSLo / o.TimeS; math.Abs(r-want) > 1e-9 {
			t.Errorf("%s: at least %g of its time, want %g", o.Name, r, want)
		}
	}
}

func has(warnings []bench.Warning, code, text string) bool {
	for _, w := range warnings {
		if w.Code == code && strings.Contains(w.Text, text) {
			return true
		}
	}
	return false
}

func TestDoubtsOfTheProfileAreRepeated(t *testing.T) {
	f := flat()
	f.doubts = []bench.Warning{{Code: bench.Noisy, Text: "7 of 78 results of the profile"}}
	if e := estimate(t, load(t, "gpt2"), f, Setup{}); !has(e.Warnings, bench.Noisy, "7 of 78") {
		t.Errorf("got %v", e.Warnings)
	}
}
