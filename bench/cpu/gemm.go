package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// product is a planned matrix product: what *cpu.Plan is.
type product[T any] interface {
	Run(c []float32, a, b []T)
	Close()
}

// planFunc plans a product on a pool.
type planFunc[T any] func(p *cpu.Pool, m, n, k int) (product[T], error)

func planOf[T float32 | kernels.Float16](g *cpu.GEMM[T]) planFunc[T] {
	return func(p *cpu.Pool, m, n, k int) (product[T], error) { return g.Plan(p, m, n, k) }
}

// gridSide is how many rows and columns of C are computed again in float64.
const gridSide = 16

// bindGEMM: a pass is one product, with its packing, as a caller of a library sees it.
func bindGEMM[T float32 | kernels.Float16](w *workload, c bench.Case, pool *cpu.Pool, plan planFunc[T]) error {
	m, n, k := c.Shape.M, c.Shape.N, c.Shape.K
	out, err := output[float32](w, pool, m*n)
	if err != nil {
		return err
	}
	a, _, err := input[T](w, pool, c, m*k, c.Seed)
	if err != nil {
		return err
	}
	b, _, err := input[T](w, pool, c, k*n, c.Seed+1)
	if err != nil {
		return err
	}
	p, err := plan(pool, m, n, k)
	if err != nil {
		return err
	}
	w.frees = append(w.frees, p.Close)
	w.run = func(passes int) {
		for i := 0; i < passes && !pool.Stopped(); i++ {
			p.Run(out, a, b)
		}
	}
	w.verify = func() error {
		if err := firstUnwritten(pool, out, n); err != nil {
			return err
		}
		return verifyGrid(out, a, b, m, n, k, rand.New(rand.NewPCG(c.Seed, 2)))
	}
	return nil
}

// firstUnwritten looks through all of C for what was left NaN; finite data makes none.
func firstUnwritten(pool *cpu.Pool, c []float32, n int) error {
	return firstError(pool, len(c), func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			if c[i] != c[i] {
				return fmt.Errorf("c[%d,%d] was not computed: it is NaN", i/n, i%n)
			}
		}
		return nil
	})
}

// verifyGrid computes the elements of C where some rows and columns cross, the edges among
// them, in float64. The error allowed is (N. J. Higham and T. Mary, "A new approach to
// probabilistic rounding error analysis", SIAM J. Sci. Comput. 41(5), 2019, theorem 2.4)
// λ·sqrt(k)·u·Σ|a·b| with λ = 8, u = 2^-24, and never more than the certain k·u·Σ|a·b|.
func verifyGrid[T float32 | kernels.Float16](c []float32, a, b []T, m, n, k int, random *rand.Rand) error {
	rows, columns := pickSome(m, random), pickSome(n, random)
	column := make([]float64, k)
	row := make([]float64, k)
	allowed := min(float64(k), 8*math.Sqrt(float64(k))) * 0x1p-24
	for _, j := range columns {
		for p := range column {
			column[p] = value(b[p*n+j])
		}
		for _, i := range rows {
			for p := range row {
				row[p] = value(a[i*k+p])
			}
			var want, size float64
			for p, x := range row {
				want += x * column[p]
				size += math.Abs(x * column[p])
			}
			if got := float64(c[i*n+j]); !(math.Abs(got-want) <= allowed*size) {
				return fmt.Errorf("c[%d,%d] is %v, want %v", i, j, got, want)
			}
		}
	}
	return nil
}

// pickSome is up to gridSide different indices below n, 0 and n-1 among them.
func pickSome(n int, random *rand.Rand) []int {
	if n <= gridSide {
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		return all
	}
	some := []int{0, n - 1}
	seen := map[int]bool{0: true, n - 1: true}
	for len(some) < gridSide {
		if i := random.IntN(n); !seen[i] {
			seen[i] = true
			some = append(some, i)
		}
	}
	return some
}
