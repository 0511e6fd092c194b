package model

// form is an operation whose sizes are symbolic: one line of a forward pass.
type form struct {
	name  string
	kind  Kind
	part  string // of the parameters
	count int64
	layer bool // repeated in every layer: grows with depth

	// Of a product C = A·B, repeated batch times. With params, B is the weights.
	batch, m, n, k size
	a, b, c        size // elements of each operand that lie in memory as activations

	// Of every other kind.
	elements size
	accesses float64 // reads and writes of an element that no implementation avoids
	function string  // what is computed: a name of functions

	masked bool  // only the pairs that the attention's mask lets through are counted
	params int64 // of one instance
	shared bool  // the parameters are another operation's (a tied head)
}

// builder collects the forms of one architecture.
type builder struct {
	arch  Architecture
	forms []form
	layer bool
}

func (b *builder) push(f form) {
	if f.layer = b.layer; b.layer {
		f.count = mul(f.count, b.arch.Layers)
	}
	b.forms = append(b.forms, f)
}

// linear is a product with weights: rows×in · in×out, and a bias.
func (b *builder) linear(name, part string, repeat int64, rows, out, in size, bias bool) {
	params := mul(out.factor, in.factor)
	if bias {
		params = add(params, out.factor)
	}
	b.push(form{
		name: name, kind: GEMM, part: part, count: repeat, batch: num(1), m: rows, n: out, k: in,
		a: times(rows, in), c: times(rows, out), params: params,
	})
}

// each is an elementwise operation.
func (b *builder) each(name, function string, repeat int64, elements size, accesses float64) {
	b.push(form{name: name, kind: Elementwise, count: repeat, elements: elements, accesses: accesses, function: function})
}

// norm is a layer norm (scale and shift) or an RMS norm (scale).
func (b *builder) norm(name string, repeat int64) {
	function, params := "rmsnorm", b.arch.Hidden
	if b.arch.LayerNorm {
		function, params = "layernorm", mul(2, b.arch.Hidden)
	}
	b.push(form{
		name: name, kind: Norm, part: "norms", count: repeat, params: params,
		elements: times(batch, seq, wide(b.arch.Hidden)), accesses: 2, function: function,
	})
}

// lookup gathers a row of a table for every position. A table is counted in its
// parameters and in no product: 0 FLOP.
func (b *builder) lookup(name, part string, rows int64) {
	b.push(form{
		name: name, kind: Lookup, part: part, count: 1, params: mul(rows, b.arch.Hidden),
		elements: times(batch, seq, wide(b.arch.Hidden)), accesses: 2,
	})
}

// forms are the operations of one forward pass in the order in which they run.
func (a Architecture) forms() []form {
	b := &builder{arch: a}
	width := wide(a.Hidden)
	b.embed()
	b.layer = true
	b.attention()
	b.mlp()
	b.layer = false
	if !a.PostNorm {
		b.norm("final norm", 1)
	}
	if a.Pooler {
		b.linear("pooler", "pooler", 1, batch, width, width, true)
		b.each("pooler tanh", "tanh", 1, times(batch, width), 2)
	}
	if a.Head {
		b.linear("head", "head", 1, times(batch, seq), num(a.Vocab), width, false)
		b.forms[len(b.forms)-1].shared = a.Tied
	}
	return b.forms
}

func (b *builder) embed() {
	a := b.arch
	b.lookup("token embedding", "embeddings", a.Vocab)
	tables := int64(0)
	if a.Positions > 0 {
		b.lookup("position embedding", "positions", a.Positions)
		tables++
	}
	if a.Types > 0 {
		b.lookup("type embedding", "token types", a.Types)
		tables++
	}
	if tables > 0 {
		b.each("embedding sum", "add", tables, times(batch, seq, wide(a.Hidden)), 3)
	}
	if a.PostNorm {
		b.norm("embedding norm", 1)
	}
}

