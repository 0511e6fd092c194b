package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// Words of amxPackArgs.
const (
	packDst    = iota
	packSrc    // its rows
	packLD     // bytes between them
	packRows   // how many, at least 1
	packBytes  // of gather: of each row, at least 1
	packStride // bytes between steps of KStep in dst
	packMask   // of interleave: the columns, at most 16; of gather: the bytes of the last, unfilled line of a row
	packTiles  // of transpose: how many
)

// gather emits the copy of rows to the lines of tiles, one row a line, filled with zeros:
//
//	for i := range rows {
//		for p := range bytes {
//			dst[p/64*stride + i*64 + p%64] = src[i*ld + p]
//		}
//	}
func gather() string {
	const name = "amxGather"
	gen.Routine(name, "copies rows to lines of tiles")
	dst, src, ld, rows, whole, stride, to, from, n := reg.RCX, reg.RSI, reg.R8, reg.R9, reg.R10, reg.R11, reg.RAX, reg.RBX, reg.RDX
	MOVQ(arg(packDst), dst)
	MOVQ(arg(packSrc), src)
	MOVQ(arg(packLD), ld)
	MOVQ(arg(packRows), rows)
	MOVQ(arg(packBytes), whole)
	MOVQ(arg(packStride), stride)
	KMOVQ(arg(packMask), reg.K1)
	SHRQ(U8(6), whole)
	x := reg.Z0
	Label("row")
	MOVQ(dst, to)
	MOVQ(src, from)
	MOVQ(whole, n)
	TESTQ(n, n)
	JZ(LabelRef("rest"))
	Label("line")
	VMOVDQU64(Mem{Base: from}, x)
	VMOVDQU64(x, Mem{Base: to})
	ADDQ(U8(rowBytes), from)
	ADDQ(stride, to)
	DECQ(n)
	JNZ(LabelRef("line"))
	Label("rest")
	KORTESTQ(reg.K1, reg.K1)
	JZ(LabelRef("next"))
	VMOVDQU8_Z(Mem{Base: from}, reg.K1, x)
	VMOVDQU64(x, Mem{Base: to})
	Label("next")
	ADDQ(ld, src)
	ADDQ(U8(rowBytes), dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
	return name
}

// transpose emits the transposition of tiles, as 16 x 16 dwords, in place.
func transpose() string {
	const name = "amxTranspose"
	gen.Routine(name, "transposes tiles")
	dst, n := reg.RCX, reg.R9
	MOVQ(arg(packDst), dst)
	MOVQ(arg(packTiles), n)
	in, t := gen.AVX512.Reg[:tileRows], gen.AVX512.Reg[tileRows:]
	Label("loop")
	for i, x := range in {
		VMOVUPS(Mem{Base: dst, Disp: i * rowBytes}, x)
	}
	gen.Transpose16x16(in, t, func(column int, x reg.VecPhysical) {
		VMOVUPS(x, Mem{Base: dst, Disp: column * rowBytes})
	})
	ADDQ(U32(tileBytes), dst)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
	return name
}

// interleave emits the packing of up to 16 columns of rows, the neighbours of a column side by side, into the tiles of
// whole steps, filled with zeros:
//
//	for p := range rows {
//		for j := range columns {
//			dst[p/KStep*stride/e + (p%KStep/step*16+j)*step + p%step] = src[p*ld/e + j] // e bytes an element
//		}
//	}
func (f family) interleave() string {
	name := "amx" + f.name + "Interleave"
	gen.Routine(name, "interleaves rows")
	dst, src, ld, left, stride, n, ld3 := reg.RCX, reg.RSI, reg.R8, reg.R9, reg.R11, reg.R10, reg.RDX
	MOVQ(arg(packDst), dst)
	MOVQ(arg(packSrc), src)
	MOVQ(arg(packLD), ld)
	MOVQ(arg(packRows), left)
	MOVQ(arg(packStride), stride)
	SUBQ(U32(tileBytes), stride)
	KMOVQ(arg(packMask), reg.K1)
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	row := []Mem{{Base: src}, {Base: src, Index: ld, Scale: 1}, {Base: src, Index: ld, Scale: 2}, {Base: src, Index: ld3, Scale: 1}}
	x, sum := gen.AVX512.Reg, gen.AVX512.Reg[0]
	step := f.step()
	// take adds row r, each element in the place of its dword that it has.
	take := func(r int) {
		if f.stored == 2 {
			VPMOVZXWD_Z(row[r], reg.K1, x[r])
		} else {
			VPMOVZXBD_Z(row[r], reg.K1, x[r])
		}
		if r > 0 {
			VPSLLD(U8(8*f.stored*r), x[r], x[r])
			VPORD(x[r], sum, sum)
		}
	}
	Label("step")
	MOVQ(U32(tileRows), n)
	Label("line")
	CMPQ(left, U8(uint8(step)))
	JB(LabelRef("rest"))
	for r := range step {
		take(r)
	}
	LEAQ(Mem{Base: src, Index: ld, Scale: uint8(step)}, src)
	SUBQ(U8(uint8(step)), left)
	Label("store")
	VMOVDQU64(sum, Mem{Base: dst})
	ADDQ(U8(rowBytes), dst)
	DECQ(n)
	JNZ(LabelRef("line"))
	ADDQ(stride, dst)
	TESTQ(left, left)
	JNZ(LabelRef("step"))
	VZEROUPPER()
	RET()
	// Fewer rows than neighbours, perhaps none.
	Label("rest")
	VPXORD(sum, sum, sum)
	for r := range step - 1 {
		CMPQ(left, U8(uint8(r)))
		JE(LabelRef("taken"))
		take(r)
	}
	Label("taken")
	XORQ(left, left)
	JMP(LabelRef("store"))
	return name
}
