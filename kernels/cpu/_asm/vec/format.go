package vec

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Format is how elements lie in memory. A V that is loaded holds them as float32, and what is
// stored is rounded to nearest even. A NaN stays one, subnormals are kept.
type Format struct {
	Suffix string // of the names of routines
	GoType string // of an element
	Bytes  int    // of an element in memory
	Lane   int    // of an element in a register
	kind   kind
}

type kind int

const (
	single kind = iota
	half
	brain
	encoding
)

// The formats. Words are 16-bit encodings as they are, two in the room of a float32.
var (
	FP32  = Format{"FP32", "float32", 4, 4, single}
	FP16  = Format{"FP16", "Float16", 2, 4, half}
	BF16  = Format{"BF16", "BFloat16", 2, 4, brain}
	Words = Format{"", "uint16", 2, 2, encoding}
)

// nearestEven is VCVTPS2PH's rounding, whatever MXCSR holds.
const nearestEven = U8(0)

// Codec loads and stores a format.
type Codec struct {
	*Asm
	Format
	upper, half, one Const
	pairs            *pairs // those that are kept, or nil
}

// pairs are what two vectors are rounded with at once where there are masks.
type pairs struct {
	upper, lower        Const // the words that go to memory, and those that are rounded off, in the order of the former
	odd, middle, ones16 Const
}

// NewCodec asks for the constants of a format.
func (a *Asm) NewCodec(f Format) Codec {
	c := Codec{Asm: a, Format: f}
	if f.kind == brain {
		c.upper = a.Int(0xffff0000)
		if a.Masks {
			c.half, c.one = Const{constant(0x7fff)}, Const{constant(1)} // the registers are for others
		} else {
			c.half, c.one = a.Int(0x7fff), a.Int(1)
		}
	}
	return c
}

// newPairs leaves them in memory: each is used once for two vectors.
func newPairs() *pairs {
	upper, lower := make([]uint32, AVX512.Lanes()), make([]uint32, AVX512.Lanes())
	for i := range uint32(len(upper)) {
		const second = 32 // the first word of the second vector
		lower[i] = 2*i | (second+2*i)<<16
		upper[i] = lower[i] + 0x00010001
	}
	return &pairs{
		upper: Const{table("upperWords", upper)}, lower: Const{table("lowerWords", lower)},
		odd: Const{constant(0x00010001)}, middle: Const{constant(0x80008000)}, ones16: Const{constant(0xffffffff)},
	}
}

// Kept is c with what it rounds pairs by in registers, as far as some are left: for a loop that loads much besides.
func (c Codec) Kept() Codec {
	if c.kind != brain || !c.Masks {
		return c
	}
	c.pairs = newPairs()
	for _, p := range []*Const{&c.pairs.upper, &c.pairs.lower, &c.pairs.odd, &c.pairs.middle, &c.pairs.ones16} {
		*p = c.kept(*p)
	}
	return c
}

// Lanes is the count of elements in a vector, and Step their bytes in memory.
func (c Codec) Lanes() int { return c.Asm.Bytes / c.Lane }

// Step is described at Lanes.
func (c Codec) Step() int { return c.Lanes() * c.Format.Bytes }

func (c Codec) at(base reg.Register, vector int) Mem {
	return Mem{Base: base, Disp: vector * c.Step()}
}

// Load is the n vectors from base on, of contiguous elements. Where n is even, a pair of vectors of bf16 may
// hold the elements of two in another order, which Store undoes: a function of each element by itself does not
// mind.
func (c Codec) Load(base reg.Register, n int) V {
	if c.kind == brain && n%2 == 0 {
		return c.loadPairs(base, n)
	}
	return c.LoadInOrder(base, n)
}

// LoadInOrder is Load with element i of the memory in lane i.
func (c Codec) LoadInOrder(base reg.Register, n int) V {
	return c.each(n, func(i int, dst reg.VecVirtual) {
		switch m := c.at(base, i); c.kind {
		case single:
			VMOVUPS(m, dst)
		case half:
			VCVTPH2PS(m, dst)
		case brain:
			VPMOVZXWD(m, dst)
			VPSLLD(U8(16), dst, dst)
		case encoding:
			c.move(m, dst)
		}
	})
}

// loadPairs makes two vectors of each register's width in memory: of its even elements, and of its odd
// ones.
func (c Codec) loadPairs(base reg.Register, n int) V {
	v := make(V, 0, n)
	for i := 0; i < n; i += 2 {
		both := c.New(1)
		c.move(c.at(base, i), both[0])
		v = append(v, c.ShiftLeft(both, 16)[0], c.And(both, c.upper)[0])
	}
	return v
}

func (c Codec) move(from, to Op) {
	if c.Masks {
		VMOVDQU32(from, to)
	} else {
		VMOVDQU(from, to)
	}
}

// Store is the reverse of Load, and StoreInOrder of LoadInOrder.
func (c Codec) Store(v V, base reg.Register) {
	if c.kind == brain && len(v)%2 == 0 {
		c.storePairs(v, base)
		return
	}
	c.StoreInOrder(v, base)
}

