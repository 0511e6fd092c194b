package work

import (
	"fmt"
	"math"
)

// Operands are filled on the device from a table of 65536 values, each element by a hash of
// its index and a seed: so the host knows every element exactly, whatever the shape, without
// copying it. A table of quantiles of the normal distribution makes randn.
const tableSize = 1 << 16

const golden = 0x9E3779B97F4A7C15 // 2^64 / φ: the increment of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)

// mix is the finalizer of SplitMix64.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// index is the entry of the table that element i of an operand takes.
func index(seed, i uint64) int { return int(mix(seed+(i+1)*golden) >> 48) }

// weight is what column j counts in a fold. It is odd, so that no single element can be wrong
// and the sum right.
func weight(j uint64) uint64 { return mix((j+1)*golden) | 1 }

// table makes the encoded values; value gives that of entry i.
func table(f format, value func(i int) float64) []byte {
	b := make([]byte, tableSize*f.bytes)
	for i := range tableSize {
		f.put(b, i, f.encode(value(i)))
	}
	return b
}

// permuted is a second table of the same values: entry i is entry i·40503 + 12345 of the first
// (an odd factor permutes), so that two operands that are filled alike are unlike.
func permuted(value func(i int) float64) func(i int) float64 {
	return func(i int) float64 { return value((i*40503 + 12345) % tableSize) }
}

// The scale of int8 operands: randn is cut off at 4 standard deviations.
const int8Scale = 127.0 / 4

// values is the distribution by the name of its kind (bench.Data).
func values(kind string, f format) (func(i int) float64, error) {
	scale, one := 1.0, 1.0
	if f.bytes == 1 {
		scale, one = int8Scale, 127
	}
	quantile := func(i int) float64 { return (float64(i) + 0.5) / tableSize }
	switch kind {
	case "randn":
		return func(i int) float64 { return scale * math.Sqrt2 * math.Erfinv(2*quantile(i)-1) }, nil
	case "uniform":
		return func(i int) float64 { return one * (2*quantile(i) - 1) }, nil
	case "zeros":
		return func(int) float64 { return 0 }, nil
	case "constant":
		return func(int) float64 { return 1 }, nil
	}
	return nil, fmt.Errorf("data %q: want randn, uniform, zeros or constant", kind)
}

// signs is the distribution of the exact probe of a product over k: -1, 0 and 1, as dense
// as keeps every sum of products below 256 in size (8 standard deviations), which fp16 and bf16
// represent exactly and which no order of summation rounds.
func signs(k int) func(i int) float64 {
	density := min(0.75, math.Sqrt(1024/float64(k)))
	one := int(density * tableSize / 2)
	return func(i int) float64 {
		switch {
		case i < one:
			return 1
		case i < 2*one:
			return -1
		}
		return 0
	}
}
