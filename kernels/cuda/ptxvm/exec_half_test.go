package ptxvm

import (
	"math"
	"testing"
)

// TestHalfForms covers what fp16 and bf16 instructions have beside a plain sum: packed values, modifiers, functions.
func TestHalfForms(t *testing.T) {
	const one, two, half, nan, tiny = 0x3c00, 0x4000, 0x3800, 0x7e00, 0x0001
	pack := func(low, high uint64) uint64 { return low | high<<16 }
	cases := []struct {
		statement string
		width     int
		in        []uint64
		want      uint64
	}{
		{"add.f16x2 d, a, b;", 32, []uint64{pack(one, two), pack(one, half)}, pack(two, 0x4100)},
		{"sub.rn.f16x2 d, a, b;", 32, []uint64{pack(one, two), pack(half, half)}, pack(half, 0x3e00)},
		{"mul.ftz.f16x2 d, a, b;", 32, []uint64{pack(tiny, two), pack(one, two)}, pack(0, 0x4400)},
		{"add.sat.f16 d, a, b;", 16, []uint64{one, one}, one},
		{"fma.rn.sat.f16 d, a, b, c;", 16, []uint64{one, two, half}, one},
		{"fma.rn.ftz.f16 d, a, b, c;", 16, []uint64{tiny, one, 0}, 0},
		{"fma.rn.relu.bf16 d, a, b, c;", 16, []uint64{0xbf80, 0x3f80, 0}, 0},
		{"min.f16 d, a, b;", 16, []uint64{nan, one}, one},
		{"min.NaN.f16 d, a, b;", 16, []uint64{nan, one}, nan16},
		{"max.f16x2 d, a, b;", 32, []uint64{pack(0x8000, nan), pack(0, half)}, pack(0, half)},
		{"max.bf16 d, a, b;", 16, []uint64{0x3f80, 0xc000}, 0x3f80},
		{"neg.f16x2 d, a;", 32, []uint64{pack(one, 0x8000)}, pack(0xbc00, 0)},
		{"abs.bf16 d, a;", 16, []uint64{0xbf80}, 0x3f80},
		{"ex2.approx.f16x2 d, a;", 32, []uint64{pack(one, two)}, pack(two, 0x4400)},
		{"tanh.approx.f16 d, a;", 16, []uint64{0x7c00}, one},
		{"tanh.approx.bf16x2 d, a;", 32, []uint64{pack(0, 0xff80)}, pack(0, 0xbf80)},
		{"setp.gt.bf16 %p1, a, b; selp.b16 d, a, b, %p1;", 16, []uint64{0x3f80, 0xc000}, 0x3f80},
		{"setp.lt.ftz.f16 %p1, a, b; selp.b16 d, a, b, %p1;", 16, []uint64{0, tiny}, tiny},
		{"cvt.f64.f16 %d1, a; cvt.rn.f16.f64 d, %d1;", 16, []uint64{tiny}, tiny},
	}
	for _, c := range cases {
		got := lanes(t, c.statement, []int{c.width, c.width, c.width, c.width}, [][]uint64{append(c.in, 0, 0, 0)})
		if got[0] != c.want {
			t.Errorf("%s of %x: got %x, want %x", c.statement, c.in, got[0], c.want)
		}
	}
}

// TestFunctionsAtTheirEdges covers what an approximation must not blur.
func TestFunctionsAtTheirEdges(t *testing.T) {
	inf := math.Inf(1)
	bits := func(v float64) uint64 { return uint64(math.Float32bits(float32(v))) }
	cases := []struct {
		op      string
		in, out float64
	}{
		{"rcp.rn", 0, inf},
		{"rcp.approx", -inf, math.Copysign(0, -1)},
		{"rsqrt.approx", 4, 0.5},
		{"rsqrt.approx", 0, inf},
		{"ex2.approx", -inf, 0},
		{"ex2.approx", 10, 1024},
		{"ex2.approx", -149, 0x1p-149},
		{"ex2.approx.ftz", -149, 0},
		{"ex2.approx", 129, inf},
		{"lg2.approx", 8, 3},
		{"lg2.approx", 0, -inf},
		{"lg2.approx", -1, math.NaN()},
		{"sin.approx", 0, 0},
		{"cos.approx", 0, 1},
		{"tanh.approx", 100, 1},
		{"sqrt.approx", 9, 3},
	}
	for _, c := range cases {
		if got := lanes(t, c.op+".f32 d, a;", []int{32, 32}, [][]uint64{{bits(c.in)}}); !same(uint32(got[0]), uint32(bits(c.out))) {
			t.Errorf("%s of %v: got %x, want %v", c.op, c.in, got[0], c.out)
		}
	}
	got := lanes(t, "rcp.rn.f64 d, a;", []int{64, 64}, [][]uint64{{math.Float64bits(3)}})
	if math.Float64frombits(got[0]) != 1.0/3 {
		t.Errorf("rcp.rn.f64 of 3: got %x", got[0])
	}
}
