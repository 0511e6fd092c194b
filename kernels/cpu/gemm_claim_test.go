package cpu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// TestClaimedProductsAreTheSameBitForBit: whoever claims what, in each form of the operands.
func TestClaimedProductsAreTheSameBitForBit(t *testing.T) {
	for _, impl := range All() {
		g, ok := impl.Func.(*GEMM[float32, float32])
		if !ok || impl.Kernel != kernels.GEMM || len(impl.Missing()) > 0 {
			continue
		}
		small := *g
		small.blocking = blocking{MC: 4 * g.MR, KC: 32, NC: 2 * g.NR} // many blocks, soon
		for _, s := range []Product{
			{M: 600, N: 7 * g.NR, K: 64},
			{M: 601, N: 7*g.NR + 3, K: 75},
			{M: 300, N: 9*g.NR - 1, K: 31, TransA: true},
			{M: 513, N: 6*g.NR + 1, K: 65, TransB: true},
			{M: 500, N: 5 * g.NR, K: 33, TransA: true, TransB: true},
			{M: 400, N: 9 * g.NR, K: 40, Batch: 2},
			{M: 700, N: 8*g.NR + 5, K: 70, Ahead: true},
		} {
			t.Run(fmt.Sprintf("%s/%+v", impl.Engine, s), func(t *testing.T) { claimedIsSame(t, &small, s) })
		}
	}
}

func claimedIsSame(t *testing.T, g *GEMM[float32, float32], s Product) {
	random := rand.New(rand.NewPCG(1, 2))
	matrix := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		return x
	}
	count := max(1, s.Batch)
	a, b := matrix(count*s.M*s.K), matrix(count*s.K*s.N)
	want := make([]float32, count*s.M*s.N)
	for threads := 1; threads <= 3; threads++ {
		p := NewPool(threads)
		defer p.Close()
		p.watch.runs = -1 << 40 // it stays as it is set
		pl, err := g.Plan(p, s)
		if err != nil {
			t.Fatal(err)
		}
		defer pl.Close()
		run := func(c []float32) { pl.Run(c, a, b) }
		if s.Ahead {
			packed, err := g.PackB(p, b, s.N, s.K, false)
			if err != nil {
				t.Fatal(err)
			}
			defer packed.Close()
			run = func(c []float32) { pl.RunPacked(c, a, packed) }
		}
		if threads == 1 {
			run(want)
			continue
		}
		p.watch.contended = true
		got := slices.Repeat([]float32{-7}, len(want))
		for range 2 {
			run(got)
			if i := slices.IndexFunc(got, func(x float32) bool { return x != x }); i >= 0 || !slices.Equal(got, want) {
				t.Fatalf("%d threads: another product than one thread's", threads)
			}
		}
		claimed := pl.claims != nil && pl.claims.a != nil && (pl.claims.b == nil) == s.Ahead
		if whole := count >= threads; claimed == whole { // enough products, and each is one thread's
			t.Errorf("%d threads: claimed in pieces is %v", threads, claimed)
		}
	}
}

// TestOnlyAContendedPoolClaims: nor does it pay for a product of few pieces, or of one thread.
func TestOnlyAContendedPoolClaims(t *testing.T) {
	g := implOf(t, kernels.GEMM, kernels.FP32FP32, Go).Func.(*GEMM[float32, float32])
	for _, c := range []struct {
		name      string
		threads   int
		contended bool
		s         Product
		claims    bool
	}{
		{"large", 2, true, Product{M: 1100, N: 4, K: 4}, true},
		{"not contended", 2, false, Product{M: 1100, N: 4, K: 4}, false},
		{"one thread", 1, true, Product{M: 1100, N: 4, K: 4}, false},
		{"few pieces", 2, true, Product{M: 200, N: 4, K: 4}, false},
		{"small products of a batch", 2, true, Product{M: 1100, N: 4, K: 4, Batch: 2}, false},
	} {
		p := NewPool(c.threads)
		p.watch.runs = -1 << 40
		p.watch.contended = c.contended
		pl, err := g.Plan(p, c.s)
		if err != nil {
			t.Fatal(err)
		}
		count := max(1, c.s.Batch)
		pl.Run(make([]float32, count*c.s.M*c.s.N), make([]float32, count*c.s.M*c.s.K), make([]float32, count*c.s.K*c.s.N))
		if got := pl.claims != nil && pl.claims.a != nil; got != c.claims {
			t.Errorf("%s: claimed is %v", c.name, got)
		}
		pl.Close()
		p.Close()
	}
}
