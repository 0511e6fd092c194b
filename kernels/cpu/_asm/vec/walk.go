package vec

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// Stream is an operand that a pass goes along, element by element.
type Stream struct {
	Codec
	Start   Op   // of the elements: a register, or where it lies in memory
	Ordered bool // Load and Store keep the order of lanes; needed where formats of different widths meet
	at      reg.GPVirtual
}

// Walk makes passes over operands of one length.
type Walk struct {
	*Asm
	length reg.Register
	tail   reg.Register // mask of the lanes that are left behind the last whole vector; with masks
	lowest Const        // all bits of the lowest lane; without
	passes int
}

// NewWalk is of operands with length elements.
func (a *Asm) NewWalk(length reg.Register) *Walk {
	w := &Walk{Asm: a, length: length}
	if !a.Masks {
		lanes := make([]uint32, a.Lanes())
		lanes[0] = ^uint32(0)
		w.lowest = a.bitTable("lowest", lanes)
		return w
	}
	Comment("mask = 1<<(length%lanes) - 1")
	MOVQ(length, reg.RCX)
	ANDQ(U8(a.Lanes()-1), reg.RCX)
	bits := GP64()
	MOVQ(U32(1), bits)
	SHLQ(reg.CL, bits)
	DECQ(bits)
	w.tail = K()
	KMOVQ(bits, w.tail)
	return w
}

// Lanes are the elements that a pass is at: some whole vectors, or the part of one that is left.
type Lanes struct {
	*Walk
	n       int // vectors
	partial bool
}

// Pass goes over streams once: whole groups of vectors, then single ones, then what is left, touching no byte
// outside the streams.
func (w *Walk) Pass(group int, body func(l Lanes), streams ...*Stream) {
	w.passes++
	label := func(name string) string { return fmt.Sprintf("%s%d", name, w.passes) }
	lanes := w.Asm.Lanes()
	n := GP64()
	MOVQ(w.length, n)
	for _, s := range streams {
		s.at = GP64()
		MOVQ(s.Start, s.at)
	}
	advance := func(elements int) {
		for _, s := range streams {
			ADDQ(I32(int32(elements*s.Format.Bytes)), s.at)
		}
	}
	SUBQ(I32(int32(group*lanes)), n)
	JL(LabelRef(label("singles")))
	gen.Align(64)
	Label(label("groups"))
	body(Lanes{w, group, false})
	advance(group * lanes)
	SUBQ(I32(int32(group*lanes)), n)
	JGE(LabelRef(label("groups")))

	Label(label("singles"))
	ADDQ(I32(int32((group-1)*lanes)), n)
	JL(LabelRef(label("tail")))
	Label(label("single"))
	body(Lanes{w, 1, false})
	advance(lanes)
	SUBQ(I32(int32(lanes)), n)
	JGE(LabelRef(label("single")))

	Label(label("tail"))
	ADDQ(I32(int32(lanes)), n)
	JZ(LabelRef(label("done")))
	Label(label("rest"))
	body(Lanes{w, 1, true})
	if !w.Masks {
		advance(1)
		DECQ(n)
		JNZ(LabelRef(label("rest")))
	}
	Label(label("done"))
}

// Load is what s has there. Lanes that are not there are 0, or repeat the one that is.
func (l Lanes) Load(s *Stream) V {
	switch {
	case l.partial && l.Masks:
		return s.LoadMasked(s.at, l.tail)
	case l.partial:
		return s.LoadElement(s.at)
	case s.Ordered:
		return s.LoadInOrder(s.at, l.n)
	}
	return s.Codec.Load(s.at, l.n)
}

// Store puts v there.
func (l Lanes) Store(v V, s *Stream) {
	switch {
	case l.partial && l.Masks:
		s.StoreMasked(v, s.at, l.tail)
	case l.partial:
		s.StoreElement(v, s.at)
	case s.Ordered:
		s.StoreInOrder(v, s.at)
	default:
		s.Codec.Store(v, s.at)
	}
}

// Prefetch asks for what s has a distance, in bytes, further on, to come as near as the L2 cache. Nothing is asked for
// behind the last group.
func (l Lanes) Prefetch(s *Stream, distance reg.Register) {
	if l.n == 1 {
		return
	}
	for offset := 0; offset < l.n*s.Step(); offset += 64 {
		PREFETCHT1(Mem{Base: s.at, Index: distance, Scale: 1, Disp: offset})
	}
}

