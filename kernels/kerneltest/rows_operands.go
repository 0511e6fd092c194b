package kerneltest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/realflops/realflops/kernels"
)

// rowKinds fill x, all the rows of a matrix; random is of the standard normal distribution.
var rowKinds = []struct {
	name string
	fill func(x []float64, random func() float64)
}{
	{"normal", func(x []float64, random func() float64) { each(x, random) }},
	{"equal", func(x []float64, _ func() float64) { each(x, func() float64 { return -3.7 }) }},
	{"equal and large", func(x []float64, _ func() float64) { each(x, func() float64 { return 60001 }) }},
	{"far from 0", func(x []float64, random func() float64) { each(x, func() float64 { return 900 + random() }) }},
	{"wide", func(x []float64, random func() float64) {
		each(x, func() float64 { return random() * math.Exp(3*random()) })
	}},
	// Squares are as large, and as small, as fp32 has them; to fp16 this is Inf and 0.
	{"large", func(x []float64, random func() float64) { each(x, func() float64 { return 1e17 * random() }) }},
	{"huge in fp16", func(x []float64, random func() float64) {
		each(x, func() float64 { return 3e4 * math.Tanh(random()) })
	}},
	{"subnormal", func(x []float64, random func() float64) { each(x, func() float64 { return 1e-40 * random() }) }},
	{"subnormal in fp16", func(x []float64, random func() float64) { each(x, func() float64 { return 1e-6 * random() }) }},
	{"a NaN", one(math.NaN())},
	{"+Inf", one(math.Inf(1))},
	{"-Inf", one(math.Inf(-1))},
	{"-0", one(math.Copysign(0, -1))},
	{"all -Inf", func(x []float64, _ func() float64) { each(x, func() float64 { return math.Inf(-1) }) }},
	{"-Inf but one", func(x []float64, random func() float64) {
		each(x, func() float64 { return math.Inf(-1) })
		x[len(x)/2] = random()
	}},
}

func each(x []float64, f func() float64) {
	for i := range x {
		x[i] = f()
	}
}

// one is a normal matrix with one value in its middle.
func one(v float64) func(x []float64, random func() float64) {
	return func(x []float64, random func() float64) {
		each(x, random)
		x[len(x)/2] = v
	}
}

// extremes are for softmax alone, the squares of which nobody takes.
func extremes(x []float64, random func() float64) {
	each(x, func() float64 { return math.Copysign(3.3e38, random()) })
}

// cut takes the given counts off the ends or the starts of operands.
func cut[T element](o *RowOperands[T], matrix, columns int, end bool) *RowOperands[T] {
	part := func(s []T, n int) []T { return piece(s, n, end) }
	return &RowOperands[T]{
		Columns: columns, X: part(o.X, matrix), Y: part(o.Y, matrix), DY: part(o.DY, matrix), DX: part(o.DX, matrix),
		Gain: part(o.Gain, columns), Bias: part(o.Bias, columns), DGain: piece(o.DGain, columns, end), DBias: piece(o.DBias, columns, end),
	}
}

func piece[E any](s []E, n int, end bool) []E {
	if end {
		return s[len(s)-n:]
	}
	return s[:n]
}

// guards are what lies around several operands.
type guards struct{ checks []func() string }

func guardedSlice[E any](all *guards, n int) []E {
	g := newGuarded[E](n)
	s := g.place(len(all.checks)*size[E]()%line, n) // each operand at another distance from a line's start
	all.checks = append(all.checks, g.broken)
	return s
}

func (g *guards) broken() string {
	for i, broken := range g.checks {
		if text := broken(); text != "" {
			return fmt.Sprintf("operand %d: %s", i, text)
		}
	}
	return ""
}

// filled fills the operands and remembers them.
func (s *rowSuite[T]) filled(o *RowOperands[T], fill func(x []float64, random func() float64)) *rowCheck[T] {
	r := rand.New(rand.NewPCG(uint64(len(o.X)), uint64(o.Columns)))
	put := func(to []T, f func(x []float64, random func() float64)) []T {
		x := make([]float64, len(to))
		if len(x) > 0 {
			f(x, r.NormFloat64)
		}
		for i, v := range x {
			to[i] = kernels.Rounded[T](v)
		}
		return append([]T(nil), to...)
	}
	normal := rowKinds[0].fill
	c := &rowCheck[T]{suite: s, x: put(o.X, fill), gain: put(o.Gain, normal), bias: put(o.Bias, normal)}
	if s.kernel == kernels.SoftmaxBackward {
		c.y, c.dy = put(o.Y, normal), put(o.DY, fill)
	} else {
		c.dy = put(o.DY, normal)
	}
	for _, sums := range [][]float32{o.DGain, o.DBias} {
		for i := range sums {
			sums[i] = float32(r.NormFloat64())
		}
	}
	c.dgain, c.dbias = append([]float32(nil), o.DGain...), append([]float32(nil), o.DBias...)
	return c
}