// attention is the projections and the two products of softmax(QKᵀ)V, each head by
// itself, the scores written out and read back.
func (b *builder) attention() {
	a := b.arch
	rows, width := times(batch, seq), wide(a.Hidden)
	q, kv := wide(mul(a.Heads, a.HeadDim)), wide(mul(a.KVHeads, a.HeadDim))
	if !a.PostNorm {
		b.norm("attention norm", 1)
	}
	if a.FusedQKV {
		b.linear("qkv projection", "attention", 1, rows, wide(add(mul(a.Heads, a.HeadDim), mul(2, a.KVHeads, a.HeadDim))), width, a.QKVBias)
	} else {
		b.linear("q projection", "attention", 1, rows, q, width, a.QKVBias)
		b.linear("k, v projection", "attention", 2, rows, kv, width, a.QKVBias)
	}
	if a.Positions == 0 {
		b.each("rotary", "rotary", 1, times(rows, wide(mul(add(a.Heads, a.KVHeads), a.HeadDim))), 2)
	}
	queries, cache := times(rows, q), times(batch, context, kv)
	scores := times(batch, wide(a.Heads), seq, context)
	b.push(form{
		name: "scores QKᵀ", kind: Attention, count: 1, masked: true,
		batch: times(batch, wide(a.Heads)), m: seq, n: context, k: num(a.HeadDim), a: queries, b: cache, c: scores,
	})
	b.push(form{name: "softmax", kind: Softmax, count: 1, masked: true, elements: scores, accesses: 2, function: "softmax"})
	b.push(form{
		name: "values PV", kind: Attention, count: 1, masked: true,
		batch: times(batch, wide(a.Heads)), m: seq, n: num(a.HeadDim), k: context, a: scores, b: cache, c: queries,
	})
	b.linear("output projection", "attention", 1, rows, width, q, a.OutBias)
	b.each("attention residual", "add", 1, times(rows, width), 3)
	if a.PostNorm {
		b.norm("attention norm", 1)
	}
}

func (b *builder) mlp() {
	a := b.arch
	rows, width, middle := times(batch, seq), wide(a.Hidden), wide(a.FFN)
	if !a.PostNorm {
		b.norm("mlp norm", 1)
	}
	if a.Gated {
		b.linear("mlp gate, up", "mlp", 2, rows, middle, width, a.MLPBias)
	} else {
		b.linear("mlp up", "mlp", 1, rows, middle, width, a.MLPBias)
	}
	b.each("mlp activation", a.Activation, 1, times(rows, middle), 2)
	if a.Gated {
		b.each("mlp gating", "multiply", 1, times(rows, middle), 3)
	}
	b.linear("mlp down", "mlp", 1, rows, width, middle, a.MLPBias)
	b.each("mlp residual", "add", 1, times(rows, width), 3)
	if a.PostNorm {
		b.norm("mlp norm", 1)
	}
}

// backward is what the backward pass makes of f: of a product with weights the
// gradients of its input and of its weights, of a product of activations those of
// both sides (twice the forward FLOP either way); of every other kind one pass that
// also reads the gradient, at twice the FLOP.
func (f form) backward() []form {
	if !f.kind.Product() {
		f.name += " (gradient)"
		f.accesses++
		return []form{f}
	}
	left, right := f, f
	left.name, right.name = f.name+" (input gradient)", f.name+" (weight gradient)"
	if f.kind == Attention {
		left.name, right.name = f.name+" (left gradient)", f.name+" (right gradient)"
	}
	left.n, left.k = f.k, f.n
	right.m, right.k = f.k, f.m
	return []form{left, right}
}

// loss is the cross-entropy over the vocabulary that training adds.
func (a Architecture) loss() form {
	return form{
		name: "loss", kind: Softmax, count: 1, function: "softmax",
		elements: times(batch, seq, num(a.Vocab)), accesses: 2,
	}
}
