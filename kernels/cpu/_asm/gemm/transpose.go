package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// packLoop is the frame of both transpositions: body loads a vector of each row and stores
// the columns at dst.
func packLoop(l loader, rows, lanes int, body func(row func(int) Mem, dst reg.Register)) {
	dst, src, ld, k := pointer("dst"), pointer("src"), integer("ld"), integer("k")
	SHLQ(U8(l.shift), ld)
	in := gen.NewRows(rows, src, ld)
	Label("loop")
	body(in.Row, dst)
	in.Advance(uint64(lanes) << l.shift)
	ADDQ(U32(4*rows*lanes), dst)
	SUBQ(U8(lanes), k)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// packA8 transposes 8 rows of 16 into 16 columns of 8.
func packA8(l loader, rows, lanes int) {
	packLoop(l, rows, lanes, func(row func(int) Mem, dst reg.Register) {
		z := gen.AVX512.Reg
		for i := range 8 {
			l.load(row(i), z[i])
		}
		// Of rows 2i and 2i+1, in each 128-bit lane: columns 0 and 1, columns 2 and 3.
		for i := range 4 {
			VUNPCKLPS(z[2*i+1], z[2*i], z[8+2*i])
			VUNPCKHPS(z[2*i+1], z[2*i], z[9+2*i])
		}
		// z[2c+h] holds, in lane q, column 4q+c of rows 4h .. 4h+3.
		for h := range 2 {
			lo, hi := z[8+4*h:], z[10+4*h:]
			for c := range 4 {
				if c%2 == 0 {
					VUNPCKLPD(hi[c/2], lo[c/2], z[2*c+h])
				} else {
					VUNPCKHPD(hi[c/2], lo[c/2], z[2*c+h])
				}
			}
		}
		// Four lanes of four registers, transposed, are columns 4q+c and 4q+c+1, one after the other.
		for c := 0; c < 4; c += 2 {
			in, t, out := z[2*c:2*c+4], z[16:20], z[20:24]
			VSHUFF32X4(U8(0x44), in[1], in[0], t[0]) // lanes 0, 1 of both
			VSHUFF32X4(U8(0xee), in[1], in[0], t[1]) // lanes 2, 3
			VSHUFF32X4(U8(0x44), in[3], in[2], t[2])
			VSHUFF32X4(U8(0xee), in[3], in[2], t[3])
			for q := range 4 {
				even := []uint8{0x88, 0xdd}[q%2] // lanes 0, 2 or 1, 3
				VSHUFF32X4(U8(even), t[2+q/2], t[q/2], out[q])
				VMOVUPS(out[q], Mem{Base: dst, Disp: 4 * 8 * (4*q + c)})
			}
		}
	})
}

// packA6 transposes 6 rows of 8 into 8 columns of 6: each is four elements and two.
func packA6(l loader, rows, lanes int) {
	packLoop(l, rows, lanes, func(row func(int) Mem, dst reg.Register) {
		y, x := gen.AVX2.Reg, []reg.VecPhysical{
			reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7,
			reg.X8, reg.X9, reg.X10, reg.X11, reg.X12, reg.X13, reg.X14, reg.X15,
		}
		for i := range 6 {
			l.load(row(i), y[i])
		}
		for i := range 3 {
			VUNPCKLPS(y[2*i+1], y[2*i], y[6+2*i])
			VUNPCKHPS(y[2*i+1], y[2*i], y[7+2*i])
		}
		// Columns c and 4+c of rows 0 .. 3, in the low and the high lane.
		VUNPCKLPD(y[8], y[6], y[0])
		VUNPCKHPD(y[8], y[6], y[1])
		VUNPCKLPD(y[9], y[7], y[2])
		VUNPCKHPD(y[9], y[7], y[3])
		for half := range 2 {
			for c := range 4 {
				at := Mem{Base: dst, Disp: 4 * 6 * (4*half + c)}
				VMOVUPS(x[c], at)
				pair := x[10+c/2] // columns c and c+1 of rows 4 and 5
				if c%2 == 0 {
					VMOVLPS(pair, at.Offset(16))
				} else {
					VMOVHPS(pair, at.Offset(16))
				}
			}
			if half == 0 {
				for _, i := range []int{0, 1, 2, 3, 10, 11} {
					VEXTRACTF128(U8(1), y[i], x[i])
				}
			}
		}
	})
}
