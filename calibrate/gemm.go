package calibrate

import (
	"fmt"
	"math"
	"slices"

	"github.com/realflops/realflops/kernels"
)

// GEMMRate is the rate in FLOP/s of a product of an m x k and a k x n matrix at p.
//
// Where a grid of shapes was measured, as on a GPU, it is interpolated over that. Elsewhere the
// model is separable: f(s)·g(r), where s is the smallest of m, n and k and r the
// geometric mean of the other two. Which of the three is smallest makes no difference: the dimensions are
// symmetric. f is the curve of the skinny family m x N x N (N = 4096 in the suites) over
// m, made nondecreasing, its upper end being the largest square; g is what the other squares reach
// relative to f at their size, and 1 at N. So every measured skinny shape and square is reproduced, except
// along f where rates fall as m grows: those are averaged, which the note says. A measured
// shape of neither family is answered with its own figure. Where a family is missing, the note
// says what stood in for it.
func (d *Device) GEMMRate(p kernels.Precision, threads, m, n, k int) (Lookup, error) {
	if err := d.checkThreads(threads); err != nil {
		return Lookup{}, err
	}
	if m < 1 || n < 1 || k < 1 {
		return Lookup{}, fmt.Errorf("gemm %dx%dx%d: every dimension must be at least 1", m, n, k)
	}
	var l Lookup
	c, err := choose(&l, "gemm", d.GEMM, func(c GEMMCurve) key { return key{c.Precision, c.Threads} }, p, threads)
	if err != nil {
		return Lookup{}, err
	}
	shape := kernels.Shape{M: m, N: n, K: k}
	s, r := smallest(shape)
	l.Engine = nearestShape(c.Points, s, r).Engine
	if g, ok := newGrid(c.Points); ok {
		return g.lookup(l, c.Points, shape), nil
	}
	model := newSurface(c.Points)
	if !model.has(shape) {
		for _, point := range c.Points {
			if point.Shape == shape {
				l.Figure, l.Engine = point.FlopPerS, point.Engine
				return l, nil
			}
		}
	}
	if model.note != "" {
		l.note("%s", model.note)
	}
	if !model.f[0].covers(s) {
		l.Outside = true
		l.note("the smallest dimension %g is outside those measured, %s; the rate is that of the nearest", s, model.f[0].span())
	}
	if r < model.spanR[0] || r > model.spanR[1] {
		l.Outside = true
		l.note("the other dimensions, %.5g in geometric mean, are outside those measured, %.5g to %.5g; the rate is that of the nearest", r, model.spanR[0], model.spanR[1])
	}
	if model.f[0].knotPooled(s) {
		l.note("measured rates fell as m grew here and were averaged")
	}
	l.Figure = figureOf(func(i int) float64 { return model.f[i].at(s) * model.g[i].at(r) })
	return l, nil
}

// smallest splits a shape into its smallest dimension and the geometric mean of the others.
func smallest(shape kernels.Shape) (s, r float64) {
	dims := []float64{float64(shape.M), float64(shape.N), float64(shape.K)}
	slices.Sort(dims)
	return dims[0], math.Sqrt(dims[1] * dims[2])
}

// surface is the model of [Device.GEMMRate], for a figure's value, lower and upper end.
type surface struct {
	f, g  [3]cubic
	spanR [2]float64 // of r
	known map[kernels.Shape]bool
	note  string // what stood in for a missing family
}

func (m surface) has(s kernels.Shape) bool { return m.known[s] }

// knot is a measured rate at a size.
type knot struct {
	size float64
	rate Figure
}

