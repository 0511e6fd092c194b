package cpu

import (
	"testing"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

func TestBound(t *testing.T) {
	const long, call = 1e-3, callS
	for _, c := range []struct {
		name                              string
		class                             kernels.Class
		passS, fixedS, compute, bandwidth float64
		want                              bench.Bound
	}{
		{"large gemm", kernels.Matrix, long, 1e-7, 0.9, 0.1, bench.ComputeBound},
		{"one row", kernels.Matrix, long, 1e-7, 0.05, 0.95, bench.BandwidthBound},
		{"gemm below both roofs", kernels.Matrix, long, 1e-7, 0.4, 0.3, bench.UnknownBound},
		{"gemm against nothing", kernels.Matrix, long, 1e-7, 0, 0, bench.UnknownBound},
		{"gemm 4x4x4", kernels.Matrix, 5e-7, 1e-7, 0.9, 0.9, bench.LatencyBound},
		{"relu", kernels.Elementwise, long, call, 0.2, 0.9, bench.BandwidthBound},
		{"sigmoid in cache", kernels.Elementwise, long, call, 0.15, 0.12, bench.ComputeBound},
		{"sigmoid against the limit alone", kernels.Elementwise, long, call, 0.15, 0, bench.UnknownBound},
		{"relu of 8", kernels.Elementwise, 8e-9, call, 0.2, 0.9, bench.LatencyBound},
		{"triad", kernels.Bandwidth, long, call, 0, 1, bench.BandwidthBound},
		{"copy of 8", kernels.Bandwidth, 8e-9, call, 0, 1, bench.LatencyBound},
	} {
		if got := bound(c.class, c.passS, c.fixedS, c.compute, c.bandwidth); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestResultsAreHeldAgainstTheRoofsOfTheRun, of as many threads and the same level: limit
// 153.6 MFLOP/s, bandwidth in L2 1.6 GB/s.
func TestResultsAreHeldAgainstTheRoofsOfTheRun(t *testing.T) {
	clock := &fakeClock{}
	r := newFake(t, clock, cpu.FMAFunc(func(n int) float64 { clock.work(10 * time.Millisecond); return float64(n) }))
	use := func(f any) {
		r.pick = func(k kernels.Kernel, p kernels.Precision, _ string) (cpu.Impl, error) {
			return cpu.Impl{Kernel: k, Precision: p, Engine: "fake", Func: f}, nil
		}
	}
	run(t, r, caseOf(kernels.FMA, kernels.FP32FP32, n(768_000), 1))

	use(cpu.CopyFunc(func(dst, src []float64) { copy(dst, src); clock.work(10 * time.Duration(len(dst))) }))
	if res := run(t, r, caseOf(kernels.Copy, kernels.FP64, n(50_000), 1)); res.Bound != bench.BandwidthBound || res.Level != "l2" || res.OfLimit != nil {
		t.Errorf("copy: %+v", res)
	}
	use(goRelu(clock, time.Millisecond)) // 100,000 elements: 100 MFLOP/s, 0.8 GB/s
	res := run(t, r, caseOf(kernels.ReLU, kernels.FP32, n(100_000), 1))
	if !near(res.OfLimit, 1e8/1.536e8) || res.Bound != bench.ComputeBound {
		t.Errorf("relu at 0.65 of the limit and 0.5 of the bandwidth: %v %s", res.OfLimit, res.Bound)
	}
	use(goRelu(clock, 3800*time.Microsecond)) // 26 MFLOP/s, 0.21 GB/s
	if res := run(t, r, caseOf(kernels.ReLU, kernels.FP32, n(100_000), 1)); res.Bound != bench.ComputeBound || !near(res.OfLimit, 1e5/3800e-6/1.536e8) {
		t.Errorf("relu below both roofs: %v %s", res.OfLimit, res.Bound)
	}
	if res := run(t, r, caseOf(kernels.ReLU, kernels.FP32, n(100_000), 2)); res.OfLimit != nil || res.Bound != bench.UnknownBound {
		t.Errorf("two threads are held against the roofs of one: %+v", res)
	}
	if res := run(t, r, caseOf(kernels.ReLU, kernels.FP32, n(2000), 1)); res.Bound != bench.UnknownBound || res.OfLimit == nil {
		t.Errorf("another level: %+v", res)
	}
	use(planGEMM(func([]float32) { clock.work(time.Millisecond) })) // 2·32³ FLOP: 66 MFLOP/s
	if res := run(t, r, caseOf(kernels.GEMM, kernels.FP32FP32, kernels.Shape{M: 32, N: 32, K: 32}, 1)); !near(res.OfLimit, 2*32*32*32/1e-3/1.536e8) || res.BytesPerS != nil || res.Bound == bench.LatencyBound {
		t.Errorf("gemm: %+v", res)
	}
}
