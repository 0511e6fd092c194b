package model

import (
	"math"
	"testing"

	"github.com/realflops/realflops/kernels"
)

func no() *bool  { v := false; return &v }
func yes() *bool { v := true; return &v }

// GPT-2 small over 1024 positions by hand. A layer's products hold 12·768² = 7,077,888
// weights, twelve layers 84,934,656, the head 50257·768 = 38,597,376; 2 FLOP for each
// at each of 1024 positions: 252,993,601,536. Attention: 12 layers · 2 products ·
// 2·1024²·768 = 38,654,705,664, of which causal counts half.
func TestForwardOfGPT2ByHand(t *testing.T) {
	const weights, attention = 252_993_601_536.0, 38_654_705_664.0
	m := load(t, "gpt2")
	for _, c := range []struct {
		setup Setup
		want  float64
	}{
		{Setup{}, weights + attention/2},
		{Setup{Causal: no()}, weights + attention},
		{Setup{Batch: 3}, 3 * (weights + attention/2)},
		{Setup{Seq: 512}, weights/2 + attention/8},
		// the head at one position instead of 1024
		{Setup{Task: Prefill}, weights + attention/2 - 2*38_597_376*1023},
		// one token that sees 512: every weight once, and 12·2·2·512·768
		{Setup{Task: Decode, Context: 512}, weights/1024 + 18_874_368},
	} {
		d := count(t, m, c.setup)
		if d.FLOP.Forward.Value != c.want {
			t.Errorf("%+v: %.0f FLOP, by hand %.0f", c.setup, d.FLOP.Forward.Value, c.want)
		}
	}
}

// BERT-base over 512: 85,054,464 parameters in layers, of which 12·12·768² = 84,934,656
// stand in products; attention in full; the pooler's 768² once a sequence.
func TestForwardOfBERTByHand(t *testing.T) {
	want := 2*84_934_656.0*512 + 12*2*2*512*512*768 + 2*768*768
	if got := count(t, load(t, "bert-base"), Setup{}).FLOP.Forward.Value; got != want {
		t.Errorf("%.0f FLOP, by hand %.0f", got, want)
	}
}

// 2·(P - V·d)·s + 4·L·h·hd·s²/2 (facts of Kaplan et al. 2020 and PaLM's appendix B);
// the norms' 65·4096 parameters stand in no product.
func TestForwardOfLlamaFollowsTheFormula(t *testing.T) {
	m := load(t, "llama-3-8b")
	const s = 4096.0
	products := float64(m.Params) - 128256*4096 - 65*4096
	want := 2*products*s + 4*32*32*128*s*s/2
	d := count(t, m, Setup{Seq: s})
	if got := d.FLOP.Forward.Value; got != want {
		t.Errorf("%.0f FLOP, formula %.0f", got, want)
	}
	// 6N a token, the usual shorthand, lies below by attention alone at a short sequence
	short := count(t, m, Setup{Task: Step, Seq: 128})
	if ratio := short.FLOP.Step.Value / (6 * float64(m.Params-128256*4096) * 128); math.Abs(ratio-1) > 0.01 {
		t.Errorf("a step over 128 tokens is %.4f of 6N", ratio)
	}
}

func TestWindowBoundsAttention(t *testing.T) {
	m := load(t, "mistral-7b")
	attention := func(s Setup) float64 {
		var sum float64
		for _, o := range count(t, m, s).Ops {
			if o.Kind == Attention {
				sum += o.FLOP
			}
		}
		return sum
	}
	// 4·L·h·hd·(s·w - w²/2)
	if got, want := attention(Setup{Seq: 8192}), 4*32*4096*(8192*4096-4096*4096/2.0); got != want {
		t.Errorf("forward over 8192: %.0f, want %.0f", got, want)
	}
	if a, b := attention(Setup{Task: Decode, Context: 4096}), attention(Setup{Task: Decode, Context: 32768}); a != b || a == 0 {
		t.Errorf("decode sees %.0f FLOP of attention at the window and %.0f beyond it", a, b)
	}
	if a, b := m.KVCacheBytes(Setup{Task: Decode, Batch: 1, Context: 4096, Causal: yes(), Precision: kernels.FP16}),
		m.KVCacheBytes(Setup{Task: Decode, Batch: 1, Context: 32768, Causal: yes(), Precision: kernels.FP16}); a != 4096*2*32*8*128*2 || b != a {
		t.Errorf("cache %.0f at the window, %.0f beyond, want %d", a, b, 4096*2*32*8*128*2)
	}
}