// newSurface fits the model to the points of a curve, at least one.
func newSurface(points []GEMMPoint) surface {
	m := surface{known: map[kernels.Shape]bool{}}
	squares, skinny, side := families(points, m.known)
	switch {
	case len(skinny) == 0 && len(squares) == 0:
		m.note = "neither squares nor a skinny family were measured: interpolated over the smallest dimension alone"
		for _, p := range points {
			s, _ := smallest(p.Shape)
			skinny = append(skinny, knot{s, p.FlopPerS})
		}
		side = largestR(points)
		skinny = fastestPerSize(skinny)
	case len(skinny) == 0:
		m.note = "no skinny shapes were measured: the rate is that of the square of the smallest dimension"
	case len(squares) == 0:
		m.note = "no squares were measured: the rate is that of the skinny shape of the smallest dimension"
	}
	if len(skinny) == 0 {
		m.f = bandOf(squares, newMonotone)
		m.g = bandOf([]knot{{1, Figure{1, 1, 1}}}, newCubic)
		m.spanR = [2]float64{squares[0].size, squares[len(squares)-1].size}
		return m
	}

	// f: the skinny shapes; the squares at N and above, and the largest anyway if it
	// is larger than any m, carry it on.
	top := len(squares)
	for top > 0 && squares[top-1].size > skinny[len(skinny)-1].size && (top == len(squares) || squares[top-1].size >= side) {
		top--
	}
	m.f = bandOf(append(slices.Clone(skinny), squares[top:]...), newMonotone)

	// g: the squares below N over f.
	var sizes []float64
	var ratios [3][]float64
	for _, q := range squares {
		if q.size >= side {
			break
		}
		sizes = append(sizes, q.size)
		for e, end := range ends {
			ratios[e] = append(ratios[e], end(q.rate)/m.f[e].at(q.size))
		}
	}
	sizes = append(sizes, side)
	for e := range ends {
		m.g[e] = newCubic(sizes, append(ratios[e], 1))
	}
	m.spanR = [2]float64{sizes[0], side}
	if len(squares) > 0 {
		m.spanR[1] = max(side, squares[len(squares)-1].size)
	}
	return m
}

// families picks the squares, and of the shapes m x N x N with m < N those of the N with the
// most of them (the larger of two), each sorted by size, and marks them as known.
func families(points []GEMMPoint, known map[kernels.Shape]bool) (squares, skinny []knot, side float64) {
	count := map[int]int{}
	for _, p := range points {
		if p.Shape.N == p.Shape.K && p.Shape.M < p.Shape.N {
			count[p.Shape.N]++
		}
	}
	n := 0
	for candidate, c := range count {
		if c > count[n] || c == count[n] && candidate > n {
			n = candidate
		}
	}
	for _, p := range points {
		if p.Shape.N != p.Shape.K {
			continue
		}
		switch {
		case p.Shape.M == p.Shape.N:
			squares = append(squares, knot{float64(p.Shape.M), p.FlopPerS})
			known[p.Shape] = true
		case p.Shape.M < p.Shape.N && p.Shape.N == n:
			skinny = append(skinny, knot{float64(p.Shape.M), p.FlopPerS})
			known[p.Shape] = true
		}
	}
	return fastestPerSize(squares), fastestPerSize(skinny), float64(n)
}

// fastestPerSize sorts knots by size and keeps the fastest of each.
func fastestPerSize(knots []knot) []knot {
	slices.SortFunc(knots, func(a, b knot) int {
		if a.size != b.size {
			return int(math.Copysign(1, a.size-b.size))
		}
		return int(math.Copysign(1, b.rate.Value-a.rate.Value))
	})
	return slices.CompactFunc(knots, func(a, b knot) bool { return a.size == b.size })
}

func bandOf(knots []knot, curve func(x, y []float64) cubic) [3]cubic {
	sizes := make([]float64, len(knots))
	rates := make([]Figure, len(knots))
	for i, k := range knots {
		sizes[i], rates[i] = k.size, k.rate
	}
	return band(rates, func(_ int, rate float64) float64 { return rate }, func(y []float64) cubic { return curve(sizes, y) })
}

func largestR(points []GEMMPoint) float64 {
	largest := 0.0
	for _, p := range points {
		_, r := smallest(p.Shape)
		largest = max(largest, r)
	}
	return largest
}

// nearestShape is the measured point nearest to (s, r) by ratio.
func nearestShape(points []GEMMPoint, s, r float64) GEMMPoint {
	distance := func(p GEMMPoint) float64 {
		ps, pr := smallest(p.Shape)
		return math.Hypot(math.Log(ps/s), math.Log(pr/r))
	}
	return slices.MinFunc(points, func(a, b GEMMPoint) int {
		if d := distance(a) - distance(b); d != 0 {
			return int(math.Copysign(1, d))
		}
		return 0
	})
}
