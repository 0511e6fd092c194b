package kerneltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/realflops/realflops/kernels"
)

type shape struct{ m, n, k int }

// edges are the dimensions around which vectors, tiles and panels end.
var edges = []int{
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
	31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129,
}

// tileShapes is every pair of edges in every two dimensions, the third going through a few.
func tileShapes() []shape {
	third := []int{1, 2, 3, 5, 9, 16, 35}
	var shapes []shape
	for _, x := range edges {
		for _, y := range edges {
			z := third[len(shapes)/3%len(third)]
			shapes = append(shapes, shape{x, y, z}, shape{x, z, y}, shape{z, x, y})
		}
	}
	return shapes
}

// blockShapes are larger than a block of a cache in one dimension or two.
var blockShapes = []shape{
	{67, 301, 1031}, {30, 1200, 100}, {2055, 17, 9}, {4100, 3, 2}, {3, 2000, 520}, {1, 1, 5000}, {8, 97, 1025}, {100, 5, 1500}, {600, 200, 40}, {401, 150, 77},
}

// GEMM is the suite for run, which computes c = a·b of row-major matrices m x k and k x n
// stored as T, in fp32.
func GEMM[T float32 | kernels.Float16](t *testing.T, run func(c []float32, a, b []T, m, n, k int)) {
	t.Run("integers are exact at every edge of tiles", func(t *testing.T) {
		for _, s := range tileShapes() {
			exact(t, s, run, small)
		}
	})
	t.Run("integers are exact across blocks", func(t *testing.T) {
		for _, s := range blockShapes {
			exact(t, s, run, small)
		}
	})
	t.Run("randn is within the bound", func(t *testing.T) {
		for _, k := range append(edges, 500, 512, 513, 1031) {
			bounded(t, shape{9, 50, k}, run)
			bounded(t, shape{3, 33, k}, run)
		}
	})
	t.Run("NaN and infinities go where they belong", func(t *testing.T) {
		for _, s := range []shape{{1, 1, 1}, {3, 40, 20}, {8, 48, 64}, {13, 53, 37}, {29, 65, 7}} {
			exact(t, s, run, special)
		}
	})
	t.Run("subnormals are not flushed", func(t *testing.T) {
		for _, s := range []shape{{1, 1, 1}, {5, 70, 33}, {13, 53, 37}} {
			exact(t, s, run, subnormal[T])
		}
	})
	t.Run("nothing outside the operands is touched", func(t *testing.T) {
		for _, m := range []int{1, 3, 6, 8, 9, 15} {
			for _, n := range []int{1, 7, 16, 31, 48, 53} {
				fencedGEMM(t, shape{m, n, 1 + (m*n)%37}, run)
			}
		}
	})
}

// filler gives an element of A (side 0) or B (side 1) its value.
type filler func(r *rand.Rand, side int) float32

// small integers, whose products and sums are exact in fp32 in any order.
func small(r *rand.Rand, _ int) float32 { return float32(r.IntN(9) - 4) }

// special mixes in NaN, infinities and zeros, sparsely enough that some of C stays finite.
func special(r *rand.Rand, _ int) float32 {
	switch r.IntN(120) {
	case 0:
		return float32(math.NaN())
	case 1:
		return float32(math.Inf(1))
	case 2:
		return float32(math.Inf(-1))
	}
	return small(r, 0)
}

// subnormal makes A of multiples of the smallest number of T.
func subnormal[T float32 | kernels.Float16](r *rand.Rand, side int) float32 {
	x := small(r, 0)
	if side == 1 {
		return x
	}
	if size[T]() == 2 {
		return x * 0x1p-24
	}
	return x * math.SmallestNonzeroFloat32
}

func normal(r *rand.Rand, _ int) float32 { return float32(r.NormFloat64()) }

// product is a problem and its solution in float64.
type product[T float32 | kernels.Float16] struct {
	shape
	a, b           []T
	sum, magnitude []float64 // Σ a·b and Σ |a·b| of each element of C
}

func newProduct[T float32 | kernels.Float16](s shape, f filler) product[T] {
	r := rand.New(rand.NewPCG(uint64(s.m), uint64(s.n*10_000+s.k)))
	a, b := make([]float32, s.m*s.k), make([]float32, s.k*s.n)
	for side, x := range [][]float32{a, b} {
		for i := range x {
			x[i] = f(r, side)
		}
	}
	p := product[T]{shape: s, a: stored[T](a), b: stored[T](b)}
	p.sum, p.magnitude = make([]float64, s.m*s.n), make([]float64, s.m*s.n)
	for i := range s.m {
		sum, magnitude := p.sum[i*s.n:][:s.n], p.magnitude[i*s.n:][:s.n]
		for q := range s.k {
			x := float64(a[i*s.k+q])
			for j, y := range b[q*s.n:][:s.n] {
				xy := x * float64(y)
				sum[j] += xy
				magnitude[j] += math.Abs(xy)
			}
		}
	}
	return p
}

