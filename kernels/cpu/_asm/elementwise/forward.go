package main

import (
	"math"

	"github.com/realflops/realflops/kernels/cpu/_asm/vec"
)

// all are the kernels, in the order of the list.
var all = []kernel{
	relu, sigmoid, tanh, gelu, geluErf, silu, siluMul,
	reluBackward, sigmoidBackward, tanhBackward, geluBackward, geluErfBackward, siluBackward, siluMulBackward,
}

// What a register holds, where it is no number.
const (
	signBit  = 1 << 31
	signless = signBit - 1
)

var relu = kernel{
	name: "ReLU", outputs: 1, inputs: 1,
	loop:  []string{"y = x", "if x < 0 { y = 0 } // -0 and NaN stay"},
	shape: map[vec.ISA]shape{vec.AVX2: {4, 2}, vec.AVX512: {4, 2}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		zero := a.Float(0)
		return func(in []vec.V) []vec.V { return []vec.V{a.AtLeast(in[0], zero)} }
	},
	words: func(a *vec.Asm, infinity uint16) func([]vec.V) []vec.V {
		negative := a.NewRange(0x8001, 0x8000|infinity)
		return func(in []vec.V) []vec.V { return []vec.V{a.WordsWhere(in[0], in[0], negative, false)} }
	},
}

// logistic is what sigmoid and silu, and their derivatives, are made of: with e = exp(x),
// σ(x) = e/(1 + e), which neither overflows nor loses the small. Both are computed times 2^scale, so that e is a normal number
// where σ(x) is none.
type logistic struct {
	*vec.Asm
	exp             vec.ScaledExp
	lowest, highest vec.Const
	unit            vec.Const // 2^scale
}

// newLogistic asks for the constants. x is clamped: below lowest the result is 0, above
// highest it is that at highest, but for a factor x.
func newLogistic(a *vec.Asm, base vec.Base, accuracy vec.Accuracy, lowest, highest float64, scale int) logistic {
	return logistic{
		Asm: a, lowest: a.Float(lowest), highest: a.Float(highest),
		unit: a.Float(math.Ldexp(1, scale)), exp: a.NewScaledExp(base, accuracy, scale),
	}
}

// parts are e and 1 + e of a reduced argument.
func (l logistic) parts(r vec.Reduced) (e, sum vec.V) {
	e = l.exp.Value(r)
	return e, l.Add(e, l.unit)
}

func (l logistic) clamped(x vec.V) vec.V { return l.AtLeast(l.AtMost(x, l.highest), l.lowest) }

// odds is 1 + exp(-x) times 2^oddsScale, of which sigmoid and silu are the quotients. The scale keeps
// exp(-x) finite until both are 0, so that a quotient is rounded to a subnormal number once.
type odds struct {
	vec.OnePlus
	lowest, highest vec.Const
}

const (
	oddsScale = -29
	// oddsEnd is an n for which 2^(n + oddsScale) is infinite. x = -n·ln 2 is -109.2, and x·exp(x) is less than half the smallest
	// subnormal number.
	oddsEnd = 128.5 - oddsScale
	// oddsStart is an x above which 1 + exp(-x) is 1.
	oddsStart = 20
)

func newOdds(a *vec.Asm) odds {
	return odds{
		OnePlus: a.NewOnePlus(vec.InverseE, oddsScale), lowest: a.Float(-oddsEnd * math.Ln2), highest: a.Float(oddsStart),
	}
}

// of is +Inf at and below lowest.
func (o odds) of(x vec.V) vec.V {
	return o.OnePlus.Of(o.ReduceInPlace(o.AtLeast(o.AtMost(x, o.highest), o.lowest)))
}

// nearest is how far from 0 exp(-x), 1/(1 + exp(-x)) and x times that are normal numbers as they are.
const nearest = 86

