package ptxvm

import (
	"math"
	"math/big"
	"math/rand/v2"
	"sort"
	"testing"
)

var floats32 = []uint64{
	0, 0x80000000, 0x3f800000, 0xbf800000, 0x40490fdb, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x00800001,
	0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x3f800001, 0x33800000, 0x34000000, 0x4b800000, 0x3effffff,
}

// near makes floats whose exponents are close, so that sums cancel and round.
func near(r *rand.Rand) uint64 {
	return uint64(r.Uint32()&0x807fffff | uint32(100+r.IntN(40))<<23)
}

func f32(v uint64) float32 { return math.Float32frombits(uint32(v)) }

// same compares bits, where any NaN is as good as another.
func same(got, want uint32) bool {
	return got == want || got&0x7fffffff > 0x7f800000 && want&0x7fffffff > 0x7f800000
}

// exactFMA is a·b + c with no rounding; ok is false where a special value decides.
func exactFMA(a, b, c float64) (*big.Float, bool) {
	for _, v := range []float64{a, b, c} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, false
		}
	}
	p := new(big.Float).SetPrec(2000).Mul(big.NewFloat(a), big.NewFloat(b))
	return p.Add(p, big.NewFloat(c)), true
}

// TestFMA32RoundsOnce holds fma.rn.f32 to exact arithmetic, also where fp64 would round twice.
func TestFMA32RoundsOnce(t *testing.T) {
	rows := rowsOf(floats32, near)
	// (1 + 2^-23)(1 - 2^-23) is 2^-46 short of 1. With it the product below is that little short of half a step of c,
	// which fp64 cannot tell from half a step: rounded twice, the tie goes up to the even neighbour.
	rows = append(rows, []uint64{0x41000001, 0x40fffffe, 0x4e800001}, []uint64{0xc1000001, 0x40fffffe, 0xce800001},
		[]uint64{0x41000001, 0xc0fffffe, 0x4e800001}, []uint64{0x1a000001, 0x19fffffe, 0x00400001}, []uint64{0x9a000001, 0x19fffffe, 0x80400001})
	for i, got := range lanes(t, "fma.rn.f32 d, a, b, c;", []int{32, 32, 32, 32}, rows) {
		a, b, c := float64(f32(rows[i][0])), float64(f32(rows[i][1])), float64(f32(rows[i][2]))
		want := math.Float32bits(float32(a*b + c))
		if exact, ok := exactFMA(a, b, c); ok && exact.Sign() != 0 {
			f, _ := exact.Float32()
			want = math.Float32bits(f)
		}
		if !same(uint32(got), want) {
			t.Errorf("fma(%x, %x, %x): got %x, want %x", rows[i][0], rows[i][1], rows[i][2], got, want)
		}
	}
}

// TestModifiedFMARoundsOnce is the same for a form with a modifier.
func TestModifiedFMARoundsOnce(t *testing.T) {
	rows := [][]uint64{{0x41000001, 0x40fffffe, 0x4e800001}, {0xc1000001, 0x40fffffe, 0xce800001}}
	for i, got := range lanes(t, "fma.rn.ftz.f32 d, a, b, c;", []int{32, 32, 32, 32}, rows) {
		if got != rows[i][2] {
			t.Errorf("got %x, want %x", got, rows[i][2])
		}
	}
}

// TestDirectedFMA holds fma.rz, .rm and .rp to exact arithmetic, where the result is a normal number.
func TestDirectedFMA(t *testing.T) {
	rows := rowsOf(floats32, near)
	for mode, rounding := range map[string]big.RoundingMode{"rz": big.ToZero, "rm": big.ToNegativeInf, "rp": big.ToPositiveInf} {
		for i, got := range lanes(t, "fma."+mode+".f32 d, a, b, c;", []int{32, 32, 32, 32}, rows) {
			exact, ok := exactFMA(float64(f32(rows[i][0])), float64(f32(rows[i][1])), float64(f32(rows[i][2])))
			if !ok {
				continue
			}
			if size, _ := new(big.Float).Abs(exact).Float64(); size < 0x1p-126 || size > 0x1p127 {
				continue
			}
			want, _ := new(big.Float).SetPrec(24).SetMode(rounding).Set(exact).Float32()
			if f32(got) != want {
				t.Errorf("fma.%s(%x, %x, %x): got %x, want %x", mode, rows[i][0], rows[i][1], rows[i][2], got, math.Float32bits(want))
			}
		}
	}
}

