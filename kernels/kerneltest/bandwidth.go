package kerneltest

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// Triad is the suite for dst[i] = a[i] + s·b[i], which must be rounded once.
func Triad(t *testing.T, f func(dst, a, b []float64, s float64)) {
	for _, s := range []float64{3, -0x1.8p-600, 0, math.Inf(1)} {
		o := sampled(func(dst []float64, src [][]float64) { f(dst, src[0], src[1], s) }, doubles(1), doubles(2))
		for i, got := range o.want {
			a, b := o.samples[0][i], o.samples[1][i]
			if want := fused(s, b, a); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
				t.Errorf("%g + %g·%g is %g; want %g", a, s, b, got, want)
			}
		}
		if !t.Failed() && s == 3 {
			o.conform(t)
		}
	}
}

// Copy is the suite for dst[i] = src[i], which must keep every bit, those of NaNs too.
func Copy(t *testing.T, f func(dst, src []float64)) {
	o := sampled(func(dst []float64, src [][]float64) { f(dst, src[0]) }, doubles(1))
	for i, got := range o.want {
		if want := o.samples[0][i]; math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("the copy of %#016x is %#016x", math.Float64bits(want), math.Float64bits(got))
		}
	}
	o.conform(t)
}

// Scale is the suite for dst[i] = s·src[i].
func Scale(t *testing.T, f func(dst, src []float64, s float64)) {
	for _, s := range []float64{3, -0x1.8p-600, 0, math.Inf(1)} {
		o := sampled(func(dst []float64, src [][]float64) { f(dst, src[0], s) }, doubles(1))
		for i, got := range o.want {
			if x := o.samples[0][i]; !sameNumber(got, s*x) {
				t.Errorf("%g·%g is %g; want %g", s, x, got, s*x)
			}
		}
		if !t.Failed() && s == 3 {
			o.conform(t)
		}
	}
}

// Add is the suite for dst[i] = a[i] + b[i].
func Add(t *testing.T, f func(dst, a, b []float64)) {
	o := sampled(func(dst []float64, src [][]float64) { f(dst, src[0], src[1]) }, doubles(1), doubles(2))
	for i, got := range o.want {
		if a, b := o.samples[0][i], o.samples[1][i]; !sameNumber(got, a+b) {
			t.Errorf("%g + %g is %g; want %g", a, b, got, a+b)
		}
	}
	o.conform(t)
}

// sameNumber holds a result to IEEE 754, which leaves open the bits of a NaN and nothing else.
func sameNumber(got, want float64) bool {
	return math.Float64bits(got) == math.Float64bits(want) || math.IsNaN(got) && math.IsNaN(want)
}

// Write is the suite for dst[i] = s, bit for bit.
func Write(t *testing.T, f func(dst []float64, s float64)) {
	for _, s := range []float64{3, math.Copysign(0, -1), math.Float64frombits(0xfff0000000012345)} {
		o := sampled(func(dst []float64, _ [][]float64) { f(dst, s) })
		for i, got := range o.want {
			if math.Float64bits(got) != math.Float64bits(s) {
				t.Fatalf("element %d is %#016x; want %#016x", i, math.Float64bits(got), math.Float64bits(s))
			}
		}
		if s == 3 {
			o.conform(t)
		}
	}
}

// Read is the suite for the sum of the elements' bits as integers, modulo 2^64. It has no output whose
// every place could be compared, so each element is changed in turn and must change the sum by as much.
func Read(t *testing.T, f func(src []float64) uint64) {
	samples := doubles(1)
	check := func(src []float64, where string) {
		t.Helper()
		var want uint64
		for _, x := range src {
			want += math.Float64bits(x)
		}
		if got := f(src); got != want {
			t.Fatalf("%d elements, %s: the sum is %#x; want %#x", len(src), where, got, want)
		}
	}
	noFault(t, func() {
		end, start := PageEnd[float64](t, longest), PageStart[float64](t, longest)
		room := make([]float64, longest+line/8)
		for n := range longest + 1 {
			copy(end[longest-n:], samples[n:])
			check(end[longest-n:], "at the end of a page")
			copy(start, samples[:n])
			check(start[:n], "at the start of a page")
			copy(room[n%8:], samples[:n])
			check(room[n%8:][:n], "at some offset behind a cache line's start")
		}
		for _, n := range []int{longest, 1021, 4099, 1<<16 + 1} {
			long := make([]float64, n)
			for i := range long {
				long[i] = samples[i%len(samples)]
			}
			check(long, "any bits")
		}
	})
	changed := make([]float64, longest)
	for i := range changed {
		changed[i] = math.Float64frombits(1 << (i % 64))
		check(changed, "one of them changed")
		changed[i] = 0
	}
}

// fused is x·y + z rounded once. It computes finite numbers exactly, in as many bits as
// float64's range of exponents asks for, and leaves the others to IEEE 754.
func fused(x, y, z float64) float64 {
	finite := func(v float64) bool { return v-v == 0 }
	if !finite(x) || !finite(y) {
		return x*y + z
	}
	if !finite(z) {
		return z
	}
	exact := new(big.Float).SetPrec(8192).Mul(big.NewFloat(x), big.NewFloat(y))
	f, _ := exact.Add(exact, big.NewFloat(z)).Float64()
	return f
}

// doubles are 2·longest float64: special values, and random ones of many magnitudes
// between them.
func doubles(seed uint64) []float64 {
	specials := []float64{
		0, math.Copysign(0, -1), math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, 0x1p-1022, -0x1p-1023,
		math.MaxFloat64, -math.MaxFloat64, math.Inf(1), math.Inf(-1),
		math.Float64frombits(0x7ff8000000012345), math.Float64frombits(0xfff0000000012345),
	}
	r := rand.New(rand.NewPCG(seed, 7))
	out := make([]float64, 2*longest)
	for i := range out {
		if i%3 == 0 {
			out[i] = specials[r.IntN(len(specials))]
		} else {
			out[i] = r.NormFloat64() * math.Exp(8*r.NormFloat64())
		}
	}
	return out
}
