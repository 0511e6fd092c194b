package bench

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
)

func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, variance
}

func TestDataHasItsDistribution(t *testing.T) {
	x := make([]float64, FillPeriod)
	for _, c := range []struct {
		data           Data
		mean, variance float64
	}{{Randn, 0, 1}, {Uniform, 0, 1. / 3}, {Zeros, 0, 0}, {Constant, 1, 0}} {
		Fill(x, c.data, 7)
		if mean, variance := moments(x); math.Abs(mean-c.mean) > 0.02 || math.Abs(variance-c.variance) > 0.02 {
			t.Errorf("%s: mean %v, variance %v", c.data, mean, variance)
		}
	}
	Fill(x, Uniform, 7)
	if slices.Min(x) < -1 || slices.Max(x) >= 1 {
		t.Errorf("uniform from %v to %v", slices.Min(x), slices.Max(x))
	}
}

func TestDataIsItsSeedsAndItsTypes(t *testing.T) {
	a, b, c := make([]float32, 1000), make([]float32, 1000), make([]float32, 1000)
	Fill(a, Randn, 1)
	Fill(b, Randn, 1)
	Fill(c, Randn, 2)
	if !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Error("the same seed gives other data, or another seed the same")
	}
	h, d := make([]kernels.Float16, 1000), make([]float64, 1000)
	Fill(h, Randn, 1)
	Fill(d, Randn, 1)
	for i := range d {
		if a[i] != float32(d[i]) || h[i] != kernels.ToFloat16(a[i]) {
			t.Fatalf("element %d: %v as float32 %v and as fp16 %v", i, d[i], a[i], h[i].Float32())
		}
	}
}

func TestTilesAreWhatFillWrites(t *testing.T) {
	n := 3*FillPeriod + 17
	whole, parts := make([]float32, n), make([]float32, n)
	Fill(whole, Randn, 3)
	pattern := Pattern[float32](Randn, 3, FillPeriod)
	for lo := 0; lo < n; {
		hi := min(n, lo+50_000)
		Tile(parts[lo:hi], pattern, lo)
		lo = hi
	}
	if !slices.Equal(whole, parts) {
		t.Error("shares tiled one by one differ from the whole")
	}
	if whole[FillPeriod] != whole[0] || whole[FillPeriod-1] == whole[0] {
		t.Error("the period is not FillPeriod")
	}
}

func TestParseDataNamesTheNearest(t *testing.T) {
	if d, err := ParseData("uniform"); d != Uniform || err != nil {
		t.Errorf("%v, %v", d, err)
	}
	if _, err := ParseData("rand"); err == nil || !strings.Contains(err.Error(), `did you mean "randn"?`) {
		t.Errorf("%v", err)
	}
}
