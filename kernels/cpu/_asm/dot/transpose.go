package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// loadRows reads a vector's worth of each row, at the same offset of all.
func (f family) loadRows(x []reg.VecPhysical, offset reg.GPPhysical) {
	for i := range x {
		MOVQ(gen.Field(packRows+8*i), reg.RAX)
		f.load(Mem{Base: reg.RAX, Index: offset, Scale: 1}, x[i])
	}
}

// loaded is how many bytes load reads of a row.
func (f family) loaded() uint64 { return uint64(f.lanes() * f.step * f.stored) }

// packA emits the transposition of f.rows rows, step elements of a row being one:
//
//	for s := range count * lanes {
//		for i := range f.rows {
//			for r := range step {
//				dst[s][i][r] = rows[i][s*step+r]
//			}
//		}
//	}
func (f family) packA(constants) string {
	name := f.routine("PackA")
	gen.Routine(name, name+" packs columns of A.")
	dst, count, offset := reg.RCX, reg.R9, reg.R10
	MOVQ(gen.Field(packDst), dst)
	MOVQ(gen.Field(packCount), count)
	XORQ(offset, offset)
	if f.biased {
		f.setBias()
	}
	gen.Align(32)
	Label("loop")
	in := f.Reg[:f.rows]
	f.loadRows(in, offset)
	if f.biased {
		for _, x := range in {
			f.exclusiveOr(f.bias(), x)
		}
	}
	if f.rows == 8 {
		out := f.Reg[16:24]
		gen.Transpose8x16(in, f.Reg[8:16], out)
		for i, x := range out {
			VMOVUPS(x, Mem{Base: dst, Disp: i * f.Bytes})
		}
	} else {
		gen.Transpose6x8(in, f.Reg[6:12], Mem{Base: dst})
	}
	ADDQ(U32(f.loaded()), offset)
	ADDQ(U32(f.rows*f.Bytes), dst)
	DECQ(count)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
	return name
}

// packBT emits the transposition of as many columns of B as a vector has lanes; columns of B are rows as
// they are stored:
//
//	for s := range count * lanes {
//		for j := range lanes {
//			for r := range step {
//				dst[s*stride][j][r] = rows[j][s*step+r]
//			}
//		}
//	}
func (f family) packBT(constants) string {
	name := f.routine("PackBT")
	gen.Routine(name, name+" packs a vector's worth of columns of B from its transpose.")
	dst, stride, count, offset, sums := reg.RCX, reg.R8, reg.R9, reg.R10, reg.R11
	MOVQ(gen.Field(packDst), dst)
	MOVQ(gen.Field(packStride), stride)
	MOVQ(gen.Field(packCount), count)
	MOVQ(gen.Field(packSums), sums)
	XORQ(offset, offset)
	gen.Align(32)
	Label("loop")
	lanes := f.lanes()
	in, t := f.Reg[:lanes], f.Reg[lanes:]
	f.loadRows(in, offset)
	transpose := gen.Transpose16x16
	// Registers of the rows that the last stage of the transposition leaves alone.
	bias, sum := in[lanes-1], in[lanes-2:lanes-1]
	if f.Bytes == 32 {
		transpose = gen.Transpose8x8
		bias, sum = t[lanes-1], t[lanes-2:lanes-1]
	}
	transpose(in, t, func(column int, x reg.VecPhysical) {
		VMOVUPS(x, Mem{Base: dst})
		ADDQ(stride, dst)
		if !f.biased {
			return
		}
		if column == 0 {
			MOVL(U32(0x80808080), reg.EAX)
			VMOVD(reg.EAX, gen.X(bias))
			VPBROADCASTD(gen.X(bias), bias)
			VMOVUPS(Mem{Base: sums}, sum[0])
		}
		f.dot(x, bias, sum[0], nil)
		if column == lanes-1 {
			VMOVUPS(sum[0], Mem{Base: sums})
		}
	})
	ADDQ(U32(f.loaded()), offset)
	DECQ(count)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
	return name
}
