package kerneltest

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// LinearFunc packs w, k x n, and computes y = x·w for m rows of x, on as many threads as it is told.
type LinearFunc[T kernels.BFloat16 | kernels.Float16 | float32 | int8, Y float32 | int32] func(y []Y, x, w []T, m, n, k, threads int)

// LinearForm says what an implementation of linear does to its operands beside multiplying them, and so
// what may be asked of it.
type LinearForm struct {
	// Weights is the largest magnitude of a quantised weight, 127 or, the largest positive one being 7, 8; 0 where
	// weights stay as they are.
	Weights int

	// X says that x is quantised too, in blocks of QuantX; FlushX that its subnormals count as 0.
	X, FlushX bool

	// NaN says that a row of x in which an element is not finite becomes NaN: so where x is quantised, and where weights
	// are multiplied with something added, which is taken off again.
	NaN bool
}

// QuantX is how many elements of x share a scale where x is quantised to int8.
const QuantX = 128

// Linear is the suite of linear for one implementation. The error that it allows a result is, with γ(k) =
// k·u / (1 - k·u) and u = 2^-24 (N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., eq. 3.5),
//
//	γ(k)·Σ|x·w| + Σ|x|·dw + Σ|w|·dx
//
// where dw is, of a group of 32 weights of largest magnitude a, half a step, or a whole one at 4 bits, where
// the most positive weight is cut off, and what its fp16 scale is rounded by: a/(2·Weights) + a·2^-11 + Weights·2^-25; and dx, of a block of x with largest magnitude b, b/254. The second is 0 where weights are
// not quantised, the third where x is not.
func Linear[T kernels.BFloat16 | kernels.Float16 | float32 | int8, Y float32 | int32](t *testing.T, run LinearFunc[T, Y], f LinearForm) {
	s := linearSuite[T, Y]{run, f}
	t.Run("every m is exact", s.everyM)
	t.Run("chunks and ragged edges are exact", s.edges)
	t.Run("nothing is computed where there is nothing", s.empty)
	t.Run("nothing outside the operands is touched", s.fences)
	if linearSize[T]() == 1 {
		t.Run("sums wrap at 32 bits", s.wraps)
		return
	}
	t.Run("randn is within the bound", s.randn)
	t.Run("NaN and infinities go where they belong", s.special)
	if !f.NaN {
		t.Run("infinities stay in their chunk", s.stale)
	}
	if !f.X && !f.FlushX {
		t.Run("subnormals are not flushed", s.subnormals)
	}
	if f.Weights != 0 {
		t.Run("groups of zeros, of NaN, and scales at their ends", s.scales)
	}
}

type linearSuite[T kernels.BFloat16 | kernels.Float16 | float32 | int8, Y float32 | int32] struct {
	run  LinearFunc[T, Y]
	form LinearForm
}

// linearCase is a problem.
type linearCase struct {
	m, n, k, threads int
	x, w             []float64
}

func (c linearCase) String() string {
	return fmt.Sprintf("m %d, n %d, k %d, %d threads", c.m, c.n, c.k, c.threads)
}

func newLinearCase(m, n, k int) (linearCase, *rand.Rand) {
	return linearCase{m, n, k, 1 + (m+n+k)%3, make([]float64, m*k), make([]float64, k*n)}, rand.New(rand.NewPCG(uint64(m), uint64(n*100_000+k)))
}

