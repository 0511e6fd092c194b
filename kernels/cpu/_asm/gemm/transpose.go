package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// transposition turns rows that are loaded in the first registers, a vector of each, into columns.
type transposition struct {
	name string
	turn func() []column
}

// column is how a column is stored.
type column struct {
	// put stores it. Where rest is not nil it stores this column and the next, and one and rest do so by themselves.
	put, one, rest func(dst Mem)
}

// transpose emits the transposition of a number of rows, k columns. On AVX-512 k and the number are
// any, below the routine's own; on AVX2 they are the routine's own, and k a multiple of the lanes.
func (f family) transpose(e element, rows int, t transposition) string {
	name := f.name("%s%s", e.name, t.name)
	gen.Routine(name, fmt.Sprintf("%s packs k columns of up to %d rows, which become columns of the panel.", name, rows))
	dst, src, ld, k, stride := gen.Load(packDst), gen.Load(packSrc), gen.Load(packLd), gen.Load(packK), gen.Load(packStride)
	in := gen.NewRows(rows, src, ld)
	masked := f.Bytes == 64
	n := GP64()
	if masked {
		MOVQ(gen.Field(packN), n)
		CMPQ(n, U8(rows))
		JL(LabelRef("part"))
	}
	Label("loop")
	if masked {
		CMPQ(k, U8(f.lanes()))
		JL(LabelRef("part"))
	}
	for i := range rows {
		e.load(in.Row(i), f.Reg[i])
	}
	for _, c := range t.turn() {
		c.put(Mem{Base: dst})
		ADDQ(stride, dst)
		if c.rest != nil {
			ADDQ(stride, dst)
		}
	}
	in.Advance(uint64(f.lanes() * e.bytes))
	SUBQ(U8(f.lanes()), k)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
	if masked {
		f.transposePart(e, rows, t, in, dst, k, n, stride)
	}
	return name
}

// transposePart emits the transposition of fewer rows, fewer columns, or both.
func (f family) transposePart(e element, rows int, t transposition, in gen.Rows, dst, k, n, stride reg.GPVirtual) {
	Label("part")
	TESTQ(k, k)
	JLE(LabelRef("done"))
	most, bit := GP64(), GP64()
	MOVQ(U32(f.lanes()), most)
	MOVQ(k, reg.RCX)
	CMPQ(k, most)
	CMOVQGT(most, reg.RCX)
	MOVQ(U32(1), bit)
	SHLQ(reg.CL, bit)
	DECQ(bit)
	KMOVW(bit.As32(), reg.K1)
	for i := range rows {
		if i > 0 {
			CMPQ(n, U8(i))
			JLE(LabelRef("loaded"))
		}
		e.masked(in.Row(i), reg.K1, f.Reg[i])
	}
	Label("loaded")
	at := 0
	next := func(store func(Mem)) {
		if at > 0 {
			CMPQ(k, U8(at))
			JLE(LabelRef("done"))
		}
		store(Mem{Base: dst})
		ADDQ(stride, dst)
		at++
	}
	for _, c := range t.turn() {
		if c.rest == nil {
			next(c.put)
			continue
		}
		next(c.one)
		next(c.rest)
	}
	in.Advance(uint64(f.lanes() * e.bytes))
	SUBQ(U8(f.lanes()), k)
	JMP(LabelRef("part"))
	Label("done")
	VZEROUPPER()
	RET()
}

// whole stores columns that fill registers.
func whole(f family, columns ...reg.VecPhysical) []column {
	var all []column
	for _, x := range columns {
		all = append(all, column{put: func(m Mem) { f.sum.store(x, m) }})
	}
	return all
}

// square is the transposition of as many rows as a vector has lanes.
func square(f family) transposition {
	turn := map[int]func(f family) []column{4: turn4, 16: turn16}[f.lanes()]
	if f.lanes() == 8 {
		turn = map[int]func(f family) []column{8: turn8x64, 4: turn8x32}[f.sum.bytes]
	}
	return transposition{"Turn", func() []column { return turn(f) }}
}

// panelA is the transposition of a panel of A.
func panelA(f family) transposition {
	turn := turnA8
	if f.Bytes == 32 {
		turn = map[int]func(f family) []column{4: turnA6x32, 8: turnA6x64}[f.sum.bytes]
	}
	return transposition{"TurnA", func() []column { return turn(f) }}
}
