package vec

import (
	"fmt"
	"math"
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

// The exponential is
//
//	x = n·ln 2 + r, n a multiple of 1/K, |r| <= ln 2/2K
//	exp(x) = 2^floor(n) · T[K·(n - floor(n))] · (1 + expm1(r))
//
// with K the lanes of a vector, so that the table T of 2^(j/K) is one register and a
// lookup one instruction (P.T.P. Tang, Table-driven implementation of the exponential function, ACM TOMS
// 15, 1989, whose tables lie in memory). Adding a number whose last place is 1/K rounds to such multiples, and
// leaves j in the low bits of the sum. Of the roundings those of T and of the last multiply-add are of the order of half an ulp each.

// ln2 in two parts (Cody and Waite): 11 bits, so that n times them is exact, and the rest.
const (
	ln2High = 1419.0 / 2048
	ln2Low  = math.Ln2 - ln2High
)

// expm1Terms, by the lanes of a vector and the accuracy, are c of expm1(r) = r + r²·(c0 + c1·r + ...), by Remez' exchange on |r| <= 1.001·ln 2/2K for the
// error relative to expm1(r), which is at most what stands beside them.
var (
	quadratic = []float64{0.500014675594, 0.166668127809}                  // K = 16: 2^-23.1, which is 2^-28.7 of exp(r)
	cubic     = []float64{0.500000000254, 0.166669912253, 0.0416664425783} // K = 16: 2^-31.5
	wideCubic = []float64{0.500000004069, 0.166679649086, 0.0416657704681} // K = 8: 2^-27.5

	expm1Terms = map[int]map[Accuracy][]float64{
		16: {OfExp: quadratic, OfExpCorrected: quadratic, OfExpm1: cubic},
		8:  {OfExp: wideCubic, OfExpCorrected: wideCubic, OfExpm1: wideCubic},
	}
)

// Accuracy is what an [Exp] is asked for.
type Accuracy int

// The accuracies, relative to the result: of exp(x); of that where what the table's entries were rounded by is made good; and
// of expm1 near 0 too.
const (
	OfExp Accuracy = iota
	OfExpCorrected
	OfExpm1
)

// Base is that of the power.
type Base int

// The bases: exp(x), exp(-x) and 2^x.
const (
	E Base = iota
	InverseE
	Two
)

// factors are by what r is multiplied to be an argument of exp.
var factors = map[Base]float64{E: 1, InverseE: -1, Two: math.Ln2}

// Exp holds the constants of an exponential.
type Exp struct {
	*Asm
	base      Base
	round     Const // 1.5·2^23/K
	scale     Const // log2 e
	high, low Const // of ln 2
	terms     []Const
	table     Const
	corrected bool
	tableLow  Const // where corrected: what the entries were rounded by, relative to them
	bias      Const // of AVX2
}

// NewExp asks for the constants.
func (a *Asm) NewExp(base Base, accuracy Accuracy) Exp {
	e := a.newExp(base, accuracy, a.terms(base, accuracy))
	e.table = a.Table("powers", e.powers())
	if !a.Masks {
		e.bias = a.Int(127 << 23)
	}
	return e
}

func (a *Asm) powers() []float64 {
	powers := make([]float64, a.Lanes())
	for j := range powers {
		powers[j] = math.Exp2(float64(j) / float64(len(powers)))
	}
	return powers
}

// terms are those of expm1(r)/r. The powers of r are of base e; where r is of another, each term takes the factor's.
func (a *Asm) terms(base Base, accuracy Accuracy) []float64 {
	factor := factors[base]
	terms := []float64{factor}
	for i, c := range expm1Terms[a.Lanes()][accuracy] {
		terms = append(terms, c*math.Pow(factor, float64(i+2)))
	}
	return terms
}

// newExp asks for what every exponential needs.
func (a *Asm) newExp(base Base, accuracy Accuracy, terms []float64) Exp {
	k := a.Lanes()
	e := Exp{Asm: a, base: base, round: a.Float(0x1.8p23 / float64(k))}
	if accuracy != OfExp {
		e.corrected = true
		low := make([]float64, k)
		for j, p := range a.powers() {
			low[j] = (p/float64(float32(p)) - 1) / factors[base]
		}
		e.tableLow = a.Table(fmt.Sprintf("powersLow_%d", base), low)
	}
	if base != Two {
		e.scale, e.high, e.low = a.Float(math.Log2E*factors[base]), a.Float(ln2High), a.Float(ln2Low)
	}
	e.terms = a.Floats(terms...)
	return e
}

// Reduced is an argument split: x is n and a rest r.
type Reduced struct {
	t V // n + the number that rounded it: j in the low bits, and above them floor(n)
	N V
	R V
}

// Reduce splits x, of a base other than 2; |x| must be below 2^14 for a rest in range. The rest of exp(-x) is that
// with its sign turned, which the coefficients take into account.
func (e Exp) Reduce(x V) Reduced { return e.ReduceInPlace(e.Copy(x, len(x))) }

// ReduceInPlace is Reduce that leaves the rest in x.
func (e Exp) ReduceInPlace(r V) Reduced {
	t := e.MulAdd(r, e.scale, e.Copy(e.round, len(r)))
	n := e.Sub(t, e.round)
	subtract := e.NegMulAdd
	if e.base == InverseE {
		subtract = e.MulAdd
	}
	subtract(n, e.high, r)
	subtract(n, e.low, r)
	return Reduced{t, n, r}
}

// ReduceProduct splits x·y of base 2, in which the product is not rounded before n is off.
func (e Exp) ReduceProduct(x V, y Operand) Reduced {
	t := e.MulAdd(x, y, e.Copy(e.round, len(x)))
	n := e.Sub(t, e.round)
	r := e.MulSub(x, y, e.Copy(n, len(x)))
	return Reduced{t, n, r}
}

// Expm1 is exp(r) - 1, for base e right to less than an ulp: r is added last.
func (e Exp) Expm1(r V) V {
	return e.MulAdd(e.Mul(r, r), e.Poly(r, e.terms[1:]), e.Copy(r, len(r)))
}

// Mantissa is T·(1 + expm1(r)), which is within [1, 2] or just outside.
func (e Exp) Mantissa(x Reduced) V {
	t := e.Lookup(e.table, x.t)
	return e.MulAdd(e.Mul(t, x.R), e.Poly(x.R, e.terms), e.Copy(t, len(t)))
}

// Corrected is r, with what the table's entry was rounded by added: 0 where that is 1.
func (e Exp) Corrected(x Reduced) V { return e.Add(x.R, e.Lookup(e.tableLow, x.t)) }

// ScaledExp is an exponential times 2^scale, for which n + scale stays within the exponents of normal numbers: the
// power of two is then put into the table's entry by an addition of integers.
type ScaledExp struct {
	Exp
	entries Const // the bits of 2^(scale + j/K), less j where floor(n) will be added
}

// NewScaledExp asks for the constants.
func (a *Asm) NewScaledExp(base Base, accuracy Accuracy, scale int) ScaledExp {
	return a.scaled(a.newExp(base, accuracy, a.terms(base, accuracy)), scale, 1)
}

// scaled has entries that are divided by a number.
func (a *Asm) scaled(e Exp, scale int, divisor float64) ScaledExp {
	k := a.Lanes()
	bits := make([]uint32, k)
	for j := range bits {
		entry := float32(math.Ldexp(math.Exp2(float64(j)/float64(k))/divisor, scale))
		bits[j] = math.Float32bits(entry) - uint32(j)<<a.exponent()
	}
	name := fmt.Sprintf("powers_%d", scale)
	if divisor != 1 {
		name = "led_" + name
	}
	return ScaledExp{e, a.bitTable(name, bits)}
}

// exponent is the shift that brings a multiple of 1/K, as an integer, into the exponent of a float32.
func (a *Asm) exponent() uint8 { return uint8(23 - bits.TrailingZeros(uint(a.Lanes()))) }

// Power is 2^(n + scale), rounded.
func (e ScaledExp) Power(x Reduced) V {
	return e.AddInt(e.Lookup(e.entries, x.t), e.ShiftLeft(x.t, e.exponent()))
}

// Value is 2^scale·exp of a reduced argument.
func (e ScaledExp) Value(x Reduced) V {
	power, r := e.Power(x), x.R
	if e.corrected {
		r = e.Corrected(x)
	}
	return e.MulAdd(e.Mul(power, r), e.Poly(r, e.terms), power)
}

// OnePlus is 2^scale·(1 + exp(x)).
type OnePlus struct {
	ScaledExp
	Unit Const // 2^scale
}

// lead is the constant term of the polynomial in [OnePlus], whose others are multiplied by it and whose table is divided by it. It
// keeps the polynomial just below a power of two, where a number is rounded by least beside itself, and is that of all such at which the
// entries are rounded by least: by at most 2^-25.6.
const lead = 1.9089179

// NewOnePlus asks for the constants.
func (a *Asm) NewOnePlus(base Base, scale int) OnePlus {
	terms := []float64{lead}
	for _, c := range a.terms(base, OfExp) {
		terms = append(terms, lead*c)
	}
	e := a.newExp(base, OfExp, terms)
	return OnePlus{ScaledExp: a.scaled(e, scale, lead), Unit: a.Float(math.Ldexp(1, scale))}
}

// Of a reduced argument: the product with the power of two is not rounded before 2^scale is added. It is +Inf where
// 2^(n + scale) is from 2^128 to lead·2^128.
func (o OnePlus) Of(x Reduced) V {
	return o.Step(o.Poly(x.R, o.terms), o.Power(x), o.Unit)
}

// Power is 2^floor(n), in the form that [Asm.Scale] takes.
type Power struct{ parts []V }

// Power of an argument; |n| must be below 250.
func (e Exp) Power(x Reduced) Power {
	if e.Masks {
		return Power{[]V{x.N}} // VSCALEF takes the floor itself
	}
	// Two powers whose product it is, each well in range: only the second product rounds, once, to a
	// subnormal result.
	whole, half := e.ShiftRight(x.t, 3), e.ShiftRight(x.t, 4)
	rest := e.SubInt(whole, half)
	return Power{[]V{
		e.AddInt(e.ShiftLeft(half, 23), e.bias),
		e.AddInt(e.ShiftLeft(rest, 23), e.bias),
	}}
}

// Scale is v·p, rounded once.
func (a *Asm) Scale(v V, p Power) V {
	if a.Masks {
		return a.each(len(v), func(i int, dst reg.VecVirtual) { VSCALEFPS(p.parts[0][i], v[i], dst) })
	}
	return a.Mul(a.Mul(v, p.parts[0]), p.parts[1])
}

// Of is exp(x) for x between -140 and 140: 0 below -103.97, infinite above 88.72, NaN for NaN, and right
// to about an ulp between, subnormal results included.
func (e Exp) Of(x V) V {
	r := e.Reduce(x)
	return e.Scale(e.Mantissa(r), e.Power(r))
}
