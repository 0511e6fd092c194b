package bench

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/realflops/realflops/kernels"
)

// FillPeriod is the number of values that [Fill] generates; longer operands repeat
// them. Making them costs a millisecond where filling 256 MB anew would cost seconds. It is a
// prime, so that no two rows or blocks of a matrix line up and hide a wrong offset.
const FillPeriod = 65521

var dataKinds = []string{string(Randn), string(Uniform), string(Zeros), string(Constant)}

// ParseData finds a kind of data by name. The error names the nearest there is.
func ParseData(name string) (Data, error) {
	for _, d := range dataKinds {
		if d == name {
			return Data(d), nil
		}
	}
	return "", kernels.Unknown("data", name, dataKinds)
}

// Element is a type that operands are stored as.
type Element interface {
	float32 | float64 | kernels.Float16 | kernels.BFloat16 | int8
}

// Fill fills dst with d, deterministically from seed (PCG, math/rand/v2): element i is
// value i modulo [FillPeriod] of the sequence, rounded to T, nearest even. It panics if d is
// not one of the four kinds ([ParseData] checks).
func Fill[T Element](dst []T, d Data, seed uint64) {
	Tile(dst, Pattern[T](d, seed, min(len(dst), FillPeriod)), 0)
}

// Tile repeats pattern over dst, which begins at element from of the whole: threads
// that each tile their share write what one would.
func Tile[T Element](dst, pattern []T, from int) {
	for i := 0; i < len(dst); {
		i += copy(dst[i:], pattern[(from+i)%len(pattern):])
	}
}

// Pattern is the first n values of what [Fill] writes, n <= FillPeriod.
func Pattern[T Element](d Data, seed uint64, n int) []T {
	r := rand.New(rand.NewPCG(seed, 0x7265616c666c6f70))
	draw := map[Data]func() float64{
		Randn:    r.NormFloat64,
		Uniform:  func() float64 { return 2*r.Float64() - 1 },
		Zeros:    func() float64 { return 0 },
		Constant: func() float64 { return 1 },
	}[d]
	if draw == nil {
		panic(fmt.Sprintf("bench: no such data %q", d))
	}
	p := make([]T, n)
	scale := 1.0
	if _, ok := any(p).([]int8); ok {
		scale = int8Scales[d]
	}
	for i := range p {
		p[i] = element[T](scale * draw())
	}
	return p
}

func element[T Element](v float64) T {
	if _, whole := any(*new(T)).(int8); whole {
		v = math.RoundToEven(max(-127, min(127, v)))
	}
	return kernels.Rounded[T](v)
}

// int8Scales quantise data symmetrically: randn is cut off at 4 standard deviations.
var int8Scales = map[Data]float64{Randn: 127.0 / 4, Uniform: 127, Constant: 1}
