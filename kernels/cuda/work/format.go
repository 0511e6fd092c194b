package work

import (
	"encoding/binary"
	"math"

	"github.com/realflops/realflops/kernels"
)

// format is how one element lies in memory, little-endian.
type format struct {
	bytes  int
	encode func(v float64) uint64 // rounded to nearest even; integers saturate
	decode func(bits uint64) float64
}

var (
	fp64 = format{8, math.Float64bits, math.Float64frombits}
	fp32 = format{
		4,
		func(v float64) uint64 { return uint64(math.Float32bits(float32(v))) },
		func(b uint64) float64 { return float64(math.Float32frombits(uint32(b))) },
	}
	// A float64 goes to a half by way of a float32: of table values that moves the last bit of a few, which
	// no one relies on.
	fp16 = format{
		2,
		func(v float64) uint64 { return uint64(kernels.ToFloat16(float32(v))) },
		func(b uint64) float64 { return float64(kernels.Float16(b).Float32()) },
	}
	bf16 = format{
		2,
		func(v float64) uint64 { return uint64(kernels.ToBFloat16(float32(v))) },
		func(b uint64) float64 { return float64(kernels.BFloat16(b).Float32()) },
	}
	int8s = format{
		1,
		func(v float64) uint64 { return uint64(uint8(int8(max(-127, min(127, math.RoundToEven(v)))))) },
		func(b uint64) float64 { return float64(int8(b)) },
	}
	int32s = format{
		4,
		func(v float64) uint64 { return uint64(uint32(int32(v))) },
		func(b uint64) float64 { return float64(int32(b)) },
	}
)

var formats = map[kernels.Precision]format{
	kernels.FP64: fp64, kernels.FP32: fp32, kernels.TF32: fp32, kernels.FP16: fp16, kernels.BF16: bf16, kernels.INT8: int8s,
}

// stored is the format of operands at p.
func stored(p kernels.Precision) format { return formats[p.Storage()] }

// product is the format of gemm's C at p: that of the operands, as frameworks store it, and
// int32 for int8.
func product(p kernels.Precision) (f format, name string) {
	if p == kernels.INT8INT32 {
		return int32s, "int32"
	}
	name = string(p.Storage())
	if p == kernels.TF32FP32 {
		name = "fp32"
	}
	return stored(p), name
}

// at is the bits of element i of b.
func (f format) at(b []byte, i int) uint64 {
	switch f.bytes {
	case 1:
		return uint64(b[i])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b[2*i:]))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return binary.LittleEndian.Uint64(b[8*i:])
}

// put writes element i of b.
func (f format) put(b []byte, i int, bits uint64) {
	switch f.bytes {
	case 1:
		b[i] = byte(bits)
	case 2:
		binary.LittleEndian.PutUint16(b[2*i:], uint16(bits))
	case 4:
		binary.LittleEndian.PutUint32(b[4*i:], uint32(bits))
	default:
		binary.LittleEndian.PutUint64(b[8*i:], bits)
	}
}