var sigmoid = kernel{
	name: "Sigmoid", outputs: 1, inputs: 1,
	loop:  []string{"y = 1/(1 + exp(-x))"},
	shape: map[vec.ISA]shape{vec.AVX2: {2, 6}, vec.AVX512: {4, 12}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		o := newOdds(a)
		return func(in []vec.V) []vec.V {
			sum := o.of(in[0])
			return []vec.V{a.Div(a.Copy(o.Unit, len(sum)), sum)}
		}
	},
	near: func(a *vec.Asm) (vec.Bound, func([]vec.V) []vec.V) {
		if a.Masks {
			return vec.Bound{}, nil // two bounds cost no more than a look at all does
		}
		o := a.NewOnePlus(vec.InverseE, 0)
		return a.NewBound(nearest), func(in []vec.V) []vec.V {
			sum := o.Of(o.Reduce(in[0]))
			return []vec.V{a.Div(a.Copy(o.Unit, len(sum)), sum)}
		}
	},
}

// Tanh of |x| is E/(E + 2) with E = exp(2x) - 1 = (2^n·T - 1) + 2^n·T·expm1(r), of which the first
// part is exact; what T was rounded by is part of r, so that E errs by about an ulp near 0 too.
var tanh = kernel{
	name: "Tanh", outputs: 1, inputs: 1,
	loop:  []string{"y = tanh(x)"},
	shape: map[vec.ISA]shape{vec.AVX2: {2, 5}, vec.AVX512: {4, 12}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		highest := a.Float(9.1) // above 9.02 the result is nearer to 1 than to its lower neighbour
		exp, one, two, sign := a.NewScaledExp(vec.E, vec.OfExpm1, 0), a.Float(1), a.Float(2), a.Int(signBit)
		size := a.Int(signless)
		return func(in []vec.V) []vec.V {
			x := a.AtMost(a.And(in[0], size), highest)
			r := exp.Reduce(a.Add(x, x))
			p, s := exp.Expm1(exp.Corrected(r)), exp.Power(r)
			e := a.MulAdd(s, p, a.Sub(s, one))
			y := a.Div(e, a.Add(e, two))
			return []vec.V{a.Or(y, a.And(in[0], sign))}
		}
	},
}

// geluArgument is z·log2 e, z = 2·√(2/π)·(x + 0.044715·x³), so that gelu(x) = x·σ(z), times a sign, in two parts: a
// product x·w that is not rounded, and what w was rounded by. A relative error would be
// multiplied by z, which is up to 100 where the result is not yet 0.
type geluArgument struct {
	linear, cubic       vec.Const
	linearLow, cubicLow vec.Const

	farther, nearer func(vec.V, vec.Const) vec.V // from 0, of two numbers with the sign
}

const (
	geluLinear = 2 * math.Sqrt2 * math.Log2E / math.SqrtPi // 2·√(2/π)·log2 e
	geluCubic  = 0.044715 * geluLinear
)

func newGELUArgument(a *vec.Asm, sign float64) geluArgument {
	low := func(c float64) vec.Const { return a.Float(sign * (c - float64(float32(c)))) }
	g := geluArgument{
		linear: a.Float(sign * geluLinear), cubic: a.Float(sign * geluCubic), linearLow: low(geluLinear), cubicLow: low(geluCubic),
		farther: a.AtLeast, nearer: a.AtMost,
	}
	if sign < 0 {
		g.farther, g.nearer = a.AtMost, a.AtLeast
	}
	return g
}

// of returns the reduced argument, and x².
func (g geluArgument) of(a *vec.Asm, exp vec.Exp, x vec.V) (r vec.Reduced, square vec.V) {
	n := len(x)
	square = a.Mul(x, x)
	squareLow := a.MulSub(x, x, a.Copy(square, n))
	p := a.Mul(square, g.cubic)
	rest := a.MulSub(square, g.cubic, a.Copy(p, n))
	// The sum w of p and linear, and what it was rounded by: the larger of the two, which are of one sign, is
	// taken from it first (T.J. Dekker, A floating-point technique for extending the available precision, 1971).
	larger, smaller := g.farther(p, g.linear), g.nearer(p, g.linear)
	w := a.Add(larger, smaller)
	rest = a.Add(rest, a.Sub(smaller, a.Sub(w, larger)))
	low := a.MulAdd(square, g.cubicLow, a.Copy(g.linearLow, n))
	low = a.Add(a.MulAdd(squareLow, g.cubic, low), rest)
	r = exp.ReduceProduct(x, w)
	r.R = a.MulAdd(x, low, r.R)
	return r, square
}

