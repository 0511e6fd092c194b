package cpu

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/kerneltest"
)

// conform runs the suite with the engine's own blocks, and with B always packed in the smallest
// blocks there can be, of which every product has many.
func conform[T float32 | kernels.Float16](t *testing.T, g *GEMM[T]) {
	tiny := *g
	tiny.MC, tiny.KC, tiny.NC, tiny.direct = 2*g.MR, 16, g.NR(), nil
	for name, g := range map[string]*GEMM[T]{"own blocks": g, "smallest blocks": &tiny} {
		t.Run(name, func(t *testing.T) {
			pools := []*Pool{NewPool(1), NewPool(2), NewPool(3)}
			calls := 0
			kerneltest.GEMM(t, func(c []float32, a, b []T, m, n, k int) {
				// Mostly one thread; each fifth product has two, each tenth three.
				multiply(t, g, pools[[]int{0, 1, 0, 2, 0, 0, 1, 0, 0, 0}[calls%10]], c, a, b, m, n, k)
				calls++
			})
			for _, p := range pools {
				p.Close()
			}
		})
	}
}

func multiply[T float32 | kernels.Float16](t *testing.T, g *GEMM[T], p *Pool, c []float32, a, b []T, m, n, k int) {
	t.Helper()
	plan, err := g.Plan(p, m, n, k)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	plan.Run(c, a, b)
}

func goGEMM(t *testing.T) *GEMM[float32] {
	t.Helper()
	i, err := Pick(kernels.GEMM, kernels.FP32FP32, Go)
	if err != nil {
		t.Fatal(err)
	}
	return i.Func.(*GEMM[float32])
}

func TestPlanRunsAgainAndAgain(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	const m, n, k = 20, 30, 40
	plan, err := goGEMM(t).Plan(p, m, n, k)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	a, b, c := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n)
	for round := range 5 {
		for i := range a {
			a[i] = float32(round + 1)
		}
		for i := range b {
			b[i] = 2
		}
		plan.Run(c, a, b)
		for i, x := range c {
			if want := float32(2 * k * (round + 1)); x != want {
				t.Fatalf("run %d: C[%d] is %v, not %v", round, i, x, want)
			}
		}
	}
}

func TestPlanRefusesShapesThatAreNotPositive(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	for _, s := range []struct {
		m, n, k int
		want    string
	}{{0, 1, 1, "m is 0"}, {1, -3, 1, "n is -3"}, {1, 1, 0, "k is 0"}} {
		_, err := goGEMM(t).Plan(p, s.m, s.n, s.k)
		if err == nil || !strings.Contains(err.Error(), s.want) {
			t.Errorf("%v: error is %v, it should say %q", s, err, s.want)
		}
	}
}

func TestRunPanicsOnShortSlices(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	plan, err := goGEMM(t).Plan(p, 2, 3, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	for name, lengths := range map[string][3]int{"C": {5, 8, 12}, "A": {6, 7, 12}, "B": {6, 8, 11}} {
		func() {
			defer func() {
				if r, ok := recover().(string); !ok || !strings.Contains(r, "gemm: "+name+" holds") {
					t.Errorf("a short %s: panic is %q", name, r)
				}
			}()
			plan.Run(make([]float32, lengths[0]), make([]float32, lengths[1]), make([]float32, lengths[2]))
		}()
	}
}

// TestStopEndsAMultiply stops the pool from within the 50th tile: no thread may do more than
// the rest of the row of tiles that it is in, of a product that has thousands.
func TestStopEndsAMultiply(t *testing.T) {
	for _, s := range []struct {
		name    string
		m, n, k int
	}{{"blocked", 600, 200, 600}, {"by rows", 4000, 4, 100}, {"few rows", 3, 2000, 2000}} {
		for threads := 1; threads <= 3; threads++ {
			p := NewPool(threads)
			var calls, after atomic.Int64
			g := *goGEMM(t)
			g.packed = [][]microkernel[float32]{nil}
			for _, kernel := range tilesGo[0] {
				g.packed[0] = append(g.packed[0], func(k int, a, b []float32, ldb int, c []float32, ldc int, add bool, next []float32) {
					if p.Stopped() {
						after.Add(1)
					}
					kernel(k, a, b, ldb, c, ldc, add, next)
					if calls.Add(1) == 50 {
						p.Stop()
					}
				})
			}
			g.direct = g.packed
			multiply(t, &g, p, make([]float32, s.m*s.n), make([]float32, s.m*s.k), make([]float32, s.k*s.n), s.m, s.n, s.k)
			p.Close()
			if calls.Load() < 50 {
				t.Errorf("%s, %d threads: only %d tiles were computed, the pool was never stopped", s.name, threads, calls.Load())
			}
			if row := (s.n + g.NR() - 1) / g.NR(); after.Load() > int64(row+threads) {
				t.Errorf("%s, %d threads: %d tiles were computed after Stop, a row has %d", s.name, threads, after.Load(), row)
			}
		}
	}
}

func TestBlocksFollowTheCaches(t *testing.T) {
	const mr, lanes, vectors = 8, 16, 3
	for _, c := range []struct{ l1, l2, kc, nc int }{
		{32 << 10, 1 << 20, 512, 288},
		{48 << 10, 2 << 20, 512, 576},
		{0, -1, 512, 144}, // unknown: 32 KiB and 512 KiB
		{16 << 10, 256 << 10, 256, 144},
		{4 << 10, 1 << 10, 128, 96}, // never less than two tiles
		{1 << 20, 64 << 20, 512, 1152},
	} {
		g := (&GEMM[float32]{MR: mr, Lanes: lanes, packed: make([][]microkernel[float32], vectors)}).blocked(c.l1, c.l2)
		if g.KC != c.kc || g.NC != c.nc {
			t.Errorf("caches of %d and %d bytes: KC %d, NC %d; want %d, %d", c.l1, c.l2, g.KC, g.NC, c.kc, c.nc)
		}
		if g.MC%mr != 0 || g.KC%lanes != 0 || g.NC%g.NR() != 0 {
			t.Errorf("MC %d, KC %d, NC %d are not whole tiles", g.MC, g.KC, g.NC)
		}
	}
}
