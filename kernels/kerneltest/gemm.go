package kerneltest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// Arithmetic is what a product's instructions do that the types do not say.
type Arithmetic struct {
	// Unit is the relative error of one step, a product and its sum: 0 is half a unit in the last place of C.
	Unit float64
	// FlushesSubnormals says that subnormal operands count as 0, and subnormal results become 0.
	FlushesSubnormals bool
	// UnsignedBytes says that int8 operands count without their sign: a mistake of an emulator.
	UnsignedBytes bool
}

// edges are the dimensions around which vectors, tiles and panels end.
var edges = []int{
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
	31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129,
}

// tileShapes holds every pair of edges in every two dimensions: a Latin square.
func tileShapes() []Product {
	var shapes []Product
	for i, m := range edges {
		for j, n := range edges {
			shapes = append(shapes, Product{M: m, N: n, K: edges[(i+j)%len(edges)]})
		}
	}
	return shapes
}

// blockShapes are larger than a block of a cache in one dimension or two, or have none of the elements.
var blockShapes = []Product{
	{M: 67, N: 301, K: 1031},
	{M: 30, N: 1200, K: 100},
	{M: 2055, N: 17, K: 9},
	{M: 4100, N: 3, K: 2},
	{M: 3, N: 2000, K: 520},
	{M: 1, N: 2, K: 5000},
	{M: 8, N: 97, K: 1025},
	{M: 100, N: 5, K: 1500},
	{M: 600, N: 200, K: 40},
	{M: 401, N: 150, K: 77},
	{M: 3, N: 2000, K: 5},
	{M: 8, N: 1200, K: 9},
	{M: 5, N: 7, K: 0},
	{M: 0, N: 7, K: 5},
	{M: 5, N: 0, K: 7},
}

// shortWork is how many multiply-adds a product may have in a short run, on an emulated CPU perhaps, and with operands
// stored otherwise, whose blocks are the same.
const shortWork = 200_000

// suite is a run under test. form gives the shapes its transposes and batch.
type suite[T Stored, C Summed] struct {
	run  func(c []C, a, b []T, s Product)
	form func(Product) Product
	Arithmetic
}

// GEMM is the suite for run, which computes c = a·b of matrices stored as T, in sums of C. Shapes
// get the transposes of form, and its batch where it has one.
func GEMM[T Stored, C Summed](t *testing.T, arithmetic Arithmetic, form Product, run func(c []C, a, b []T, s Product)) {
	s := suite[T, C]{run, func(p Product) Product {
		p.TransA, p.TransB, p.Batch = form.TransA, form.TransB, form.Batch
		return p
	}, arithmetic}
	t.Run("integers are exact at every edge of tiles", func(t *testing.T) {
		shapes := tileShapes()
		step := 1
		if form != (Product{}) {
			step = 5 // the tiles are the same: packing and indices are at stake
		}
		if testing.Short() {
			step *= 7 // like 5, no divisor of the count of edges
		}
		for i := 0; i < len(shapes); i += step {
			s.exact(t, shapes[i], small[C](shapes[i].K))
		}
	})
	t.Run("integers are exact across blocks", func(t *testing.T) {
		for _, p := range blockShapes {
			if short := testing.Short() || form != (Product{}); !short || p.M*p.N*p.K <= shortWork {
				s.exact(t, p, small[C](p.K))
			}
		}
	})
	t.Run("nothing outside the operands is touched", func(t *testing.T) {
		for _, m := range []int{1, 3, 6, 8, 15, 17} {
			for _, n := range []int{1, 7, 16, 31, 48, 53} {
				s.fenced(t, Product{M: m, N: n, K: 1 + (m*n)%37})
			}
		}
	})
	if _, ok := any(*new(C)).(int32); ok {
		s.integers(t)
		return
	}
	t.Run("randn is within the bound", s.bounds)
	t.Run("NaN and infinities go where they belong", func(t *testing.T) {
		for _, p := range []Product{{M: 1, N: 1, K: 1}, {M: 3, N: 40, K: 20}, {M: 8, N: 48, K: 64}, {M: 13, N: 53, K: 37}, {M: 29, N: 65, K: 7}} {
			s.exact(t, p, special[C](p.K))
		}
	})
	shapes := []Product{{M: 1, N: 1, K: 1}, {M: 5, N: 70, K: 33}, {M: 13, N: 53, K: 37}}
	if s.FlushesSubnormals {
		t.Run("subnormals are flushed", func(t *testing.T) {
			for _, shape := range shapes {
				p := newProduct[T, C](s.form(shape), subnormal[T, C](shape.K), s.Arithmetic)
				clear(p.sum)
				p.equal(t, p.solve(t, s.run))
			}
		})
		return
	}
	t.Run("subnormals are not flushed", func(t *testing.T) {
		for _, p := range shapes {
			s.exact(t, p, subnormal[T, C](p.K))
		}
	})
}