// whole is a case whose results are exact in every form: small whole numbers, bytes for int8; for quantised weights, whole
// multiples of a power of two of their group's own, of which one is ±127 or ±8; for quantised x, of 1,
// with a ±127 in each block.
func (s linearSuite[T, Y]) whole(m, n, k int) linearCase {
	c, r := newLinearCase(m, n, k)
	small := func() float64 { return float64(r.IntN(9) - 4) }
	if linearSize[T]() == 1 {
		small = func() float64 { return float64(r.IntN(256) - 128) }
	}
	for i := range c.x {
		c.x[i] = small()
	}
	for i := range c.w {
		c.w[i] = small()
	}
	if s.form.X {
		for i := range m {
			for p := 0; p < k; p += QuantX {
				c.x[i*k+p+r.IntN(min(QuantX, k-p))] = 127 - 254*float64(r.IntN(2))
			}
		}
	}
	if limit := s.form.Weights; limit != 0 {
		for j := range n {
			for p := 0; p < k; p += kernels.QuantGroup {
				size, scale := min(kernels.QuantGroup, k-p), math.Ldexp(1, r.IntN(4)-2)
				for e := range size {
					c.w[(p+e)*n+j] = scale * float64(r.IntN(9)-4)
				}
				c.w[(p+r.IntN(size))*n+j] = scale * float64(limit-2*limit*r.IntN(2))
			}
		}
	}
	return c
}

func (s linearSuite[T, Y]) everyM(t *testing.T) {
	shapes := [][2]int{{16, 32}, {48, 128}, {37, 131}, {7, 33}, {33, 260}}
	for m := 1; m <= 33; m++ {
		nk := shapes[m%len(shapes)]
		s.exact(t, s.whole(m, nk[0], nk[1]))
	}
	for _, m := range []int{64, 65, 131} {
		s.exact(t, s.whole(m, 21, 40))
	}
}

func (s linearSuite[T, Y]) edges(t *testing.T) {
	for k := 1; k <= 40; k++ {
		s.exact(t, s.whole(1+k%3, 17, k))
	}
	for n := 1; n <= 50; n++ {
		s.exact(t, s.whole(1+n%5, n, 35))
	}
	for _, k := range []int{127, 129, 255, 511, 513, 1025, 2047, 2049, 4097} {
		if k < 1000 || !testing.Short() {
			s.exact(t, s.whole(1+k%4, 19, k))
		}
	}
	s.exact(t, s.whole(6, 70, 2050))
}

func (s linearSuite[T, Y]) empty(t *testing.T) {
	for _, d := range [][3]int{{0, 16, 32}, {3, 0, 32}, {3, 17, 0}, {0, 0, 0}} {
		c, _ := newLinearCase(d[0], d[1], d[2])
		s.exact(t, c)
	}
}

// exact demands the very sums, and that nothing beside y is written.
func (s linearSuite[T, Y]) exact(t *testing.T, c linearCase) {
	t.Helper()
	y := s.solve(t, c)
	for i := range c.m {
		for j := range c.n {
			want := 0.0
			for p := range c.k {
				want += c.x[i*c.k+p] * c.w[p*c.n+j]
			}
			if got := float64(y[i*c.n+j]); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
				t.Fatalf("%v: y[%d,%d] is %v, not %v", c, i, j, got, want)
			}
		}
	}
}

// solve runs a case between guard bands; y holds no results beforehand.
func (s linearSuite[T, Y]) solve(t *testing.T, c linearCase) []Y {
	t.Helper()
	gx, gw, gy := newGuarded[T](len(c.x)), newGuarded[T](len(c.w)), newGuarded[Y](c.m*c.n)
	offset := (c.m + c.n + c.k) % 16
	x, w, y := gx.place(offset*size[T](), len(c.x)), gw.place(line-size[T]()*(1+offset), len(c.w)), gy.place(4*offset, c.m*c.n)
	linearStore(x, c.x)
	linearStore(w, c.w)
	keptX, keptW := bytes.Clone(raw(x)), bytes.Clone(raw(w))
	s.run(y, x, w, c.m, c.n, c.k, c.threads)
	for name, broken := range map[string]string{"x": gx.broken(), "W": gw.broken(), "y": gy.broken()} {
		if broken != "" {
			t.Fatalf("%v: %s: %s", c, name, broken)
		}
	}
	if !bytes.Equal(raw(x), keptX) || !bytes.Equal(raw(w), keptW) {
		t.Fatalf("%v: an operand was changed", c)
	}
	return y
}

