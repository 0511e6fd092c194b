package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// Offsets in package cpu's dotPackArgs.
const (
	packDst = 8 * iota
	packSrc
	packLD     // bytes between rows of src
	packStride // bytes between steps in dst, of packBT; between panels, of packATWide
	packCount  // steps, or of the transpositions vectors of each row, at least 1
	packMask   // columns of the last vector, of the ragged packB
	packSums   // where 128·Σb is added up, of families that bias A
	packRows   // 16 of them, of the transpositions
)

// constants are those of a family.
type constants struct {
	name string
	// Interleaving: of words, 16 and 16; of bytes, 4 times 16, first by dwords and then within a lane.
	words, dwords, bytes  Mem
	lowPanels, highPanels Mem // of packATWide
	bits                  Mem // 1, 2, 4, ... in 8 lanes
}

func newConstants(f family) constants {
	table := func(name string, bytes int, n int, value func(i int) uint32) Mem {
		m := GLOBL(f.routine(name), 8|16) // RODATA|NOPTR
		for i := range n {
			switch bytes {
			case 1:
				DATA(i, U8(uint8(value(i))))
			case 2:
				DATA(2*i, U16(uint16(value(i))))
			case 4:
				DATA(4*i, U32(value(i)))
			default:
				DATA(8*i, U64(value(i)))
			}
		}
		return m
	}
	var c constants
	switch {
	case f.wide() && f.step == 2: // words of two rows, 16 columns from the first on
		c.lowPanels = table("LowPanels", 2, 32, func(i int) uint32 { return uint32(i%2*32 + i/2) })
		c.highPanels = table("HighPanels", 2, 32, func(i int) uint32 { return uint32(i%2*32 + i/2 + 16) })
	case f.wide(): // quadwords of two vectors, two and two of each
		c.lowPanels = table("LowPanels", 8, 8, func(i int) uint32 { return uint32(i/2%2*8 + i/4*2 + i%2) })
		c.highPanels = table("HighPanels", 8, 8, func(i int) uint32 { return uint32(i/2%2*8 + i/4*2 + i%2 + 4) })
	}
	switch {
	case f.Bytes == 64 && f.step == 2:
		c.words = table("Words", 2, 32, func(i int) uint32 { return uint32(i%2*16 + i/2) })
	case f.Bytes == 64:
		c.dwords = table("Dwords", 4, 16, func(i int) uint32 { return uint32(i%4*4 + i/4) })
		c.bytes = table("Bytes", 1, 64, func(i int) uint32 { return uint32(i%4*4 + i%16/4) })
	default:
		c.bits = table("Bits", 4, 8, func(i int) uint32 { return 1 << i })
	}
	return c
}

// The vectors that stay through a packing loop: where they are, and what they hold.
var (
	order      = gen.AVX512.Reg[31]
	orderBytes = gen.AVX512.Reg[30]
)

// bias is a vector of bytes 128: added to signed bytes (an exclusive or) it makes unsigned ones of them, and VPDPBUSD
// multiplies by it to add up 128·b.
func (f family) bias() reg.VecPhysical { return f.Reg[len(f.Reg)-4] }

// sums are the registers of 128·b, of up to 3 vectors.
func (f family) sums(vecs int) []reg.VecPhysical { return f.Reg[len(f.Reg)-4-vecs : len(f.Reg)-4] }

// setBias loads it, by way of EAX.
func (f family) setBias() {
	MOVL(U32(0x80808080), reg.EAX)
	if f.Bytes == 64 {
		VPBROADCASTD(reg.EAX, f.bias())
		return
	}
	VMOVD(reg.EAX, gen.X(f.bias()))
	VPBROADCASTD(gen.X(f.bias()), f.bias())
}

func (f family) exclusiveOr(x, y reg.VecPhysical) {
	if f.Bytes == 64 {
		VPXORD(x, y, y)
		return
	}
	VPXOR(x, y, y)
}

