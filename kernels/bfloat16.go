package kernels

import "math"

// BFloat16 is the upper half of a float32 as it lies in memory: a sign, 8 bits of exponent
// (bias 127) and 7 of mantissa.
type BFloat16 uint16

// ToBFloat16 rounds f to the nearest bfloat16, ties to even; what is beyond the largest by
// half a step or more becomes infinite. A NaN stays one, with its sign and the upper bits of its
// payload, and becomes quiet.
func ToBFloat16(f float32) BFloat16 {
	bits := math.Float32bits(f)
	if bits&^(1<<31) > floatInf {
		return BFloat16((bits | floatQuiet) >> 16)
	}
	// Half a step, less one bit where the lower neighbour is even; a carry moves into the
	// exponent.
	return BFloat16((bits + 0x7fff + bits>>16&1) >> 16)
}

// Float32 is the value of b, exactly; a NaN keeps all its bits.
func (b BFloat16) Float32() float32 { return math.Float32frombits(uint32(b) << 16) }
