package twin

import (
	"fmt"
	"math"
	"sync"
)

// unary32 computes y[i] = f(x[i]). A NaN keeps its bits.
func unary32(f func(float64) float64) func(*call) {
	return func(c *call) {
		y, x := operand[float32](c, 0, c.N), operand[float32](c, 1, c.N)
		if c.err != nil {
			return
		}
		parallel(c.N, grain, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				if y[i] = x[i]; x[i] == x[i] {
					y[i] = float32(f(float64(x[i])))
				}
			}
		})
	}
}

// unary16 is unary32 for the 65536 values that 16 bits have: computed once, then looked up.
func unary16[T ~uint16](f func(float64) float64, in format[T]) func(*call) {
	results := sync.OnceValue(func() []T {
		all := make([]T, 1<<16)
		for bits := range all {
			x := in.widen(T(bits))
			if all[bits] = T(bits); x == x {
				all[bits] = in.round(float32(f(float64(x))))
			}
		}
		return all
	})
	return func(c *call) {
		y, x := operand[T](c, 0, c.N), operand[T](c, 1, c.N)
		if c.err != nil {
			return
		}
		of := results()
		parallel(c.N, grain, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				y[i] = of[x[i]]
			}
		})
	}
}

// reluBackward computes dx[i] = dy[i] where x[i] > 0, else +0.
func reluBackward[T any](positive func(T) bool) func(*call) {
	return func(c *call) {
		dx, dy, x := operand[T](c, 0, c.N), operand[T](c, 1, c.N), operand[T](c, 2, c.N)
		if c.err != nil {
			return
		}
		parallel(c.N, grain, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				var d T
				if positive(x[i]) {
					d = dy[i]
				}
				dx[i] = d
			}
		})
	}
}

// sigmoidBackward computes dx[i] = dy[i]·y[i]·(1 - y[i]), in fp32 as the kernel does.
func sigmoidBackward[T any](in format[T]) func(*call) {
	return func(c *call) {
		dx, dy, y := operand[T](c, 0, c.N), operand[T](c, 1, c.N), operand[T](c, 2, c.N)
		if c.err != nil {
			return
		}
		parallel(c.N, grain, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				v := in.widen(y[i])
				dx[i] = in.round(in.widen(dy[i]) * v * (1 - v))
			}
		})
	}
}

func copyFP64(c *call) {
	dst, src := operand[uint64](c, 0, c.N), operand[uint64](c, 1, c.N)
	if c.err == nil {
		parallel(c.N, grain, func(lo, hi int) { copy(dst[lo:hi], src[lo:hi]) })
	}
}

// triadFP64 computes a[i] = b[i] + 3·c[i], rounded once.
func triadFP64(c *call) {
	dst, b, s := operand[float64](c, 0, c.N), operand[float64](c, 1, c.N), operand[float64](c, 2, c.N)
	if c.err != nil {
		return
	}
	parallel(c.N, grain, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			dst[i] = math.FMA(3, s[i], b[i])
		}
	})
}

// readFP64 sums the words of each block's chunk, modulo 2^64.
func readFP64(c *call) {
	out, x := operand[uint64](c, 0, c.Grid), operand[uint64](c, 1, c.N)
	if c.err != nil {
		return
	}
	parallel(c.Grid, max(1, grain/c.Chunk), func(lo, hi int) {
		for block := lo; block < hi; block++ {
			sum := uint64(0)
			for _, word := range x[block*c.Chunk : min(block*c.Chunk+c.Chunk, c.N)] {
				sum += word
			}
			out[block] = sum
		}
	})
}

// count is every register-only kernel: the chains x = x·one + one, from 0, come to the
// number of multiply-adds of the thread where one is 1, and to 0 where it is 0.
func count(c *call) {
	one := c.Params[2]
	if one > 1 {
		c.err = fmt.Errorf("the factor is %d; want 1, or 0", one)
		return
	}
	out := operand[uint64](c, 0, c.Grid*c.Launch.Block)
	for i := range out {
		out[i] = uint64(c.N) * one
	}
}
