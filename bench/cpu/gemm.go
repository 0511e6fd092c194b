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
type product[T cpu.Stored, C cpu.Summed] interface {
	Run(c []C, a, b []T)
	Close()
}

// planFunc plans a product on a pool.
type planFunc[T cpu.Stored, C cpu.Summed] func(p *cpu.Pool, s cpu.Product) (product[T, C], error)

func planOf[T cpu.Stored, C cpu.Summed](g *cpu.GEMM[T, C]) planFunc[T, C] {
	return func(p *cpu.Pool, s cpu.Product) (product[T, C], error) { return g.Plan(p, s) }
}

// bindGEMM: a pass is one product, or one batch of them, with its packing, as a caller of a library sees it.
func bindGEMM[T cpu.Stored, C cpu.Summed](w *workload, c bench.Case, pool *cpu.Pool, plan planFunc[T, C]) error {
	s := cpu.ProductOf(c.Spec)
	batch := max(s.Batch, 1)
	out, err := output[C](w, pool, batch*s.M*s.N)
	if err != nil {
		return err
	}
	a, _, err := input[T](w, pool, c, batch*s.M*s.K, c.Seed)
	if err != nil {
		return err
	}
	b, _, err := input[T](w, pool, c, batch*s.K*s.N, c.Seed+1)
	if err != nil {
		return err
	}
	p, err := plan(pool, s)
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
		random := rand.New(rand.NewPCG(c.Seed, 2))
		if err := firstUnwritten(pool, out, s.N); err != nil {
			return err
		}
		for _, i := range pickSome(batch, random) {
			one := matrices[T, C]{s, out[i*s.M*s.N:][:s.M*s.N], a[i*s.M*s.K:][:s.M*s.K], b[i*s.K*s.N:][:s.K*s.N]}
			if err := one.verify(random); err != nil {
				return fmt.Errorf("product %d: %w", i, err)
			}
		}
		return nil
	}
	return nil
}

// firstUnwritten looks through all of C for what was left NaN; finite data makes none. Integers have no NaN: those
// are verified whole.
func firstUnwritten[C kernels.Element](pool *cpu.Pool, c []C, n int) error {
	return firstError(pool, len(c), func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			if v := kernels.Value(c[i]); v != v {
				return fmt.Errorf("c[%d,%d] was not computed: it is NaN", i/n, i%n)
			}
		}
		return nil
	})
}

// matrices are those of one product.
type matrices[T cpu.Stored, C cpu.Summed] struct {
	cpu.Product
	c    []C
	a, b []T
}

// index is where element (i, j) of a matrix of the given columns lies, or of the given rows if it is stored transposed.
func index(i, j, rows, columns int, transposed bool) int {
	if transposed {
		return j*rows + i
	}
	return i*columns + j
}

func (x matrices[T, C]) verify(random *rand.Rand) error {
	if c, ok := any(x.c).([]int32); ok {
		return x.verifyRows(c, random)
	}
	return x.verifyGrid(random)
}

// verifyRows holds all of an integer product to its operands, modulo 2^32, by a vector v of random numbers: C·v is
// A·(B·v) (R. Freivalds, "Probabilistic machines can use less running time", IFIP Congress 1977). One wrong element is
// always found, v being odd.
func (x matrices[T, C]) verifyRows(c []int32, random *rand.Rand) error {
	v := make([]uint32, x.N)
	for j := range v {
		v[j] = random.Uint32() | 1
	}
	bv := make([]uint32, x.K)
	for p := range bv {
		for j, y := range v {
			bv[p] += uint32(int32(kernels.Value(x.b[index(p, j, x.K, x.N, x.TransB)]))) * y
		}
	}
	for i := range x.M {
		var want, got uint32
		for p, y := range bv {
			want += uint32(int32(kernels.Value(x.a[index(i, p, x.M, x.K, x.TransA)]))) * y
		}
		for j, y := range v {
			got += uint32(c[i*x.N+j]) * y
		}
		if got != want {
			return fmt.Errorf("row %d of c is wrong: its elements, weighted, sum to %d and not %d modulo 2^32", i, got, want)
		}
	}
	return nil
}

// gridSide is how many rows and columns of C are computed again in float64.
const gridSide = 16

// verifyGrid computes the elements of C where some rows and columns cross, the edges among
// them, in float64. The error allowed is (N. J. Higham and T. Mary, "A new approach to
// probabilistic rounding error analysis", SIAM J. Sci. Comput. 41(5), 2019, theorem 2.4)
// λ·sqrt(k)·u·Σ|a·b| with λ = 8 and u half a unit in the last place of C, and never more than the certain k·u·Σ|a·b|.
func (x matrices[T, C]) verifyGrid(random *rand.Rand) error {
	rows, columns := pickSome(x.M, random), pickSome(x.N, random)
	column := make([]float64, x.K)
	row := make([]float64, x.K)
	k := float64(x.K)
	allowed := min(k, 8*math.Sqrt(k)) * map[int]float64{8: 0x1p-53, 4: 0x1p-24, 2: 0x1p-11}[lineBytes/lineElements[C]()]
	for _, j := range columns {
		for p := range column {
			column[p] = kernels.Value(x.b[index(p, j, x.K, x.N, x.TransB)])
		}
		for _, i := range rows {
			for p := range row {
				row[p] = kernels.Value(x.a[index(i, p, x.M, x.K, x.TransA)])
			}
			var want, size float64
			for p, y := range row {
				want += y * column[p]
				size += math.Abs(y * column[p])
			}
			if got := kernels.Value(x.c[i*x.N+j]); !(math.Abs(got-want) <= allowed*size) {
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
