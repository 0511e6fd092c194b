package bench

import (
	"testing"

	"github.com/realflops/realflops/kernels"
)

func TestBound(t *testing.T) {
	const long, call = 1e-3, 5e-9
	for _, c := range []struct {
		name                              string
		class                             kernels.Class
		passS, fixedS, compute, bandwidth float64
		want                              Bound
	}{
		{"large gemm", kernels.Matrix, long, 1e-7, 0.9, 0.1, ComputeBound},
		{"one row", kernels.Matrix, long, 1e-7, 0.05, 0.95, BandwidthBound},
		{"gemm below both roofs", kernels.Matrix, long, 1e-7, 0.4, 0.3, UnknownBound},
		{"gemm against nothing", kernels.Matrix, long, 1e-7, 0, 0, UnknownBound},
		{"gemm 4x4x4", kernels.Matrix, 5e-7, 1e-7, 0.9, 0.9, LatencyBound},
		{"relu", kernels.Elementwise, long, call, 0.2, 0.9, BandwidthBound},
		{"sigmoid in cache", kernels.Elementwise, long, call, 0.15, 0.12, ComputeBound},
		{"sigmoid against the limit alone", kernels.Elementwise, long, call, 0.15, 0, UnknownBound},
		{"relu of 8", kernels.Elementwise, 8e-9, call, 0.2, 0.9, LatencyBound},
		{"triad", kernels.Bandwidth, long, call, 0, 1, BandwidthBound},
		{"copy of 8", kernels.Bandwidth, 8e-9, call, 0, 1, LatencyBound},
	} {
		if got := bound(c.class, Pass{Seconds: c.passS, FixedS: c.fixedS}, c.compute, c.bandwidth); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
