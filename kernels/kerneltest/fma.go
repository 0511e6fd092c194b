package kerneltest

import (
	"testing"

	"github.com/realflops/realflops/kernels"
)

// FMA checks that f(n) performs n multiply-adds x = x·1 + 1: the sum of what its chains
// counted is n, exactly, which it is not if any was left out or done twice.
func FMA(t *testing.T, f func(n int) float64) {
	for _, quanta := range []int{0, 1, 2, 3, 5, 64} {
		n := quanta * kernels.FMAQuantum
		if got := f(n); got != float64(n) {
			t.Errorf("%d multiply-adds asked for, the chains count %v", n, got)
		}
	}
}