// integers are the cases of int8 alone.
func (s suite[T, C]) integers(t *testing.T) {
	t.Run("the whole range is exact", func(t *testing.T) {
		for _, p := range []Product{{M: 1, N: 1, K: 1}, {M: 5, N: 70, K: 33}, {M: 13, N: 53, K: 1031}, {M: 33, N: 65, K: 7}} {
			s.exact(t, p, extreme)
		}
	})
	if s.form(Product{}) != (Product{}) {
		return
	}
	t.Run("sums wrap modulo 2^32", func(t *testing.T) {
		least := func(*rand.Rand, int) float64 { return -128 }
		s.exact(t, Product{M: 1, N: 2, K: 1<<17 + 5}, least)
	})
}

// exact compares with the oracle for equality.
func (s suite[T, C]) exact(t *testing.T, shape Product, f filler) {
	t.Helper()
	p := newProduct[T, C](s.form(shape), f, s.Arithmetic)
	p.equal(t, p.solve(t, s.run))
}

// bounds prints the largest error, as a share of the bound, for each k.
func (s suite[T, C]) bounds(t *testing.T) {
	depths := []int{1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 500, 512, 513, 1031}
	if testing.Short() || s.form(Product{}) != (Product{}) {
		depths = []int{1, 2, 3, 17, 33, 129, 513}
	}
	for _, k := range depths {
		worst := max(s.bounded(t, Product{M: 9, N: 50, K: k}), s.bounded(t, Product{M: 3, N: 33, K: k}))
		t.Logf("k = %d: the error against fp64 is at most %.3f of the bound", k, worst)
	}
}

// bounded compares with the oracle within γ(k)·Σ|a·b|, γ(k) = k·u / (1 - k·u), u being half a unit in the last place of C,
// which holds for every order of summation, fused or not (N. Higham, Accuracy and Stability of Numerical
// Algorithms, 2nd ed., eq. 3.5). The oracle's own error, of the same kind, counts for fp64. Where sums are
// fp16, each step may err by half of its smallest number beside.
func (s suite[T, C]) bounded(t *testing.T, shape Product) (worst float64) {
	t.Helper()
	u := map[int]float64{8: 0x1p-53, 4: 0x1p-24, 2: 0x1p-11}[size[C]()]
	if s.Unit > 0 {
		u = s.Unit
	}
	tiny := map[int]float64{2: 0x1p-25}[size[C]()]
	p := newProduct[T, C](s.form(shape), normal, s.Arithmetic)
	k := float64(p.K)
	for i, x := range p.solve(t, s.run) {
		got := kernels.Value(x)
		bound := (k*u/(1-k*u)+k*0x1p-53)*p.magnitude[i] + k*tiny
		miss := math.Abs(got - p.sum[i])
		if !(miss <= bound) {
			t.Fatalf("%v: C[%d] is %v, more than %.2g from %v", p.Product, i, got, bound, p.sum[i])
		}
		worst = max(worst, miss/bound)
	}
	return worst
}

// fenced solves a product whose operands all end, then all start, at a page that cannot be touched.
func (s suite[T, C]) fenced(t *testing.T, shape Product) {
	t.Helper()
	p := newProduct[T, C](s.form(shape), small[C](shape.K), s.Arithmetic)
	place := func(a, b []T, c []C) {
		t.Helper()
		copy(a, p.a)
		copy(b, p.b)
		noFault(t, func() { s.run(c, a, b, p.Product) })
		p.equal(t, c)
	}
	place(PageEnd[T](t, len(p.a)), PageEnd[T](t, len(p.b)), PageEnd[C](t, len(p.sum)))
	place(PageStart[T](t, len(p.a)), PageStart[T](t, len(p.b)), PageStart[C](t, len(p.sum)))
}