// stored rounds x to T, in place, and returns it as T.
func stored[T float32 | kernels.Float16](x []float32) []T {
	out := make([]T, len(x))
	switch out := any(out).(type) {
	case []float32:
		copy(out, x)
	case []kernels.Float16:
		for i := range x {
			out[i] = kernels.ToFloat16(x[i])
			x[i] = out[i].Float32()
		}
	}
	return out
}

// solve runs the product on operands between guard bands, with NaN in C beforehand.
func (p product[T]) solve(t *testing.T, run func(c []float32, a, b []T, m, n, k int)) []float32 {
	t.Helper()
	ga, gb, gc := newGuarded[T](len(p.a)), newGuarded[T](len(p.b)), newGuarded[float32](len(p.sum))
	// Elements are aligned to their own size, and to nothing more.
	offset := (p.m + p.n + p.k) % 16
	a, b, c := ga.place(offset*size[T](), len(p.a)), gb.place(line-size[T]()*(1+offset), len(p.b)), gc.place(4*offset, len(p.sum))
	copy(a, p.a)
	copy(b, p.b)
	for i := range c {
		c[i] = float32(math.NaN())
	}
	run(c, a, b, p.m, p.n, p.k)
	for name, broken := range map[string]string{"A": ga.broken(), "B": gb.broken(), "C": gc.broken()} {
		if broken != "" {
			t.Fatalf("%v: %s: %s", p.shape, name, broken)
		}
	}
	for i := range a {
		if a[i] != p.a[i] && p.a[i] == p.a[i] {
			t.Fatalf("%v: A[%d] was changed", p.shape, i)
		}
	}
	for i := range b {
		if b[i] != p.b[i] && p.b[i] == p.b[i] {
			t.Fatalf("%v: B[%d] was changed", p.shape, i)
		}
	}
	return c
}

func (s shape) String() string { return fmt.Sprintf("%dx%dx%d", s.m, s.n, s.k) }

// exact compares with the oracle for equality, NaN being equal to NaN.
func exact[T float32 | kernels.Float16](t *testing.T, s shape, run func(c []float32, a, b []T, m, n, k int), f filler) {
	t.Helper()
	p := newProduct[T](s, f)
	equal(t, p, p.solve(t, run))
}

func equal[T float32 | kernels.Float16](t *testing.T, p product[T], c []float32) {
	t.Helper()
	for i, want := range p.sum {
		if got := float64(c[i]); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("%v: C[%d,%d] is %v, not %v", p.shape, i/p.n, i%p.n, got, want)
		}
	}
}

// bounded compares with the oracle within γ(k)·Σ|a·b|, γ(k) = k·u / (1 - k·u) with u = 2^-24,
// which holds for every order of summation, fused or not (N. Higham, Accuracy and Stability of Numerical
// Algorithms, 2nd ed., eq. 3.5).
func bounded[T float32 | kernels.Float16](t *testing.T, s shape, run func(c []float32, a, b []T, m, n, k int)) {
	t.Helper()
	p := newProduct[T](s, normal)
	ku := float64(s.k) * 0x1p-24
	for i, got := range p.solve(t, run) {
		if bound := ku / (1 - ku) * p.magnitude[i]; !(math.Abs(float64(got)-p.sum[i]) <= bound) {
			t.Fatalf("%v: C[%d,%d] is %v, more than %.2g from %v", s, i/s.n, i%s.n, got, bound, p.sum[i])
		}
	}
}

// fencedGEMM solves a product whose operands all end, then all start, at a page that cannot be touched.
func fencedGEMM[T float32 | kernels.Float16](t *testing.T, s shape, run func(c []float32, a, b []T, m, n, k int)) {
	t.Helper()
	p := newProduct[T](s, small)
	place := func(a, b []T, c []float32) {
		t.Helper()
		copy(a, p.a)
		copy(b, p.b)
		noFault(t, func() { run(c, a, b, s.m, s.n, s.k) })
		equal(t, p, c)
	}
	place(PageEnd[T](t, len(p.a)), PageEnd[T](t, len(p.b)), PageEnd[float32](t, len(p.sum)))
	place(PageStart[T](t, len(p.a)), PageStart[T](t, len(p.b)), PageStart[float32](t, len(p.sum)))
}
