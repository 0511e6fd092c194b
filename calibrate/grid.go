package calibrate

import (
	"maps"
	"math"
	"slices"

	"github.com/realflops/realflops/kernels"
)

// grid is products measured at every m x n x k of three lists of at least two sizes each.
type grid struct {
	axes   [3][]int // m, n, k, ascending
	points map[kernels.Shape]GEMMPoint
}

const (
	// mostGridPoints bounds the search for a grid: five times the largest suite's.
	mostGridPoints = 4096
	// leastOfSize is how many points each size of a grid has at least: 2 x 2 of the other axes.
	leastOfSize = 4
)

// newGrid finds the grid among points: shapes that miss too many neighbours, such as
// squares beyond it, are left out one size at a time, the emptiest first.
func newGrid(points []GEMMPoint) (grid, bool) {
	if len(points) > mostGridPoints { // no suite's: a file may hold anything
		return grid{}, false
	}
	c := candidates{points: map[kernels.Shape]GEMMPoint{}}
	for a := range c.count {
		c.count[a], c.members[a] = map[int]int{}, map[int][]kernels.Shape{}
	}
	for _, p := range points {
		c.points[p.Shape] = p
		for a, d := range dims(p.Shape) {
			c.count[a][d]++
			c.members[a][d] = append(c.members[a][d], p.Shape)
		}
	}
	for c.removeLoose() {
	}
	for len(c.points) != c.full() {
		c.remove(c.emptiest())
	}
	g := grid{points: c.points}
	for a, count := range c.count {
		g.axes[a] = slices.Sorted(maps.Keys(count))
	}
	return g, min(len(g.axes[0]), len(g.axes[1]), len(g.axes[2])) >= 2
}

func dims(s kernels.Shape) [3]int { return [3]int{s.M, s.N, s.K} }

// candidates are the points that may still be of a grid, counted by their size on each axis.
type candidates struct {
	points  map[kernels.Shape]GEMMPoint
	count   [3]map[int]int             // of the points that are left
	members [3]map[int][]kernels.Shape // of all points there were
}

// full is how many points a grid of these sizes has.
func (c candidates) full() int { return len(c.count[0]) * len(c.count[1]) * len(c.count[2]) }

// remove leaves out the points of one size on an axis.
func (c candidates) remove(axis, size int) {
	for _, s := range c.members[axis][size] {
		if _, left := c.points[s]; !left {
			continue
		}
		delete(c.points, s)
		for a, d := range dims(s) {
			if c.count[a][d]--; c.count[a][d] == 0 {
				delete(c.count[a], d)
			}
		}
	}
}

// removeLoose leaves out the sizes that have too few points for any grid, and reports whether
// there were some.
func (c candidates) removeLoose() bool {
	removed := false
	for a, count := range c.count {
		for size, n := range count {
			if n < leastOfSize {
				c.remove(a, size)
				removed = true
			}
		}
	}
	return removed
}

// emptiest is the size on an axis at which the smallest share of the shapes that there could be was measured;
// of several that of the first axis, then the largest.
func (c candidates) emptiest() (axis, size int) {
	least := math.Inf(1)
	for a, count := range c.count {
		others := c.full() / len(count)
		for d, n := range count {
			share := float64(n) / float64(others)
			if share < least || share == least && a == axis && d > size {
				least, axis, size = share, a, d
			}
		}
	}
	return axis, size
}

// covers reports whether s lies within the grid.
func (g grid) covers(s kernels.Shape) bool {
	for a, d := range dims(s) {
		if d < g.axes[a][0] || d > g.axes[a][len(g.axes[a])-1] {
			return false
		}
	}
	return true
}

// lookup answers for a shape: with its own figure if it was measured, in the grid or beside it.
func (g grid) lookup(l Lookup, points []GEMMPoint, shape kernels.Shape) Lookup {
	for _, p := range points {
		if p.Shape == shape {
			l.Figure, l.Engine = p.FlopPerS, p.Engine
			return l
		}
	}
	if !g.covers(shape) {
		l.Outside = true
		l.note("%s lies outside the grid that was measured, %s to %s; the rate is that of its nearest edge", shape, g.corner(func(axis []int) int { return axis[0] }), g.corner(func(axis []int) int { return axis[len(axis)-1] }))
	}
	l.Figure = g.at(shape)
	return l
}

func (g grid) corner(of func(axis []int) int) kernels.Shape {
	return kernels.Shape{M: of(g.axes[0]), N: of(g.axes[1]), K: of(g.axes[2])}
}

// at is the rate at s, or at the nearest edge: the logarithm of time is interpolated linearly
// over the logarithms of m, n and k. On published timings of held-back shapes that errs by 3% in the
// median on a 14 x 7 x 7 grid (docs/profile.md).
func (g grid) at(s kernels.Shape) Figure {
	var low, high [3]int
	var weight [3]float64 // of high
	inside := dims(s)
	for a, axis := range g.axes {
		d := max(axis[0], min(inside[a], axis[len(axis)-1]))
		inside[a] = d
		i, exact := slices.BinarySearch(axis, d)
		if exact {
			low[a], high[a] = d, d
			continue
		}
		low[a], high[a] = axis[i-1], axis[i]
		weight[a] = math.Log(float64(d)/float64(low[a])) / math.Log(float64(high[a])/float64(low[a]))
	}
	return figureOf(func(end int) float64 {
		logS := 0.0
		for corner := range 8 {
			at, share := low, 1.0
			for a, w := range weight {
				if corner>>a&1 == 1 {
					at[a], share = high[a], share*w
				} else {
					share *= 1 - w
				}
			}
			if share > 0 {
				rate := ends[end](g.points[kernels.Shape{M: at[0], N: at[1], K: at[2]}].FlopPerS)
				logS += share * math.Log(products(at)/rate)
			}
		}
		return products(inside) / math.Exp(logS)
	})
}

// products is the count of multiply-adds.
func products(d [3]int) float64 { return float64(d[0]) * float64(d[1]) * float64(d[2]) }
