package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// wide reports whether f has a packATWide: rows are packed as they are stored, on AVX-512.
func (f family) wide() bool { return f.Bytes == 64 && f.step*f.stored == 4 }

// packATWide emits packAT for as many panels as a cache line of a row has: each line is read once.
//
//	for s := range count {
//		for panel := range 64 / stored / rows {
//			for i := range rows {
//				for r := range step {
//					dst[panel*stride + s*rows*4][i][r] = src[s*step+r][panel*rows+i]
//				}
//			}
//		}
//	}
func (f family) packATWide(c constants) string {
	name := f.routine("PackATWide")
	gen.Routine(name, name+" packs columns of A from its transpose, several panels at once.")
	dst, src, ld, count, ld3 := reg.RCX, reg.RSI, reg.R8, reg.R9, reg.R11
	stride, stride3, later := reg.RDX, reg.R10, reg.RBX
	MOVQ(gen.Field(packDst), dst)
	MOVQ(gen.Field(packSrc), src)
	MOVQ(gen.Field(packLD), ld)
	MOVQ(gen.Field(packStride), stride)
	MOVQ(gen.Field(packCount), count)
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride3)
	LEAQ(Mem{Base: dst, Index: stride, Scale: 4}, later)
	row := []Mem{{Base: src}, {Base: src, Index: ld, Scale: 1}, {Base: src, Index: ld, Scale: 2}, {Base: src, Index: ld3, Scale: 1}}
	var panels []Mem
	for _, base := range []reg.GPPhysical{dst, later} {
		panels = append(panels, Mem{Base: base}, Mem{Base: base, Index: stride, Scale: 1}, Mem{Base: base, Index: stride, Scale: 2}, Mem{Base: base, Index: stride3, Scale: 1})
	}
	low, high := gen.AVX512.Reg[31], gen.AVX512.Reg[30]
	VMOVDQU64(c.lowPanels, low)
	VMOVDQU64(c.highPanels, high)
	if f.biased {
		f.setBias()
	}
	gen.Align(32)
	Label("loop")
	z := f.Reg
	for r := range f.step {
		VMOVDQU64(row[r], z[r])
	}
	if f.step == 2 {
		VMOVDQA64(z[0], z[2])
		VPERMT2W(z[1], low, z[0])
		VPERMT2W(z[1], high, z[2])
		f.storePanels(z[0], panels[0], panels[1])
		f.storePanels(z[2], panels[2], panels[3])
	} else {
		for half := range 2 {
			// In lane q, columns 16q + 8·half on, four and four.
			pairs, four, next := z[4+2*half:6+2*half], z[8+3*half], z[9+3*half]
			for i := range pairs {
				if half == 0 {
					VPUNPCKLBW(z[2*i+1], z[2*i], pairs[i])
				} else {
					VPUNPCKHBW(z[2*i+1], z[2*i], pairs[i])
				}
			}
			VPUNPCKLWD(pairs[1], pairs[0], four)
			VPUNPCKHWD(pairs[1], pairs[0], next)
			f.exclusiveOr(f.bias(), four)
			f.exclusiveOr(f.bias(), next)
			both := z[10+3*half]
			VMOVDQA64(four, both)
			VPERMT2Q(next, low, four)
			VPERMT2Q(next, high, both)
			f.storePanels(four, panels[half], panels[2+half])
			f.storePanels(both, panels[4+half], panels[6+half])
		}
	}
	LEAQ(Mem{Base: src, Index: ld, Scale: uint8(f.step)}, src)
	ADDQ(U8(uint8(4*f.rows)), dst)
	ADDQ(U8(uint8(4*f.rows)), later)
	DECQ(count)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
	return name
}

// storePanels stores one step of two panels.
func (f family) storePanels(x reg.VecPhysical, first, second Mem) {
	VMOVDQU64(gen.Y(x), first)
	VEXTRACTI64X4(U8(1), x, second)
}