// StoreInOrder is described at Store.
func (c Codec) StoreInOrder(v V, base reg.Register) {
	if c.kind == brain {
		v = c.ShiftRight(c.rounded(v), 16)
	}
	for i := range v {
		switch m := c.at(base, i); c.kind {
		case single:
			VMOVUPS(v[i], m)
		case half:
			VCVTPS2PH(nearestEven, v[i], m)
		case brain:
			c.storeWords(v[i], m)
		case encoding:
			c.move(v[i], m)
		}
	}
}

// rounded has in the upper 16 bits of each lane the nearest bf16, ties to even: half a step is added, less one bit
// where the lower neighbour is even, and a carry moves into the exponent. A NaN survives because its low bits are 0, as
// those of a NaN that comes of bf16 operands, or of an invalid operation, are.
func (c Codec) rounded(v V) V {
	odd := c.And(c.ShiftRight(v, 16), c.one)
	return c.AddInt(c.AddInt(v, c.half), odd)
}

// storeWords stores the low 16 bits of each lane.
func (c Codec) storeWords(v reg.VecVirtual, m Mem) {
	if c.Masks {
		VPMOVDW(v, m)
		return
	}
	// VPACKUSDW packs within 128 bits.
	VPACKUSDW(v, v, v)
	VPERMQ(U8(0x08), v, v)
	VMOVDQU(v.AsX(), m)
}

func (c Codec) storePairs(v V, base reg.Register) {
	if c.Masks {
		for i := 0; i < len(v); i += 2 {
			c.move(c.roundedPair(v[i], v[i+1]), c.at(base, i))
		}
		return
	}
	r := c.rounded(v)
	for i := 0; i < len(r); i += 2 {
		even, odd := c.ShiftRight(r[i:i+1], 16)[0], r[i+1]
		VPBLENDW(U8(0xaa), odd, even, even)
		c.move(even, c.at(base, i))
	}
}

// roundedPair has the elements of even and odd by turns, rounded as by rounded: an upper half is one more where the lower half is above
// the middle, and where it is the middle and the upper half odd.
func (c Codec) roundedPair(even, odd reg.VecVirtual) reg.VecVirtual {
	p := c.pairs
	if p == nil {
		p = newPairs()
	}
	halves := func(which Const) reg.VecVirtual {
		h := c.Copy(which, 1)[0]
		VPERMI2W(odd, even, h)
		return h
	}
	upper, lower := halves(p.upper), halves(p.lower)
	VPTERNLOGD(U8(0xf8), p.odd.op, upper, lower) // lower | upper & odd
	mask := K()
	VPCMPUW(U8(6), p.middle.op, lower, mask) // above
	VPSUBW(p.ones16.op, upper, mask, upper)
	return upper
}

// LoadMasked loads the lanes of mask and zeroes the others; masked-off bytes are not touched, so that they
// cannot fault. It and StoreMasked are for an ISA with masks.
func (c Codec) LoadMasked(base, mask reg.Register) V {
	return c.each(1, func(_ int, dst reg.VecVirtual) {
		switch m := c.at(base, 0); c.kind {
		case single:
			VMOVUPS_Z(m, mask, dst)
		case half:
			VCVTPH2PS_Z(m, mask, dst)
		case brain:
			VPMOVZXWD_Z(m, mask, dst)
			VPSLLD(U8(16), dst, dst)
		case encoding:
			VMOVDQU16_Z(m, mask, dst)
		}
	})
}

// StoreMasked stores the lanes of mask and touches no others.
func (c Codec) StoreMasked(v V, base, mask reg.Register) {
	switch m := c.at(base, 0); c.kind {
	case single:
		VMOVUPS(v[0], mask, m)
	case half:
		VCVTPS2PH(nearestEven, v[0], mask, m)
	case brain:
		VPMOVDW(c.ShiftRight(c.rounded(v), 16)[0], mask, m)
	case encoding:
		VMOVDQU16(v[0], mask, m)
	}
}

// LoadElement loads one element into every lane: for a value that all share, and for the tail where there are no
// masks (VMASKMOV knows no 16-bit lanes).
func (c Codec) LoadElement(base reg.Register) V {
	return c.each(1, func(_ int, dst reg.VecVirtual) {
		m := c.at(base, 0)
		if c.kind == single {
			VBROADCASTSS(m, dst)
			return
		}
		VPBROADCASTW(m, dst)
		switch c.kind {
		case half:
			if c.Masks {
				VCVTPH2PS(dst.AsY(), dst)
			} else {
				VCVTPH2PS(dst.AsX(), dst)
			}
		case brain:
			VPSLLD(U8(16), dst, dst)
		}
	})
}

// StoreElement stores the lowest lane.
func (c Codec) StoreElement(v V, base reg.Register) {
	m := c.at(base, 0)
	switch c.kind {
	case single:
		VMOVSS(v[0].AsX(), m)
		return
	case half:
		x := XMM()
		VCVTPS2PH(nearestEven, v[0].AsX(), x)
		VPEXTRW(U8(0), x, m)
	case brain:
		VPEXTRW(U8(1), c.rounded(v)[0].AsX(), m)
	case encoding:
		VPEXTRW(U8(0), v[0].AsX(), m)
	}
}
