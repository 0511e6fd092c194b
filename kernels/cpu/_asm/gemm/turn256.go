package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// Which 128-bit lanes VPERM2F128 takes of two vectors.
const (
	bothLow  = 0x20
	bothHigh = 0x31
)

// turn8x32 transposes 8 rows of 8 fp32.
func turn8x32(f family) []column {
	y := f.Reg
	gen.Quads(y[:8], y[8:16], y[:8])
	// y[4h+c] holds, in lane q, column 4q+c of rows 4h .. 4h+3.
	for c := range 4 {
		VPERM2F128(U8(bothLow), y[4+c], y[c], y[8+c])
		VPERM2F128(U8(bothHigh), y[4+c], y[c], y[12+c])
	}
	return whole(f, y[8:16]...)
}

// turn4 transposes 4 rows of 4 fp64.
func turn4(f family) []column {
	y := f.Reg
	for i := range 2 {
		VUNPCKLPD(y[2*i+1], y[2*i], y[4+i]) // columns 0 and 2
		VUNPCKHPD(y[2*i+1], y[2*i], y[6+i]) // columns 1 and 3
	}
	for c := range 2 {
		VPERM2F128(U8(bothLow), y[5+2*c], y[4+2*c], y[8+c])
		VPERM2F128(U8(bothHigh), y[5+2*c], y[4+2*c], y[10+c])
	}
	return whole(f, y[8:12]...)
}

// turnA6x32 transposes 6 rows of 8 fp32 into 8 columns of 6: each is four elements and two.
func turnA6x32(f family) []column {
	y := f.Reg
	for i := range 3 {
		VUNPCKLPS(y[2*i+1], y[2*i], y[6+2*i])
		VUNPCKHPS(y[2*i+1], y[2*i], y[7+2*i])
	}
	// Columns c and 4+c of rows 0 .. 3, in the low and the high lane.
	VUNPCKLPD(y[8], y[6], y[0])
	VUNPCKHPD(y[8], y[6], y[1])
	VUNPCKLPD(y[9], y[7], y[2])
	VUNPCKHPD(y[9], y[7], y[3])
	var all []column
	for q := range 8 {
		c, high := q%4, q/4
		four, pair := y[c], y[10+c/2] // columns c and c+1 of rows 4 and 5 are a pair's
		all = append(all, column{put: func(m Mem) {
			if high == 1 && c == 0 { // the first of the high lanes: bring all of them down
				for _, x := range []reg.VecPhysical{y[0], y[1], y[2], y[3], y[10], y[11]} {
					VEXTRACTF128(U8(1), x, x.AsX())
				}
			}
			VMOVUPS(four.AsX(), m)
			if c%2 == 0 {
				VMOVLPS(pair.AsX(), m.Offset(16))
			} else {
				VMOVHPS(pair.AsX(), m.Offset(16))
			}
		}})
	}
	return all
}

// turnA6x64 transposes 6 rows of 4 fp64 into 4 columns of 6.
func turnA6x64(f family) []column {
	y := f.Reg
	VUNPCKLPD(y[5], y[4], y[12]) // columns 0 and 2 of rows 4 and 5
	VUNPCKHPD(y[5], y[4], y[13])
	for i := range 2 {
		VUNPCKLPD(y[2*i+1], y[2*i], y[6+i])
		VUNPCKHPD(y[2*i+1], y[2*i], y[8+i])
	}
	var all []column
	for q := range 4 {
		c, lanes := q%2, []uint64{bothLow, bothHigh}[q/2]
		all = append(all, column{put: func(m Mem) {
			VPERM2F128(Imm(lanes), y[7+2*c], y[6+2*c], y[10])
			VMOVUPD(y[10], m)
			if q >= 2 {
				VEXTRACTF128(U8(1), y[12+c], y[12+c].AsX())
			}
			VMOVUPD(y[12+c].AsX(), m.Offset(32))
		}})
	}
	return all
}
