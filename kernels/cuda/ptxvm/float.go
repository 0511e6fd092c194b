package ptxvm

import (
	"math"

	"github.com/realflops/realflops/kernels"
)

// A GPU gives every fp32 NaN that it makes these bits, and those of the two 16-bit formats these.
const (
	nan32 = 0x7fffffff
	nan16 = 0x7fff
)

func bitsOf(f float32) uint32 {
	if f != f {
		return nan32
	}
	return math.Float32bits(f)
}

// flush makes a subnormal a zero of its sign.
func flush(b uint32) uint32 {
	if b&0x7f800000 == 0 {
		return b & (1 << 31)
	}
	return b
}

// addOdd is a + b rounded to odd: a result that is not exact has its last bit set, so that rounding it
// again to at most 51 bits is as if the exact sum were rounded once (Boldo and
// Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
func addOdd(a, b float64) float64 {
	s := float64(a + b)
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return s
	}
	bb := float64(s - a)
	e := float64(float64(a-float64(s-bb)) + float64(b-bb)) // the exact error: Knuth's two-sum
	if e == 0 {
		return s
	}
	u := math.Float64bits(s)
	if u&1 == 0 {
		if (e > 0) == (s > 0) {
			u++
		} else {
			u--
		}
	}
	return math.Float64frombits(u)
}

// fma32 is a·b + c rounded once. The product of two fp32 is exact in fp64; the sum is rounded there,
// which does harm only where it comes to lie half-way between two fp32, or becomes subnormal.
func fma32(a, b, c float32) float32 {
	p := float64(a) * float64(b)
	s := p + float64(c)
	u := math.Float64bits(s)
	if u&0x1fffffff != 0x10000000 && u>>52&0x7ff > 1023-126 {
		return float32(s)
	}
	return float32(addOdd(p, float64(c)))
}

// odd32 rounds to fp32 to odd.
func odd32(s float64) float32 {
	r := float32(s)
	if float64(r) == s || s != s {
		return r
	}
	u := math.Float32bits(r)
	if math.Abs(float64(r)) > math.Abs(s) {
		u--
	}
	return math.Float32frombits(u | 1)
}

// format is a 16-bit floating-point format: values as fp64, and back with one rounding to nearest even.
type format struct {
	value func(bits uint32) float64
	round func(v float64) uint32
	bits  uint // of the significand that are stored
}

var halves = func() (t [1 << 16]float32) {
	for i := range t {
		t[i] = kernels.Float16(i).Float32()
	}
	return t
}()

var (
	fp16 = format{
		value: func(b uint32) float64 { return float64(halves[b&0xffff]) },
		round: func(v float64) uint32 {
			if v != v {
				return nan16
			}
			return roundFP16(v)
		},
		bits: 10,
	}
	bf16 = format{
		value: func(b uint32) float64 { return float64(math.Float32frombits(b << 16)) },
		round: func(v float64) uint32 {
			if v != v {
				return nan16
			}
			return uint32(kernels.ToBFloat16(odd32(v)))
		},
		bits: 7,
	}
)

// roundFP16 rounds an fp64 that is no NaN to fp16, ties to even.
func roundFP16(v float64) uint32 {
	u := math.Float64bits(v)
	sign := uint32(u >> 48 & 0x8000)
	u &^= 1 << 63
	switch {
	case u >= 0x40effe0000000000: // 65520
		return sign | 0x7c00
	case u >= 0x3f10000000000000: // 2^-14: normal
		u += 1<<41 - 1 + u>>42&1
		return sign | (uint32(u>>42) - (1023-15)<<10)
	}
	// From 2^28 on an fp64 has steps of 2^-24, as subnormal halves have: the sum rounds there.
	return sign | uint32(math.Float64bits(math.Float64frombits(u)+0x1p28)&0xfff)
}

func formatOf(t valueType) format {
	if t.kind == 'h' {
		return bf16
	}
	return fp16
}

// flush16 makes subnormals of the format zeros.
func (f format) flush(b uint32) uint32 {
	if b&0x7fff>>f.bits == 0 {
		return b & 0x8000
	}
	return b
}

// minimum and maximum are those of IEEE 754-2019's minimumNumber: a NaN loses, and -0 is below +0.
func minimum(a, b float64) float64 {
	switch {
	case a != a:
		return b
	case b != b:
		return a
	case a == b && math.Signbit(a):
		return a
	case b < a || a == b:
		return b
	}
	return a
}

func maximum(a, b float64) float64 { return -minimum(-a, -b) }

// saturate clamps to [0, 1]; a NaN becomes 0.
func saturate(v float64) float64 {
	switch {
	case v >= 1:
		return 1
	case v > 0:
		return v
	}
	return 0
}
