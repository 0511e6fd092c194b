package kerneltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// Oracle holds y, which a kernel computed, to f(x): it returns by how many ulp y errs, and
// an error where that is more than the kernel may.
type Oracle[T any] func(x, y T) (ulp float64, err error)

// SigmoidULP32 and SigmoidULP16 are what a sigmoid may err by, in ulp of its storage: 2.5 of
// a float32 are 2.5/2^13 of a half, to which its rounding adds 0.5.
const (
	SigmoidULP32 = 2.5
	SigmoidULP16 = 0.501
)

// FP32 and FP16 are the oracles of the elementwise kernels.
var (
	FP32 = map[kernels.Kernel]Oracle[float32]{
		kernels.ReLU:    relu32,
		kernels.Sigmoid: sigmoid32,
	}
	FP16 = map[kernels.Kernel]Oracle[kernels.Float16]{
		kernels.ReLU:    relu16,
		kernels.Sigmoid: sigmoid16,
	}
)

// Unary is the suite for an elementwise kernel: f must agree with the oracle over a dense
// sample of all bit patterns (for halves: over all), wherever the values lie in operands
// of whatever length and alignment, and must touch nothing else.
func Unary[T float32 | kernels.Float16](t *testing.T, f func(dst, src []T), oracle Oracle[T]) {
	sampled(func(dst []T, src [][]T) { f(dst, src[0]) }, samples[T]()).conform(t)
	if t.Failed() {
		return // what writes outside its operands would now spoil the heap
	}
	t.Run("values", func(t *testing.T) { values(t, f, oracle) })
}

// patterns is an arithmetic sequence of bit patterns.
type patterns struct{ first, last, step uint64 }

// halves are all halves. floats are 4.2 million of all float32 (the step is prime, so that
// all kinds of low bits are among them), and more of those where a sigmoid is hard: where
// it is subnormal, and every one of [-17, -16.25], where 1 + exp(x) begins to round to 1.
var (
	halves = []patterns{{0, math.MaxUint16, 1}}
	floats = []patterns{
		{0, math.MaxUint32, 1021},
		{uint64(math.Float32bits(-87)), uint64(math.Float32bits(-104.5)), 31},
		{uint64(math.Float32bits(-16.25)), uint64(math.Float32bits(-17)), 1},
	}
)

func values[T float32 | kernels.Float16](t *testing.T, f func(dst, src []T), oracle Oracle[T]) {
	worst, worstAt := 0.0, *new(T)
	check := func(src []T) {
		dst := make([]T, len(src))
		f(dst, src)
		for i, x := range src {
			ulp, err := oracle(x, dst[i])
			if err != nil {
				t.Fatal(err)
			}
			if ulp > worst {
				worst, worstAt = ulp, x
			}
		}
	}
	check(samples[T]())
	ranges := floats
	if size[T]() == 2 {
		ranges = halves
	}
	block := make([]T, 0, 4096)
	for _, r := range ranges {
		for p := r.first; p <= r.last; p += r.step {
			block = append(block, fromBits[T](uint32(p)))
			if len(block) == cap(block) {
				check(block)
				block = block[:0]
			}
		}
	}
	check(block)
	t.Logf("errs by at most %.4f ulp, at %v (%x in memory)", worst, worstAt, raw([]T{worstAt}))
}

func fromBits[T float32 | kernels.Float16](pattern uint32) T {
	var v T
	switch p := any(&v).(type) {
	case *float32:
		*p = math.Float32frombits(pattern)
	case *kernels.Float16:
		*p = kernels.Float16(pattern)
	}
	return v
}

