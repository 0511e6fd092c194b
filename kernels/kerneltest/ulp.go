package kerneltest

import (
	"math"

	"github.com/realflops/realflops/kernels"
)

// ULP32 is the distance of got from the real value want in units of the last place that a
// float32 nearest to want has (2^-149 among the subnormals). Both infinite with one sign is 0.
func ULP32(got float32, want float64) float64 { return ulp(float64(got), want, 24, -149) }

// ULP16 is [ULP32] for halves, whose subnormals are 2^-24 apart.
func ULP16(got kernels.Float16, want float64) float64 {
	return ulp(float64(got.Float32()), want, 11, -24)
}

// ulp measures for a format of the given bits of precision and exponent of its smallest
// subnormal.
func ulp(got, want float64, precision, smallest int) float64 {
	if got == want {
		return 0
	}
	return math.Abs(got-want) / unit(want, precision, smallest)
}

// unit is that of the last place which a number of a format nearest to v has.
func unit(v float64, precision, smallest int) float64 {
	exponent := smallest + precision
	if v != 0 {
		_, exponent = math.Frexp(v) // v = f·2^exponent, f in [0.5, 1)
	}
	return math.Ldexp(1, max(exponent-precision, smallest))
}
