package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// halfValue decodes a finite half from its definition (IEEE 754-2019, 3.4), in float64
// where every half and every midpoint of two halves is exact.
func halfValue(h Float16) float64 {
	exponent, mantissa := int(h>>10&31), float64(h&0x3ff)
	v := math.Ldexp(1024+mantissa, exponent-25)
	if exponent == 0 {
		v = math.Ldexp(mantissa, -24)
	}
	if h&0x8000 != 0 {
		return -v
	}
	return v
}

// positiveHalves holds the values of the halves 0x0000..0x7bff, and 65536 in the place
// of infinity: the value from whose halfway point on rounding overflows.
var positiveHalves = func() []float64 {
	values := make([]float64, 0x7c01)
	for h := range values {
		values[h] = halfValue(Float16(h))
	}
	return values
}()

// nearestHalf rounds by search among all halves, ties to the even encoding.
func nearestHalf(f float32) Float16 {
	sign := Float16(0)
	if math.Signbit(float64(f)) {
		sign = 0x8000
	}
	x := math.Abs(float64(f))
	above, exact := slices.BinarySearch(positiveHalves, x)
	switch {
	case exact:
		return sign | Float16(above)
	case above == len(positiveHalves):
		return sign | 0x7c00
	}
	below := above - 1
	midpoint := (positiveHalves[below] + positiveHalves[above]) / 2
	if x > midpoint || x == midpoint && below%2 == 1 {
		return sign | Float16(above)
	}
	return sign | Float16(below)
}

func isHalfNaN(h Float16) bool { return h&0x7fff > 0x7c00 }

func TestEveryHalfHasItsValueAndSurvivesTheRoundTrip(t *testing.T) {
	for i := range 1 << 16 {
		h := Float16(i)
		f := h.Float32()
		switch {
		case isHalfNaN(h):
			want := uint32(h&0x8000)<<16 | 0x7fc00000 | uint32(h&0x3ff)<<13
			if got := math.Float32bits(f); got != want {
				t.Fatalf("%#04x: NaN became %#08x, want %#08x", i, got, want)
			}
			if got, want := ToFloat16(f), h|0x200; got != want {
				t.Fatalf("%#04x: NaN came back as %#04x, want %#04x", i, got, want)
			}
			continue
		case h&0x7fff == 0x7c00:
			if want := math.Inf(1 - 2*int(h>>15)); float64(f) != want {
				t.Fatalf("%#04x is %g, want %g", i, f, want)
			}
		case float64(f) != halfValue(h) || math.Signbit(float64(f)) != (h >= 0x8000):
			t.Fatalf("%#04x is %g, want %g", i, f, halfValue(h))
		}
		if got := ToFloat16(f); got != h {
			t.Fatalf("%#04x (%g) came back as %#04x", i, f, got)
		}
	}
}

// TestToFloat16RoundsToNearestEven goes over every half, every midpoint of two
// neighbours and the float32 on both sides of each, at both signs, and over a sample of
// all bit patterns.
func TestToFloat16RoundsToNearestEven(t *testing.T) {
	check := func(f float32) {
		t.Helper()
		if got, want := ToFloat16(f), nearestHalf(f); got != want {
			t.Fatalf("%g (%#08x) became %#04x, want %#04x", f, math.Float32bits(f), got, want)
		}
	}
	around := func(v float64) {
		f := float32(v)
		if float64(f) != v {
			t.Fatalf("the oracle needs %g, which is no float32", v)
		}
		for _, x := range []float32{f, math.Nextafter32(f, 0), math.Nextafter32(f, math.MaxFloat32)} {
			check(x)
			check(-x)
		}
	}
	for i, v := range positiveHalves[1:] {
		around(v)
		around((positiveHalves[i] + v) / 2)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1 << 18 {
		if f := math.Float32frombits(r.Uint32()); f == f {
			check(f)
		}
	}
	for _, f := range []float32{0, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, math.MaxFloat32, -math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1))} {
		check(f)
	}
}

func TestToFloat16QuietsNaNAndKeepsTheUpperPayload(t *testing.T) {
	for _, c := range []struct {
		bits uint32
		want Float16
	}{
		{0x7fc00000, 0x7e00},
		{0xffc00000, 0xfe00},
		{0x7f800001, 0x7e00}, // signalling, and its payload lies below what a half holds
		{0xff802000, 0xfe01},
		{0x7fffffff, 0x7fff},
		{0x7fabcdef, 0x7f5e},
	} {
		if got := ToFloat16(math.Float32frombits(c.bits)); got != c.want {
			t.Errorf("NaN %#08x became %#04x, want %#04x", c.bits, got, c.want)
		}
	}
}

func BenchmarkToFloat16(b *testing.B) {
	src := make([]float32, 1024)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range src {
		src[i] = float32(r.NormFloat64())
	}
	var sink Float16
	b.SetBytes(int64(4 * len(src)))
	for b.Loop() {
		for _, f := range src {
			sink ^= ToFloat16(f)
		}
	}
	_ = sink
}

func BenchmarkFloat16ToFloat32(b *testing.B) {
	var sink float32
	b.SetBytes(2 << 16)
	for b.Loop() {
		for h := range 1 << 16 {
			sink += Float16(h).Float32()
		}
	}
	_ = sink
}
