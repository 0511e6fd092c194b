package model

import (
	"fmt"
	"strings"
)

// Growth says how each term of the cost grows, and where attention overtakes the MLP.
type Growth struct {
	Terms      []Term   `json:"terms"`
	Crossover  *float64 `json:"crossover_seq"` // sequence at which attention's products take as many FLOP as the MLP's; nil where they never do
	Convention string   `json:"convention"`
}

// Term is one term of a quantity with its order, the exponent of each variable.
type Term struct {
	Quantity string  `json:"quantity"` // flop of the forward pass, params, or bytes kept
	Term     string  `json:"term"`
	Value    float64 `json:"value"` // at the setup
	Batch    int     `json:"batch"`
	Seq      int     `json:"seq"`
	Width    int     `json:"width"`
	Depth    int     `json:"depth"`
	Order    string  `json:"order"` // O(b·s²·d·L)
}

func (t *Term) raise(o Term) {
	t.Batch, t.Seq = max(t.Batch, o.Batch), max(t.Seq, o.Seq)
	t.Width, t.Depth = max(t.Width, o.Width), max(t.Depth, o.Depth)
}

// name writes the order as people do.
func (t *Term) name() {
	var factors []string
	for _, v := range []struct {
		symbol string
		power  int
	}{{"b", t.Batch}, {"s", t.Seq}, {"d", t.Width}, {"L", t.Depth}} {
		switch v.power {
		case 0:
		case 1:
			factors = append(factors, v.symbol)
		case 2:
			factors = append(factors, v.symbol+"²")
		default:
			factors = append(factors, fmt.Sprintf("%s^%d", v.symbol, v.power))
		}
	}
	if len(factors) == 0 {
		factors = []string{"1"}
	}
	t.Order = "O(" + strings.Join(factors, "·") + ")"
}

// growth reads the orders off the symbolic sizes of the forms.
func (m *Model) growth(s Setup) Growth {
	if s.Task == Backward || s.Task == Step {
		s.Task = Forward
	}
	p := m.at(s)
	a := m.Architecture
	windowed := a.Window > 0 && float64(s.Context) > float64(a.Window)
	var terms []*Term
	gather := func(quantity, term string, value float64, z size, layer bool) {
		t := Term{Quantity: quantity, Term: term, Batch: z.batch, Seq: z.seq, Width: z.width}
		if s.Task == Decode {
			t.Seq = 0
		}
		if !windowed {
			t.Seq += z.context
		}
		if layer {
			t.Depth = 1
		}
		for _, known := range terms {
			if known.Quantity == quantity && known.Term == term {
				known.raise(t)
				known.Value += value
				return
			}
		}
		t.Value = value
		terms = append(terms, &t)
	}
	ops := m.forwardOps(s.Task, p)
	for i, f := range m.forms {
		z := f.elements
		if f.kind.Product() {
			z = times(f.batch, f.m, f.n, f.k)
		}
		if ops[i].FLOP > 0 {
			gather("flop", f.row(), ops[i].FLOP, z, f.layer)
		}
	}
	for i, f := range m.forms {
		z := wide(a.Hidden)
		if f.kind == GEMM {
			z = times(f.n, f.k)
		}
		if f.params > 0 && !f.shared {
			gather("params", f.part, float64(ops[i].Params), size{width: z.width}, f.layer)
		}
	}
	if a.Causal {
		gather("bytes", "kv cache", m.KVCacheBytes(s), times(batch, context, wide(1)), true)
	}
	if s.Task == Forward {
		scores := times(batch, wide(1), seq, context)
		gather("bytes", "activations kept for backward", m.Activations(s).Value, scores, true)
	}
	g := Growth{Crossover: m.crossover(s)}
	for _, t := range terms {
		t.name()
		g.Terms = append(g.Terms, *t)
	}
	g.Convention = "b batch, s sequence, d width (heads and MLP grow with it; head size and vocabulary do not), L layers"
	if s.Task == Decode {
		g.Convention += "; of decode s is the context, and there is no crossover of a pass but of a token"
	}
	return g
}

// row is the line of the growth table that f's FLOP belong to.
func (f form) row() string {
	switch f.kind {
	case GEMM:
		return f.part + " projections"
	case Attention:
		return "attention products"
	default:
		return string(f.kind)
	}
}

// crossover solves, for one layer, attention's products = the MLP's products over the
// sequence (over the context, of decode): 4·h·hd·s²·share = 2·g·d·f·s with g products
// in the MLP.
func (m *Model) crossover(s Setup) *float64 {
	a := m.Architecture
	products := 2.0
	if a.Gated {
		products = 3
	}
	// positions that each query would have to see
	seen := products * float64(a.Hidden) * float64(a.FFN) / (2 * float64(a.Heads) * float64(a.HeadDim))
	w := float64(a.Window)
	at := seen
	switch {
	case s.Task == Decode || !*s.Causal:
		if w > 0 && seen > w {
			return nil
		}
	case w > 0 && 2*seen > w: // beyond the window a query sees w - w²/2s on average
		if seen >= w {
			return nil
		}
		at = w * w / (2 * (w - seen))
	default:
		at = 2 * seen
	}
	return &at
}
