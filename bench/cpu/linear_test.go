package cpu

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// TestLinearIsHeldToItsOracle: every implementation passes the check of a run, on all copies of its weights, and
// results that were not computed, or not all, do not.
func TestLinearIsHeldToItsOracle(t *testing.T) {
	kept := copiesBytes
	copiesBytes = 1 << 20
	t.Cleanup(func() { copiesBytes = kept })
	for _, impl := range cpu.All() {
		if impl.Kernel != kernels.Linear {
			continue
		}
		t.Run(string(impl.Precision)+" "+impl.Engine, func(t *testing.T) {
			if missing := impl.Missing(); len(missing) > 0 {
				t.Skipf("skip: engine %s needs %s", impl.Engine, strings.Join(missing, ", "))
			}
			pool := cpu.NewPool(2)
			defer pool.Close()
			c := caseOf(kernels.Linear, impl.Precision, kernels.Shape{M: 3, N: 1040, K: 260}, 2)
			w, err := bind(c, impl, pool, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer w.free()
			w.run(3)
			if err := w.verify(); err != nil {
				t.Error(err)
			}
			sum := w.checksum()
			w.run(1)
			if got := w.checksum(); got != sum {
				t.Errorf("copies of the weights give results of checksums %x and %x", sum, got)
			}
			w.poison()
			if err := w.verify(); err == nil {
				t.Error("results that were never computed pass")
			}
		})
	}
}

func TestAWrongSumOfLinearIsFound(t *testing.T) {
	x, w := []float32{1, 2, 3}, []float32{1, 1, 1, 1, 1, 1}
	v := linearCheck[float32, float32]{m: 1, n: 2, k: 3, y: []float32{6, 6}, x: x, pattern: w}
	random := rand.New(rand.NewPCG(1, 2))
	if err := v.verify(random); err != nil {
		t.Error(err)
	}
	v.y[1] = 6.0001
	if err := v.verify(random); err == nil || !strings.Contains(err.Error(), "y[0,1] is 6.0001") {
		t.Errorf("a wrong sum: %v", err)
	}
	whole := linearCheck[int8, int32]{m: 1, n: 1, k: 2, y: []int32{-32256}, x: []int8{-128, 127}, pattern: []int8{127, -126, 0}}
	if err := whole.verify(random); err == nil {
		t.Error("an integer that is wrong by 2 passes")
	}
	whole.y[0] = -128*127 - 127*126
	if err := whole.verify(random); err != nil {
		t.Error(err)
	}
}
