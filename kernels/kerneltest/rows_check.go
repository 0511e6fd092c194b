package kerneltest

import (
	"bytes"
	"math"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// rowCheck knows what the operands were before a kernel ran.
type rowCheck[T element] struct {
	suite        *rowSuite[T]
	x, y, dy     []T
	gain, bias   []T
	dgain, dbias []float32
}

// check holds what a kernel wrote to the oracle, row by row, and everything else to what it was.
func (c *rowCheck[T]) check(t *testing.T, where string, o *RowOperands[T]) {
	t.Helper()
	out, name := o.Y, "y"
	if c.suite.backward() {
		out, name = o.DX, "dx"
	}
	c.untouched(t, where, o, out)
	dgain, dbias := sumsFrom(c.dgain), sumsFrom(c.dbias)
	oracle, n := rowOracles[c.suite.kernel], o.Columns
	part := func(s []T, at int) []float64 {
		if s == nil {
			return nil
		}
		return toFloats(s[at:][:n])
	}
	gain, bias := part(c.gain, 0), part(c.bias, 0)
	for at := 0; at+n <= len(c.x); at += n {
		want := oracle(rowOf{x: part(c.x, at), y: part(c.y, at), dy: part(c.dy, at), gain: gain, bias: bias})
		for i, b := range want.out {
			if got := out[at+i]; !c.agrees(kernels.Value(got), b, func(v float64) float64 { return kernels.Value(kernels.Rounded[T](v)) }) {
				t.Fatalf("%s: %s[%d,%d] is %v, want %v within %.3g", where, name, at/n, i, kernels.Value(got), b.value, b.allowed)
			}
		}
		accumulate(dgain, want.gain)
		accumulate(dbias, want.bias)
	}
	c.sums(t, where+": dgain", o.DGain, dgain)
	c.sums(t, where+": dbias", o.DBias, dbias)
}

// untouched holds that inputs, but for one that out took the place of, are what they were.
func (c *rowCheck[T]) untouched(t *testing.T, where string, o *RowOperands[T], out []T) {
	t.Helper()
	for _, in := range []struct {
		name     string
		now, was []T
	}{{"x", o.X, c.x}, {"dy", o.DY, c.dy}, {"y", o.Y, c.y}, {"gain", o.Gain, c.gain}, {"bias", o.Bias, c.bias}} {
		replaced := len(in.now) == 0 || len(out) > 0 && &in.now[0] == &out[0]
		if in.was != nil && !replaced && !bytes.Equal(raw(in.now), raw(in.was)) {
			t.Fatalf("%s: %s was written to", where, in.name)
		}
	}
}

func (c *rowCheck[T]) sums(t *testing.T, where string, got []float32, want []bounded) {
	t.Helper()
	for i, b := range want {
		if !c.agrees(float64(got[i]), b, func(v float64) float64 { return float64(float32(v)) }) {
			t.Fatalf("%s[%d] is %v, want %v within %.3g", where, i, got[i], b.value, b.allowed)
		}
	}
}

// agrees: rounding keeps order, so that what is at most allowed off before it is rounded lies between the ends of that range,
// rounded. What a gradient makes of an infinity, which no training survives, may be another or a NaN.
func (c *rowCheck[T]) agrees(got float64, b bounded, round func(float64) float64) bool {
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	switch {
	case !finite(b.value) && c.suite.backward():
		return !finite(got)
	case math.IsNaN(b.value):
		return math.IsNaN(got)
	case b.value == 0 && got == 0 && c.suite.kernel == kernels.RMSNorm:
		return math.Signbit(got) == math.Signbit(b.value)
	case math.IsInf(b.value, 0):
		return got == b.value
	}
	return got >= round(b.value-b.allowed) && got <= round(b.value+b.allowed)
}

func sumsFrom(start []float32) []bounded {
	sums := make([]bounded, len(start))
	for i, v := range start {
		sums[i].value = float64(v)
	}
	return sums
}

// accumulate adds what a row adds, each addition rounding once.
func accumulate(sums, row []bounded) {
	for i, b := range row {
		sums[i].value += b.value
		sums[i].allowed += b.allowed + ulpRound*math.Abs(sums[i].value)
	}
}

func toFloats[T element](s []T) []float64 {
	f := make([]float64, len(s))
	for i, v := range s {
		f[i] = kernels.Value(v)
	}
	return f
}
