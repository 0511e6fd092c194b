package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
	"github.com/realflops/realflops/kernels"
)

// withParts is a run that also measured a pair of memory nodes and a type of core, as often with one thread.
func withParts() agent.Document {
	doc := sample()
	for _, r := range slices.Clone(doc.Results[:3]) {
		r.Placement = "core:atom"
		if r.Kernel == kernels.Triad {
			r.Placement = "node0-node1"
		}
		doc.Results = append(doc.Results, r)
	}
	return doc
}

// fields are the words of each line.
func fields(text string) [][]string {
	var all [][]string
	for line := range strings.Lines(text) {
		all = append(all, strings.Fields(line))
	}
	return all
}

func contains(lines [][]string, want string) bool {
	return slices.ContainsFunc(lines, func(l []string) bool { return slices.Equal(l, strings.Fields(want)) })
}

// TestPartsHaveATableOfTheirOwn, and leave the one of the whole machine as it is.
func TestPartsHaveATableOfTheirOwn(t *testing.T) {
	report := func(doc agent.Document) string {
		var out bytes.Buffer
		a := &app{stdout: &out, getenv: func(string) string { return "" }}
		if err := a.resultTables(doc); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	whole := report(sample())
	rest, found := strings.CutPrefix(report(withParts()), whole+"\nparts of the machine: ")
	if !found {
		t.Fatalf("the report with parts does not begin with the table without:\n%s", report(withParts()))
	}
	for _, want := range []string{
		"kernel precision size placement threads rate 95% of limit bound engine",
		"fma fp32/fp32 register core:atom 1 110 GFLOP/s ±1.0% compute go-avx512",
		"triad fp64 memory node0-node1 1 20.0 GB/s ±1.0% bandwidth go-avx512",
		"gemm fp32/fp32 1024x1024x1024 core:atom 1 102 GFLOP/s ±1.0% ! 93% compute go-avx512",
	} {
		if !contains(fields(rest), want) {
			t.Errorf("no line %q in\n%s", want, rest)
		}
	}
	doc := withParts()
	doc.Results = doc.Results[len(doc.Results)-1:]
	if only := report(doc); !strings.HasPrefix(only, "parts of the machine: ") {
		t.Errorf("a part alone:\n%s", only)
	}
	if got := on(doc.Results[0]); got != "1 thread at core:atom" {
		t.Errorf("it is measured on %q", got)
	}
}

func TestActivationsAreComparedOnTheWholeMachine(t *testing.T) {
	doc := sample()
	var want, got strings.Builder
	activationLines(&want, doc.Results)
	for _, r := range slices.Clone(doc.Results) {
		r.Placement = "core:atom"
		twice := 2e9
		r.ElementsPerS = &twice
		doc.Results = append(doc.Results, r)
	}
	activationLines(&got, doc.Results)
	if got.String() != want.String() || want.Len() == 0 {
		t.Errorf("with the small cores too it is %q, want %q", got.String(), want.String())
	}
}

func TestComparisonsAndPlansNameThePlacement(t *testing.T) {
	var out bytes.Buffer
	a := &app{stdout: &out, getenv: func(string) string { return "" }}
	doc := withParts()
	if err := a.printComparison([2]agent.Document{doc, doc}, calibrate.Compare(doc.Results, doc.Results)); err != nil {
		t.Fatal(err)
	}
	if !contains(fields(out.String()), "triad fp64 8388608 memory 1 at node0-node1 20.0 GB/s 20.0 GB/s 1.000 0.891-1.122 no difference seen go-avx512") {
		t.Errorf("got\n%s", out.String())
	}
	out.Reset()
	c := bench.Case{Spec: doc.Results[1].Spec(), Threads: 8, Placement: "node0-node1", Level: bench.LevelMemory, MinS: 1, MaxS: 1}
	if err := a.printPlan("full", []bench.Case{c}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "8 threads at node0-node1") {
		t.Errorf("got\n%s", out.String())
	}
	out.Reset()
	a.json = true
	if err := a.printPlan("full", []bench.Case{c}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"placement": "node0-node1"`) {
		t.Errorf("got\n%s", out.String())
	}
}
