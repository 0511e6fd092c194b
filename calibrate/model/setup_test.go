package model

import (
	"math"
	"strings"
	"testing"
)

func TestSizesStayAtTheirEndWhereTheyOverflow(t *testing.T) {
	const top = math.MaxInt64
	for _, c := range []struct{ got, want int64 }{
		{mul(), 1},
		{mul(3, 5), 15},
		{mul(top, 0), 0},
		{mul(top, 1), top},
		{mul(top, 2), top},
		{mul(1<<32, 1<<31), top},
		{mul(1<<31, 1<<31), 1 << 62},
		{mul(top, top, top), top},
		{add(1, 2, 3), 6},
		{add(top, 1), top},
		{add(top-1, 1), top},
		{add(top, top, top), top},
	} {
		if c.got != c.want {
			t.Errorf("%d, want %d", c.got, c.want)
		}
	}
}

func TestSetupsThatMeanNothingAreRefused(t *testing.T) {
	gpt2, bert := load(t, "gpt2"), load(t, "bert-base")
	for _, c := range []struct {
		m     *Model
		setup Setup
		want  string
	}{
		{gpt2, Setup{Task: "train"}, `unknown task "train"`},
		{gpt2, Setup{Batch: -1}, "batch -1: want at least 1"},
		{gpt2, Setup{Seq: -5}, "seq -5"},
		{gpt2, Setup{Context: -5, Task: Decode}, "context -5"},
		{gpt2, Setup{Batch: math.MaxInt, Seq: math.MaxInt}, "at most 2^53"},
		{gpt2, Setup{Precision: "fp7"}, `unknown precision "fp7"`},
		{bert, Setup{Task: Decode}, "decodes nothing"},
	} {
		if _, err := c.m.Count(c.setup); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: error %v, want one with %q", c.setup, err, c.want)
		}
	}
}

func TestSetupsThatAreBentAreTold(t *testing.T) {
	for _, c := range []struct {
		setup Setup
		code  string
		seq   int
		ctx   int
	}{
		{Setup{}, "", 1024, 1024},
		{Setup{Task: Decode}, "", 1, 1024},
		{Setup{Task: Decode, Seq: 300}, "seq_as_context", 1, 300},
		{Setup{Task: Decode, Seq: 300, Context: 400}, "seq_unused", 1, 400},
		{Setup{Seq: 100, Context: 200}, "context_unused", 100, 100},
		{Setup{Seq: 2048}, "beyond_context", 2048, 2048},
	} {
		d := count(t, load(t, "gpt2"), c.setup)
		code := ""
		for _, w := range d.Warnings {
			code += w.Code
		}
		if code != c.code || d.Setup.Seq != c.seq || d.Setup.Context != c.ctx || d.Setup.Batch != 1 {
			t.Errorf("%+v: warnings %q, setup %+v; want %q, %d, %d", c.setup, code, d.Setup, c.code, c.seq, c.ctx)
		}
	}
}

func TestCountsNeverFallWithBatchOrSequence(t *testing.T) {
	for _, name := range []string{"gpt2", "llama-3-8b", "mistral-7b", "bert-base"} {
		m := load(t, name)
		var before *Document
		for n := 1; n <= 16384; n *= 2 {
			d := count(t, m, Setup{Task: Step, Seq: n})
			twice := count(t, m, Setup{Task: Step, Seq: n, Batch: 2})
			if twice.FLOP.Step.Value != 2*d.FLOP.Step.Value {
				t.Errorf("%s seq %d: two sequences take %g FLOP, one %g", name, n, twice.FLOP.Step.Value, d.FLOP.Step.Value)
			}
			if before != nil && (d.FLOP.Step.Value < 1.9*before.FLOP.Step.Value || d.Bytes.Value <= before.Bytes.Value) {
				t.Errorf("%s: twice the sequence, %d, takes %g FLOP after %g", name, n, d.FLOP.Step.Value, before.FLOP.Step.Value)
			}
			before = d
		}
	}
}
