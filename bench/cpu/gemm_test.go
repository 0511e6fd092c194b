package cpu

import (
	"math/rand/v2"
	"testing"

	"github.com/realflops/realflops/kernels/cpu"
)

// TestVerifySeesEveryElementOfAnIntegerProduct, with operands stored either way.
func TestVerifySeesEveryElementOfAnIntegerProduct(t *testing.T) {
	for form := range 4 {
		x := matrices[int8, int32]{Product: cpu.Product{M: 3, N: 5, K: 140, TransA: form&1 != 0, TransB: form&2 != 0}}
		random := rand.New(rand.NewPCG(1, uint64(form)))
		x.a, x.b, x.c = make([]int8, x.M*x.K), make([]int8, x.K*x.N), make([]int32, x.M*x.N)
		for _, s := range [][]int8{x.a, x.b} {
			for i := range s {
				s[i] = int8(random.IntN(256) - 128)
			}
		}
		for i := range x.M {
			for j := range x.N {
				for p := range x.K {
					a, b := x.a[i*x.K+p], x.b[p*x.N+j]
					if x.TransA {
						a = x.a[p*x.M+i]
					}
					if x.TransB {
						b = x.b[j*x.K+p]
					}
					x.c[i*x.N+j] += int32(a) * int32(b)
				}
			}
		}
		if err := x.verify(random); err != nil {
			t.Errorf("%+v: a right product: %v", x.Product, err)
		}
		for i := range x.c {
			for _, wrong := range []int32{1, -1 << 31} {
				x.c[i] += wrong
				if x.verify(random) == nil {
					t.Errorf("%+v: element %d is off by %d unseen", x.Product, i, wrong)
				}
				x.c[i] -= wrong
			}
		}
		for i := range x.c { // each in the place of the first of its row
			if j := i - i%x.N; i > j && x.c[i] != x.c[j] {
				x.c[i], x.c[j] = x.c[j], x.c[i]
				if x.verify(random) == nil {
					t.Errorf("%+v: elements %d and %d are in each other's place unseen", x.Product, j, i)
				}
				x.c[i], x.c[j] = x.c[j], x.c[i]
			}
		}
	}
}

// TestVerifyFollowsTransposes: a float product that is right for the one orientation is wrong for all others.
func TestVerifyFollowsTransposes(t *testing.T) {
	const n = 9
	a, b := make([]float32, n*n), make([]float32, n*n)
	for i := range a {
		a[i], b[i] = float32(i%7), float32(i*i%11)
	}
	for form := range 4 {
		at := func(x []float32, i, j int, transposed bool) float32 {
			if transposed {
				i, j = j, i
			}
			return x[i*n+j]
		}
		c := make([]float32, n*n)
		for i := range n {
			for j := range n {
				for p := range n {
					c[i*n+j] += at(a, i, p, form&1 != 0) * at(b, p, j, form&2 != 0)
				}
			}
		}
		for claimed := range 4 {
			x := matrices[float32, float32]{cpu.Product{M: n, N: n, K: n, TransA: claimed&1 != 0, TransB: claimed&2 != 0}, c, a, b}
			if err := x.verify(rand.New(rand.NewPCG(1, 2))); (err == nil) != (claimed == form) {
				t.Errorf("form %d claimed to be %d: %v", form, claimed, err)
			}
		}
	}
}