// A prompt beyond the window leaves a window's worth in the cache.
func TestWindowBoundsTheCacheOfAPrompt(t *testing.T) {
	m := load(t, "mistral-7b")
	d := count(t, m, Setup{Task: Prefill, Seq: 8192, Precision: kernels.FP16})
	if got, want := m.KVCacheBytes(d.Setup), 4096.0*2*32*8*128*2; got != want {
		t.Errorf("cache %.0f, want %.0f", got, want)
	}
}

// AdamW reads p, g, m, v and writes p, m, v: 7·4 bytes; with fp16 weights it works on a
// master copy and writes the fp16 weight as well.
func TestOptimizerTraffic(t *testing.T) {
	m := load(t, "gpt2")
	for p, want := range map[kernels.Precision]float64{kernels.FP32: 28, kernels.FP16: 30} {
		ops := count(t, m, Setup{Task: Step, Precision: p}).Ops
		if o := ops[len(ops)-1]; o.Kind != Optimizer || o.Bytes != want*124_439_808 {
			t.Errorf("%s: %s moves %g bytes, want %g a parameter", p, o.Name, o.Bytes, want)
		}
	}
}

func TestOpsSumToTheTotals(t *testing.T) {
	for _, name := range Presets() {
		m := load(t, name)
		for _, task := range []Task{Forward, Backward, Step, Prefill, Decode} {
			if task == Decode && m.Architecture.Pooler {
				continue
			}
			d := count(t, m, Setup{Task: task, Batch: 2, Seq: 128})
			var all, bytes float64
			for _, o := range d.Ops {
				all += o.FLOP
				bytes += o.Bytes
			}
			total := d.FLOP.Forward.Value
			switch task {
			case Backward:
				total = d.FLOP.Backward.Value
			case Step:
				total = d.FLOP.Step.Value
			}
			if want := total + d.FLOP.Vector.Value; math.Abs(all/want-1) > 1e-12 {
				t.Errorf("%s %s: ops sum to %g FLOP, totals to %g", name, task, all, want)
			}
			if math.Abs(bytes/d.Bytes.Value-1) > 1e-12 {
				t.Errorf("%s %s: ops sum to %g bytes, the document says %g", name, task, bytes, d.Bytes.Value)
			}
			if v := d.FLOP.Vector.Value; v <= 0 || v > total/2 {
				t.Errorf("%s %s: vector FLOP %g beside products' %g", name, task, v, total)
			}
			if task != Prefill && task != Decode && d.FLOP.Backward.Value != 2*d.FLOP.Forward.Value {
				t.Errorf("%s %s: backward %g, forward %g", name, task, d.FLOP.Backward.Value, d.FLOP.Forward.Value)
			}
		}
	}
}

// Every parameter is used by some operation of the forward pass, a tied table twice.
func TestOpsUseEveryParameter(t *testing.T) {
	for _, name := range Presets() {
		m := load(t, name)
		var used int64
		for _, o := range count(t, m, Setup{}).Ops {
			used += o.Params
		}
		if m.Architecture.Tied {
			used -= m.Architecture.Vocab * m.Architecture.Hidden
		}
		if used != m.Params {
			t.Errorf("%s: operations use %d parameters of %d", name, used, m.Params)
		}
	}
}

// Korthikanti et al. 2022, Table 2, at fp16: s·b·h·(34 + 5·a·s/h) a layer; beside it
// the head's input 2·2sbh and logits 4sbv.
func TestActivationsFollowKorthikanti(t *testing.T) {
	m := load(t, "gpt2-medium")
	s, b, h, a, v, l := 1024.0, 4.0, 1024.0, 16.0, 50257.0, 24.0
	want := l*s*b*h*(34+5*a*s/h) + s*b*(4*h+4*v)
	if got := count(t, m, Setup{Batch: 4, Precision: kernels.FP16}).Activations.Value; got != want {
		t.Errorf("%.0f bytes, the formula gives %.0f", got, want)
	}
}

func TestDecodeStreamsWeightsAndCache(t *testing.T) {
	m := load(t, "llama-2-7b")
	d := count(t, m, Setup{Task: Decode, Context: 4096, Precision: kernels.FP16})
	table := 2.0 * 32000 * 4096 // a row of it is read
	floor := d.Model.Bytes - table + m.KVCacheBytes(d.Setup)
	if d.Bytes.Value < floor || d.Bytes.Value > 1.02*floor {
		t.Errorf("a token moves %g bytes; weights and cache are %g", d.Bytes.Value, floor)
	}
}

func count(t testing.TB, m *Model, s Setup) *Document {
	t.Helper()
	d, err := m.Count(s)
	if err != nil {
		t.Fatalf("%s %+v: %v", m.Name, s, err)
	}
	return d
}