// samples are 2·longest values: every sort of special value, what is special to exp, and
// random ones of many magnitudes between them.
func samples[T float32 | kernels.Float16]() []T {
	var specials []uint32
	if size[T]() == 2 {
		specials = []uint32{
			0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x83ff, 0x0400, 0x8400, 0x7bff, 0xfbff, 0x7c00, 0xfc00,
			0x7e00, 0xfe00, 0x7d55, 0xfd55, 0x7fff, 0x3c00, 0xbc00, 0xcc2a, 0xcc52,
		}
	} else {
		for _, x := range []float64{
			0, math.Copysign(0, -1), math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 0x1p-127, -0x1p-127, 0x1p-126, -0x1p-126,
			math.MaxFloat32, -math.MaxFloat32, math.Inf(1), math.Inf(-1), 1, -1, 17.4, 88.7, 88.8, -87.3, -87.4, -88.8, -103.9, -104, -104.1, math.Ln2 / 2, -math.Ln2 / 2,
		} {
			specials = append(specials, math.Float32bits(float32(x)))
		}
		// Quiet and signalling NaNs of both signs, with payloads.
		specials = append(specials, 0x7fc00000, 0xffc00000, 0x7fc12345, 0x7f812345, 0xff812345, 0x7fffffff)
	}
	r := rand.New(rand.NewPCG(3, 5))
	out := make([]T, 2*longest)
	for i := range out {
		if i%3 == 0 {
			out[i] = fromBits[T](specials[i/3%len(specials)])
			continue
		}
		x := float32(r.NormFloat64() * math.Exp(4*r.NormFloat64()))
		if size[T]() == 2 {
			out[i] = fromBits[T](uint32(kernels.ToFloat16(x)))
		} else {
			out[i] = fromBits[T](math.Float32bits(x))
		}
	}
	return out
}

// relu32: x where it is not negative, which -0 and NaN are not; bit for bit.
func relu32(x, y float32) (float64, error) {
	want := x
	if x < 0 {
		want = 0
	}
	if math.Float32bits(y) != math.Float32bits(want) {
		return 0, fmt.Errorf("relu(%g), %#08x, is %g, %#08x; want %#08x", x, math.Float32bits(x), y, math.Float32bits(y), math.Float32bits(want))
	}
	return 0, nil
}

// relu16 is relu32 on the encoding: a set sign clears all but NaN and -0, and a
// signalling NaN becomes quiet.
func relu16(x, y kernels.Float16) (float64, error) {
	want := x
	switch {
	case x&0x7fff > 0x7c00:
		want |= 0x0200
	case x > 0x8000:
		want = 0
	}
	if y != want {
		return 0, fmt.Errorf("relu(%#04x) is %#04x; want %#04x", uint16(x), uint16(y), uint16(want))
	}
	return 0, nil
}

// sigmoid computes in float64, which is exact to 2^-51 or so for every float32.
func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func sigmoid32(x, y float32) (float64, error) {
	if x != x || y != y {
		return 0, bothNaN("sigmoid", float64(x), float64(y))
	}
	want := sigmoid(float64(x))
	u := ULP32(y, want)
	if u > SigmoidULP32 || math.IsInf(float64(x), 0) && u != 0 {
		return u, fmt.Errorf("sigmoid(%g) is %g; want %g: off by %.2f ulp, and %g are allowed", x, y, want, u, SigmoidULP32)
	}
	return u, nil
}

func sigmoid16(x, y kernels.Float16) (float64, error) {
	from, got := float64(x.Float32()), float64(y.Float32())
	if from != from || got != got {
		return 0, bothNaN("sigmoid", from, got)
	}
	want := sigmoid(from)
	u := ULP16(y, want)
	if u > SigmoidULP16 || math.IsInf(from, 0) && u != 0 {
		return u, fmt.Errorf("sigmoid(%g) is %g; want %g: off by %.4f ulp of a half, and %g are allowed", from, got, want, u, SigmoidULP16)
	}
	return u, nil
}

func bothNaN(kernel string, x, y float64) error {
	if math.IsNaN(x) && math.IsNaN(y) {
		return nil
	}
	return fmt.Errorf("%s(%g) is %g; want NaN for NaN alone", kernel, x, y)
}