func TestFloat32(t *testing.T) {
	ftz := func(v uint64) uint64 {
		if v&0x7f800000 == 0 {
			v &= 0x80000000
		}
		return v
	}
	clamp := func(f float32) float32 {
		if !(f > 0) {
			return 0
		}
		return min(f, 1)
	}
	of := func(f float32) uint64 { return uint64(math.Float32bits(f)) }
	cases := []struct {
		statement string
		want      func(a, b, c uint64) uint64
	}{
		{"add.f32 d, a, b;", func(a, b, _ uint64) uint64 { return of(f32(a) + f32(b)) }},
		{"sub.rn.f32 d, a, b;", func(a, b, _ uint64) uint64 { return of(f32(a) - f32(b)) }},
		{"mul.ftz.f32 d, a, b;", func(a, b, _ uint64) uint64 { return ftz(of(f32(ftz(a)) * f32(ftz(b)))) }},
		{"add.sat.f32 d, a, b;", func(a, b, _ uint64) uint64 { return of(clamp(f32(a) + f32(b))) }},
		{"div.rn.f32 d, a, b;", func(a, b, _ uint64) uint64 { return of(f32(a) / f32(b)) }},
		{"fma.rn.ftz.f32 d, a, b, c;", func(a, b, c uint64) uint64 {
			return ftz(of(fma32(f32(ftz(a)), f32(ftz(b)), f32(ftz(c)))))
		}},
		{"min.f32 d, a, b;", func(a, b, _ uint64) uint64 {
			switch x, y := f32(a), f32(b); {
			case x != x:
				return b
			case y != y:
				return a
			default:
				return of(min(x, y))
			}
		}},
		{"max.NaN.f32 d, a, b;", func(a, b, _ uint64) uint64 { return of(max(f32(a), f32(b))) }},
		{"neg.f32 d, a;", func(a, _, _ uint64) uint64 { return a ^ 0x80000000 }},
		{"abs.ftz.f32 d, a;", func(a, _, _ uint64) uint64 { return ftz(a) & 0x7fffffff }},
		{"copysign.f32 d, a, b;", func(a, b, _ uint64) uint64 { return of(float32(math.Copysign(float64(f32(b)), float64(f32(a))))) }},
		{"sqrt.rn.f32 d, a;", func(a, _, _ uint64) uint64 { return of(float32(math.Sqrt(float64(f32(a))))) }},
		{"rcp.approx.ftz.f32 d, a;", func(a, _, _ uint64) uint64 { return ftz(of(1 / f32(ftz(a)))) }},
		{"ex2.approx.ftz.f32 d, a;", func(a, _, _ uint64) uint64 { return ftz(of(float32(math.Exp2(float64(f32(ftz(a))))))) }},
		{"tanh.approx.f32 d, a;", func(a, _, _ uint64) uint64 { return of(float32(math.Tanh(float64(f32(a))))) }},
		{"mul.rz.f32 d, a, b;", func(a, b, _ uint64) uint64 {
			x := new(big.Float).SetPrec(24).SetMode(big.ToZero)
			if u, v := f32(a), f32(b); u == 0 || v == 0 || u-u != 0 || v-v != 0 || math.Abs(float64(u)*float64(v)) < 0x1p-126 || math.Abs(float64(u)*float64(v)) > 0x1p127 {
				return 1 << 40 // not asked
			}
			f, _ := x.Mul(big.NewFloat(float64(f32(a))), big.NewFloat(float64(f32(b)))).Float32()
			return of(f)
		}},
	}
	rows := rowsOf(floats32, near)
	for _, c := range cases {
		t.Run(c.statement, func(t *testing.T) {
			for i, got := range lanes(t, c.statement, []int{32, 32, 32, 32}, rows) {
				want := c.want(rows[i][0], rows[i][1], rows[i][2])
				if want != 1<<40 && !same(uint32(got), uint32(want)) {
					t.Fatalf("%x, %x, %x: got %x, want %x", rows[i][0], rows[i][1], rows[i][2], got, want)
				}
			}
		})
	}
}