// packB emits the interleaving of step rows of B at a time; columns are vecs vectors, the last of which is
// cut by the mask if ragged:
//
//	for s := range count {
//		for j := range columns {
//			for r := range step {
//				dst[s][j][r] = src[s*step+r][j]
//			}
//		}
//	}
func (f family) packB(c constants, vecs int, ragged bool) string {
	name := f.routine(fmt.Sprintf("PackB%d", vecs))
	if ragged {
		name += "ragged"
	}
	gen.Routine(name, fmt.Sprintf("%s packs rows of up to %d columns of B.", name, vecs*f.lanes()))
	dst, src, ld, count, mask, ahead := reg.RCX, reg.RSI, reg.R8, reg.R9, reg.RAX, reg.R10
	ld3 := reg.R11
	MOVQ(gen.Field(packDst), dst)
	MOVQ(gen.Field(packSrc), src)
	MOVQ(gen.Field(packLD), ld)
	MOVQ(gen.Field(packCount), count)
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	if ragged {
		MOVQ(gen.Field(packMask), mask)
		KMOVQ(mask, reg.K1)
	}
	f.prepare(c)
	sums := f.sums(vecs)
	f.loadSums(sums)
	// Rows are far apart: no hardware prefetcher follows them.
	LEAQ(Mem{Base: src, Index: ld, Scale: 8}, ahead)
	rows := func(base reg.GPPhysical, at int) func(r int) Mem {
		return func(r int) Mem {
			return []Mem{
				{Base: base, Disp: at},
				{Base: base, Index: ld, Scale: 1, Disp: at},
				{Base: base, Index: ld, Scale: 2, Disp: at},
				{Base: base, Index: ld3, Scale: 1, Disp: at},
			}[r]
		}
	}
	gen.Align(32)
	Label("loop")
	for r := range f.step {
		for at := 0; at < vecs*f.lanes()*f.stored; at += 64 {
			PREFETCHT0(rows(ahead, at)(r))
		}
	}
	for j := range vecs {
		x := f.Reg[2*j]
		f.loadB(c, rows(src, j*f.lanes()*f.stored), x, ragged && j == vecs-1)
		VMOVUPS(x, Mem{Base: dst, Disp: j * f.Bytes})
		if f.biased {
			f.dot(x, f.bias(), sums[j], nil)
		}
	}
	LEAQ(Mem{Base: src, Index: ld, Scale: uint8(f.step)}, src)
	LEAQ(Mem{Base: ahead, Index: ld, Scale: uint8(f.step)}, ahead)
	ADDQ(U32(vecs*f.Bytes), dst)
	DECQ(count)
	JNZ(LabelRef("loop"))
	f.storeSums(sums)
	VZEROUPPER()
	RET()
	return name
}

// prepare loads the constants of loadB.
func (f family) prepare(c constants) {
	switch {
	case f.Bytes == 64 && f.step == 2:
		VMOVDQU16(c.words, order)
	case f.Bytes == 64:
		VMOVDQU32(c.dwords, order)
		VMOVDQU8(c.bytes, orderBytes)
	}
	if f.biased {
		f.setBias()
	}
}

func (f family) loadSums(sums []reg.VecPhysical) {
	if f.biased {
		MOVQ(gen.Field(packSums), reg.RAX)
		for j, x := range sums {
			VMOVUPS(Mem{Base: reg.RAX, Disp: j * f.Bytes}, x)
		}
	}
}

func (f family) storeSums(sums []reg.VecPhysical) {
	if f.biased {
		MOVQ(gen.Field(packSums), reg.RAX)
		for j, x := range sums {
			VMOVUPS(x, Mem{Base: reg.RAX, Disp: j * f.Bytes})
		}
	}
}

// words512 interleaves 16 words of 2 rows.
func words512(_ constants, row func(int) Mem, x reg.VecPhysical, ragged bool) {
	if ragged {
		t := gen.AVX512.Reg[29]
		VMOVDQU16_Z(row(0), reg.K1, gen.Y(x))
		VMOVDQU16_Z(row(1), reg.K1, gen.Y(t))
		VINSERTI64X4(U8(1), gen.Y(t), x, x)
	} else {
		VMOVDQU16(row(0), gen.Y(x))
		VINSERTI64X4(U8(1), row(1), x, x)
	}
	VPERMW(x, order, x)
}

// widened512 interleaves 16 bytes of 2 rows as words.
func widened512(_ constants, row func(int) Mem, x reg.VecPhysical, ragged bool) {
	if ragged {
		t := gen.AVX512.Reg[29]
		VMOVDQU8_Z(row(0), reg.K1, gen.X(x))
		VMOVDQU8_Z(row(1), reg.K1, gen.X(t))
		VINSERTI32X4(U8(1), gen.X(t), gen.Y(x), gen.Y(x))
	} else {
		VMOVDQU8(row(0), gen.X(x))
		VINSERTI128(U8(1), row(1), gen.Y(x), gen.Y(x))
	}
	VPMOVSXBW(gen.Y(x), x)
	VPERMW(x, order, x)
}

