package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
	"github.com/realflops/realflops/kernels/cpu/_asm/vec"
)

// Vectors side by side: where exp is computed, and where little is.
func expGroup(s vec.ISA) int { return map[vec.ISA]int{vec.AVX2: 2, vec.AVX512: 4}[s] }

const plainGroup = 4

// power is exp(x - top)·2^powerScale. The scale keeps every power a normal number, so that what is subnormal is rounded
// when it is divided by the sum, and then only.
type power struct {
	vec.ScaledExp
	log2e, least vec.Const
}

const (
	powerScale = 60
	// leastPower is below what is rounded to 0 even if the sum is that of one element.
	leastPower = -104
)

func newPower(a *vec.Asm) power {
	return power{a.NewScaledExp(vec.Two, vec.OfExp, powerScale), a.Float(math.Log2E), a.Float(leastPower)}
}

// of: a NaN of x stays, and so does that of Inf - Inf.
func (p power) of(x vec.V, top vec.Const) vec.V {
	return p.Value(p.ReduceProduct(p.AtLeast(p.Sub(x, top), p.least), p.log2e))
}

func (r *routine) top(x *vec.Stream) reg.VecVirtual {
	top := r.NewTop(plainGroup)
	r.Pass(plainGroup, func(l vec.Lanes) { top.Add(l, l.Load(x)) }, x)
	return top.Total()
}

// The parts behind the first are for blocks of a row that is too long for its passes to find it in the cache.
var softmax = kernel{"Softmax", []part{softmaxRows, softmaxTop, softmaxSum, softmaxShare}}

var softmaxRows = part{
	loop: []string{
		"top := max(x...)",
		"for i := range x { scratch[i] = exp(x[i] - top); sum += scratch[i] }",
		"for i := range x { y[i] = scratch[i] * (1 / sum) }",
	},
	constants: map[vec.ISA]int{vec.AVX2: 2, vec.AVX512: 11},
	emit: func(r *routine) {
		group, exp := expGroup(r.ISA), newPower(r.Asm)
		r.codec = r.codec.Kept()
		x, y := r.row(offsetX), r.row(offsetY)
		scratch := y // where it has room for float32
		streams := []*vec.Stream{y}
		if r.format != vec.FP32 {
			scratch = r.shared32(offsetScratch)
			streams = append(streams, scratch)
		}
		r.each(func() {
			top, sum := r.Everywhere(r.top(x)), r.NewSum(group)
			r.Pass(group, func(l vec.Lanes) {
				e := exp.of(l.Load(x), top)
				sum.Add(l, e)
				l.Store(e, scratch)
			}, x, scratch)
			share := XMM()
			reciprocal(sum.Total(), share)
			scale := r.Everywhere(share)
			r.Pass(group, func(l vec.Lanes) { l.Store(r.Mul(l.Load(scratch), scale), y) }, streams...)
		})
	},
}

var softmaxTop = part{
	name: "Top", loop: []string{"top = max(x...) // it may pass over a NaN"},
	emit: func(r *routine) { VMOVSS(r.top(r.row(offsetX)), gen.Field(offsetTop)) },
}

var softmaxSum = part{
	name: "Sum", loop: []string{"for i := range x { sum += exp(x[i] - top) * 1<<60 }"},
	constants: map[vec.ISA]int{vec.AVX2: 2, vec.AVX512: 11},
	emit: func(r *routine) {
		x, group, exp := r.row(offsetX), expGroup(r.ISA), newPower(r.Asm)
		top, sum := r.Everywhere(gen.Field(offsetTop)), r.NewSum(group)
		r.Pass(group, func(l vec.Lanes) { sum.Add(l, exp.of(l.Load(x), top)) }, x)
		VMOVSS(sum.Total(), gen.Field(offsetSum))
	},
}

var softmaxShare = part{
	name: "Share", loop: []string{"for i := range x { y[i] = exp(x[i] - top) * 1<<60 * scale }"},
	constants: map[vec.ISA]int{vec.AVX2: 2, vec.AVX512: 11},
	emit: func(r *routine) {
		x, y, group, exp := r.row(offsetX), r.row(offsetY), expGroup(r.ISA), newPower(r.Asm)
		top, scale := r.Everywhere(gen.Field(offsetTop)), r.Everywhere(gen.Field(offsetScale))
		r.Pass(group, func(l vec.Lanes) { l.Store(r.Mul(exp.of(l.Load(x), top), scale), y) }, x, y)
	},
}

var softmaxBackward = kernel{"SoftmaxBackward", []part{{
	loop: []string{
		"for i := range y { dot += y[i] * dy[i] }",
		"for i := range y { dx[i] = y[i] * (dy[i] - dot) }",
	},
	constants: map[vec.ISA]int{vec.AVX512: 8},
	emit: func(r *routine) {
		r.codec = r.codec.Kept()
		y, dy, dx := r.row(offsetY), r.row(offsetDY), r.row(offsetDX)
		r.each(func() {
			sum := r.NewSum(plainGroup)
			r.Pass(plainGroup, func(l vec.Lanes) { sum.AddProduct(l, l.Load(y), l.Load(dy)) }, y, dy)
			dot := r.Everywhere(sum.Total())
			r.Pass(plainGroup, func(l vec.Lanes) {
				l.Store(r.Mul(r.Sub(l.Load(dy), dot), l.Load(y)), dx)
			}, y, dy, dx)
		})
	},
}}}
