package cpu

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// goFunc is the plain Go implementation of a kernel at fp32.
func goFunc[F any](t *testing.T, k kernels.Kernel) F {
	t.Helper()
	impl, err := cpu.Pick(k, kernels.FP32, cpu.Go)
	if err != nil {
		t.Fatal(err)
	}
	return impl.Func.(F)
}

// TestRowsThatAreNotComputedAreFound: kernels that leave rows, elements or sums out, always or only in later passes.
func TestRowsThatAreNotComputedAreFound(t *testing.T) {
	clock := &fakeClock{}
	calls := 0
	spoiled := func(k kernels.Kernel, after int, spoil func(r *cpu.Rows[float32])) cpu.RowsFunc[float32] {
		f := goFunc[cpu.RowsFunc[float32]](t, k)
		return func(r *cpu.Rows[float32]) {
			clock.work(time.Millisecond)
			f(r)
			if calls++; calls > after {
				spoil(r)
			}
		}
	}
	for _, c := range []struct {
		name   string
		kernel kernels.Kernel
		after  int
		spoil  func(r *cpu.Rows[float32])
		wrong  string
	}{
		{"nothing is spoiled", kernels.LayerNormBackward, 0, func(*cpu.Rows[float32]) {}, ""},
		{"a row is left out", kernels.Softmax, 0, func(r *cpu.Rows[float32]) { r.Y[17*30] = float32(math.NaN()) }, "c[17,0] was not computed"},
		{"the last element is off", kernels.RMSNorm, 0, func(r *cpu.Rows[float32]) { r.Y[len(r.Y)-1] *= 1.0001 }, "element [49,29] is"},
		{"a gradient is off", kernels.SoftmaxBackward, 0, func(r *cpu.Rows[float32]) { r.DX[0] += 1e-3 }, "element [0,0] is"},
		{"gain's gradient is off", kernels.RMSNormBackward, 0, func(r *cpu.Rows[float32]) { r.DGain[0] += 1e-3 }, "the gradient of gain 0 is"},
		{"bias' gradient is not summed", kernels.LayerNormBackward, 0, func(r *cpu.Rows[float32]) { clear(r.DBias) }, "the gradient of bias 0 is 0"},
		{"a bit flips later", kernels.LayerNorm, 5, func(r *cpu.Rows[float32]) { r.Y[9] = flip(r.Y[9], 0) }, "differs in bits"},
	} {
		calls = 0
		spec := kernels.Spec{Kernel: c.kernel, Precision: kernels.FP32, Shape: kernels.Shape{M: 50, N: 30}}
		res := run(t, newFake(t, clock, spoiled(c.kernel, c.after, c.spoil)), caseOf(c.kernel, kernels.FP32, spec.Shape, 1))
		failed := res.Status == bench.Failed
		if failed != (c.wrong != "") || !strings.Contains(res.Error, c.wrong) {
			t.Errorf("%s: %s %q, want %q", c.name, res.Status, res.Error, c.wrong)
		}
	}
}

// TestStepsThatAreNotMadeAreFound: an optimizer that leaves elements out, always or only in later passes, of which
// a sample makes many.
func TestStepsThatAreNotMadeAreFound(t *testing.T) {
	clock := &fakeClock{}
	step := goFunc[cpu.AdamWFunc[float32]](t, kernels.AdamW)
	calls := 0
	for _, c := range []struct {
		name  string
		after int
		spoil func(p, m, v []float32)
		wrong string
	}{
		{"nothing is spoiled", 0, func(_, _, _ []float32) {}, ""},
		{"a parameter is off", 0, func(p, _, _ []float32) { p[500] += 1e-5 }, "p: element 500 of 1000 is"},
		{"a moment is off", 0, func(_, m, _ []float32) { m[999] *= 1.001 }, "m: element 999 of 1000 is"},
		{"the other moment is not written", 0, func(_, _, v []float32) { v[0] = float32(math.NaN()) }, "v: element 0 of 1000 is NaN"},
		{"later an element goes its own way", 700, func(p, _, _ []float32) { p[999] += 1e-3 }, "a later pass did not repeat the first: p: element 999 of 1000 is"},
	} {
		calls = 0
		f := cpu.AdamWFunc[float32](func(p, m, v []float32, w, g []float32, s cpu.AdamWStep) {
			step(p, m, v, w, g, s)
			if len(p) < 1000 {
				return // a replay
			}
			clock.work(10 * time.Microsecond)
			if calls++; calls > c.after {
				c.spoil(p, m, v)
			}
		})
		res := run(t, newFake(t, clock, f), caseOf(kernels.AdamW, kernels.FP32, n(1000), 1))
		failed := res.Status == bench.Failed
		if failed != (c.wrong != "") || !strings.Contains(res.Error, c.wrong) {
			t.Errorf("%s: %s %q, want %q", c.name, res.Status, res.Error, c.wrong)
		}
	}
}
