package kerneltest

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// AdamWStep is what package cpu has under the same name: rates, and corrections of a step's number.
type AdamWStep struct {
	Rate, Beta1, Beta2, Epsilon, Decay float32
	Correct1, Correct2                 float32
}

// adamWSteps are a first step, a late one, and one that does not decay.
var adamWSteps = []AdamWStep{
	{1e-3, 0.9, 0.999, 1e-8, 1e-2, 10, 31.622776},
	{3e-4, 0.9, 0.95, 1e-8, 0.1, 1, 1},
	{0.1, 0.5, 0.5, 1e-6, 0, 2, 1.4142135},
}

// AdamW is the suite for a step of AdamW: f must agree with an oracle in float64 on every element, within what rounding in
// fp32 allows, whatever the lengths and wherever the operands lie, and touch nothing else. At fp32 w is nil.
func AdamW[T element](t *testing.T, f func(p, m, v []float32, w, g []T, s AdamWStep)) {
	t.Helper()
	s := adamWSuite[T](f)
	t.Run("lengths and alignments", func(t *testing.T) { noFault(t, func() { s.lengths(t) }) })
	t.Run("page ends", func(t *testing.T) { noFault(t, func() { s.pageEnds(t) }) })
}

type adamWSuite[T element] func(p, m, v []float32, w, g []T, s AdamWStep)

// adamWOperands are those of a step; copies is w, or nil at fp32.
type adamWOperands[T element] struct {
	p, m, v   []float32
	copies, g []T
}

func (s adamWSuite[T]) lengths(t *testing.T) {
	lengths := []int{127, 128, 129, 1000, 1021, 4099}
	for n := range 71 {
		lengths = append(lengths, n)
	}
	for i, n := range lengths {
		for turn := range 3 {
			var all guards
			var o adamWOperands[T]
			o.p, o.g, o.m, o.v = guardedSlice[float32](&all, n), guardedSlice[T](&all, n), guardedSlice[float32](&all, n), guardedSlice[float32](&all, n)
			if size[T]() < 4 {
				o.copies = guardedSlice[T](&all, n)
			}
			where := fmt.Sprintf("%d elements, step %d", n, turn)
			s.run(t, where, o, adamWSteps[turn], uint64(i))
			if text := all.broken(); text != "" {
				t.Fatalf("%s: %s", where, text)
			}
		}
	}
}

// pageEnds lets all operands end where a page ends, and then begin where one begins.
func (s adamWSuite[T]) pageEnds(t *testing.T) {
	const most = 70
	operands := func(sums func(testing.TB, int) []float32, place func(testing.TB, int) []T) adamWOperands[T] {
		o := adamWOperands[T]{p: sums(t, most), m: sums(t, most), v: sums(t, most), g: place(t, most)}
		if size[T]() < 4 {
			o.copies = place(t, most)
		}
		return o
	}
	ends, starts := operands(PageEnd[float32], PageEnd[T]), operands(PageStart[float32], PageStart[T])
	for n := range most + 1 {
		s.run(t, fmt.Sprintf("%d elements at the end of a page", n), ends.cut(n, true), adamWSteps[0], uint64(n))
		s.run(t, fmt.Sprintf("%d elements at the start of a page", n), starts.cut(n, false), adamWSteps[1], uint64(n))
	}
}

func (o adamWOperands[T]) cut(n int, end bool) adamWOperands[T] {
	c := adamWOperands[T]{p: piece(o.p, n, end), m: piece(o.m, n, end), v: piece(o.v, n, end), g: piece(o.g, n, end)}
	if o.copies != nil {
		c.copies = piece(o.copies, n, end)
	}
	return c
}

