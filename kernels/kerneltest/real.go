package kerneltest

import (
	"math"
	"math/big"
)

// field is the arithmetic that a formula is written in, so that one formula is computed in float64, for all of
// millions of elements, and to [precision] bits, for those on which float64 cannot decide.
type field[N any] struct {
	of                 func(float64) N
	add, sub, mul, div func(a, b N) N
	abs, exp, tanh     func(N) N
	erfc               func(N) N
	sqrt               func(N) N
	pi                 func() N
	larger             func(a, b N) N

	// single is what becomes of an intermediate result that is kept in fp32, but for its rounding: beyond the
	// largest it is infinite, below half of the smallest it is 0.
	single func(N) N
}

var doubleField = field[float64]{
	of:  func(v float64) float64 { return v },
	add: func(a, b float64) float64 { return a + b },
	sub: func(a, b float64) float64 { return a - b },
	mul: func(a, b float64) float64 { return a * b },
	div: func(a, b float64) float64 { return a / b },
	abs: math.Abs, exp: math.Exp, tanh: math.Tanh, erfc: math.Erfc, larger: math.Max, sqrt: math.Sqrt,
	pi: func() float64 { return math.Pi },
	single: func(v float64) float64 {
		if f := float64(float32(v)); f == 0 || math.IsInf(f, 0) {
			return f
		}
		return v
	},
}

// precision is that of a reference in bits. It is computed with extra more, which is what erfc and tanh lose by
// cancellation where their results are still numbers of fp32.
const (
	precision = 200
	extra     = 400
)

func newBig(v float64) *big.Float { return new(big.Float).SetPrec(precision + extra).SetFloat64(v) }

// bigField knows no NaN and no infinity.
var bigField = field[*big.Float]{
	of:  newBig,
	add: func(a, b *big.Float) *big.Float { return newBig(0).Add(a, b) },
	sub: func(a, b *big.Float) *big.Float { return newBig(0).Sub(a, b) },
	mul: func(a, b *big.Float) *big.Float { return newBig(0).Mul(a, b) },
	div: func(a, b *big.Float) *big.Float { return newBig(0).Quo(a, b) },
	abs: func(a *big.Float) *big.Float { return newBig(0).Abs(a) },
	exp: bigExp, tanh: bigTanh, erfc: bigErfc,
	sqrt: func(a *big.Float) *big.Float { return newBig(0).Sqrt(a) },
	pi:   func() *big.Float { return bigPi },
	larger: func(a, b *big.Float) *big.Float {
		if a.Cmp(b) < 0 {
			return b
		}
		return a
	},
	single: func(a *big.Float) *big.Float { return a },
}

// clamped is x, or ±bound beyond: what follows from there on is no number of fp32, whatever it is.
func clamped(x *big.Float, bound float64) *big.Float {
	if newBig(0).Abs(x).Cmp(newBig(bound)) > 0 {
		return newBig(float64(x.Sign()) * bound)
	}
	return x
}

// bigExp sums the series at x/2^halvings and squares the result as often. Each squaring doubles the relative
// error, so that of the extra bits as many are lost.
func bigExp(x *big.Float) *big.Float {
	const halvings = 24
	r := newBig(0).SetMantExp(clamped(x, 5000), -halvings)
	sum, term := newBig(1), newBig(1)
	for i := 1; term.Sign() != 0 && term.MantExp(nil) > -(precision+extra); i++ {
		term.Mul(term, r)
		term.Quo(term, newBig(float64(i)))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum
}

// bigTanh is 1 - 2/(exp(2x) + 1).
func bigTanh(x *big.Float) *big.Float {
	e := bigExp(newBig(0).Mul(x, newBig(2)))
	return newBig(0).Sub(newBig(1), newBig(0).Quo(newBig(2), e.Add(e, newBig(1))))
}

// bigErfc is 1 - erf(x), erf by 2/√π·exp(-x²)·Σ 2^n·x^(2n+1)/(1·3···(2n+1)), all of whose terms have
// one sign (NIST Digital Library of Mathematical Functions, 7.6.2).
func bigErfc(x *big.Float) *big.Float {
	x = clamped(x, 40)
	square := newBig(0).Mul(x, x)
	sum, term := newBig(0).Set(x), newBig(0).Set(x)
	twice := newBig(0).Mul(square, newBig(2))
	for n := 1; term.Sign() != 0 && term.MantExp(nil) > sum.MantExp(nil)-(precision+extra); n++ {
		term.Mul(term, twice)
		term.Quo(term, newBig(float64(2*n+1)))
		sum.Add(sum, term)
	}
	erf := sum.Mul(sum, bigExp(square.Neg(square)))
	erf.Mul(erf, newBig(0).Quo(newBig(2), newBig(0).Sqrt(bigPi)))
	return newBig(0).Sub(newBig(1), erf)
}

// bigPi is by Machin's formula, π = 16·arctan(1/5) - 4·arctan(1/239).
var bigPi = func() *big.Float {
	arctan := func(inverse float64) *big.Float {
		sum, power := newBig(0), newBig(0).Quo(newBig(1), newBig(inverse))
		for n := 0; power.MantExp(nil) > -(precision + extra); n++ {
			term := newBig(0).Quo(power, newBig(float64(2*n+1)))
			if n%2 == 1 {
				term.Neg(term)
			}
			sum.Add(sum, term)
			power.Quo(power, newBig(inverse*inverse))
		}
		return sum
	}
	sixteen, four := newBig(0).Mul(newBig(16), arctan(5)), newBig(0).Mul(newBig(4), arctan(239))
	return sixteen.Sub(sixteen, four)
}()