func TestFloat64(t *testing.T) {
	values := []uint64{0, 1 << 63, 0x3ff0000000000000, 0x3ff0000000000001, 1, 0x7fefffffffffffff, 0x7ff0000000000000, 0x7ff8000000000000, 0xc000000000000000}
	rows := rowsOf(values, func(r *rand.Rand) uint64 { return r.Uint64()&^(0x7ff<<52) | uint64(1000+r.IntN(46))<<52 })
	of, f := math.Float64bits, math.Float64frombits
	cases := []struct {
		statement string
		want      func(a, b, c uint64) uint64
	}{
		{"add.f64 d, a, b;", func(a, b, _ uint64) uint64 { return of(f(a) + f(b)) }},
		{"mul.rn.f64 d, a, b;", func(a, b, _ uint64) uint64 { return of(f(a) * f(b)) }},
		{"div.rn.f64 d, a, b;", func(a, b, _ uint64) uint64 { return of(f(a) / f(b)) }},
		{"sqrt.rn.f64 d, a;", func(a, _, _ uint64) uint64 { return of(math.Sqrt(f(a))) }},
		{"neg.f64 d, a;", func(a, _, _ uint64) uint64 { return a ^ 1<<63 }},
		{"fma.rn.f64 d, a, b, c;", func(a, b, c uint64) uint64 {
			if exact, ok := exactFMA(f(a), f(b), f(c)); ok && exact.Sign() != 0 {
				v, _ := exact.Float64()
				return of(v)
			}
			return of(f(a)*f(b) + f(c))
		}},
	}
	for _, c := range cases {
		t.Run(c.statement, func(t *testing.T) {
			for i, got := range lanes(t, c.statement, []int{64, 64, 64, 64}, rows) {
				want := c.want(rows[i][0], rows[i][1], rows[i][2])
				if got != want && !(math.IsNaN(f(got)) && math.IsNaN(f(want))) {
					t.Fatalf("%x, %x, %x: got %x, want %x", rows[i][0], rows[i][1], rows[i][2], got, want)
				}
			}
		})
	}
}

// nearest rounds an exact value to a 16-bit format by looking through all its values: the nearest, of two the even one.
type nearest struct {
	values []float64 // finite ones that are not negative, by their bits
	top    uint32    // the bits of infinity
}

func newNearest(f format, infinity uint32) nearest {
	n := nearest{top: infinity}
	for b := range infinity {
		n.values = append(n.values, f.value(b))
	}
	last := n.values[infinity-1]
	n.values = append(n.values, last+(last-n.values[infinity-2])) // what infinity stands for when rounding
	return n
}

func (n nearest) round(x *big.Float) uint32 {
	sign := uint32(0)
	if x.Signbit() {
		sign = 0x8000
	}
	x = new(big.Float).SetPrec(2000).Abs(x)
	i := sort.Search(len(n.values), func(i int) bool { return x.Cmp(big.NewFloat(n.values[i])) <= 0 })
	if i == len(n.values) {
		return sign | n.top
	}
	if i == 0 {
		return sign
	}
	above := new(big.Float).Sub(big.NewFloat(n.values[i]), x)
	below := new(big.Float).Sub(x, big.NewFloat(n.values[i-1]))
	if c := below.Cmp(above); c < 0 || c == 0 && i&1 == 1 {
		i--
	}
	return sign | uint32(i)
}

