package ptxvm

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestConvert holds conversions to Go's and to exact arithmetic.
func TestConvert(t *testing.T) {
	type row struct{ in, want uint64 }
	bits32, bits64 := math.Float32bits, math.Float64bits
	cases := []struct {
		statement string
		to, from  int
		rows      []row
	}{
		{"cvt.u32.u16 d, a;", 32, 16, []row{{0xffff, 0xffff}}},
		{"cvt.s32.s16 d, a;", 32, 16, []row{{0x8000, 0xffff8000}}},
		{"cvt.u64.u32 d, a;", 64, 32, []row{{0xffffffff, 0xffffffff}}},
		{"cvt.s64.s32 d, a;", 64, 32, []row{{0xffffffff, ^uint64(0)}}},
		{"cvt.u32.u64 d, a;", 32, 64, []row{{0x123456789, 0x23456789}}},
		{"cvt.u16.u32 d, a;", 16, 32, []row{{0x12345678, 0x5678}}},
		{"cvt.s8.s32 d, a;", 32, 32, []row{{0x80, 0xffffff80}, {0x17f, 0x7f}}},
		{"cvt.u8.u32 d, a;", 16, 32, []row{{0x1ff, 0xff}}},
		{"cvt.sat.s8.s32 d, a;", 32, 32, []row{{300, 127}, {0xffffff00, 0xffffff80}, {5, 5}}},
		{"cvt.sat.u8.s32 d, a;", 32, 32, []row{{300, 255}, {0xffffff00, 0}}},
		{"cvt.rn.f32.s32 d, a;", 32, 32, []row{{0xffffffff, uint64(bits32(-1))}, {16777217, uint64(bits32(16777216))}}},
		{"cvt.rn.f32.u32 d, a;", 32, 32, []row{{0xffffffff, uint64(bits32(0x1p32))}}},
		{"cvt.rz.f32.u32 d, a;", 32, 32, []row{{0xffffffff, 0x4f7fffff}}},
		{"cvt.rp.f32.s32 d, a;", 32, 32, []row{{16777217, 0x4b800001}}},
		// 2^40 + 2^16 + 1 and its neighbours: ties that a bit far below decides.
		{"cvt.rn.f32.u64 d, a;", 32, 64, []row{{1<<40 + 1<<16, 0x53800000}, {1<<40 + 1<<16 + 1, 0x53800001}, {^uint64(0), 0x5f800000}, {1<<63 + 1<<39 + 1, 0x5f000001}}},
		{"cvt.rn.f32.s64 d, a;", 32, 64, []row{{-(1<<62 + 1<<38 + 1) & (1<<64 - 1), 0xde800001}, {1 << 63, 0xdf000000}}},
		{"cvt.rn.f64.s64 d, a;", 64, 64, []row{{^uint64(0), bits64(-1)}, {1<<53 + 1, bits64(1 << 53)}}},
		{"cvt.rn.f16.s32 d, a;", 16, 32, []row{{2049, 0x6800}, {2051, 0x6802}, {70000, 0x7c00}, {0xffffffff, 0xbc00}}},
		{"cvt.rni.s32.f32 d, a;", 32, 32, []row{{uint64(bits32(2.5)), 2}, {uint64(bits32(3.5)), 4}, {uint64(bits32(-2.5)), 0xfffffffe}, {uint64(bits32(3e9)), 0x7fffffff}, {0x7fc00000, 0}, {0xff800000, 0x80000000}}},
		{"cvt.rzi.u32.f32 d, a;", 32, 32, []row{{uint64(bits32(-1)), 0}, {uint64(bits32(3.99)), 3}, {uint64(bits32(5e9)), 0xffffffff}}},
		{"cvt.rmi.s32.f32 d, a;", 32, 32, []row{{uint64(bits32(-2.5)), 0xfffffffd}}},
		{"cvt.rpi.s32.f32 d, a;", 32, 32, []row{{uint64(bits32(-2.5)), 0xfffffffe}, {uint64(bits32(2.5)), 3}}},
		{"cvt.rni.s64.f32 d, a;", 64, 32, []row{{uint64(bits32(-1e10)), -10000000000 & (1<<64 - 1)}, {0x7fc00000, 1 << 63}}},
		{"cvt.rni.f32.f32 d, a;", 32, 32, []row{{uint64(bits32(2.5)), uint64(bits32(2))}}},
		{"cvt.rzi.f32.f32 d, a;", 32, 32, []row{{uint64(bits32(-2.5)), uint64(bits32(-2))}}},
		{"cvt.f64.f32 d, a;", 64, 32, []row{{1, bits64(0x1p-149)}}},
		{"cvt.rn.f32.f64 d, a;", 32, 64, []row{{bits64(1 + 0x1p-24), 0x3f800000}, {bits64(1 + 0x1p-24 + 0x1p-50), 0x3f800001}}},
		{"cvt.rz.f32.f64 d, a;", 32, 64, []row{{bits64(1 + 0x1p-23 - 0x1p-50), 0x3f800000}}},
		{"cvt.sat.f32.f32 d, a;", 32, 32, []row{{uint64(bits32(2)), uint64(bits32(1))}, {uint64(bits32(-2)), 0}, {0x7fc00000, 0}}},
		{"cvt.ftz.f32.f16 d, a;", 32, 16, []row{{1, uint64(bits32(0x1p-24))}}},
		{"cvt.f32.bf16 d, a;", 32, 16, []row{{0x3f81, 0x3f810000}}},
		{"cvt.rn.bf16.f32 d, a;", 16, 32, []row{{0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81}, {0x7fc00001, nan16}, {0x7f7fffff, 0x7f80}}},
		{"cvt.rn.f16.f32 d, a;", 16, 32, []row{{uint64(bits32(65519.99)), 0x7bff}, {uint64(bits32(65520)), 0x7c00}, {0x33000001, 1}, {0x33000000, 0}}},
		{"cvt.rz.f16.f32 d, a;", 16, 32, []row{{uint64(bits32(1.9999)), 0x3fff}, {uint64(bits32(1e6)), 0x7bff}}},
		{"cvt.rn.relu.f16.f32 d, a;", 16, 32, []row{{uint64(bits32(-3)), 0}}},
		{"cvt.rna.tf32.f32 d, a;", 32, 32, []row{{0x3f801000, 0x3f802000}, {0x3f800fff, 0x3f800000}}},
		{"cvt.rn.tf32.f32 d, a;", 32, 32, []row{{0x3f801000, 0x3f800000}, {0x3f803000, 0x3f804000}}},
	}
	for _, c := range cases {
		t.Run(c.statement, func(t *testing.T) {
			rows := make([][]uint64, len(c.rows))
			for i, r := range c.rows {
				rows[i] = []uint64{r.in}
			}
			for i, got := range lanes(t, c.statement, []int{c.to, c.from}, rows) {
				if got != c.rows[i].want {
					t.Errorf("%x: got %x, want %x", c.rows[i].in, got, c.rows[i].want)
				}
			}
		})
	}
}

