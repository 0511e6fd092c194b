package model

import (
	"fmt"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// Schema names the version of the Document's JSON form.
const Schema = "realflops-model/1"

// Document is what `model --json` prints: a model counted for a setup.
type Document struct {
	Schema      string          `json:"schema"`
	Model       Info            `json:"model"`
	Setup       Setup           `json:"setup"` // defaults filled in
	FLOP        FLOP            `json:"flop"`
	Bytes       Counted         `json:"bytes"` // moved by the task
	Activations Counted         `json:"activations"`
	Growth      Growth          `json:"growth"`
	Ops         []Op            `json:"ops"`      // of the task
	Warnings    []bench.Warning `json:"warnings"` // never nil
}

// Counted is a count with the convention it follows.
type Counted struct {
	Value      float64 `json:"value"`
	Convention string  `json:"convention"`
}

// FLOP is what the matrix products of each phase take, and beside it what those
// totals leave out. Over the operations of a task, products and Vector sum to the
// FLOP of all of them (the optimizer's among Vector's for task step). Backward, Step
// and Optimizer are nil for prefill and decode.
type FLOP struct {
	Forward   Counted  `json:"forward"`
	Backward  *Counted `json:"backward"`
	Step      *Counted `json:"step"`
	Optimizer *Counted `json:"optimizer"`
	Vector    Counted  `json:"vector"`
}

// Count counts m for a setup.
func (m *Model) Count(s Setup) (*Document, error) {
	ops, s, warnings, err := m.Ops(s)
	if err != nil {
		return nil, err
	}
	d := &Document{
		Schema: Schema, Model: m.Info(s.Precision), Setup: s, Ops: ops, Warnings: warnings,
		FLOP: m.flop(s, ops), Activations: m.Activations(s), Growth: m.growth(s),
	}
	if d.Warnings == nil {
		d.Warnings = []bench.Warning{}
	}
	d.Bytes.Convention = fmt.Sprintf("of task %s: each operand of each operation once, stored as %s; no reuse between operations", s.Task, s.Precision)
	for _, o := range ops {
		d.Bytes.Value += o.Bytes
	}
	return d, nil
}

// Convention says how the FLOP of a resolved setup are counted.
func (m *Model) Convention(s Setup) string {
	text := "FLOP of matrix products, 2 a multiply-add, dense"
	switch p := m.at(s); {
	case s.Task == Decode:
		text += fmt.Sprintf("; one token for each sequence, attention over %.0f positions", p.context)
	case p.share == 0.5:
		text += "; causal: half of the attention's products"
	case p.share < 1:
		text += fmt.Sprintf("; causal with a window of %d: %.4g of the attention's products", m.Architecture.Window, p.share)
	default:
		text += "; not causal: all of the attention's products"
	}
	text += "; input table out (a lookup is 0)"
	if m.Architecture.Head {
		text += ", head in"
		if s.Task == Prefill {
			text += " for the last position alone"
		}
	}
	return text
}

func (m *Model) flop(s Setup, ops []Op) FLOP {
	convention := m.Convention(s)
	if s.Task == Backward || s.Task == Step { // the phases below are needed whatever the task lists
		s.Task = Forward
	}
	p := m.at(s)
	forward, _ := Sum(m.forwardOps(s.Task, p), ForwardPhase)
	f := FLOP{Forward: Counted{forward, convention}}
	f.Vector.Convention = "elementwise, norm, softmax and optimizer operations of the task, in ops[] and in no total above; " +
		"one each for add, multiply, divide, compare, exp, tanh, erf; gradients twice the forward"
	for _, o := range ops {
		if !o.Kind.Product() {
			f.Vector.Value += o.FLOP
		}
	}
	if s.Task == Prefill || s.Task == Decode {
		return f
	}
	backward, _ := Sum(m.backwardOps(p), BackwardPhase)
	f.Backward = &Counted{backward, convention + "; gradients of inputs and weights: 2 x forward; recompute none"}
	f.Step = &Counted{forward + backward, convention + "; forward + backward, recompute none; the optimizer's stand beside it"}
	f.Optimizer = &Counted{m.update(s.Precision).FLOP, "AdamW, 14 FLOP a parameter (Loshchilov and Hutter 2019, Algorithm 2)"}
	return f
}

// Activations is the bytes that a forward pass leaves for its backward pass.
//
// Source: Korthikanti et al. 2022, "Reducing Activation Recomputation in Large
// Transformer Models", section 4.1 and Table 2: sbh(34 + 5as/h) a layer in fp16, taken
// apart so that it holds for other element sizes, grouped heads, gated MLPs and models
// trained without dropout, plus the input and the fp32 logits of the head (their
// equation for the layers outside the stack).
func (m *Model) Activations(s Setup) Counted {
	a := m.Architecture
	p := m.at(s)
	rows := p.batch * p.seq
	e := p.elementBytes
	d, q, kv, f := float64(a.Hidden), float64(a.Heads)*float64(a.HeadDim), float64(a.KVHeads)*float64(a.HeadDim), float64(a.FFN)
	pairs := p.batch * float64(a.Heads) * p.seq * p.context

	middle := 2 * f // the function's input and its output, which is the down product's input
	if a.Gated {
		middle = 4 * f // gate, up, the function's output, the product
	}
	// two norms' inputs, the inputs of the two blocks, q, k and v, attention's output
	layer := e*rows*(2*d+2*d+q+2*kv+q+middle) + e*pairs // and softmax's output
	text := fmt.Sprintf("kept for backward in %s, no recompute, attention scores written out", s.Precision)
	if a.Dropout {
		layer += 2*rows*d + (1+e)*pairs // one-byte masks, and the scores after dropout
		text += ", dropout masks of one byte"
	}
	total := float64(a.Layers) * layer
	if a.Head {
		total += rows * (2*e*d + 4*float64(a.Vocab))
		text += ", logits in fp32"
	}
	return Counted{total, text + " (Korthikanti et al. 2022, Table 2, by parts)"}
}

// KVCacheBytes is what decode or prefill keeps: keys and values of every layer and
// KV head for the positions that the setup's attention can see.
func (m *Model) KVCacheBytes(s Setup) float64 {
	a := m.Architecture
	p := m.at(s)
	positions := p.context
	if a.Window > 0 {
		positions = min(positions, float64(a.Window))
	}
	return 2 * p.batch * positions * float64(a.Layers) * float64(a.KVHeads) * float64(a.HeadDim) * p.elementBytes
}

// StateBytes is what training keeps of every parameter beside the weights: gradients
// in fp32, two fp32 moments, and with fp16 weights an fp32 master copy (18 bytes a
// parameter in all with fp16 weights, as Megatron-LM counts; 16 in fp32).
func (m *Model) StateBytes(stored kernels.Precision) (gradients, optimizer float64) {
	n := float64(m.Params)
	if stored == kernels.FP16 {
		return 4 * n, 12 * n
	}
	return 4 * n, 8 * n
}