// TestHalves holds arithmetic in fp16 and bf16 to exact arithmetic, rounded once.
func TestHalves(t *testing.T) {
	for _, typ := range []string{"f16", "bf16"} {
		f, infinity := fp16, uint32(0x7c00)
		if typ == "bf16" {
			f, infinity = bf16, 0x7f80
		}
		to := newNearest(f, infinity)
		values := []uint64{0, 0x8000, 1, 0x8001, uint64(infinity - 1), 0x3c00, 0x3c01, 0xbc00, 0x0400, 0x03ff, 0x3f80, 0x3f81, 0x0080, 0x7bff, 0x5bff}
		rows := rowsOf(values, func(r *rand.Rand) uint64 { return uint64(r.Uint32N(infinity)) | uint64(r.IntN(2))<<15 })
		// A product 2^-20 short of half a step of c: fp32 takes the sum for a tie.
		rows = append(rows, []uint64{0x2801, 0x23fe, 0x3c01}, []uint64{0xa801, 0x23fe, 0xbc01}, []uint64{0x2801, 0x23fe, 0x3c03})
		check := func(name string, half func(v uint64) uint64, got uint64, row []uint64, exact *big.Float) {
			t.Helper()
			if exact.Sign() == 0 {
				return // the sign of a zero is of no interest here
			}
			if want := to.round(exact); half(got) != uint64(want) {
				t.Fatalf("%s(%x, %x, %x): got %x, want %x", name, row[0], row[1], row[2], half(got), want)
			}
		}
		lower := func(v uint64) uint64 { return v & 0xffff }
		upper := func(v uint64) uint64 { return v >> 16 & 0xffff }
		at := func(v uint64) float64 { return f.value(uint32(v & 0xffff)) }
		w16 := []int{16, 16, 16, 16}
		for i, got := range lanes(t, "fma.rn."+typ+" d, a, b, c;", w16, rows) {
			exact, _ := exactFMA(at(rows[i][0]), at(rows[i][1]), at(rows[i][2]))
			check("fma", lower, got, rows[i], exact)
		}
		for i, got := range lanes(t, "add.rn."+typ+" d, a, b;", w16, rows) {
			exact, _ := exactFMA(at(rows[i][0]), 1, at(rows[i][1]))
			check("add", lower, got, rows[i], exact)
		}
		for i, got := range lanes(t, "mul.rn."+typ+" d, a, b;", w16, rows) {
			exact, _ := exactFMA(at(rows[i][0]), at(rows[i][1]), 0)
			check("mul", lower, got, rows[i], exact)
		}
		packed := make([][]uint64, len(rows))
		for i := range rows {
			for j, v := range rows[i] {
				packed[i] = append(packed[i], v|rows[(i+1)%len(rows)][j]<<16)
			}
		}
		for i, got := range lanes(t, "fma.rn."+typ+"x2 d, a, b, c;", []int{32, 32, 32, 32}, packed) {
			for j, half := range []func(uint64) uint64{lower, upper} {
				r := rows[(i+j)%len(rows)]
				exact, _ := exactFMA(at(r[0]), at(r[1]), at(r[2]))
				check("fma of a pair", half, got, r, exact)
			}
		}
	}
}

func TestHalvesOfSpecialValues(t *testing.T) {
	inf, nan := uint64(0x7c00), uint64(0x7e00)
	rows := [][]uint64{{inf, 0x3c00, 0x3c00}, {inf, 0x3c00, inf | 0x8000}, {nan, 0x3c00, 0}, {0x8000, 0x3c00, 0x8000}, {0x7bff, 0x4000, 0}, {0xbc00, 0x3c00, 0}}
	want := []uint64{0x7c00, nan16, nan16, 0x8000, 0x7c00, 0xbc00}
	for i, got := range lanes(t, "fma.rn.f16 d, a, b, c;", []int{16, 16, 16, 16}, rows) {
		if got != want[i] {
			t.Errorf("row %d: got %x, want %x", i, got, want[i])
		}
	}
	for i, got := range lanes(t, "fma.rn.relu.f16 d, a, b, c;", []int{16, 16, 16, 16}, rows[5:]) {
		if got != 0 {
			t.Errorf("relu of row %d: got %x, want 0", i, got)
		}
	}
}