// linearStore rounds values to T and puts what they became back.
func linearStore[T kernels.BFloat16 | kernels.Float16 | float32 | int8](out []T, values []float64) {
	for i, v := range values {
		out[i] = kernels.Rounded[T](v)
		values[i] = kernels.Value(out[i])
	}
}

func linearSize[T any]() int { return size[T]() }

// fences: operands end, then start, at a page that cannot be touched.
func (s linearSuite[T, Y]) fences(t *testing.T) {
	for _, d := range [][3]int{{1, 16, 32}, {3, 37, 129}, {8, 53, 200}, {17, 7, 31}} {
		c := s.whole(d[0], d[1], d[2])
		want := s.solve(t, c)
		place := func(y []Y, x, w []T) {
			t.Helper()
			linearStore(x, c.x)
			linearStore(w, c.w)
			noFault(t, func() { s.run(y, x, w, c.m, c.n, c.k, 1) })
			if !bytes.Equal(raw(y), raw(want)) {
				t.Fatalf("%v: other results beside a fence", c)
			}
		}
		place(PageEnd[Y](t, len(want)), PageEnd[T](t, len(c.x)), PageEnd[T](t, len(c.w)))
		place(PageStart[Y](t, len(want)), PageStart[T](t, len(c.x)), PageStart[T](t, len(c.w)))
	}
}

// wraps: (-128)² · 2^17 is 2^31, one more than an int32 holds.
func (s linearSuite[T, Y]) wraps(t *testing.T) {
	const k = 1 << 17
	c, _ := newLinearCase(1, 2, k)
	for p := range k {
		c.x[p], c.w[2*p], c.w[2*p+1] = -128, -128, 127
	}
	y := s.solve(t, c)
	if sum := int64(1) << 31; int64(y[0]) != int64(int32(sum)) || int64(y[1]) != -128*127*k {
		t.Fatalf("sums of %d products are %v and %v, not %v and %v", k, y[0], y[1], int32(sum), -128*127*k)
	}
}

func (s linearSuite[T, Y]) randn(t *testing.T) {
	for _, k := range []int{1, 2, 31, 32, 33, 64, 100, 127, 128, 129, 500, 1031, 2100} {
		c, r := newLinearCase(2+k%5, 35, k)
		for _, values := range [][]float64{c.x, c.w} {
			for i := range values {
				values[i] = r.NormFloat64()
			}
		}
		s.within(t, c)
	}
}

// within holds results to the suite's bound.
func (s linearSuite[T, Y]) within(t *testing.T, c linearCase) {
	t.Helper()
	y := s.solve(t, c)
	dx, dw := make([]float64, len(c.x)), make([]float64, len(c.w))
	if s.form.X {
		for i := range c.m {
			linearSteps(dx[i*c.k:][:c.k], c.x[i*c.k:][:c.k], 1, QuantX, func(b float64) float64 { return b/254 + 0x1p-120 })
		}
	}
	if limit := float64(s.form.Weights); limit != 0 {
		steps := map[float64]float64{127: 0.5, 8: 1}[limit]
		for j := range c.n {
			linearSteps(dw[j:], c.w[j:], c.n, kernels.QuantGroup, func(a float64) float64 { return steps*a/limit + a*0x1p-11 + limit*0x1p-25 })
		}
	}
	ku := float64(c.k+4) * 0x1p-24
	for i := range c.m {
		for j := range c.n {
			var want, sum, quantised float64
			for p := range c.k {
				x, w := c.x[i*c.k+p], c.w[p*c.n+j]
				ex, ew := dx[i*c.k+p], dw[p*c.n+j]
				want += x * w
				sum += (math.Abs(x) + ex) * (math.Abs(w) + ew)
				quantised += math.Abs(x)*ew + (math.Abs(w)+ew)*ex
			}
			bound := ku/(1-ku)*sum + quantised
			if got := float64(y[i*c.n+j]); !(math.Abs(got-want) <= bound) {
				t.Fatalf("%v: y[%d,%d] is %v, more than %.2g from %v", c, i, j, got, bound, want)
			}
		}
	}
}

