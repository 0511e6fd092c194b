package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// Halves of two vectors of four 128-bit lanes, for VSHUFF32X4 and VSHUFF64X2.
const (
	lowLanes  = 0x44 // lanes 0, 1 of both
	highLanes = 0xee // lanes 2, 3
	evenLanes = 0x88 // lanes 0, 2
	oddLanes  = 0xdd // lanes 1, 3
)

// turn16 transposes 16 rows of 16 fp32.
func turn16(f family) []column {
	z := f.Reg
	gen.Quads(z[:16], z[16:32], z[:16])
	for c := range 4 {
		even, odd := z[16+c], z[20+c] // lanes 0, 2 of rows 0 .. 7; lanes 1, 3
		VSHUFF32X4(U8(evenLanes), z[4+c], z[c], even)
		VSHUFF32X4(U8(oddLanes), z[4+c], z[c], odd)
		VSHUFF32X4(U8(evenLanes), z[12+c], z[8+c], z[24+c]) // of rows 8 .. 15
		VSHUFF32X4(U8(oddLanes), z[12+c], z[8+c], z[28+c])
	}
	for c := range 4 {
		VSHUFF32X4(U8(evenLanes), z[24+c], z[16+c], z[c])
		VSHUFF32X4(U8(oddLanes), z[24+c], z[16+c], z[8+c])
		VSHUFF32X4(U8(evenLanes), z[28+c], z[20+c], z[4+c])
		VSHUFF32X4(U8(oddLanes), z[28+c], z[20+c], z[12+c])
	}
	return whole(f, z[:16]...)
}

// turnA8 transposes 8 rows of 16 fp32 into 16 columns of 8, of which a register holds two.
func turnA8(f family) []column {
	z := f.Reg
	gen.Quads(z[:8], z[8:16], z[16:24])
	// z[16+4h+c] holds, in lane q, column 4q+c of rows 4h .. 4h+3.
	var all [8]column // columns 4q+c and 4q+c+1 are number 2q + c/2
	for c := 0; c < 4; c += 2 {
		t, out := z[24:28], z[2*c:2*c+4]
		first, second := [2]reg.VecPhysical{z[16+c], z[20+c]}, [2]reg.VecPhysical{z[17+c], z[21+c]}
		VSHUFF32X4(U8(lowLanes), first[1], first[0], t[0])
		VSHUFF32X4(U8(highLanes), first[1], first[0], t[1])
		VSHUFF32X4(U8(lowLanes), second[1], second[0], t[2])
		VSHUFF32X4(U8(highLanes), second[1], second[0], t[3])
		for q := range 4 {
			lanes := []uint64{evenLanes, oddLanes}[q%2]
			x := out[q]
			VSHUFF32X4(Imm(lanes), t[2+q/2], t[q/2], x)
			all[2*q+c/2] = column{
				put: func(m Mem) { VMOVUPS(x, m) },
				one: func(m Mem) { VMOVUPS(x.AsY(), m) },
				rest: func(m Mem) {
					VEXTRACTF32X8(U8(1), x, x.AsY())
					VMOVUPS(x.AsY(), m)
				},
			}
		}
	}
	return all[:]
}

// turn8x64 transposes 8 rows of 8 fp64.
func turn8x64(f family) []column {
	z := f.Reg
	for i := range 4 {
		VUNPCKLPD(z[2*i+1], z[2*i], z[8+i])  // in lane q, column 2q of rows 2i, 2i+1
		VUNPCKHPD(z[2*i+1], z[2*i], z[12+i]) // column 2q+1
	}
	var all [8]reg.VecPhysical
	for odd := range 2 {
		in, t := z[8+4*odd:], z[16+4*odd:]
		VSHUFF64X2(U8(lowLanes), in[1], in[0], t[0])
		VSHUFF64X2(U8(highLanes), in[1], in[0], t[1])
		VSHUFF64X2(U8(lowLanes), in[3], in[2], t[2])
		VSHUFF64X2(U8(highLanes), in[3], in[2], t[3])
		for q := range 4 {
			x := z[2*q+odd]
			VSHUFF64X2(Imm([]uint64{evenLanes, oddLanes}[q%2]), t[2+q/2], t[q/2], x)
			all[2*q+odd] = x
		}
	}
	return whole(f, all[:]...)
}
