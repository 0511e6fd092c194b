package calibrate

import (
	"math"
	"slices"

	"github.com/realflops/realflops/kernels"
)

// grid is products measured at every m x n x k of three lists of at least two sizes each.
type grid struct {
	axes   [3][]int // m, n, k, ascending
	points map[kernels.Shape]GEMMPoint
}

// newGrid finds the grid among points: shapes that miss too many neighbours, such as
// squares beyond it, are left out one size at a time, the emptiest first.
func newGrid(points []GEMMPoint) (grid, bool) {
	g := grid{points: map[kernels.Shape]GEMMPoint{}}
	for _, p := range points {
		g.points[p.Shape] = p
	}
	for {
		g.axes = axesOf(g.points)
		full := len(g.axes[0]) * len(g.axes[1]) * len(g.axes[2])
		if len(g.points) == full {
			break
		}
		axis, size := g.emptiest()
		for s := range g.points {
			if dims(s)[axis] == size {
				delete(g.points, s)
			}
		}
	}
	return g, min(len(g.axes[0]), len(g.axes[1]), len(g.axes[2])) >= 2
}

func dims(s kernels.Shape) [3]int { return [3]int{s.M, s.N, s.K} }

func axesOf(points map[kernels.Shape]GEMMPoint) (axes [3][]int) {
	for s := range points {
		for a, d := range dims(s) {
			axes[a] = append(axes[a], d)
		}
	}
	for a := range axes {
		slices.Sort(axes[a])
		axes[a] = slices.Compact(axes[a])
	}
	return axes
}

// emptiest is the size on an axis at which the smallest share of the shapes that there could be was measured;
// of several the largest, then that of the first axis.
func (g grid) emptiest() (axis, size int) {
	least := math.Inf(1)
	for a := range g.axes {
		others := 1
		for b := range g.axes {
			if b != a {
				others *= len(g.axes[b])
			}
		}
		count := map[int]int{}
		for s := range g.points {
			count[dims(s)[a]]++
		}
		for _, d := range g.axes[a] {
			share := float64(count[d]) / float64(others)
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
