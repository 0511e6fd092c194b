package conform

import (
	"encoding/binary"
	"math"

	"github.com/realflops/realflops/kernels"
)

// format is how numbers of a type lie in memory, and how far apart they are.
type format struct {
	name      string
	bytes     int
	precision int // bits of the significand, the hidden one too; 0 for integers
	smallest  int // exponent of the smallest subnormal
	encode    func(float64) uint64
	decode    func(uint64) float64
}

var (
	fp64 = format{"fp64", 8, 53, -1074, math.Float64bits, math.Float64frombits}
	fp32 = format{
		"fp32", 4, 24, -149,
		func(v float64) uint64 { return uint64(math.Float32bits(float32(v))) },
		func(b uint64) float64 { return float64(math.Float32frombits(uint32(b))) },
	}
	fp16 = format{
		"fp16", 2, 11, -24,
		func(v float64) uint64 { return uint64(kernels.ToFloat16(float32(v))) },
		func(b uint64) float64 { return float64(kernels.Float16(b).Float32()) },
	}
	bf16 = format{
		"bf16", 2, 8, -133,
		func(v float64) uint64 { return uint64(kernels.ToBFloat16(float32(v))) },
		func(b uint64) float64 { return float64(kernels.BFloat16(b).Float32()) },
	}
	// tf32 is stored as fp32; numbers given to it are those that the tensor core sees unchanged.
	tf32 = format{
		"tf32", 4, 11, -136,
		func(v float64) uint64 { return uint64(math.Float32bits(float32(v)) &^ 0x1fff) },
		func(b uint64) float64 { return float64(math.Float32frombits(uint32(b))) },
	}
	int8s = format{
		"int8", 1, 0, 0,
		func(v float64) uint64 { return uint64(uint8(int8(v))) },
		func(b uint64) float64 { return float64(int8(b)) },
	}
	int32s = format{
		"int32", 4, 0, 0,
		func(v float64) uint64 { return uint64(uint32(int32(v))) },
		func(b uint64) float64 { return float64(int32(b)) },
	}
)

// stored is the format of operands at p.
func stored(p kernels.Precision) format {
	return map[kernels.Precision]format{
		kernels.FP64: fp64, kernels.FP32: fp32, kernels.TF32: tf32, kernels.FP16: fp16, kernels.BF16: bf16, kernels.INT8: int8s,
	}[p.Storage()]
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

func (f format) value(b []byte, i int) float64 { return f.decode(f.at(b, i)) }

// pack stores the values.
func (f format) pack(values []float64) []byte {
	b := make([]byte, len(values)*f.bytes)
	for i, v := range values {
		f.put(b, i, f.encode(v))
	}
	return b
}

// ulp is the distance between numbers of f around v, as IEEE 754 spaces them: 0 for integers.
func (f format) ulp(v float64) float64 {
	if f.precision == 0 {
		return 0
	}
	exponent := f.smallest + f.precision
	if v != 0 {
		_, exponent = math.Frexp(v) // v = x·2^exponent, x in [0.5, 1)
	}
	return math.Ldexp(1, max(exponent-f.precision, f.smallest))
}