// Sum is a sum over a pass, in group vectors of partial sums.
type Sum struct {
	*Walk
	v V
}

// NewSum is 0.
func (w *Walk) NewSum(group int) Sum {
	return Sum{w, w.each(group, func(_ int, dst reg.VecVirtual) { w.zero(dst) })}
}

func (a *Asm) zero(dst reg.VecVirtual) {
	if a.Masks {
		VPXORD(dst, dst, dst)
	} else {
		VXORPS(dst, dst, dst)
	}
}

// Add adds x.
func (s Sum) Add(l Lanes, x V) {
	for i := range x {
		switch {
		case l.partial && s.Masks:
			VADDPS(x[i], s.v[i], s.tail, s.v[i])
		case l.partial:
			VADDPS(s.And(x, s.lowest)[i], s.v[i], s.v[i])
		default:
			VADDPS(x[i], s.v[i], s.v[i])
		}
	}
}

// AddProduct adds x·y, rounding once.
func (s Sum) AddProduct(l Lanes, x, y V) {
	for i := range x {
		switch {
		case l.partial && s.Masks:
			VFMADD231PS(x[i], y[i], s.tail, s.v[i])
		case l.partial:
			VFMADD231PS(s.And(x, s.lowest)[i], s.And(y, s.lowest)[i], s.v[i])
		default:
			VFMADD231PS(x[i], y[i], s.v[i])
		}
	}
}

// Total is the sum, in the lowest lane.
func (s Sum) Total() reg.VecVirtual { return s.fold(s.v, func(x, y, dst Op) { VADDPS(x, y, dst) }) }

// Top is the largest element of a pass; a NaN may be passed over.
type Top struct {
	*Walk
	v V
}

// NewTop is -Inf.
func (w *Walk) NewTop(group int) Top {
	return Top{w, w.each(group, func(_ int, dst reg.VecVirtual) { VBROADCASTSS(constant(0xff800000), dst) })}
}

// Add takes x into account.
func (t Top) Add(l Lanes, x V) {
	for i := range x {
		if l.partial && t.Masks {
			VMAXPS(x[i], t.v[i], t.tail, t.v[i])
		} else {
			VMAXPS(x[i], t.v[i], t.v[i])
		}
	}
}

// Total is the largest, in the lowest lane.
func (t Top) Total() reg.VecVirtual { return t.fold(t.v, func(x, y, dst Op) { VMAXPS(x, y, dst) }) }

// fold combines all lanes of all vectors of v, in place, into the lowest lane of the first.
func (a *Asm) fold(v V, combine func(x, y, dst Op)) reg.VecVirtual {
	for n := len(v); n > 1; n = (n + 1) / 2 {
		for i := 0; i < n/2; i++ {
			combine(v[n-1-i], v[i], v[i])
		}
	}
	x, y := v[0], YMM()
	if a.Masks {
		VEXTRACTF64X4(U8(1), x, y)
		combine(y, x.AsY(), x.AsY())
		VEXTRACTF32X4(U8(1), x.AsY(), y.AsX())
	} else {
		VEXTRACTF128(U8(1), x.AsY(), y.AsX())
	}
	combine(y.AsX(), x.AsX(), x.AsX())
	VPERMILPS(U8(0x4e), x.AsX(), y.AsX())
	combine(y.AsX(), x.AsX(), x.AsX())
	VPERMILPS(U8(0xb1), x.AsX(), y.AsX())
	combine(y.AsX(), x.AsX(), x.AsX())
	return x.AsX().(reg.VecVirtual)
}

// Everywhere is x, the lowest lane of an XMM register or a float32 in memory, in all lanes.
func (a *Asm) Everywhere(x Op) Const {
	v := a.New(1)
	VBROADCASTSS(x, v[0])
	return Const{v[0]}
}

// Same is what all lanes of v, one vector, hold, for groups of any size.
func Same(v V) Const { return Const{v[0]} }

// Sqrt is √x.
func (a *Asm) Sqrt(x V) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) { VSQRTPS(x[i], dst) })
}
