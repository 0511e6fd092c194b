package vec

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Infinities are those of which [Asm.NaNAt] makes NaN.
type Infinities struct {
	both        bool
	table       Const // AVX-512: what VFIXUPIMM makes of each class of number
	inf         Const // AVX2
	nan, finite Const
}

// NewInfinities asks for the constants: for -Inf alone, or for both.
func (a *Asm) NewInfinities(both bool) Infinities {
	if a.Masks {
		// A nibble for each class; -Inf is class 4 and +Inf class 5, and 3 stands for the default NaN.
		table := uint32(3 << (4 * 4))
		if both {
			table |= 3 << (4 * 5)
		}
		return Infinities{table: a.Int(table)}
	}
	in := Infinities{both: both, nan: a.Int(0x7fc00000)}
	if both {
		in.inf, in.finite = a.Int(0x7f800000), a.Int(0x7fffffff)
	} else {
		in.inf = a.Int(0xff800000)
	}
	return in
}

// NaNAt makes the default NaN of y, in place, where x is infinite as in says, and returns y: where a
// definition has Inf·0 or Inf/Inf.
func (a *Asm) NaNAt(in Infinities, x, y V) V {
	if a.Masks {
		for i := range y {
			VFIXUPIMMPS(U8(0), in.table.op, x[i], y[i])
		}
		return y
	}
	if in.both {
		x = a.And(x, in.finite)
	}
	for i := range y {
		infinite := YMM()
		VCMPPS(U8(0), in.inf.op, x[i], infinite)
		VBLENDVPS(infinite, in.nan.op, y[i], y[i])
	}
	return y
}

// Range is of 16-bit encodings, as unsigned numbers.
type Range struct{ first, width Const }

// NewRange asks for the constants of first to last.
func (a *Asm) NewRange(first, last uint16) Range {
	return Range{a.words(first), a.words(last - first)}
}

func (a *Asm) words(w uint16) Const { return a.Int(uint32(w)<<16 | uint32(w)) }

// WordsWhere is value in the 16-bit lanes in which x lies in r, or, for inside false, in which it does not; and 0 in the
// others.
func (a *Asm) WordsWhere(value, x V, r Range, inside bool) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) {
		VPSUBW(r.first.op, x[i], dst)
		if a.Masks {
			predicate := map[bool]U8{true: 2, false: 6}[inside] // at most, above
			mask := K()
			VPCMPUW(predicate, r.width.op, dst, mask)
			VMOVDQU16_Z(value[i], mask, dst)
			return
		}
		least := YMM()
		VPMINUW(r.width.op, dst, least)
		VPCMPEQW(least, dst, dst)
		if inside {
			VPAND(value[i], dst, dst)
		} else {
			VPANDN(value[i], dst, dst)
		}
	})
}

// WherePositive is value where x > 0, else +0.
func (a *Asm) WherePositive(value, x V, zero Const) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) {
		if a.Masks {
			mask := K()
			VCMPPS(U8(0x1e), zero.op, x[i], mask) // greater, ordered, quiet
			VMOVAPS_Z(value[i], mask, dst)
			return
		}
		VCMPPS(U8(0x1e), zero.op, x[i], dst)
		VPAND(value[i], dst, dst)
	})
}

// WhereAbove is x where x > bound, else y, in place, and returns y. A NaN is not above.
func (a *Asm) WhereAbove(bound Const, x, y V) V {
	for i := range y {
		if a.Masks {
			mask := K()
			VCMPPS(U8(0x1e), bound.op, x[i], mask) // greater, ordered, quiet
			VMOVAPS(x[i], mask, y[i])
			continue
		}
		above := YMM()
		VCMPPS(U8(0x1e), bound.op, x[i], above)
		VBLENDVPS(above, x[i], y[i], y[i])
	}
	return y
}

// Bound is one on the magnitude of numbers.
type Bound struct{ signless, most Const }

// NewBound asks for the constants.
func (a *Asm) NewBound(most float64) Bound { return Bound{a.Int(0x7fffffff), a.Float(most)} }

// JumpBeyond goes to a label if any element of x is a NaN, or farther from 0 than the bound.
func (a *Asm) JumpBeyond(b Bound, x V, label string) {
	// Without their signs, floats are in the order of integers, and NaNs above all.
	sizes := a.And(x, b.signless)
	for len(sizes) > 1 {
		last := len(sizes) - 1
		VPMAXUD(sizes[last], sizes[last-1], sizes[last-1])
		sizes = sizes[:last]
	}
	if a.Masks {
		mask := K()
		VPCMPUD(U8(6), b.most.op, sizes[0], mask) // above
		KORTESTW(mask, mask)
	} else {
		VPCMPGTD(b.most.op, sizes[0], sizes[0])
		VPTEST(sizes[0], sizes[0])
	}
	JNZ(LabelRef(label))
}
