package model

import "fmt"

// Architecture is a transformer's shape: all that decides its operations. The
// families fill it from their own field names.
type Architecture struct {
	Family  string
	Vocab   int64
	Hidden  int64 // width d
	Layers  int64
	Heads   int64
	KVHeads int64
	HeadDim int64 // not always Hidden/Heads
	FFN     int64 // width of the MLP's middle, f
	Context int64 // the longest sequence it is made for

	Positions int64 // rows of the learned position table; 0: rotary
	Types     int64 // rows of the token type table (BERT)
	Window    int64 // sliding attention window; 0: none

	Activation string // a name of the MLP's function
	Gated      bool   // the MLP has a gate: three products instead of two
	FusedQKV   bool   // q, k and v are one product
	LayerNorm  bool   // mean, variance and bias; otherwise RMS norm
	PostNorm   bool   // norms after the residual sum; embeddings normed, no final norm
	QKVBias    bool
	OutBias    bool
	MLPBias    bool
	Causal     bool
	Dropout    bool // trained with dropout, whose masks are kept for backward
	Head       bool // a head over the vocabulary
	Tied       bool // the head's weights are the embeddings
	Pooler     bool
}

// family reads one model_type.
type family struct {
	modelType string
	counted   string // the class whose parameters are counted
	read      func(*config) Architecture
}

var families = []family{
	{"bert", "BertModel", readBERT},
	{"gpt2", "GPT2LMHeadModel", readGPT2},
	{"llama", "LlamaForCausalLM", readLlama},
	{"mistral", "MistralForCausalLM", readMistral},
}

func familyNames() []string {
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.modelType
	}
	return names
}

// readGPT2: Radford et al. 2019; the head is tied unless the file says otherwise.
func readGPT2(c *config) Architecture {
	a := Architecture{
		Vocab: c.size("vocab_size"), Hidden: c.size("n_embd"), Layers: c.size("n_layer"), Heads: c.size("n_head"),
		Positions: c.size("n_positions"), Activation: c.function("activation_function", "gelu_new"),
		FusedQKV: true, LayerNorm: true, QKVBias: true, OutBias: true, MLPBias: true,
		Causal: true, Dropout: true, Head: true, Tied: c.flag("tie_word_embeddings", true),
	}
	a.Context, a.KVHeads = a.Positions, a.Heads
	a.FFN = c.sizeOr("n_inner", mul(4, a.Hidden))
	a.HeadDim = c.divide("n_embd", a.Hidden, "n_head", a.Heads)
	return a
}

// readBERT: Devlin et al. 2019; the encoder with its pooler, without a task's head.
func readBERT(c *config) Architecture {
	a := Architecture{
		Vocab: c.size("vocab_size"), Hidden: c.size("hidden_size"), Layers: c.size("num_hidden_layers"),
		Heads: c.size("num_attention_heads"), FFN: c.size("intermediate_size"),
		Positions: c.size("max_position_embeddings"), Types: c.size("type_vocab_size"),
		Activation: c.function("hidden_act", "gelu"),
		LayerNorm:  true, PostNorm: true, QKVBias: true, OutBias: true, MLPBias: true, Dropout: true, Pooler: true,
	}
	a.Context, a.KVHeads = a.Positions, a.Heads
	a.HeadDim = c.divide("hidden_size", a.Hidden, "num_attention_heads", a.Heads)
	return a
}

// readLlama: Touvron et al. 2023. num_key_value_heads is absent where every head
// has its own (Llama 1), head_dim where it is hidden_size / num_attention_heads.
func readLlama(c *config) Architecture {
	a := Architecture{
		Vocab: c.size("vocab_size"), Hidden: c.size("hidden_size"), Layers: c.size("num_hidden_layers"),
		Heads: c.size("num_attention_heads"), FFN: c.size("intermediate_size"),
		Context: c.size("max_position_embeddings"), Activation: c.function("hidden_act", "silu"),
		Gated: true, Causal: true, Head: true, Tied: c.flag("tie_word_embeddings", false),
		QKVBias: c.flag("attention_bias", false), MLPBias: c.flag("mlp_bias", false),
	}
	a.OutBias = a.QKVBias
	a.KVHeads = c.sizeOr("num_key_value_heads", a.Heads)
	if c.absent("head_dim") {
		a.HeadDim = c.divide("hidden_size", a.Hidden, "num_attention_heads", a.Heads)
	} else {
		a.HeadDim = c.size("head_dim")
	}
	c.divide("num_attention_heads", a.Heads, "num_key_value_heads", a.KVHeads)
	return a
}

// readMistral: Jiang et al. 2023: Llama's shape with a sliding window, and no biases.
func readMistral(c *config) Architecture {
	a := readLlama(c)
	a.QKVBias, a.OutBias, a.MLPBias = false, false, false
	a.Window = c.sizeOr("sliding_window", 0)
	return a
}

// divide is whole/by, which must come out even.
func (c *config) divide(wholeField string, whole int64, byField string, by int64) int64 {
	if c.err != nil {
		return 1
	}
	if whole%by != 0 {
		c.fail("%s %d is not divisible by %s %d: %s", wholeField, whole, byField, by, nearestDivisor(whole, by))
		return 1
	}
	return whole / by
}

// nearestDivisor says which number near by would divide whole. It looks a few
// thousand steps away and no further, whatever the file holds.
func nearestDivisor(whole, by int64) string {
	for step := int64(1); step <= 4096; step++ {
		for _, d := range []int64{by - step, by + step} {
			if d > 0 && d <= whole && whole%d == 0 {
				return fmt.Sprintf("%d would divide it", d)
			}
		}
	}
	return "want a number that divides it"
}
