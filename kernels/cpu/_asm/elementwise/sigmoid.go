package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// The sigmoid is computed as
//
//	x = n ln2 - r, n an integer, |r| <= ln2/2
//	1/(1 + exp(-x)) = 2^n / (2^n + exp(r)) = 2^n / ((1 + 2^n) + expm1(r))
//
// which has one division, does not overflow, and is as exact where the result is
// subnormal as elsewhere: 2^n is then subnormal and exact. Of the roundings only those of
// the last sum and of the division are of the order of an ulp; 1 + 2^n is exact where
// |n| < 24. The worst is 2.44 ulp, at -16.642534, of all float32.
const (
	// Below lowest the result is less than half the smallest subnormal; above highest it
	// is nearer to 1 than to its lower neighbour. The clamp also makes numbers of infinities.
	lowest32, highest32 = -104, 20

	// ln2 in two parts (Cody and Waite): 9 bits, so that n times them is exact, and the rest.
	ln2High = 355.0 / 512
	ln2Low  = math.Ln2 - ln2High
)

// expm1Terms are c of expm1(r) = r + r²(c0 + c1 r + ... + c4 r⁴): Remez' exchange on
// |r| <= ln2/2, for the error relative to exp(r), which is at most 2^-28.2.
var expm1Terms = []float32{
	0.49999993447788704, 0.16666520631723108, 0.04166838804689017, 0.008368716878485352, 0.001381459856835063,
}

func sigmoid(f format) kernel {
	k := kernel{
		name: "sigmoid" + f.suffix, format: f, args: []string{"dst", "src"},
		doc:   []string{"errs by at most 2.5 ulp, subnormal results included; a NaN gives a NaN."},
		loop:  f.each("y := 1 / (1 + exp(-x))"),
		setup: sigmoidSetup,
	}
	if f == fp16 {
		k.doc = []string{"errs by at most 0.501 ulp of a half; a NaN gives a NaN."}
	}
	return k
}

// terms are the constants of the sigmoid in registers, or, where registers are few, some
// of them in memory.
type terms struct {
	lowest, highest, one, log2e, ln2High, ln2Low vector
	expm1                                        []Op

	// Of an instruction set without VSCALEF; see power.
	shift, unscale vector
	bias           Op
}

func loadTerms(s isa) terms {
	t := terms{
		lowest:  s.broadcast("lowest", lowest32),
		highest: s.broadcast("highest", highest32),
		one:     s.broadcast("one", 1),
		log2e:   s.broadcast("log2e", math.Log2E),
		ln2High: s.broadcast("ln2High", ln2High),
		ln2Low:  s.broadcast("ln2Low", ln2Low),
	}
	for i, c := range expm1Terms {
		name := fmt.Sprintf("expm1_%d", i)
		if s.masks {
			t.expm1 = append(t.expm1, s.broadcast(name, c))
		} else {
			t.expm1 = append(t.expm1, table(name, math.Float32bits(c)))
		}
	}
	if !s.masks {
		t.shift = s.broadcast("shift", shift)
		t.unscale = s.broadcast("unscale", 0x1p-24)
		t.bias = table("bias", (127+24)<<23)
	}
	return t
}

func sigmoidSetup(s isa) func([]vector) vector {
	t := loadTerms(s)
	return func(src []vector) vector {
		x := src[0]
		// MINPS and MAXPS return their second source, here x, where either is NaN.
		VMINPS(x, t.highest, x)
		VMAXPS(x, t.lowest, x)
		if s.masks {
			return t.sigmoidScalef(s, x)
		}
		return t.sigmoidShift(s, x)
	}
}

// sigmoidScalef makes 2^n by VSCALEF.
func (t terms) sigmoidScalef(s isa, x vector) vector {
	n, power, sum := s.vector(), s.vector(), s.vector()
	VMULPS(t.log2e, x, n)
	VRNDSCALEPS(U8(0), n, n) // to the nearest integer
	VSCALEFPS(n, t.one, power)
	VADDPS(t.one, power, sum)
	VADDPS(t.expm1Of(s, n, x), sum, sum)
	VDIVPS(sum, power, power)
	return power
}

// shift, added to a float32 below 2^22, rounds it to an integer, which the low bits of
// the sum then hold.
const shift = 3 << 22

// sigmoidShift makes 2^(n+24) in the exponent field, where n + 24 is in range for every
// n, and divides by 2^24 what comes of it.
func (t terms) sigmoidShift(s isa, x vector) vector {
	n, power, sum := s.vector(), s.vector(), s.vector()
	VMOVAPS(t.shift, power)
	VFMADD231PS(t.log2e, x, power)
	VSUBPS(t.shift, power, n)
	VPSLLD(U8(23), power, power)
	VPADDD(t.bias, power, power)
	VMOVAPS(t.one, sum)
	VFMADD231PS(t.unscale, power, sum)
	VADDPS(t.expm1Of(s, n, x), sum, sum)
	VDIVPS(sum, power, power)
	VMULPS(t.unscale, power, power)
	return power
}

// expm1Of emits expm1(r), r = n ln2 - x, and overwrites x.
func (t terms) expm1Of(s isa, n, x vector) vector {
	r := x
	VFMSUB231PS(t.ln2High, n, r)
	VFMADD231PS(t.ln2Low, n, r)
	degree := len(t.expm1) - 1
	p, square := s.vector(), s.vector()
	VMOVAPS(t.expm1[degree], p)
	for i := degree - 1; i >= 0; i-- {
		VFMADD213PS(t.expm1[i], r, p)
	}
	VMULPS(r, r, square)
	VFMADD213PS(r, square, p)
	return p
}

// broadcast holds f in every lane of a register.
func (s isa) broadcast(name string, f float32) vector {
	v := s.vector()
	VBROADCASTSS(table(name, math.Float32bits(f)), v)
	return v
}

var tables = map[string]Mem{}

// table is an AVX2 register's width of copies of a constant.
func table(name string, bits uint32) Mem {
	m, ok := tables[name]
	if !ok {
		m = GLOBL("sigmoid_"+name, attr.RODATA|attr.NOPTR)
		for offset := 0; offset < avx2.bytes; offset += 4 {
			DATA(offset, U32(bits))
		}
		tables[name] = m
	}
	return m
}