// bytes512 interleaves 16 bytes of 4 rows: what are dword q of lane r and byte r' of dword j become
// dword r of lane q and byte j of dword r'.
func bytes512(_ constants, row func(int) Mem, x reg.VecPhysical, ragged bool) {
	if ragged {
		t := gen.AVX512.Reg[29]
		VMOVDQU8_Z(row(0), reg.K1, gen.X(x))
		for r := 1; r < 4; r++ {
			VMOVDQU8_Z(row(r), reg.K1, gen.X(t))
			VINSERTI32X4(U8(uint8(r)), gen.X(t), x, x)
		}
	} else {
		VMOVDQU8(row(0), gen.X(x))
		for r := 1; r < 4; r++ {
			VINSERTI32X4(U8(uint8(r)), row(r), x, x)
		}
	}
	VPERMD(x, order, x)
	VPSHUFB(orderBytes, x, x)
}

// widened256 interleaves 8 bytes of 2 rows as words.
func widened256(_ constants, row func(int) Mem, x reg.VecPhysical, _ bool) {
	t := gen.X(gen.AVX2.Reg[12])
	VMOVQ(row(0), gen.X(x))
	VMOVQ(row(1), t)
	VPUNPCKLBW(t, gen.X(x), gen.X(x))
	VPMOVSXBW(gen.X(x), x)
}

// bytes256 interleaves 8 bytes of 4 rows.
func bytes256(_ constants, row func(int) Mem, x reg.VecPhysical, _ bool) {
	even, odd := gen.X(x), gen.X(gen.AVX2.Reg[9])
	t := gen.X(gen.AVX2.Reg[8])
	VMOVQ(row(0), even)
	VMOVQ(row(1), t)
	VPUNPCKLBW(t, even, even) // bytes of rows 0 and 1
	VMOVQ(row(2), odd)
	VMOVQ(row(3), t)
	VPUNPCKLBW(t, odd, odd)
	VPUNPCKHWD(odd, even, t)
	VPUNPCKLWD(odd, even, even)
	VINSERTI128(U8(1), t, x, x)
}

// packAT emits the interleaving of step rows of A stored transposed, f.rows elements of each:
//
//	for s := range count {
//		for i := range f.rows {
//			for r := range step {
//				dst[s][i][r] = src[s*step+r][i]
//			}
//		}
//	}
func (f family) packAT(constants) string {
	name := f.routine("PackAT")
	gen.Routine(name, name+" packs columns of A from its transpose.")
	dst, src, ld, count, ld3 := reg.RCX, reg.RSI, reg.R8, reg.R9, reg.R11
	MOVQ(gen.Field(packDst), dst)
	MOVQ(gen.Field(packSrc), src)
	MOVQ(gen.Field(packLD), ld)
	MOVQ(gen.Field(packCount), count)
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	if f.biased {
		f.setBias()
	}
	row := []Mem{{Base: src}, {Base: src, Index: ld, Scale: 1}, {Base: src, Index: ld, Scale: 2}, {Base: src, Index: ld3, Scale: 1}}
	x := make([]reg.VecPhysical, 4)
	for r := range x {
		x[r] = gen.X(f.Reg[r])
	}
	lo, hi := gen.X(f.Reg[4]), gen.X(f.Reg[5])
	Label("loop")
	for r := range f.step {
		switch {
		case f.stored == 2: // 8 words
			VMOVUPS(row[r], x[r])
		case f.rows == 8: // 8 bytes
			VMOVQ(row[r], x[r])
		default: // 6 bytes
			VMOVD(row[r], x[r])
			VPINSRW(U8(2), row[r].Offset(4), x[r], x[r])
		}
	}
	switch {
	case f.stored == 2:
		VPUNPCKLWD(x[1], x[0], lo)
		VPUNPCKHWD(x[1], x[0], hi)
	case f.step == 4:
		VPUNPCKLBW(x[1], x[0], x[0])
		VPUNPCKLBW(x[3], x[2], x[2])
		VPUNPCKLWD(x[2], x[0], lo)
		VPUNPCKHWD(x[2], x[0], hi)
		f.exclusiveOr(gen.X(f.bias()), lo)
		f.exclusiveOr(gen.X(f.bias()), hi)
	default:
		VPUNPCKLBW(x[1], x[0], x[0])
		VPMOVSXBW(x[0], lo)
		VPSRLDQ(U8(8), x[0], x[0])
		VPMOVSXBW(x[0], hi)
	}
	VMOVUPS(lo, Mem{Base: dst})
	if f.rows == 8 {
		VMOVUPS(hi, Mem{Base: dst, Disp: 16})
	} else {
		VMOVLPS(hi, Mem{Base: dst, Disp: 16})
	}
	LEAQ(Mem{Base: src, Index: ld, Scale: uint8(f.step)}, src)
	ADDQ(U8(uint8(4*f.rows)), dst)
	DECQ(count)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
	return name
}
