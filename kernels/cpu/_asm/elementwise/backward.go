package main

import (
	"math"

	"github.com/realflops/realflops/kernels/cpu/_asm/vec"
)

var reluBackward = kernel{
	name: "ReLUBackward", outputs: 1, inputs: 2,
	loop:  []string{"dx = 0", "if x > 0 { dx = dy }"},
	shape: map[vec.ISA]shape{vec.AVX2: {4, 2}, vec.AVX512: {4, 2}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		zero := a.Float(0)
		return func(in []vec.V) []vec.V { return []vec.V{a.WherePositive(in[0], in[1], zero)} }
	},
	words: func(a *vec.Asm, infinity uint16) func([]vec.V) []vec.V {
		positive := a.NewRange(1, infinity)
		return func(in []vec.V) []vec.V { return []vec.V{a.WordsWhere(in[0], in[1], positive, true)} }
	},
}

var sigmoidBackward = kernel{
	name: "SigmoidBackward", outputs: 1, inputs: 2,
	loop:  []string{"dx = dy·(1 - y)·y"},
	shape: map[vec.ISA]shape{vec.AVX2: {4, 2}, vec.AVX512: {4, 6}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		one := a.Float(1)
		return func(in []vec.V) []vec.V {
			dy, y := in[0], in[1]
			rest := a.Sub(a.Copy(one, len(y)), y)
			return []vec.V{a.Mul(a.Mul(dy, rest), y)}
		}
	},
}

var tanhBackward = kernel{
	name: "TanhBackward", outputs: 1, inputs: 2,
	loop:  []string{"dx = dy·(1 - y·y) // the bracket rounded once"},
	shape: map[vec.ISA]shape{vec.AVX2: {4, 2}, vec.AVX512: {4, 6}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		one := a.Float(1)
		return func(in []vec.V) []vec.V {
			dy, y := in[0], in[1]
			return []vec.V{a.Mul(a.NegMulAdd(y, y, a.Copy(one, len(y))), dy)}
		}
	},
}

// derivative is σ·(1 + s·(1 - σ)), of x·σ(z) with s = x·dz/dx, for z reduced: σ = e/(1 + e), and
// 1 - σ = 1/(1 + e). It takes 2^scale·s, and returns e and 1/(1 + e) beside it.
func (l logistic) derivative(z vec.Reduced, s vec.V, one vec.Const) (e, rest, d vec.V) {
	e, sum := l.parts(z)
	rest = l.Div(l.Copy(one, len(s)), sum)
	factor := l.MulAdd(s, rest, l.Copy(one, len(s)))
	return e, rest, l.Mul(l.Mul(e, factor), rest)
}

var siluBackward = kernel{
	name: "SiLUBackward", outputs: 1, inputs: 2,
	loop:  []string{"σ = 1/(1 + exp(-x))", "dx = dy·σ·(1 + x·(1 - σ)) // NaN where x is infinite"},
	shape: map[vec.ISA]shape{vec.AVX2: {2, 0}, vec.AVX512: {2, 16}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		l, one, infinities := newLogistic(a, vec.E, vec.OfExp, -110, 30, 33), a.Float(1), a.NewInfinities(true)
		return func(in []vec.V) []vec.V {
			dy, x := in[0], l.clamped(in[1])
			_, _, d := l.derivative(l.exp.Reduce(x), l.Mul(x, l.unit), one)
			return []vec.V{l.Mul(l.NaNAt(infinities, in[1], d), dy)}
		}
	},
}

var geluBackward = kernel{
	name: "GELUBackward", outputs: 1, inputs: 2,
	loop: []string{
		"z = 2·√(2/π)·(x + 0.044715·x³); σ = 1/(1 + exp(-z))",
		"dx = dy·σ·(1 + x·z'·(1 - σ)) // NaN where x is infinite",
	},
	shape: map[vec.ISA]shape{vec.AVX2: {1, 5}, vec.AVX512: {2, 14}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		const scale = 37
		l, one := newLogistic(a, vec.Two, vec.OfExp, -11, 7, scale), a.Float(1)
		argument, infinities := newGELUArgument(a, 1), a.NewInfinities(true)
		linear, cubic := a.Float(geluLinear/math.Log2E*(1<<scale)), a.Float(3*geluCubic/math.Log2E*(1<<scale))
		return func(in []vec.V) []vec.V {
			dy, x := in[0], l.clamped(in[1])
			r, square := argument.of(a, l.exp.Exp, x)
			slope := l.MulAdd(square, cubic, l.Copy(linear, len(x)))
			_, _, d := l.derivative(r, l.Mul(slope, x), one)
			return []vec.V{l.Mul(l.NaNAt(infinities, in[1], d), dy)}
		}
	},
}

var siluMulBackward = kernel{
	name: "SiLUMulBackward", outputs: 2, inputs: 3,
	loop: []string{
		"σ = 1/(1 + exp(-g))",
		"dg = dy·u·(σ·(1 + g·(1 - σ))) // NaN where g is infinite",
		"du = dy·(g·σ) // NaN where g is -Inf",
	},
	shape: map[vec.ISA]shape{vec.AVX2: {1, 4}, vec.AVX512: {2, 14}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		l, one := newLogistic(a, vec.E, vec.OfExp, -110, 30, 33), a.Float(1)
		both, negative := a.NewInfinities(true), a.NewInfinities(false)
		return func(in []vec.V) []vec.V {
			dy, g, u := in[0], in[1], in[2]
			x := l.clamped(g)
			e, rest, d := l.derivative(l.exp.Reduce(x), l.Mul(x, l.unit), one)
			silu := l.WhereAbove(l.highest, g, l.Mul(l.Mul(e, x), rest))
			silu = l.NaNAt(negative, g, silu)
			dg := l.Mul(l.Mul(dy, u), l.NaNAt(both, g, d))
			return []vec.V{dg, l.Mul(silu, dy)}
		}
	},
}
