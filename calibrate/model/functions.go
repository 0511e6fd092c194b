package model

// functions are the FLOP of one element of each vector operation: additions,
// multiplications, divisions, comparisons, exp, tanh and erf are one each. They
// never enter the totals, which count matrix products (see Counts).
var functions = map[string]float64{
	"add":      1,
	"multiply": 1,
	"relu":     1, // max(x, 0)
	"sigmoid":  4, // kernels.Sigmoid's count: negate, exp, add, divide
	"tanh":     1,

	"silu":              5, // x·sigmoid(x)
	"swish":             5, // another name of silu
	"gelu":              5, // x/2·(1 + erf(x/√2))
	"gelu_new":          9, // x/2·(1 + tanh(√(2/π)·(x + 0.044715x³)))
	"gelu_pytorch_tanh": 9,
	"gelu_fast":         9,
	"quick_gelu":        6, // x·sigmoid(1.702x)

	"rotary":    3, // two multiplications and an addition an element
	"layernorm": 7, // sum; centre, square, sum; scale by the deviation; scale; shift
	"rmsnorm":   4, // square, sum; scale by the root mean square; scale
	"softmax":   6, // scale, max, subtract, exp, sum, divide
	// Loshchilov and Hutter 2019, Algorithm 2, as it is run: decay 1; first moment 3;
	// second moment 4; root, its correction, ε, quotient, step and subtraction 6.
	"adamw": 14,
}

// activations are those functions that a configuration may name.
var activations = []string{
	"relu", "sigmoid", "tanh", "silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "quick_gelu",
}
