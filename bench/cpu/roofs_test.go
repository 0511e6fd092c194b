package cpu

import (
	"testing"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// TestResultsAreHeldAgainstTheRoofsOfTheRun, of as many threads and the same level: limit
// 157.3 MFLOP/s, bandwidth in L2 1.6 GB/s.
func TestResultsAreHeldAgainstTheRoofsOfTheRun(t *testing.T) {
	clock := &fakeClock{}
	r := newFake(t, clock, cpu.FMAFunc(func(n int) float64 { clock.work(10 * time.Millisecond); return float64(n) }))
	use := func(f any) {
		r.pick = func(k kernels.Kernel, p kernels.Precision, _ string) (cpu.Impl, error) {
			return cpu.Impl{Kernel: k, Precision: p, Engine: "fake", Func: f}, nil
		}
	}
	run(t, r, caseOf(kernels.FMA, kernels.FP32FP32, n(786_432), 1))

	use(cpu.CopyFunc(func(dst, src []float64) { copy(dst, src); clock.work(10 * time.Duration(len(dst))) }))
	if res := run(t, r, caseOf(kernels.Copy, kernels.FP64, n(50_000), 1)); res.Bound != bench.BandwidthBound || res.Level != "l2" || res.OfLimit != nil {
		t.Errorf("copy: %+v", res)
	}
	// Ten times a level-2 cache: the copy's ordinary stores fetch what they overwrite.
	if res := run(t, r, caseOf(kernels.Copy, kernels.FP64, n(2_000_000), 1)); res.Level != "memory" || !near(res.TrafficBytesPerS, 1.5**res.BytesPerS) {
		t.Errorf("the traffic of a copy in memory: %+v", res)
	}
	use(unary(goRelu(clock, time.Millisecond))) // 100,000 elements: 100 MFLOP/s, 0.8 GB/s
	res := run(t, r, caseOf(kernels.ReLU, kernels.FP32, n(100_000), 1))
	if !near(res.OfLimit, 1e8/1.572864e8) || res.Bound != bench.ComputeBound {
		t.Errorf("relu at 0.65 of the limit and 0.5 of the bandwidth: %v %s", res.OfLimit, res.Bound)
	}
	use(unary(goRelu(clock, 3800*time.Microsecond))) // 26 MFLOP/s, 0.21 GB/s
	if res := run(t, r, caseOf(kernels.ReLU, kernels.FP32, n(100_000), 1)); res.Bound != bench.ComputeBound || !near(res.OfLimit, 1e5/3800e-6/1.572864e8) {
		t.Errorf("relu below both roofs: %v %s", res.OfLimit, res.Bound)
	}
	if res := run(t, r, caseOf(kernels.ReLU, kernels.FP32, n(100_000), 2)); res.OfLimit != nil || res.Bound != bench.UnknownBound {
		t.Errorf("two threads are held against the roofs of one: %+v", res)
	}
	if res := run(t, r, caseOf(kernels.ReLU, kernels.FP32, n(2000), 1)); res.Bound != bench.UnknownBound || res.OfLimit == nil {
		t.Errorf("another level: %+v", res)
	}
	use(planGEMM(func([]float32) { clock.work(time.Millisecond) })) // 2·32³ FLOP: 66 MFLOP/s
	if res := run(t, r, caseOf(kernels.GEMM, kernels.FP32FP32, kernels.Shape{M: 32, N: 32, K: 32}, 1)); !near(res.OfLimit, 2*32*32*32/1e-3/1.572864e8) || res.BytesPerS != nil || res.Bound == bench.LatencyBound {
		t.Errorf("gemm: %+v", res)
	}
}