// linearSteps sets, for each block of values that lie stride apart, f of its largest magnitude.
func linearSteps(steps, values []float64, stride, block int, f func(largest float64) float64) {
	count := (len(values) + stride - 1) / stride
	for from := 0; from < count; from += block {
		to := min(from+block, count)
		largest := 0.0
		for p := from; p < to; p++ {
			largest = max(largest, math.Abs(values[p*stride]))
		}
		for p := from; p < to; p++ {
			steps[p*stride] = f(largest)
		}
	}
}

// special puts a NaN or an infinity into some rows of x.
func (s linearSuite[T, Y]) special(t *testing.T) {
	for _, d := range [][3]int{{1, 5, 7}, {4, 20, 33}, {13, 35, 150}, {17, 16, 40}} {
		c := s.whole(d[0], d[1], d[2])
		r := rand.New(rand.NewPCG(3, uint64(d[0])))
		for i := 0; i < c.m; i += 2 {
			c.x[i*c.k+r.IntN(c.k)] = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[i/2%3]
		}
		if !s.form.NaN {
			s.exact(t, c)
			continue
		}
		y := s.solve(t, c)
		for i := range c.m {
			for j := range c.n {
				if got := float64(y[i*c.n+j]); math.IsNaN(got) != (i%2 == 0) {
					t.Fatalf("%v: y[%d,%d] is %v, with a row of x that is finite: %v", c, i, j, got, i%2 == 1)
				}
			}
		}
	}
}

// stale: an infinity in one chunk of a row is not to be met again by the zeros behind the elements of a shorter one.
func (s linearSuite[T, Y]) stale(t *testing.T) {
	for _, k := range []int{515, 1027, 2051} {
		c := s.whole(2, 5, k)
		c.x[3] = math.Inf(1)
		s.exact(t, c)
	}
}

func (s linearSuite[T, Y]) subnormals(t *testing.T) {
	smallest := math.SmallestNonzeroFloat32
	switch any(*new(T)).(type) {
	case kernels.Float16:
		smallest = 0x1p-24
	case kernels.BFloat16:
		smallest = 0x1p-133
	}
	for _, d := range [][3]int{{1, 3, 5}, {5, 40, 35}, {13, 21, 66}} {
		c := s.whole(d[0], d[1], d[2])
		for i := range c.x {
			c.x[i] *= smallest
		}
		// Scales of less than 1 would have to be rounded away.
		for i := range c.w {
			c.w[i] *= 4
		}
		s.exact(t, c)
	}
}

func (s linearSuite[T, Y]) scales(t *testing.T) {
	const n, k = 18, 100
	limit := float64(s.form.Weights)
	c := s.whole(3, n, k)
	for p := range k {
		c.w[p*n] = 0                // a column of zeros
		c.w[p*n+1] *= 0x1p-20       // scales that are subnormal halves
		c.w[p*n+2] *= 0x1p-60       // scales that are no halves but 0
		c.w[p*n+3] = -65504 * limit // the largest scale
	}
	c.w[40*n+4] = math.NaN()
	c.w[40*n+5] = math.Inf(-1)
	y := s.solve(t, c)
	for i := range c.m {
		var largest float64
		for p := range c.k {
			largest += c.x[i*k+p] * c.w[p*n+3]
		}
		row := y[i*n:][:n]
		if float64(row[0]) != 0 || float64(row[2]) != 0 {
			t.Errorf("row %d: columns of zeros, and of what no scale can hold, give %v and %v", i, row[0], row[2])
		}
		if got := float64(row[3]); !(math.Abs(got-largest) <= 1e-5*65504*limit*k*127) || math.IsInf(got, 0) {
			t.Errorf("row %d: a column of the largest weights gives %v, not %v", i, got, largest)
		}
		if !math.IsNaN(float64(row[4])) || !math.IsNaN(float64(row[5])) || math.IsNaN(float64(row[6])) {
			t.Errorf("row %d: columns with a NaN, with an infinity and with neither give %v, %v and %v", i, row[4], row[5], row[6])
		}
	}
}
