package model

import (
	"math"
	"slices"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// Kind groups operations by what their time depends on.
type Kind string

// The kinds. BatchedGEMM is for products of activations outside attention.
const (
	GEMM        Kind = "gemm"         // activations times weights
	BatchedGEMM Kind = "batched_gemm" // many small products
	Attention   Kind = "attention"    // its two products, QKᵀ and PV, a head at a time
	Softmax     Kind = "softmax"
	Norm        Kind = "norm"
	Elementwise Kind = "elementwise"
	Lookup      Kind = "lookup"
	Optimizer   Kind = "optimizer"
)

// Product says whether k is a matrix product: what the totals of FLOP count.
func (k Kind) Product() bool { return k == GEMM || k == BatchedGEMM || k == Attention }

// Phase is the part of a training step that an operation belongs to.
type Phase string

// The phases.
const (
	ForwardPhase  Phase = "forward"
	BackwardPhase Phase = "backward"
	UpdatePhase   Phase = "update"
)

// Op is an operation of a setup. FLOP, Bytes and Params are of all Count together,
// every other size of one.
type Op struct {
	Name   string  `json:"name"`
	Kind   Kind    `json:"kind"`
	Phase  Phase   `json:"phase"`
	Count  int64   `json:"count"`
	FLOP   float64 `json:"flop"`
	Bytes  float64 `json:"bytes"`            // each operand once an operation
	Params int64   `json:"params,omitempty"` // that it uses; of a tied head those of the embeddings again

	// Of a product: Batch times C (M×N) = A (M×K) · B (K×N). Share is the part of
	// its multiply-adds that the attention's mask leaves, and that FLOP counts.
	Batch int     `json:"batch,omitempty"`
	M     int     `json:"m,omitempty"`
	N     int     `json:"n,omitempty"`
	K     int     `json:"k,omitempty"`
	Share float64 `json:"share,omitempty"`

	// Of every other kind.
	Elements float64 `json:"elements,omitempty"`
	Function string  `json:"function,omitempty"` // gelu, add, rmsnorm ...

	// Activations is the part of Bytes of one operation that is no weight.
	Activations float64 `json:"-"`
}

// op evaluates f at a setup.
func (f form) op(phase Phase, p point) Op {
	o := Op{Name: f.name, Kind: f.kind, Phase: phase, Count: f.count, Params: mul(f.count, f.params), Function: f.function}
	count, share := float64(f.count), 1.0
	if f.masked {
		share = p.share
	}
	if f.kind.Product() {
		b, m, n, k := f.batch.at(p), f.m.at(p), f.n.at(p), f.k.at(p)
		o.Batch, o.M, o.N, o.K, o.Share = whole(b), whole(m), whole(n), whole(k), share
		o.FLOP = count * share * 2 * b * m * n * k
		o.Activations = p.elementBytes * (f.a.at(p) + f.b.at(p) + f.c.at(p))
	} else {
		o.Elements = f.elements.at(p)
		o.FLOP = count * share * functions[f.function] * o.Elements
		if phase == BackwardPhase {
			o.FLOP *= 2
		}
		o.Activations = p.elementBytes * f.accesses * o.Elements
	}
	weights := p.elementBytes * float64(f.params)
	if f.kind == Lookup {
		weights = 0 // only the rows that are looked up, and they are among the elements
	}
	o.Bytes = count * (o.Activations + weights)
	return o
}

// whole is x as an int, MaxInt where it is larger.
func whole(x float64) int {
	if x >= math.MaxInt {
		return math.MaxInt
	}
	return int(x)
}

// Ops evaluates the operations of a setup, in the order in which they run, and gives
// the setup back with its defaults filled in.
func (m *Model) Ops(s Setup) ([]Op, Setup, []bench.Warning, error) {
	s, warnings, err := m.resolve(s)
	if err != nil {
		return nil, s, nil, err
	}
	p := m.at(s)
	var ops []Op
	if s.Task != Backward {
		ops = m.forwardOps(s.Task, p)
	}
	if s.Task == Backward || s.Task == Step {
		ops = append(ops, m.backwardOps(p)...)
	}
	if s.Task == Step {
		ops = append(ops, m.update(s.Precision))
	}
	return ops, s, append(slices.Clone(m.Warnings), warnings...), nil
}

func (m *Model) forwardOps(task Task, p point) []Op {
	var ops []Op
	for _, f := range m.forms {
		if task == Prefill && f.part == "head" { // the last position's alone
			f.m, f.a, f.c = batch, times(batch, f.k), times(batch, f.n)
		}
		ops = append(ops, f.op(ForwardPhase, p))
	}
	if task == Step && m.Architecture.Head {
		ops = append(ops, m.Architecture.loss().op(ForwardPhase, p))
	}
	return ops
}

func (m *Model) backwardOps(p point) []Op {
	var ops []Op
	forms := slices.Clone(m.forms)
	if m.Architecture.Head {
		forms = append(forms, m.Architecture.loss())
	}
	for _, f := range slices.Backward(forms) {
		for _, g := range f.backward() {
			ops = append(ops, g.op(BackwardPhase, p))
		}
	}
	return ops
}

// OptimizerBytes is AdamW's compulsory traffic for one parameter: in fp32 parameter,
// gradient and two moments read, parameter and moments written (7 × 4 bytes); with
// fp16 weights the same on an fp32 master copy and fp32 gradients, and the fp16
// parameter written.
func OptimizerBytes(stored kernels.Precision) float64 {
	if stored == kernels.FP16 {
		return 30
	}
	return 28
}

func (m *Model) update(stored kernels.Precision) Op {
	n := float64(m.Params)
	bytes := OptimizerBytes(stored) * n
	return Op{
		Name: "adamw", Kind: Optimizer, Phase: UpdatePhase, Count: 1, Params: m.Params,
		FLOP: functions["adamw"] * n, Bytes: bytes, Elements: n, Function: "adamw",
	}
}

// Sum is the FLOP of the matrix products of a phase and that of everything else.
func Sum(ops []Op, phase Phase) (products, vector float64) {
	for _, o := range ops {
		switch {
		case o.Phase != phase:
		case o.Kind.Product():
			products += o.FLOP
		default:
			vector += o.FLOP
		}
	}
	return products, vector
}
