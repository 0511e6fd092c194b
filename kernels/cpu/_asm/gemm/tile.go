package main

import (
	"fmt"
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// Offsets in package cpu's tileArgs.
const (
	argA     = 0
	argB     = 8
	argC     = 16
	argNext  = 24
	argK     = 32
	argLdb   = 40
	argLdc   = 48
	argAdd   = 56
	argMask  = 64
	argPanel = 80
)

// prefetchEvery is how many steps of k go by for each cache line of next that is asked for.
const prefetchEvery = 4

// ahead is how many rows of B, which are far apart, are asked for before they are needed.
const ahead = 16

// tile emits the product of a packed panel of A, f.rows wide, and rows of B, and returns its name.
func (f family) tile(e element, rows, vecs int) string {
	name := f.name("%sr%dv%d", e.name, rows, vecs)
	gen.Routine(name, fmt.Sprintf("%s is Tile of %d rows and up to %d columns, B being %s.", name, rows, vecs*f.lanes(), e.name))
	f.multiply(e, rows, vecs, func(reg.GPVirtual, []reg.VecPhysical) {})
	return name
}

// fused emits the same for a full tile, which packs B as it reads it.
func (f family) fused(e element, vecs int) string {
	name := f.name("%sFused%d", e.name, vecs)
	gen.Routine(name, fmt.Sprintf("%s is Fused of %d columns, B being %s.", name, vecs*f.lanes(), e.name))
	panel, distance := gen.Load(argPanel), gen.Load(argLdb)
	SHLQ(U8(bits.TrailingZeros(ahead)), distance)
	f.multiply(e, f.rows, vecs, func(b reg.GPVirtual, row []reg.VecPhysical) {
		for j, x := range row {
			f.sum.store(x, Mem{Base: panel, Disp: j * f.Bytes})
		}
		ADDQ(U32(vecs*f.Bytes), panel)
		for at := 0; at < vecs*f.lanes()*e.bytes; at += 64 {
			PREFETCHT0(Mem{Base: b, Index: distance, Scale: 1, Disp: at})
		}
	})
	return name
}

// multiply emits a tile; with is called for each row of B, when it is loaded.
func (f family) multiply(e element, rows, vecs int, with func(b reg.GPVirtual, row []reg.VecPhysical)) {
	acc := func(i, j int) reg.VecPhysical { return f.Reg[i*vecs+j] }
	rowB := f.Reg[rows*vecs : rows*vecs+vecs]
	broadcast := f.Reg[rows*vecs+vecs:]

	k, a, b, c := gen.Load(argK), gen.Load(argA), gen.Load(argB), gen.Load(argC)
	next, ldb, ldc := gen.Load(argNext), gen.Load(argLdb), gen.Load(argLdc)

	f.eachRow(c, ldc, rows, func(_ int, row reg.GPVirtual) { // needed when the loop is over: asked for now
		for at := 0; at < vecs*f.Bytes; at += 64 {
			PREFETCHT0(Mem{Base: row, Disp: at})
		}
	})
	f.Zero(f.Reg[:rows*vecs]...)

	step := func(u int) {
		for j, x := range rowB {
			e.load(Mem{Base: b, Disp: j * f.lanes() * e.bytes}, x)
		}
		with(b, rowB)
		ADDQ(ldb, b)
		for i := range rows {
			x := broadcast[i%len(broadcast)]
			f.sum.broadcast(Mem{Base: a, Disp: f.sum.bytes * (u*f.rows + i)}, x)
			for j, y := range rowB {
				f.sum.fma(y, x, acc(i, j))
			}
		}
	}
	blocks := GP64()
	MOVQ(k, blocks)
	SHRQ(U8(2), blocks)
	JZ(LabelRef("tail"))
	gen.Align(64)
	Label("loop")
	for u := range prefetchEvery {
		step(u)
		if u == 1 {
			PREFETCHT1(Mem{Base: next})
			ADDQ(U8(64), next)
		}
	}
	ADDQ(U32(f.sum.bytes*f.rows*prefetchEvery), a)
	DECQ(blocks)
	JNZ(LabelRef("loop"))
	Label("tail")
	ANDQ(U8(prefetchEvery-1), k)
	JZ(LabelRef("done"))
	Label("one")
	step(0)
	ADDQ(U8(f.sum.bytes*f.rows), a)
	DECQ(k)
	JNZ(LabelRef("one"))
	Label("done")
	f.store(c, ldc, rows, vecs, acc, rowB[0])
}

// eachRow calls do with the address of each row.
func (f family) eachRow(first, stride reg.GPVirtual, rows int, do func(i int, row reg.GPVirtual)) {
	row := GP64()
	MOVQ(first, row)
	for i := range rows {
		do(i, row)
		if i < rows-1 {
			ADDQ(stride, row)
		}
	}
}

// store emits the end of a tile: C, if it is to be added, and the store, of all columns or of those that mask has a
// bit for.
func (f family) store(c, ldc reg.GPVirtual, rows, vecs int, acc func(i, j int) reg.VecPhysical, spare reg.VecPhysical) {
	all := uint32(1)<<f.lanes() - 1
	mask := gen.Load(argMask)
	SHRQ(U8((vecs-1)*f.lanes()), mask)
	ANDL(U32(all), mask.As32())
	CMPQ(gen.Field(argAdd), U8(0))
	JEQ(LabelRef("store"))
	CMPL(mask.As32(), U32(all))
	JNE(LabelRef("addpart"))
	f.each(c, ldc, rows, vecs, func(i, j int, m Mem) { f.sum.add(m, acc(i, j), acc(i, j)) })
	JMP(LabelRef("storeall"))
	Label("store")
	CMPL(mask.As32(), U32(all))
	JNE(LabelRef("storepart"))
	Label("storeall")
	f.each(c, ldc, rows, vecs, func(i, j int, m Mem) { f.sum.store(acc(i, j), m) })
	VZEROUPPER()
	RET()

	last := func(do, part func(x reg.VecPhysical, m Mem)) func(i, j int, m Mem) {
		return func(i, j int, m Mem) {
			if j < vecs-1 {
				do(acc(i, j), m)
			} else {
				part(acc(i, j), m)
			}
		}
	}
	p := f.partial(mask, spare)
	Label("addpart")
	p.set()
	f.each(c, ldc, rows, vecs, last(func(x reg.VecPhysical, m Mem) { f.sum.add(m, x, x) }, p.add))
	JMP(LabelRef("storemasked"))
	Label("storepart")
	p.set()
	Label("storemasked")
	f.each(c, ldc, rows, vecs, last(func(x reg.VecPhysical, m Mem) { f.sum.store(x, m) }, p.store))
	VZEROUPPER()
	RET()
}

// each calls do with the address of each vector of the tile of C.
func (f family) each(c, ldc reg.GPVirtual, rows, vecs int, do func(i, j int, m Mem)) {
	f.eachRow(c, ldc, rows, func(i int, row reg.GPVirtual) {
		for j := range vecs {
			do(i, j, Mem{Base: row, Disp: j * f.Bytes})
		}
	})
}

// partial is the access to some elements of a vector.
type partial struct {
	set        func() // makes the mask
	add, store func(x reg.VecPhysical, m Mem)
}

// partial takes the bits of mask; spare is a register that may be overwritten, as may be the one behind it.
func (f family) partial(mask reg.GPVirtual, spare reg.VecPhysical) partial {
	if f.Bytes == 64 {
		return partial{
			func() { KMOVW(mask.As32(), reg.K1) },
			func(x reg.VecPhysical, m Mem) { f.sum.addMasked(m, x, reg.K1, x) },
			func(x reg.VecPhysical, m Mem) { f.sum.store(x, reg.K1, m) },
		}
	}
	// A vector mask: each lane has a bit of its own of the broadcast mask.
	other := f.Reg[15]
	bits := laneBits(f.sum.bytes)
	if f.sum.bytes == 8 {
		return partial{
			func() {
				VMOVQ(mask, spare.AsX())
				VPBROADCASTQ(spare.AsX(), spare)
				VPAND(bits, spare, spare)
				VPCMPEQQ(bits, spare, spare)
			},
			func(x reg.VecPhysical, m Mem) {
				VMASKMOVPD(m, spare, other)
				VADDPD(other, x, x)
			},
			func(x reg.VecPhysical, m Mem) { VMASKMOVPD(x, spare, m) },
		}
	}
	return partial{
		func() {
			VMOVQ(mask, spare.AsX())
			VPBROADCASTD(spare.AsX(), spare)
			VPAND(bits, spare, spare)
			VPCMPEQD(bits, spare, spare)
		},
		func(x reg.VecPhysical, m Mem) {
			VMASKMOVPS(m, spare, other)
			VADDPS(other, x, x)
		},
		func(x reg.VecPhysical, m Mem) { VMASKMOVPS(x, spare, m) },
	}
}

var laneBitsData = map[int]Mem{}

// laneBits is a vector of 1, 2, 4, ... in elements of the given bytes.
func laneBits(bytes int) Mem {
	if m, ok := laneBitsData[bytes]; ok {
		return m
	}
	m := GLOBL(fmt.Sprintf("gemmLaneBits%d", bytes*8), RODATA|NOPTR)
	for i := range 32 / bytes {
		if bytes == 8 {
			DATA(8*i, U64(1<<i))
		} else {
			DATA(4*i, U32(1<<i))
		}
	}
	laneBitsData[bytes] = m
	return m
}
