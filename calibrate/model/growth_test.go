package model

import (
	"strings"
	"testing"
)

func TestGrowthAndCrossover(t *testing.T) {
	orders := func(d *Document) map[string]string {
		byTerm := map[string]string{}
		for _, g := range d.Growth.Terms {
			byTerm[g.Quantity+" "+g.Term] = g.Order
		}
		return byTerm
	}
	got := orders(count(t, load(t, "gpt2"), Setup{}))
	for term, want := range map[string]string{
		"flop mlp projections":                "O(b·s·d²·L)",
		"flop attention products":             "O(b·s²·d·L)",
		"flop head projections":               "O(b·s·d)",
		"params mlp":                          "O(d²·L)",
		"params embeddings":                   "O(d)",
		"bytes kv cache":                      "O(b·s·d·L)",
		"bytes activations kept for backward": "O(b·s²·d·L)",
	} {
		if got[term] != want {
			t.Errorf("%s grows as %q, want %q", term, got[term], want)
		}
	}
	if got := orders(count(t, load(t, "gpt2"), Setup{Task: Decode})); got["flop mlp projections"] != "O(b·d²·L)" || got["flop attention products"] != "O(b·s·d·L)" {
		t.Errorf("decode grows as %v", got)
	}
}

// At the crossover the two are equal: counted again there, not by the same formula.
func TestCrossoverIsWhereTheyAreEqual(t *testing.T) {
	for _, c := range []struct {
		name  string
		setup Setup
		want  float64
	}{
		{"gpt2", Setup{}, 6144}, // 8d causal, 4d in full
		{"gpt2", Setup{Causal: no()}, 3072},
		{"gpt2", Setup{Task: Decode}, 3072},
		{"llama-2-7b", Setup{}, 3 * 11008},
	} {
		m := load(t, c.name)
		g := count(t, m, c.setup).Growth
		if g.Crossover == nil || *g.Crossover != c.want {
			t.Errorf("%s %+v: crossover %v, want %g", c.name, c.setup, g.Crossover, c.want)
			continue
		}
		at := c.setup
		if at.Task == Decode {
			at.Context = int(c.want)
		} else {
			at.Seq = int(c.want)
		}
		var attention, mlp float64
		for _, o := range count(t, m, at).Ops {
			switch {
			case o.Kind == Attention:
				attention += o.FLOP
			case o.Kind == GEMM && strings.HasPrefix(o.Name, "mlp"):
				mlp += o.FLOP
			}
		}
		if attention != mlp {
			t.Errorf("%s at %g: attention %g, mlp %g", c.name, c.want, attention, mlp)
		}
	}
	if g := count(t, load(t, "mistral-7b"), Setup{}).Growth; g.Crossover != nil {
		t.Errorf("mistral's window of 4096 lets attention overtake at %g", *g.Crossover)
	}
}
