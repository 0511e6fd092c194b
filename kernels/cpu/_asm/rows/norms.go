package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/vec"
)

var rmsNorm = kernel{"RMSNorm", []part{{
	loop: []string{
		"for i := range x { sum += x[i] * x[i] }",
		"r := 1 / sqrt(sum/count + epsilon)",
		"for i := range x { y[i] = x[i] * r * gain[i] }",
	},
	constants: map[vec.ISA]int{vec.AVX512: 8},
	emit: func(r *routine) {
		r.codec = r.codec.Kept()
		x, y, gain := r.row(offsetX), r.row(offsetY), r.shared(offsetGain)
		r.each(func() {
			sum := r.NewSum(plainGroup)
			r.Pass(plainGroup, func(l vec.Lanes) {
				v := l.Load(x)
				sum.AddProduct(l, v, v)
			}, x)
			scale := r.Everywhere(inverse(mean(sum.Total())))
			r.Pass(plainGroup, func(l vec.Lanes) {
				l.Prefetch(x, r.stride)
				l.Store(r.Mul(r.Mul(l.Load(x), scale), l.Load(gain)), y)
			}, x, y, gain)
		})
	},
}}}

// moments of a row.
type moments struct {
	mean  vec.Const
	scale reg.VecVirtual // 1/√(variance + ε)
}

// centred takes the mean and, in a second pass over x and others, in which body gets x - mean, the variance. The mean
// is that of x - x[0], which is exact where all are equal and as good as their spread where that is small beside them.
func (r *routine) centred(group int, x *vec.Stream, body func(l vec.Lanes, d vec.V), others ...*vec.Stream) moments {
	first, sum := x.LoadElement(x.Start.(reg.Register)), r.NewSum(plainGroup)
	shift := vec.Same(first)
	r.Pass(plainGroup, func(l vec.Lanes) { sum.Add(l, r.Sub(l.Load(x), shift)) }, x)
	centre := mean(sum.Total())
	VADDSS(first[0].AsX(), centre, centre)
	m := moments{mean: r.Everywhere(centre)}
	squares := r.NewSum(group)
	r.Pass(group, func(l vec.Lanes) {
		d := r.Sub(l.Load(x), m.mean)
		squares.AddProduct(l, d, d)
		body(l, d)
	}, append(others, x)...)
	m.scale = inverse(mean(squares.Total()))
	return m
}

// momentsGroup is what the registers have room for.
func momentsGroup(s vec.ISA) int { return map[vec.ISA]int{vec.AVX2: 2, vec.AVX512: 4}[s] }

var layerNorm = kernel{"LayerNorm", []part{{
	loop: []string{
		"for i := range x { sum += x[i] - x[0] }; mean := x[0] + sum/count",
		"for i := range x { d := x[i] - mean; squares += d * d }; r := 1 / sqrt(squares/count + epsilon)",
		"for i := range x { y[i] = (x[i] - mean) * r * gain[i] + bias[i] }",
	},
	constants: map[vec.ISA]int{vec.AVX512: 8},
	emit: func(r *routine) {
		r.codec = r.codec.Kept()
		x, y, gain, bias := r.row(offsetX), r.row(offsetY), r.shared(offsetGain), r.shared(offsetBias)
		r.each(func() {
			m := r.centred(momentsGroup(r.ISA), x, func(vec.Lanes, vec.V) {})
			scale := r.Everywhere(m.scale)
			r.Pass(plainGroup, func(l vec.Lanes) {
				l.Prefetch(x, r.stride)
				d := r.Mul(r.Sub(l.Load(x), m.mean), scale)
				l.Store(r.MulAdd(d, l.Load(gain), l.Load(bias)), y)
			}, x, y, gain, bias)
		})
	},
}}}

// backwardGroup is small, since there are up to four sums.
const backwardGroup = 2

// ordered are streams of which the lanes meet those of fp32 sums.
func ordered(streams ...*vec.Stream) {
	for _, s := range streams {
		s.Ordered = true
	}
}

