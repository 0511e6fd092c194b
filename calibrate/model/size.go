package model

import (
	"math"
	"math/bits"
)

// size is a symbolic size: a factor fixed by the architecture times powers of what
// a setup chooses. Width is no variable: it says to which power of the model's width
// d the factor grows (heads and FFN grow with d, head_dim and vocabulary do not).
type size struct {
	factor              int64 // MaxInt64 where it overflows
	batch, seq, context int
	width               int
}

// num is a size that no setup changes and that does not grow with the width.
func num(n int64) size { return size{factor: n} }

// wide is a size that grows with the width.
func wide(n int64) size { return size{factor: n, width: 1} }

// The sizes that a setup chooses. Context is the number of positions that one query
// sees: the sequence itself in a forward pass, what is cached in decode.
var (
	batch   = size{factor: 1, batch: 1}
	seq     = size{factor: 1, seq: 1}
	context = size{factor: 1, context: 1}
)

// times is the product of sizes.
func times(sizes ...size) size {
	p := size{factor: 1}
	for _, s := range sizes {
		p.factor = mul(p.factor, s.factor)
		p.batch += s.batch
		p.seq += s.seq
		p.context += s.context
		p.width += s.width
	}
	return p
}

// at is the size for a setup.
func (s size) at(v point) float64 {
	return float64(s.factor) * power(v.batch, s.batch) * power(v.seq, s.seq) * power(v.context, s.context)
}

func power(x float64, n int) float64 {
	p := 1.0
	for range n {
		p *= x
	}
	return p
}

// mul multiplies non-negative integers and stays at MaxInt64 where they overflow.
func mul(factors ...int64) int64 {
	p := uint64(1)
	for _, f := range factors {
		if f == 0 {
			return 0
		}
		hi, lo := bits.Mul64(p, uint64(f))
		if p = lo; hi != 0 || lo > math.MaxInt64 {
			p = math.MaxInt64
		}
	}
	return int64(p)
}

// add sums non-negative integers and stays at MaxInt64 where they overflow.
func add(terms ...int64) int64 {
	var sum int64
	for _, t := range terms {
		if t > math.MaxInt64-sum {
			return math.MaxInt64
		}
		sum += t
	}
	return sum
}
