package calibrate

import (
	"math"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// law is a rate that rises with each dimension: its logarithm of time is linear in the logarithms, so
// that interpolation over them is exact.
func law(s kernels.Shape) float64 {
	return 1e12 * math.Pow(float64(s.M), 0.3) * math.Pow(float64(s.N), 0.2) * math.Pow(float64(s.K), 0.1)
}

// gridded is a device measured on a grid by the law, with two squares and a skinny shape beside it.
func gridded() *Device {
	rates := map[kernels.Shape]float64{}
	for _, m := range []int{1, 16, 256, 4096} {
		for _, n := range []int{256, 4096} {
			for _, k := range []int{128, 1024, 8192} {
				s := kernels.Shape{M: m, N: n, K: k}
				rates[s] = law(s)
			}
		}
	}
	for _, s := range []kernels.Shape{square(512), square(16384), thin(7)} {
		rates[s] = 5e12
	}
	return gemmDevice(rates)
}

func TestGEMMRateInterpolatesAGridOfShapes(t *testing.T) {
	d := gridded()
	for _, s := range []kernels.Shape{{M: 1, N: 256, K: 128}, {M: 2, N: 1000, K: 200}, {M: 100, N: 4096, K: 8000}, {M: 4096, N: 4000, K: 1024}} {
		l := rate(t, d, s.M, s.N, s.K)
		if math.Abs(l.Value/law(s)-1) > 1e-9 || l.Outside || l.Note != "" {
			t.Errorf("%s: %g (outside: %v, %q), want %g", s, l.Value, l.Outside, l.Note, law(s))
		}
		if math.Abs(l.Lo/(0.98*l.Value)-1) > 1e-9 || math.Abs(l.Hi/(1.02*l.Value)-1) > 1e-9 {
			t.Errorf("%s: interval [%g, %g] around %g, want 2%% on either side", s, l.Lo, l.Hi, l.Value)
		}
	}
}

func TestGEMMRateKeepsWhatWasMeasuredBesideTheGrid(t *testing.T) {
	d := gridded()
	for _, s := range []kernels.Shape{square(512), square(16384), thin(7)} {
		if l := rate(t, d, s.M, s.N, s.K); l.Value != 5e12 {
			t.Errorf("%s: %g, want its own 5e12", s, l.Value)
		}
	}
}

func TestGEMMRateSaysWhereTheGridEnds(t *testing.T) {
	l := rate(t, gridded(), 5000, 256, 64)
	edge := kernels.Shape{M: 4096, N: 256, K: 128}
	if !l.Outside || !strings.Contains(l.Note, "1x256x128 to 4096x4096x8192") || math.Abs(l.Value/law(edge)-1) > 1e-9 {
		t.Errorf("%g, outside %v, %q; want %g and the grid's ends", l.Value, l.Outside, l.Note, law(edge))
	}
}

func TestASparseFamilyIsNoGrid(t *testing.T) {
	for name, rates := range map[string]map[kernels.Shape]float64{
		"squares and skinny": quickRates(),
		"one line":           {{M: 1, N: 2, K: 3}: 1e9, {M: 2, N: 2, K: 3}: 2e9},
		"a plane":            {{M: 1, N: 2, K: 3}: 1e9, {M: 2, N: 2, K: 3}: 2e9, {M: 1, N: 4, K: 3}: 2e9, {M: 2, N: 4, K: 3}: 3e9},
	} {
		if g, ok := newGrid(gemmDevice(rates).GEMM[0].Points); ok {
			t.Errorf("%s was taken for a grid of %v", name, g.axes)
		}
	}
}

// TestAHostileCurveDoesNotHoldUpALookup: each point of another size on every axis, as many as a file can
// hold, and as many as are searched, in a pattern that no size can be left out of at once.
func TestAHostileCurveDoesNotHoldUpALookup(t *testing.T) {
	var scattered, woven []GEMMPoint
	for i := range 100_000 {
		scattered = append(scattered, GEMMPoint{kernels.Shape{M: i + 1, N: 2*i + 1, K: 3*i + 1}, "x", around(1e9)})
	}
	for i := range mostGridPoints {
		woven = append(woven, GEMMPoint{kernels.Shape{M: i/4 + 1, N: (i*7)%1024 + 1, K: (i*13+i/1024)%1024 + 1}, "x", around(1e9)})
	}
	if _, ok := newGrid(scattered); ok {
		t.Error("scattered points were taken for a grid")
	}
	if g, ok := newGrid(woven); ok && len(g.points) != len(g.axes[0])*len(g.axes[1])*len(g.axes[2]) {
		t.Errorf("%d points were taken for a grid of %d x %d x %d", len(g.points), len(g.axes[0]), len(g.axes[1]), len(g.axes[2]))
	}
}
