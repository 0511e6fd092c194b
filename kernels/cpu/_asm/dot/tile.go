package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// Offsets in package cpu's tileArgs.
const (
	tileA = 8 * iota
	tileB
	tileC
	tileNext
	tileK
	_ // ldb: a panel's rows are as wide as the tile
	tileLDC
	tileAdd
	tileMask
)

// tile emits the product of a packed panel of A, f.rows high, and one of B, vecs vectors wide. If
// tileArgs.mask is not 0, it names the columns of the last vector that C has.
func (f family) tile(c constants, rows, vecs int) string {
	const (
		unroll = 4
		early  = 8    // turns of the loop
		ahead  = 1152 // bytes: B comes from L2
	)
	name := f.routine(fmt.Sprintf("r%dv%d", rows, vecs))
	gen.Routine(name, fmt.Sprintf("%s is c = a·b or c += a·b of %d rows and up to %d columns.", name, rows, vecs*f.lanes()))
	acc := func(i, j int) reg.VecPhysical { return f.Reg[i*vecs+j] }
	rowB := f.Reg[rows*vecs : rows*vecs+vecs]
	free := f.Reg[rows*vecs+vecs:]
	broadcast, temporary := free[f.temporaries:], free[:max(1, f.temporaries)]

	a, b, cc, next, k, ldc, row, blocks := reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.R8, reg.R9, reg.R10
	MOVQ(gen.Field(tileA), a)
	MOVQ(gen.Field(tileB), b)
	MOVQ(gen.Field(tileC), cc)
	MOVQ(gen.Field(tileNext), next)
	MOVQ(gen.Field(tileK), k)
	MOVQ(gen.Field(tileLDC), ldc)

	f.begin(rows, vecs, b, k, row, acc, rowB)

	step := func(u int) {
		for j, x := range rowB {
			VMOVUPS(Mem{Base: b, Disp: (u*vecs + j) * f.Bytes}, x)
			PREFETCHT0(Mem{Base: b, Disp: ahead + (u*vecs+j)*f.Bytes})
		}
		for i := range rows {
			x := broadcast[i%len(broadcast)]
			VPBROADCASTD(Mem{Base: a, Disp: 4 * (u*f.rows + i)}, x)
			for j, y := range rowB {
				f.dot(y, x, acc(i, j), temporary[(i*vecs+j)%len(temporary)])
			}
		}
	}
	// C is needed when the loop is over, and would not stay in L1 through all of it: it is asked for some steps before.
	later := reg.R11
	MOVQ(k, blocks)
	SHRQ(U8(2), blocks)
	JZ(LabelRef("tail"))
	MOVQ(U32(early), later)
	CMPQ(blocks, later)
	CMOVQLT(blocks, later)
	SUBQ(later, blocks)
	JZ(LabelRef("fetch"))
	gen.Align(64)
	Label("loop")
	for u := range unroll {
		step(u)
		if u == 1 {
			PREFETCHT1(Mem{Base: next})
			ADDQ(U8(64), next)
		}
	}
	ADDQ(U32(4*f.rows*unroll), a)
	ADDQ(U32(f.Bytes*vecs*unroll), b)
	DECQ(blocks)
	JNZ(LabelRef("loop"))
	Label("fetch")
	XCHGQ(later, blocks)
	TESTQ(blocks, blocks)
	JZ(LabelRef("tail"))
	MOVQ(cc, row)
	for i := range rows {
		for at := 0; at < vecs*f.bytesC(); at += 64 {
			PREFETCHT0(Mem{Base: row, Disp: at})
		}
		if i < rows-1 {
			ADDQ(ldc, row)
		}
	}
	JMP(LabelRef("loop"))
	Label("tail")
	ANDQ(U8(unroll-1), k)
	JZ(LabelRef("done"))
	Label("one")
	step(0)
	ADDQ(U8(4*f.rows), a)
	ADDQ(U32(f.Bytes*vecs), b)
	DECQ(k)
	JNZ(LabelRef("one"))

	Label("done")
	if f.half {
		f.addPairs(f.Reg[:rows*vecs], rowB[0])
	}
	CMPQ(gen.Field(tileMask), U8(0))
	JNE(LabelRef("ragged"))
	f.store("", rows, vecs, acc, nil)
	Label("ragged")
	f.store("ragged", rows, vecs, acc, f.mask(c, free))
	return name
}

