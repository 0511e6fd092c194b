package conform

import (
	"fmt"
	"math"

	"github.com/realflops/realflops/kernels"
)

// flushed is what a result may err by at most where the arithmetic flushes fp32 subnormals to
// zero: the smallest normal number.
const flushed = 0x1p-126

// activations by kernel, with the ulps of fp32 that the arithmetic may err by where PTX's ex2 (2 ulp)
// and rcp (1 ulp) are as far off as they may (derived in src/elementwise.cu), and an absolute
// error. Where those two are rounded to nearest, 4 ulp are the limit.
var activations = map[kernels.Kernel]oracle{
	kernels.ReLU:    relu,
	kernels.Sigmoid: approximate(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 7, func(float64) float64 { return flushed }),
	kernels.Tanh:    approximate(math.Tanh, 4, func(float64) float64 { return flushed }),
	// x times a sigmoid whose small values are flushed.
	kernels.SiLU: approximate(silu, 8, func(x float64) float64 { return flushed * max(1, math.Abs(x)) }),
	// exp(z) for negative x magnifies the rounding of z by |z|.
	kernels.GELU: approximate(gelu, 6, func(x float64) float64 {
		if x > 0 {
			return flushed
		}
		return 2e-7*min(1, math.Abs(x)) + flushed
	}),
}

// gradients by kernel, of operands (dy, x) or (dy, y).
var gradients = map[kernels.Kernel]oracle{
	kernels.ReLUBackward:    reluBackward,
	kernels.SigmoidBackward: sigmoidBackward,
}

// silu and gelu at -∞, where their formulas read 0·∞, have their limit, 0.
func silu(x float64) float64 {
	if math.IsInf(x, -1) {
		return 0
	}
	return x / (1 + math.Exp(-x))
}

func gelu(x float64) float64 {
	if math.IsInf(x, -1) {
		return 0
	}
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

// approximate is the oracle for f, whose error may be so many ulp of fp32 and absolute(x).
func approximate(f func(float64) float64, ulps float64, absolute func(float64) float64) oracle {
	return func(in format, nearest bool, operands []uint64, got uint64) (float64, error) {
		x, y := in.decode(operands[0]), in.decode(got)
		want := f(x)
		switch {
		case math.IsNaN(x):
			if !math.IsNaN(y) {
				return 0, fmt.Errorf("f(NaN %#x) is %g, want NaN", operands[0], y)
			}
			return 0, nil
		case y == want:
			return 0, nil
		case math.IsInf(want, 0) || math.IsInf(x, 0):
			return 0, fmt.Errorf("f(%g) is %g, want %g", x, y, want)
		}
		allowed := ulps
		if nearest {
			allowed = min(ulps, 4)
		}
		return within(in, y, want, allowed, absolute(x), func() string { return fmt.Sprintf("f(%g)", x) })
	}
}

// sixteen is what a result stored in 16 bits may err by, in ulp of its own: half of one to
// round, and what is left of the arithmetic's error, which is cheaper there.
const sixteen = 0.52

// within holds y to want within the ulps of fp32 (or sixteen of a 16-bit format) and an absolute error.
func within(in format, y, want, ulps, absolute float64, what func() string) (float64, error) {
	limit := absolute
	if in.bytes < 4 {
		limit += sixteen * in.ulp(want)
	} else {
		limit += ulps * in.ulp(want)
	}
	share := math.Abs(y-want) / limit
	if !(share <= 1) {
		return share, fmt.Errorf("%s is %g, want %g within %.2g: off by %.2g", what(), y, want, limit, math.Abs(y-want))
	}
	return share, nil
}

// relu is x where x > 0, NaN at NaN, else +0, bit for bit.
func relu(in format, _ bool, operands []uint64, got uint64) (float64, error) {
	x := in.decode(operands[0])
	want := uint64(0)
	if x > 0 {
		want = operands[0]
	}
	if math.IsNaN(x) {
		if !math.IsNaN(in.decode(got)) {
			return 0, fmt.Errorf("relu(NaN %#x) is %#x, want NaN", operands[0], got)
		}
		return 0, nil
	}
	if got != want {
		return 0, fmt.Errorf("relu(%g), %#x, is %#x, want %#x", x, operands[0], got, want)
	}
	return 0, nil
}

// reluBackward is dy where x > 0, else +0, bit for bit but for a NaN's payload.
func reluBackward(in format, _ bool, operands []uint64, got uint64) (float64, error) {
	want := uint64(0)
	if in.decode(operands[1]) > 0 {
		want = operands[0]
	}
	if got == want || math.IsNaN(in.decode(want)) && math.IsNaN(in.decode(got)) {
		return 0, nil
	}
	return 0, fmt.Errorf("the gradient of relu for dy = %#x at x = %#x is %#x, want %#x", operands[0], operands[1], got, want)
}

// sigmoidBackward is dy·y·(1-y): three roundings, in whatever order. Only where a step of it
// could overflow is the result left open, and NaN must come of NaN.
func sigmoidBackward(in format, _ bool, operands []uint64, got uint64) (float64, error) {
	dy, y, dx := in.decode(operands[0]), in.decode(operands[1]), in.decode(got)
	if math.IsNaN(dy) || math.IsNaN(y) {
		if !math.IsNaN(dx) {
			return 0, fmt.Errorf("the gradient of sigmoid for dy = %g at y = %g is %g, want NaN", dy, y, dx)
		}
		return 0, nil
	}
	if math.Abs(dy) > 0x1p60 || math.Abs(y) > 0x1p30 {
		return 0, nil
	}
	want := dy * y * (1 - y)
	if in.bytes == 2 && math.Abs(want) >= in.decode(in.encode(math.Inf(1))-1) {
		return 0, nil // at the end of the format's range, or beyond
	}
	if dx == want {
		return 0, nil
	}
	// Three roundings of half an ulp each, relative to numbers that may lie anywhere in their binade.
	absolute := flushed * max(1, math.Abs(dy), math.Abs(1-y))
	return within(in, dx, want, 3, absolute, func() string { return fmt.Sprintf("the gradient of sigmoid for dy = %g at y = %g", dy, y) })
}
