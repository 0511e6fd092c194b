package ptxvm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSetp holds every comparison of every type to Go's own operators.
func TestSetp(t *testing.T) {
	type compared struct{ less, equal, greater bool }
	of := func(a, b float64) compared { return compared{a < b, a == b, a > b} }
	types := map[string]func(a, b uint64) compared{
		"s16": func(a, b uint64) compared { return of(float64(int16(a)), float64(int16(b))) },
		"u16": func(a, b uint64) compared { return of(float64(uint16(a)), float64(uint16(b))) },
		"s32": func(a, b uint64) compared { return of(float64(int32(a)), float64(int32(b))) },
		"u32": func(a, b uint64) compared { return of(float64(uint32(a)), float64(uint32(b))) },
		"s64": func(a, b uint64) compared { return compared{int64(a) < int64(b), a == b, int64(a) > int64(b)} },
		"u64": func(a, b uint64) compared { return compared{a < b, a == b, a > b} },
		"f32": func(a, b uint64) compared { return of(float64(f32(a)), float64(f32(b))) },
		"f64": func(a, b uint64) compared { return of(math.Float64frombits(a), math.Float64frombits(b)) },
		"f16": func(a, b uint64) compared { return of(fp16.value(uint32(a)&0xffff), fp16.value(uint32(b)&0xffff)) },
	}
	names := map[string]func(c compared) bool{
		"eq":  func(c compared) bool { return c.equal },
		"lt":  func(c compared) bool { return c.less },
		"le":  func(c compared) bool { return c.less || c.equal },
		"gt":  func(c compared) bool { return c.greater },
		"ge":  func(c compared) bool { return c.greater || c.equal },
		"ne":  func(c compared) bool { return c.less || c.greater }, // of numbers: a NaN is not unequal
		"neu": func(c compared) bool { return !c.equal },
		"ltu": func(c compared) bool { return !c.greater && !c.equal },
		"geu": func(c compared) bool { return !c.less },
		"nan": func(c compared) bool { return c == compared{} },
		"num": func(c compared) bool { return c != compared{} },
		"hi":  func(c compared) bool { return c.greater },
		"ls":  func(c compared) bool { return c.less || c.equal },
	}
	values := append([]uint64{0x7e00, 0x7c00, 0x7ff8000000000000, 0xfff0000000000000}, append(integers, floats32...)...)
	rows := rowsOf(values, func(r *rand.Rand) uint64 { return r.Uint64() })
	for typ, compare := range types {
		width := valueTypes["."+typ].width
		for name, holds := range names {
			float := typ[0] == 'f'
			if unsigned := name == "hi" || name == "ls"; unsigned && typ[0] != 'u' || len(name) == 3 && !float {
				continue
			}
			statement := "setp." + name + "." + typ + " %p1, a, b; selp.b32 d, 1, 0, %p1;"
			for i, got := range lanes(t, statement, []int{32, width, width}, rows) {
				if want := holds(compare(rows[i][0], rows[i][1])); (got == 1) != want {
					t.Errorf("%s.%s of %x, %x: got %v", name, typ, rows[i][0], rows[i][1], !want)
				}
			}
		}
	}
}

func TestPredicates(t *testing.T) {
	cases := []struct {
		statement string
		want      func(a, b uint64) uint64
	}{
		{"setp.lt.u32 %p1, a, 5; setp.lt.and.u32 %p2|%p3, b, 5, %p1; selp.u32 %r1, 1, 0, %p2; selp.u32 %r2, 2, 0, %p3; add.u32 d, %r1, %r2;", func(a, b uint64) uint64 {
			switch {
			case a >= 5:
				return 0
			case b < 5:
				return 1
			}
			return 2
		}},
		{"setp.lt.u32 %p1, a, 5; setp.lt.or.u32 %p2, b, 5, !%p1; selp.u32 d, 1, 0, %p2;", func(a, b uint64) uint64 {
			if b < 5 || a >= 5 {
				return 1
			}
			return 0
		}},
		{"setp.lt.u32 %p1, a, 5; setp.lt.u32 %p2, b, 5; xor.pred %p3, %p1, %p2; not.pred %p3, %p3; selp.u32 d, a, b, %p3;", func(a, b uint64) uint64 {
			if (a < 5) == (b < 5) {
				return a
			}
			return b
		}},
		{"setp.lt.u32 %p1, a, b; mov.u32 d, 3; @%p1 mov.u32 d, 4; @!%p1 add.u32 d, d, a;", func(a, b uint64) uint64 {
			if a < b {
				return 4
			}
			return 3 + a
		}},
		{"set.lt.u32.u32 d, a, b;", func(a, b uint64) uint64 {
			if a < b {
				return 0xffffffff
			}
			return 0
		}},
		{"slct.b32.s32 d, a, b, a;", func(a, b uint64) uint64 {
			if int32(a) >= 0 {
				return a
			}
			return b
		}},
	}
	var rows [][]uint64
	for a := range uint64(10) {
		for b := range uint64(10) {
			rows = append(rows, []uint64{a | a>>3<<31, b})
		}
	}
	for _, c := range cases {
		for i, got := range lanes(t, c.statement, []int{32, 32, 32}, rows) {
			if want := c.want(rows[i][0], rows[i][1]); got != want {
				t.Errorf("%s of %x, %x: got %x, want %x", c.statement, rows[i][0], rows[i][1], got, want)
			}
		}
	}
}

func TestTestp(t *testing.T) {
	asks := map[string]func(v float64) bool{
		"finite": func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }, "infinite": func(v float64) bool { return math.IsInf(v, 0) },
		"number": func(v float64) bool { return !math.IsNaN(v) }, "notanumber": math.IsNaN,
		"normal":    func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) && math.Abs(v) >= 0x1p-126 },
		"subnormal": func(v float64) bool { return v != 0 && math.Abs(v) < 0x1p-126 },
	}
	var rows [][]uint64
	for _, v := range floats32 {
		rows = append(rows, []uint64{v})
	}
	for name, holds := range asks {
		for i, got := range lanes(t, "testp."+name+".f32 %p1, a; selp.u32 d, 1, 0, %p1;", []int{32, 32}, rows) {
			if want := holds(float64(f32(rows[i][0]))); (got == 1) != want {
				t.Errorf("%s of %x: got %v", name, rows[i][0], !want)
			}
		}
	}
	if got := lanes(t, "testp.subnormal.f64 %p1, a; selp.u32 d, 1, 0, %p1;", []int{32, 64}, [][]uint64{{1}, {1 << 52}}); got[0] != 1 || got[1] != 0 {
		t.Errorf("subnormal of fp64: got %v, want 1 and 0", got)
	}
}