// begin sets the accumulators to 0, or to what the bias of A will have added, negated: it lies behind the panel of B.
func (f family) begin(rows, vecs int, b, k, tail reg.GPPhysical, acc func(i, j int) reg.VecPhysical, rowB []reg.VecPhysical) {
	if !f.biased {
		f.Zero(f.Reg[:rows*vecs]...)
		return
	}
	IMUL3Q(U32(vecs*f.Bytes), k, tail)
	ADDQ(b, tail)
	f.Zero(rowB[0])
	for j := range vecs {
		VPSUBD(Mem{Base: tail, Disp: j * f.Bytes}, rowB[0], acc(0, j))
		for i := 1; i < rows; i++ {
			VMOVUPS(acc(0, j), acc(i, j))
		}
	}
}

// masking is how the last vector of a row of C is read and written where C has but some of its columns.
type masking struct {
	load  func(m Mem, x reg.VecPhysical)
	store func(x reg.VecPhysical, m Mem)
}

// mask prepares it: K1 on AVX-512, otherwise a vector whose lanes are all ones or 0.
func (f family) mask(c constants, free []reg.VecPhysical) *masking {
	if f.Bytes == 64 {
		MOVQ(gen.Field(tileMask), reg.RAX)
		KMOVW(reg.EAX, reg.K1)
		if f.half {
			return &masking{
				load:  func(m Mem, x reg.VecPhysical) { VMOVDQU16_Z(m, reg.K1, x) },
				store: func(x reg.VecPhysical, m Mem) { VMOVDQU16(x, reg.K1, m) },
			}
		}
		return &masking{
			load:  func(m Mem, x reg.VecPhysical) { VMOVUPS_Z(m, reg.K1, x) },
			store: func(x reg.VecPhysical, m Mem) { VMOVUPS(x, reg.K1, m) },
		}
	}
	k := free[len(free)-1]
	VPBROADCASTD(gen.Field(tileMask), k)
	VPAND(c.bits, k, k)
	VPCMPEQD(c.bits, k, k)
	return &masking{
		load:  func(m Mem, x reg.VecPhysical) { VMASKMOVPS(m, k, x) },
		store: func(x reg.VecPhysical, m Mem) { VMASKMOVPS(x, k, m) },
	}
}

// store adds C where it is asked for, stores the tile and returns.
func (f family) store(label string, rows, vecs int, acc func(i, j int) reg.VecPhysical, last *masking) {
	c, ldc, row := reg.RCX, reg.R8, reg.R9
	each := func(base reg.GPPhysical, do func(m Mem, x reg.VecPhysical, masked bool)) {
		for i := range rows {
			for j := range vecs {
				do(Mem{Base: base, Disp: j * f.bytesC()}, f.vectorC(acc(i, j)), last != nil && j == vecs-1)
			}
			if i < rows-1 {
				ADDQ(ldc, base)
			}
		}
	}
	CMPQ(gen.Field(tileAdd), U8(0))
	JE(LabelRef(label + "store"))
	MOVQ(c, row)
	// A register that the loop is done with: a broadcast or a row of B.
	spare := f.vectorC(f.Reg[rows*vecs])
	each(row, func(m Mem, x reg.VecPhysical, masked bool) {
		if !masked {
			f.add(m, x, x)
			return
		}
		last.load(m, spare)
		f.add(spare, x, x)
	})
	Label(label + "store")
	each(c, func(m Mem, x reg.VecPhysical, masked bool) {
		if masked {
			last.store(x, m)
			return
		}
		VMOVUPS(x, m)
	})
	VZEROUPPER()
	RET()
}