var gelu = kernel{
	name: "GELU", outputs: 1, inputs: 1,
	loop: []string{
		"u = √(2/π)·(x + 0.044715·x³)",
		"y = x/2·(1 + tanh(u)) // = x/(1 + exp(-2u)); NaN at -Inf",
	},
	shape: map[vec.ISA]shape{vec.AVX2: {1, 6}, vec.AVX512: {3, 8}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		l := newLogistic(a, vec.Two, vec.OfExp, -11, 5.25, -40)
		argument, infinities := newGELUArgument(a, -1), a.NewInfinities(false)
		return func(in []vec.V) []vec.V {
			x := l.clamped(in[0])
			r, _ := argument.of(a, l.exp.Exp, x)
			return []vec.V{l.product(r, x, in[0], infinities)}
		}
	},
}

// product is x·σ(z) = x/(1 + exp(-z)) for -z reduced. x is in clamped; above highest the result is in. The sum
// is 2^scale of what it stands for, scale < 0, and the quotient is brought back: of all products only the last may be no normal number.
func (l logistic) product(z vec.Reduced, x, in vec.V, infinities vec.Infinities) vec.V {
	_, sum := l.parts(z)
	y := l.Mul(l.Div(x, sum), l.unit)
	return l.NaNAt(infinities, in, l.WhereAbove(l.highest, in, y))
}

// siluOf is x/(1 + exp(-x)).
type siluOf struct {
	odds
	zero vec.Const
}

func newSiLU(a *vec.Asm) siluOf { return siluOf{newOdds(a), a.Float(0)} }

// of: a finite x below lowest gives -0, and -Inf/Inf is NaN. The quotient, 2^-oddsScale too large, may overflow where
// the result is x: it is at most max(x, 0) everywhere.
func (s siluOf) of(x vec.V) vec.V {
	y := s.Mul(s.Div(x, s.odds.of(x)), s.Unit)
	return s.Min(s.AtLeast(x, s.zero), y)
}

var silu = kernel{
	name: "SiLU", outputs: 1, inputs: 1,
	loop:  []string{"y = x/(1 + exp(-x)) // NaN at -Inf"},
	shape: map[vec.ISA]shape{vec.AVX2: {2, 5}, vec.AVX512: {4, 12}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		s := newSiLU(a)
		return func(in []vec.V) []vec.V { return []vec.V{s.of(in[0])} }
	},
	near: func(a *vec.Asm) (vec.Bound, func([]vec.V) []vec.V) {
		o := a.NewOnePlus(vec.InverseE, 0)
		return a.NewBound(nearest), func(in []vec.V) []vec.V {
			return []vec.V{a.Div(in[0], o.Of(o.Reduce(in[0])))}
		}
	},
}

var siluMul = kernel{
	name: "SiLUMul", outputs: 1, inputs: 2,
	loop:  []string{"y = g/(1 + exp(-g))·u // NaN where g is -Inf"},
	shape: map[vec.ISA]shape{vec.AVX2: {2, 0}, vec.AVX512: {4, 8}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		s := newSiLU(a)
		return func(in []vec.V) []vec.V { return []vec.V{a.Mul(s.of(in[0]), in[1])} }
	},
	near: func(a *vec.Asm) (vec.Bound, func([]vec.V) []vec.V) {
		o := a.NewOnePlus(vec.InverseE, 0)
		return a.NewBound(nearest), func(in []vec.V) []vec.V {
			return []vec.V{a.Mul(a.Div(in[0], o.Of(o.Reduce(in[0]))), in[1])}
		}
	},
}