// run fills the operands, makes a step and holds every element to the oracle.
func (s adamWSuite[T]) run(t *testing.T, where string, o adamWOperands[T], step AdamWStep, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	for i := range o.p {
		o.p[i], o.m[i], o.v[i] = adamWSample(r), adamWSample(r), adamWSample(r)
		if r.IntN(8) > 0 {
			o.v[i] = float32(math.Abs(float64(o.v[i])))
		}
		o.g[i] = kernels.Rounded[T](float64(adamWSample(r)))
	}
	was := adamWOperands[T]{p: bytesOf(o.p), m: bytesOf(o.m), v: bytesOf(o.v), g: bytesOf(o.g)}
	s(o.p, o.m, o.v, o.copies, o.g, step)
	if !bytes.Equal(raw(o.g), raw(was.g)) {
		t.Fatalf("%s: g was written to", where)
	}
	for i := range o.p {
		p, m, v, g := float64(was.p[i]), float64(was.m[i]), float64(was.v[i]), kernels.Value(was.g[i])
		want := adamWOracle(p, m, v, g, step)
		for j, got := range []float32{o.p[i], o.m[i], o.v[i]} {
			if !want[j].holds(float64(got)) {
				t.Fatalf("%s: of p %v, m %v, v %v, g %v, %s[%d] is %v, want %v within %.3g", where, p, m, v, g, "pmv"[j:j+1], i, got, want[j].value, want[j].allowed)
			}
		}
		if o.copies == nil {
			continue
		}
		if got, want := kernels.Value(o.copies[i]), kernels.Value(kernels.Rounded[T](float64(o.p[i]))); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("%s: w[%d] is %v, want %v, which is p %v rounded", where, i, got, want, o.p[i])
		}
	}
}

func bytesOf[E any](s []E) []E { return append([]E(nil), s...) }

// adamWSample is of the order of 1, or small, large or special: a NaN with all its bits, which rounding to bf16 by an addition
// would carry into the sign.
func adamWSample(r *rand.Rand) float32 {
	switch x := r.NormFloat64(); r.IntN(16) {
	case 0:
		specials := []uint32{0, 1 << 31, 1, 0x7f800000, 0xff800000, 0x7fffffff, 0xffffffff, 0x7fc00000, 0x7f800001, 0x7f7fffff}
		return math.Float32frombits(specials[r.IntN(len(specials))])
	case 1:
		return float32(x * 1e-30)
	case 2:
		return float32(x * 1e-42)
	case 3:
		return float32(x * 1e15)
	case 4:
		return float32(x * 1e30)
	case 5, 6:
		return float32(x * 1e-4)
	default:
		return float32(x)
	}
}

// holds reports whether got may be what b is, rounded to fp32.
func (b bounded) holds(got float64) bool {
	if math.IsNaN(b.value) || math.IsInf(b.value, 0) {
		return got == b.value || math.IsNaN(got) && math.IsNaN(b.value)
	}
	if math.IsNaN(b.allowed) {
		return false
	}
	return got >= float64(float32(b.value-b.allowed)) && got <= float64(float32(b.value+b.allowed))
}

// adamWOracle is a step in float64, with fp32's overflow; p, m and v. Each operation of fp32 may or may not round, since an
// engine may fuse.
func adamWOracle(p, m, v, g float64, s AdamWStep) [3]bounded {
	beta1, beta2, rate, decay := float64(s.Beta1), float64(s.Beta2), float64(s.Rate), float64(s.Decay)
	rest1, rest2 := float64(1-s.Beta1), float64(1-s.Beta2)
	first := bounded{value: overflowed(beta1*m + rest1*g)}
	first.allowed = ulpRound*(math.Abs(beta1*m)+math.Abs(rest1*g)+math.Abs(first.value)) + 3*tiny
	square := overflowed(rest2 * g * g)
	second := bounded{value: overflowed(beta2*v + square)}
	second.allowed = ulpRound*(math.Abs(beta2*v)+2*square+math.Abs(second.value)) + tiny*(3+math.Abs(g))

	// The root of what v may be off by, which is far more than a relative error where v is near 0.
	denominator := func(v float64) float64 { return float64(s.Correct2)*math.Sqrt(v) + float64(s.Epsilon) }
	middle, least, most := denominator(second.value), denominator(math.Max(second.value-second.allowed, 0)), denominator(second.value+second.allowed)
	numerator := overflowed(float64(s.Correct1) * first.value)
	update := bounded{value: overflowed(numerator / middle)}
	update.allowed = float64(s.Correct1)*(first.allowed+tiny)/least + math.Abs(numerator)*(1/least-1/most) + 6*ulpRound*math.Abs(update.value) + tiny
	if math.IsInf(middle, 1) {
		update.allowed = 0 // a finite number divided by Inf
	}
	sum := overflowed(decay*p + update.value)
	moved := bounded{value: overflowed(p - rate*sum)}
	moved.allowed = rate*(update.allowed+ulpRound*(math.Abs(decay*p)+2*math.Abs(sum))) + ulpRound*math.Abs(moved.value) + 3*tiny
	return [3]bounded{moved, first, second}
}

// overflowed is v, or infinite where fp32 would be.
func overflowed(v float64) float64 {
	if f := float64(float32(v)); math.IsInf(f, 0) {
		return f
	}
	return v
}
