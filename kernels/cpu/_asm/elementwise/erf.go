package main

import (
	"math"

	"github.com/realflops/realflops/kernels/cpu/_asm/vec"
)

// The normal distribution's tail is Φ(-a) = exp(-a²/2)·R(a), a >= 0. R, which is Mills' ratio
// over √(2π), falls from 1/2 like 1/a, and is t·P(a·t) with t = 1/(1 + tailScale·a). P is a function of a·t and not of t,
// so that near 0 what t was rounded by comes into the result once.
const tailScale = 0.3

// tailTerms are the coefficients of P: Remez' exchange on 0 <= a <= 15 for the relative error,
// which is at most 2^-28.1.
var tailTerms = []float64{
	0.499999998267, -0.248942153498, 0.0556330625118, -0.00218752354522, -0.00113185278914,
	5.67960908232e-5, 7.36030462696e-6, 1.55710507335e-5, -4.80220094269e-6, 4.06033695027e-7,
}

// tailExponent is of the power of two that exp(-a²/2) is computed times, so that it is a normal number where
// the result is none.
const tailExponent = 38

// tail holds the constants of Φ(-a).
type tail struct {
	*vec.Asm
	unscale       vec.Const
	exp           vec.ScaledExp
	signless      vec.Const
	farthest      vec.Const
	rate, rateLow vec.Const
	scale, one    vec.Const
	terms         []vec.Const
	half, sign    vec.Const
}

func newTail(a *vec.Asm, exponent int) tail {
	const rate = -math.Log2E / 2
	return tail{
		Asm: a, farthest: a.Float(15), // beyond, Φ(-a) and a·Φ(-a) are 0
		exp: a.NewScaledExp(vec.Two, vec.OfExp, exponent), unscale: a.Float(math.Ldexp(1, -exponent)), signless: a.Int(signless),
		rate: a.Float(rate), rateLow: a.Float(rate - float64(float32(rate))),
		one: a.Float(1), scale: a.Float(tailScale),
		half: a.Float(0.5), sign: a.Int(signBit), terms: a.Floats(tailTerms...),
	}
}

// of returns |x|, the same clamped, and exp(-a²/2) reduced and R(a) of that. The square is taken in two parts, since a relative
// error of it would be multiplied by a²/2.
func (t tail) of(x vec.V) (size, a vec.V, r vec.Reduced, ratio vec.V) {
	n := len(x)
	size = t.And(x, t.signless)
	a = t.AtMost(size, t.farthest)
	square := t.Mul(a, a)
	squareLow := t.MulSub(a, a, t.Copy(square, n))
	r = t.exp.ReduceProduct(square, t.rate)
	t.MulAdd(square, t.rateLow, r.R)
	t.MulAdd(squareLow, t.rate, r.R)
	u := t.Div(t.Copy(t.one, n), t.Step(t.Copy(t.scale, n), a, t.one))
	return size, a, r, t.Mul(t.Poly(t.Mul(a, u), t.terms), u)
}

// gelu-erf is max(x, 0) - |x|·Φ(-|x|), near 0 and far from it the same to the last bit.
var geluErf = kernel{
	name: "GELUErf", outputs: 1, inputs: 1,
	loop:  []string{"y = x/2·(1 + erf(x/√2)) // NaN at -Inf"},
	shape: map[vec.ISA]shape{vec.AVX2: {1, 6}, vec.AVX512: {3, 8}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		t, zero, infinities := newTail(a, tailExponent), a.Float(0), a.NewInfinities(false)
		return func(in []vec.V) []vec.V {
			_, clamped, r, ratio := t.of(in[0])
			below := t.Mul(t.Mul(t.Mul(ratio, clamped), t.exp.Value(r)), t.unscale)
			y := t.NaNAt(infinities, in[0], t.Sub(t.AtLeast(in[0], zero), below))
			return []vec.V{t.Or(y, t.And(in[0], t.sign))}
		}
	},
	near: func(a *vec.Asm) (vec.Bound, func([]vec.V) []vec.V) {
		const most = 12 // |x|·Φ(-|x|) is a normal number as it is
		t, zero := newTail(a, 0), a.Float(0)
		return a.NewBound(most), func(in []vec.V) []vec.V {
			_, size, r, ratio := t.of(in[0])
			y := t.Sub(t.AtLeast(in[0], zero), t.Mul(t.Mul(ratio, size), t.exp.Value(r)))
			return []vec.V{t.Or(y, t.And(in[0], t.sign))}
		}
	},
}

// gelu-erf-backward: Φ(x) + x·φ(x) is d where x < 0 and 1 - d elsewhere, with a = |x| and
// d = Φ(-a) - a·φ(a) = exp(-a²/2)·(R(a) - a/√(2π)).
var geluErfBackward = kernel{
	name: "GELUErfBackward", outputs: 1, inputs: 2,
	loop:  []string{"dx = dy·((1 + erf(x/√2))/2 + x·exp(-x²/2)/√(2π)) // NaN where x is infinite"},
	shape: map[vec.ISA]shape{vec.AVX2: {1, 6}, vec.AVX512: {2, 16}},
	setup: func(a *vec.Asm) func([]vec.V) []vec.V {
		t := newTail(a, tailExponent)
		density := a.Float(1 / (math.Sqrt2 * math.SqrtPi))
		infinities := a.NewInfinities(true)
		return func(in []vec.V) []vec.V {
			dy, x := in[0], in[1]
			_, clamped, r, ratio := t.of(x)
			t.NegMulAdd(clamped, density, ratio)
			d := t.Mul(t.Mul(ratio, t.exp.Value(r)), t.unscale)
			// h = ±1/2 with the sign of x: 1/2 + h is 1 or 0, from which d is taken or to which it is added.
			sign := t.And(x, t.sign)
			step := t.Add(t.Or(sign, t.half), t.half)
			f := t.NaNAt(infinities, x, t.Sub(step, t.Xor(d, sign)))
			return []vec.V{t.Mul(f, dy)}
		}
	},
}