// accumulate adds v to what is in s.
func accumulate(r *routine, l vec.Lanes, v vec.V, s *vec.Stream) {
	l.Store(r.Add(v, l.Load(s)), s)
}

var rmsNormBackward = kernel{"RMSNormBackward", []part{{
	loop: []string{
		"for i := range x { squares += x[i] * x[i]; dot += gain[i] * dy[i] * x[i] }",
		"r := 1 / sqrt(squares/count + epsilon); c := r * r * (dot / count)",
		"for i := range x { dx[i] = r * (gain[i]*dy[i] - x[i]*c); dgain[i] += dy[i] * (x[i] * r) }",
	},
	emit: func(r *routine) {
		x, dy, dx := r.row(offsetX), r.row(offsetDY), r.row(offsetDX)
		gain, dgain := r.shared(offsetGain), r.shared32(offsetDGain)
		ordered(x, dy, dx, gain)
		r.each(func() {
			squares, dot := r.NewSum(backwardGroup), r.NewSum(backwardGroup)
			r.Pass(backwardGroup, func(l vec.Lanes) {
				v := l.Load(x)
				squares.AddProduct(l, v, v)
				dot.AddProduct(l, r.Mul(l.Load(dy), l.Load(gain)), v)
			}, x, dy, gain)
			inverse := inverse(mean(squares.Total()))
			c := mean(dot.Total())
			VMULSS(inverse, c, c)
			VMULSS(inverse, c, c)
			scale, back := r.Everywhere(inverse), r.Everywhere(c)
			r.Pass(backwardGroup, func(l vec.Lanes) {
				v, d := l.Load(x), l.Load(dy)
				accumulate(r, l, r.Mul(r.Mul(v, scale), d), dgain)
				h := r.NegMulAdd(v, back, r.Mul(d, l.Load(gain)))
				l.Store(r.Mul(h, scale), dx)
			}, x, dy, dx, gain, dgain)
		})
	},
}}}

var layerNormBackward = kernel{"LayerNormBackward", []part{{
	loop: []string{
		"// mean and r as of layernorm, with the sums h += gain[i] * dy[i] and dot += gain[i] * dy[i] * d in its second loop",
		"c := r * r * (dot / count)",
		"for i := range x {",
		"\tdx[i] = r * (gain[i]*dy[i] - h/count - (x[i]-mean)*c)",
		"\tdgain[i] += dy[i] * ((x[i] - mean) * r); dbias[i] += dy[i]",
		"}",
	},
	emit: func(r *routine) {
		x, dy, dx := r.row(offsetX), r.row(offsetDY), r.row(offsetDX)
		gain, dgain, dbias := r.shared(offsetGain), r.shared32(offsetDGain), r.shared32(offsetDBias)
		ordered(x, dy, dx, gain)
		r.each(func() {
			sum, dot := r.NewSum(backwardGroup), r.NewSum(backwardGroup)
			m := r.centred(backwardGroup, x, func(l vec.Lanes, d vec.V) {
				h := r.Mul(l.Load(dy), l.Load(gain))
				sum.Add(l, h)
				dot.AddProduct(l, h, d)
			}, dy, gain)
			c := mean(dot.Total())
			VMULSS(m.scale, c, c)
			VMULSS(m.scale, c, c)
			scale, back, centre := r.Everywhere(m.scale), r.Everywhere(c), r.Everywhere(mean(sum.Total()))
			r.Pass(backwardGroup, func(l vec.Lanes) {
				g, d := l.Load(dy), r.Sub(l.Load(x), m.mean)
				accumulate(r, l, g, dbias)
				accumulate(r, l, r.Mul(r.Mul(d, scale), g), dgain)
				h := r.NegMulAdd(d, back, r.Sub(r.Mul(g, l.Load(gain)), centre))
				l.Store(r.Mul(h, scale), dx)
			}, x, dy, dx, gain, dgain, dbias)
		})
	},
}}}