// TestConvertToHalvesRoundsOnce compares cvt.rn of random fp32 and fp64 with a search for the nearest value.
func TestConvertToHalvesRoundsOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var rows [][]uint64
	for range 900 {
		v := math.Ldexp(1+rng.Float64(), rng.IntN(44)-28)
		if rng.IntN(2) == 0 { // on a tie of fp16, or one bit off it
			v = math.Ldexp(math.Trunc(math.Ldexp(1+rng.Float64(), 11))+float64(rng.IntN(3)-1)*0x1p-41, -11)
		}
		rows = append(rows, []uint64{math.Float64bits(v), uint64(math.Float32bits(float32(v)))})
	}
	half, brain := newNearest(fp16, 0x7c00), newNearest(bf16, 0x7f80)
	for i, got := range lanes(t, "cvt.rn.f16.f64 d, a;", []int{16, 64}, rows) {
		if want := half.round(big.NewFloat(math.Float64frombits(rows[i][0]))); uint32(got) != want {
			t.Errorf("fp16 of %v: got %x, want %x", math.Float64frombits(rows[i][0]), got, want)
		}
	}
	for i, got := range lanes(t, "cvt.rn.f16x2.f32 d, b, b;", []int{32, 64, 32}, rows) {
		want := half.round(big.NewFloat(float64(f32(rows[i][1]))))
		if uint32(got) != want|want<<16 {
			t.Errorf("fp16 of %v: got %x, want %x twice", f32(rows[i][1]), got, want)
		}
	}
	for i, got := range lanes(t, "cvt.rn.bf16x2.f32 d, b, 0f3F800000;", []int{32, 64, 32}, rows) {
		want := brain.round(big.NewFloat(float64(f32(rows[i][1]))))
		if uint32(got) != want<<16|0x3f80 {
			t.Errorf("bf16 of %v: got %x, want %x in the upper half", f32(rows[i][1]), got, want)
		}
	}
}

// TestMove covers packing, unpacking, immediates and predicates.
func TestMove(t *testing.T) {
	cases := []struct {
		statement string
		widths    []int
		in        []uint64
		want      uint64
	}{
		{"mov.b32 d, {a, b};", []int{32, 16, 16}, []uint64{0x1234, 0xabcd}, 0xabcd1234},
		{"mov.b64 d, {a, b};", []int{64, 32, 32}, []uint64{0x11111111, 0x22222222}, 0x2222222211111111},
		{"{ .reg .b16 u, v; mov.b32 {u, v}, a; mov.b32 d, {v, u}; }", []int{32, 32}, []uint64{0x12345678}, 0x56781234},
		{"{ .reg .b32 u; mov.b64 {_, u}, a; mov.u32 d, u; }", []int{32, 64}, []uint64{0x1234567800000000}, 0x12345678},
		{"{ .reg .b16 u, v; mov.b64 {u, v, u, v}, a; mov.b32 d, {u, v}; }", []int{32, 64}, []uint64{0x0004000300020001}, 0x00040003},
		{"mov.f32 d, 0fC0490FDB;", []int{32, 32}, []uint64{0}, 0xc0490fdb},
		{"mov.f64 d, 0d400921FB54442D18;", []int{64, 32}, []uint64{0}, 0x400921fb54442d18},
		{"mov.b16 d, 0x3C00;", []int{16, 32}, []uint64{0}, 0x3c00},
		{"mov.b32 d, -2;", []int{32, 32}, []uint64{0}, 0xfffffffe},
		{"mov.u32 d, WARP_SZ;", []int{32, 32}, []uint64{0}, 32},
		{"add.f32 d, a, 1.5;", []int{32, 32}, []uint64{0x3f800000}, 0x40200000},
		{"{ .reg .pred q; mov.pred q, 1; selp.b32 d, a, 0, q; }", []int{32, 32}, []uint64{5}, 5},
		{"cvt.pack.sat.s8.s32.b32 d, a, b, c;", []int{32, 32, 32, 32}, []uint64{300, 0xfffffff0, 0x1234}, 0x12347ff0},
	}
	for _, c := range cases {
		if got := lanes(t, c.statement, c.widths, [][]uint64{append(c.in, 0, 0, 0)}); got[0] != c.want {
			t.Errorf("%s got %x, want %x", c.statement, got[0], c.want)
		}
	}
}
