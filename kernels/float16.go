package kernels

import "math"

// Float16 is an IEEE 754 binary16 value as it lies in memory: a sign, 5 bits of
// exponent (bias 15) and 10 of mantissa.
type Float16 uint16

const (
	halfSign  = 0x8000
	halfInf   = 0x7c00
	halfQuiet = 0x0200

	// floatInf is +Inf as the bits of a float32, and floatQuiet the bit that tells a
	// quiet NaN from a signalling one.
	floatInf   = 0x7f800000
	floatQuiet = 0x00400000

	// rebias moves the exponent of a float32 to that of a half: (127 - 15) << 23.
	rebias = 112 << 23
)

// ToFloat16 rounds f to the nearest binary16, ties to even (IEEE 754-2019, 4.3.1). From
// 65520 on the result is infinite; below 2^-14 it is subnormal or zero. A NaN stays one,
// with its sign and the upper bits of its payload, and becomes quiet. This is
// what VCVTPS2PH computes.
func ToFloat16(f float32) Float16 {
	bits := math.Float32bits(f)
	sign := Float16(bits>>16) & halfSign
	bits &^= 1 << 31
	switch {
	case bits > floatInf:
		return sign | halfInf | halfQuiet | Float16(bits>>13&0x3ff)
	case bits >= math.Float32bits(65536):
		return sign | halfInf
	case bits < math.Float32bits(0x1p-14):
		// A float32 in [0.5, 1) has steps of 2^-24, which is the step of subnormal halves:
		// adding 0.5 makes the hardware round there, and leaves the half in the low bits.
		half := math.Float32frombits(bits) + 0.5
		return sign | Float16(math.Float32bits(half)-math.Float32bits(0.5))
	}
	// Half a step, less one bit where the lower neighbour is even; a carry moves into the
	// exponent, and from 65520 on into the encoding of infinity.
	bits += 0xfff + bits>>13&1
	return sign | Float16((bits-rebias)>>13)
}

// Float32 is the value of h, which every float32 represents exactly. A NaN keeps its
// sign and payload and becomes quiet, as VCVTPH2PS has it.
func (h Float16) Float32() float32 {
	sign := uint32(h&halfSign) << 16
	rest := uint32(h&^halfSign) << 13
	switch {
	case h&^halfSign > halfInf:
		return math.Float32frombits(sign | floatInf | floatQuiet | rest)
	case h&halfInf == halfInf:
		return math.Float32frombits(sign | floatInf)
	case h&halfInf == 0:
		// Zero or subnormal: a whole number of steps of 2^-24.
		steps := float32(h&^halfSign) * 0x1p-24
		return math.Float32frombits(sign | math.Float32bits(steps))
	}
	return math.Float32frombits(sign | (rest + rebias))
}
