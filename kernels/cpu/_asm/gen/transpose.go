package gen

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// unpackDwords makes of rows 2i and 2i+1 of in, in each 128-bit lane, columns 0 and 1 of both in t[2i], 2 and 3 in t[2i+1].
func unpackDwords(in, t []reg.VecPhysical) {
	for i := 0; i < len(in); i += 2 {
		build.VUNPCKLPS(in[i+1], in[i], t[i])
		build.VUNPCKHPS(in[i+1], in[i], t[i+1])
	}
}

// unpackQwords goes on from unpackDwords: out[4h+c] holds, in lane q, column 4q+c of rows 4h .. 4h+3.
func unpackQwords(t, out []reg.VecPhysical) {
	for h := 0; h+4 <= len(t); h += 4 {
		for half := range 2 {
			build.VUNPCKLPD(t[h+2+half], t[h+half], out[h+2*half])
			build.VUNPCKHPD(t[h+2+half], t[h+half], out[h+2*half+1])
		}
	}
}

// Quads turns groups of four rows of dwords, by 128-bit lanes: out[4g+c] holds, in lane q, column 4q+c of rows 4g ..
// 4g+3. t has as many registers as in, apart from both; out may be in.
func Quads(in, t, out []reg.VecPhysical) {
	unpackDwords(in, t)
	unpackQwords(t, out)
}

// Lanes of two registers that VSHUFF32X4 takes, two of each.
const (
	lanes01 = 0x44
	lanes23 = 0xee
	lanes02 = 0x88
	lanes13 = 0xdd
)

// Transpose8x16 transposes in, 8 rows of 16 dwords. out[i] holds columns 2i and 2i+1, one after the other; t
// has 8 registers apart from both.
func Transpose8x16(in, t, out []reg.VecPhysical) {
	Quads(in, t, in)
	for c := 0; c < 4; c += 2 {
		lo0, hi0, lo1, hi1 := in[c], in[4+c], in[c+1], in[4+c+1]
		build.VSHUFF32X4(operand.U8(lanes01), hi0, lo0, t[0])
		build.VSHUFF32X4(operand.U8(lanes23), hi0, lo0, t[1])
		build.VSHUFF32X4(operand.U8(lanes01), hi1, lo1, t[2])
		build.VSHUFF32X4(operand.U8(lanes23), hi1, lo1, t[3])
		for q := range 4 {
			even := []uint8{lanes02, lanes13}[q%2]
			build.VSHUFF32X4(operand.U8(even), t[2+q/2], t[q/2], out[2*q+c/2])
		}
	}
}

// Transpose16x16 transposes in, 16 rows of 16 dwords, and hands the columns, in order, to store; each is in a
// register that is free afterwards. t has 16 registers apart from in.
func Transpose16x16(in, t []reg.VecPhysical, store func(column int, x reg.VecPhysical)) {
	Quads(in, t, in)
	// in[4h+c]: lane q is column 4q+c of rows 4h .. 4h+3.
	for c := range 4 {
		build.VSHUFF32X4(operand.U8(lanes02), in[4+c], in[c], t[c])
		build.VSHUFF32X4(operand.U8(lanes13), in[4+c], in[c], t[4+c])
		build.VSHUFF32X4(operand.U8(lanes02), in[12+c], in[8+c], t[8+c])
		build.VSHUFF32X4(operand.U8(lanes13), in[12+c], in[8+c], t[12+c])
	}
	for q := range 4 {
		for c := range 4 {
			x := in[c]
			build.VSHUFF32X4(operand.U8([]uint8{lanes02, lanes13}[q/2]), t[8+q%2*4+c], t[q%2*4+c], x)
			store(4*q+c, x)
		}
	}
}

// Transpose8x8 transposes in, 8 rows of 8 dwords, and hands the columns, in order, to store; each is in a
// register that is free afterwards. t has 8 registers apart from in.
func Transpose8x8(in, t []reg.VecPhysical, store func(column int, x reg.VecPhysical)) {
	Quads(in, t, in)
	for q := range 2 {
		for c := range 4 {
			lanes := []uint8{0x20, 0x31}[q]
			build.VPERM2F128(operand.U8(lanes), in[4+c], in[c], t[c])
			store(4*q+c, t[c])
		}
	}
}

// Transpose6x8 transposes in, 6 rows of 8 dwords, to dst, 24 bytes a column. t has 6 registers apart from in.
func Transpose6x8(in, t []reg.VecPhysical, dst operand.Mem) {
	unpackDwords(in, t)
	unpackQwords(t[:4], in)
	// in[c]: lane q is column 4q+c of rows 0 .. 3; t[4+c/2] columns 4q+c and 4q+c+1 of rows 4 and 5.
	used := []reg.VecPhysical{in[0], in[1], in[2], in[3], t[4], t[5]}
	for q := range 2 {
		for c := range 4 {
			at := dst.Offset(24 * (4*q + c))
			build.VMOVUPS(X(used[c]), at)
			if c%2 == 0 {
				build.VMOVLPS(X(used[4+c/2]), at.Offset(16))
			} else {
				build.VMOVHPS(X(used[4+c/2]), at.Offset(16))
			}
		}
		if q == 0 {
			for _, x := range used {
				build.VEXTRACTF128(operand.U8(1), x, X(x))
			}
		}
	}
}

// X is the lower 16 bytes of a vector register.
func X(r reg.VecPhysical) reg.VecPhysical { return r.AsX().(reg.VecPhysical) }

// Y is the lower 32 bytes.
func Y(r reg.VecPhysical) reg.VecPhysical { return r.AsY().(reg.VecPhysical) }
