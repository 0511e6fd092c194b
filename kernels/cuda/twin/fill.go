package twin

import (
	"math"
	"sync/atomic"
)

// golden is 2^64 divided by the golden ratio, the increment of SplitMix64.
const golden = 0x9E3779B97F4A7C15

// mix is the output function of SplitMix64 (G. Steele, D. Lea and C. Flood, "Fast splittable
// pseudorandom number generators", OOPSLA 2014, figure 16 with Stafford's variant 13).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// fill draws dst[i] from a table of 65536 elements by the upper 16 bits of the i-th random
// number after seed.
func fill[T any](c *call) {
	dst, from := operand[T](c, 0, c.N), operand[T](c, 1, 1<<16)
	if c.err != nil {
		return
	}
	seed := c.Params[3]
	parallel(c.N, grain, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			dst[i] = from[mix(seed+(uint64(i)+1)*golden)>>48]
		}
	})
}

// weight is what element j of a row counts by: odd, so that no change of one element goes unseen.
func weight(j int) uint64 { return mix((uint64(j)+1)*golden) | 1 }

// fold sums each row's words, weighted, modulo 2^64. The last row may be short.
func fold[T any](word func(T) uint64) func(*call) {
	return func(c *call) {
		cols := int(min(c.Params[3], uint64(c.N)))
		out, x := operand[uint64](c, 0, c.Grid), operand[T](c, 1, c.N)
		if c.err != nil {
			return
		}
		clear(out)
		weights := make([]uint64, min(cols, 1<<20)) // the first of a row; further ones are rare
		for j := range weights {
			weights[j] = weight(j)
		}
		parallel(c.N, grain, func(lo, hi int) {
			for i := lo; i < hi; {
				row, j := i/cols, i%cols
				sum := uint64(0)
				for end := min(hi, (row+1)*cols); i < end; i, j = i+1, j+1 {
					if j < len(weights) {
						sum += word(x[i]) * weights[j]
					} else {
						sum += word(x[i]) * weight(j)
					}
				}
				atomic.AddUint64(&out[row], sum) // a row may have several goroutines
			}
		})
	}
}

// nearest is x rounded to the nearest 64-bit integer, ties to even, as two's complement; what
// is beyond becomes the largest, and NaN the smallest.
func nearest(x float32) uint64 {
	r := math.RoundToEven(float64(x))
	switch {
	case r >= 1<<63:
		return 1<<63 - 1
	case r >= -1<<63:
		return uint64(int64(r))
	}
	return 1 << 63
}
