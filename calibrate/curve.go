package calibrate

import (
	"fmt"
	"math"
	"sort"
)

// cubic is a curve through knots, in logarithms, that turns only at knots: a piecewise
// cubic after F. N. Fritsch and R. E. Carlson, "Monotone piecewise cubic interpolation",
// SIAM J. Numer. Anal. 17(2), 1980. Outside the knots it is level.
type cubic struct {
	x, y, slope []float64
	pooled      []bool // of a monotone curve: whether regression moved the knot
}

// newCubic makes the curve of y over x, both positive, x strictly ascending, at least one
// knot.
func newCubic(x, y []float64) cubic {
	c := cubic{x: logs(x), y: logs(y), pooled: make([]bool, len(x))}
	c.slope = slopes(c.x, c.y)
	return c
}

// newMonotone is newCubic after isotonic regression of y: a nondecreasing curve.
func newMonotone(x, y []float64) cubic {
	c := cubic{x: logs(x)}
	c.y, c.pooled = isotonic(logs(y))
	c.slope = slopes(c.x, c.y)
	return c
}

func logs(v []float64) []float64 {
	l := make([]float64, len(v))
	for i, x := range v {
		l[i] = math.Log(x)
	}
	return l
}

// isotonic is the nondecreasing sequence nearest to y by least squares, by pooling adjacent
// violators (M. Ayer et al., Ann. Math. Statist. 26(4), 1955), and which values moved.
func isotonic(y []float64) (fit []float64, moved []bool) {
	type block struct {
		sum float64
		n   int
	}
	mean := func(b block) float64 { return b.sum / float64(b.n) }
	var blocks []block
	for _, v := range y {
		b := block{v, 1}
		for len(blocks) > 0 && mean(blocks[len(blocks)-1]) > mean(b) {
			last := blocks[len(blocks)-1]
			blocks = blocks[:len(blocks)-1]
			b = block{last.sum + b.sum, last.n + b.n}
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		for range b.n {
			fit = append(fit, mean(b))
			moved = append(moved, b.n > 1)
		}
	}
	return fit, moved
}

// slopes are the derivatives at the knots: the weighted harmonic mean of the secants on both
// sides (F. N. Fritsch and J. Butland, SIAM J. Sci. Stat. Comput. 5(2), 1984), which lies
// within Fritsch and Carlson's region; at the ends the secant.
func slopes(x, y []float64) []float64 {
	n := len(x)
	d := make([]float64, n)
	if n == 1 {
		return d
	}
	secant := func(i int) float64 { return (y[i+1] - y[i]) / (x[i+1] - x[i]) }
	d[0], d[n-1] = secant(0), secant(n-2)
	for i := 1; i < n-1; i++ {
		left, right := secant(i-1), secant(i)
		if left*right <= 0 {
			continue // a turning point, or level
		}
		h0, h1 := x[i]-x[i-1], x[i+1]-x[i]
		w0, w1 := 2*h1+h0, h1+2*h0
		d[i] = (w0 + w1) / (w0/left + w1/right)
	}
	return d
}

// at is the curve's value at x > 0; beyond the ends that of the end.
func (c cubic) at(x float64) float64 {
	l := math.Log(x)
	last := len(c.x) - 1
	i := sort.SearchFloat64s(c.x, l)
	switch {
	case i > last:
		return math.Exp(c.y[last])
	case i == 0 || c.x[i] == l:
		return math.Exp(c.y[i])
	}
	// Cubic Hermite on [x[i-1], x[i]], kept within its ends against rounding.
	h := c.x[i] - c.x[i-1]
	t := (l - c.x[i-1]) / h
	y := c.y[i-1]*(1+2*t)*(1-t)*(1-t) + h*c.slope[i-1]*t*(1-t)*(1-t) +
		c.y[i]*t*t*(3-2*t) + h*c.slope[i]*t*t*(t-1)
	return math.Exp(min(max(y, min(c.y[i-1], c.y[i])), max(c.y[i-1], c.y[i])))
}

// covers reports whether x lies between the first and the last knot.
func (c cubic) covers(x float64) bool {
	l := math.Log(x)
	return l >= c.x[0] && l <= c.x[len(c.x)-1]
}

// knotPooled reports whether regression moved a knot next to x.
func (c cubic) knotPooled(x float64) bool {
	l := math.Log(x)
	i := min(sort.SearchFloat64s(c.x, l), len(c.x)-1)
	return c.pooled[i] || i > 0 && c.x[i] != l && c.pooled[i-1]
}

// span says from where to where the knots go.
func (c cubic) span() string {
	return fmt.Sprintf("%.5g to %.5g", math.Exp(c.x[0]), math.Exp(c.x[len(c.x)-1]))
}
