package calibrate

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// around is a figure with an interval of ±2%.
func around(v float64) Figure { return Figure{v, 0.98 * v, 1.02 * v} }

func gemmDevice(rates map[kernels.Shape]float64) *Device {
	c := GEMMCurve{Precision: kernels.FP32FP32, Threads: 1}
	for s, r := range rates {
		c.Points = append(c.Points, GEMMPoint{s, "go-avx512", around(r)})
	}
	return &Device{ID: "cpu", GEMM: []GEMMCurve{c}}
}

func square(n int) kernels.Shape { return kernels.Shape{M: n, N: n, K: n} }
func thin(m int) kernels.Shape   { return kernels.Shape{M: m, N: 4096, K: 4096} }

// quickRates are rising skinny rates and squares that do not fit a product of powers.
func quickRates() map[kernels.Shape]float64 {
	return map[kernels.Shape]float64{
		square(256): 88e9, square(512): 99e9, square(1024): 97e9, square(2048): 108e9,
		thin(1): 6e9, thin(8): 33e9, thin(64): 87e9, thin(256): 102e9,
	}
}

func rate(t *testing.T, d *Device, m, n, k int) Lookup {
	t.Helper()
	l, err := d.GEMMRate(kernels.FP32FP32, 1, m, n, k)
	if err != nil {
		t.Fatal(err)
	}
	if !(l.Lo <= l.Value && l.Value <= l.Hi && l.Lo > 0) {
		t.Fatalf("%dx%dx%d: %v is outside its interval [%v, %v]", m, n, k, l.Value, l.Lo, l.Hi)
	}
	return l
}

func close12(a, b float64) bool { return math.Abs(a/b-1) < 1e-12 }

func TestGEMMRateReproducesEveryMeasuredShape(t *testing.T) {
	suites := map[string]map[kernels.Shape]float64{"quick": quickRates()}
	standard := quickRates()
	standard[square(4096)] = 109e9
	standard[kernels.Shape{M: 100, N: 300, K: 50}] = 31e9 // of neither family
	suites["standard"] = standard
	squaresOnly := map[kernels.Shape]float64{square(64): 40e9, square(256): 88e9, square(1024): 99e9}
	suites["squares"] = squaresOnly
	suites["skinny"] = map[kernels.Shape]float64{thin(1): 6e9, thin(64): 80e9}
	suites["neither"] = map[kernels.Shape]float64{{M: 100, N: 300, K: 50}: 31e9, {M: 10, N: 20, K: 7}: 3e9}
	for name, rates := range suites {
		d := gemmDevice(rates)
		for s, want := range rates {
			l := rate(t, d, s.M, s.N, s.K)
			if !close12(l.Value, want) || !close12(l.Lo, 0.98*want) || !close12(l.Hi, 1.02*want) || l.Outside {
				t.Errorf("%s: %v is %+v, want %v", name, s, l, around(want))
			}
		}
	}
}

func TestGEMMRateIsSymmetricInItsDimensions(t *testing.T) {
	d := gemmDevice(quickRates())
	want := rate(t, d, 100, 700, 3000).Figure
	for _, s := range [][3]int{{100, 3000, 700}, {700, 100, 3000}, {3000, 700, 100}} {
		if got := rate(t, d, s[0], s[1], s[2]).Figure; got != want {
			t.Errorf("%v is %v, want %v", s, got, want)
		}
	}
}

func TestGEMMRateNeverFallsAsTheSmallestDimensionGrows(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		rates := quickRates()
		for s := range rates {
			rates[s] = 1e9 * math.Exp(5*r.Float64())
		}
		d := gemmDevice(rates)
		n, k := 300+r.IntN(5000), 300+r.IntN(5000)
		last := 0.0
		for m := 1; m <= min(n, k); m += 1 + m/10 {
			l := rate(t, d, m, n, k)
			if l.Value < last*(1-1e-12) {
				t.Fatalf("rates %v: falls from %v to %v at %dx%dx%d", rates, last, l.Value, m, n, k)
			}
			last = l.Value
		}
	}
}

func TestGEMMRateSaysWhereItAveraged(t *testing.T) {
	rates := quickRates()
	rates[thin(64)] = 20e9 // below thin(8)'s 33e9
	d := gemmDevice(rates)
	l := rate(t, d, 64, 4096, 4096)
	if want := math.Sqrt(20e9 * 33e9); !close12(l.Value, want) || !strings.Contains(l.Note, "averaged") {
		t.Errorf("%+v, want %v and a note", l, want)
	}
	if l := rate(t, d, 256, 4096, 4096); l.Note != "" {
		t.Errorf("a knot that was not averaged has the note %q", l.Note)
	}
}

// TestGEMMRateAveragesAFallingTop: a square of N slower than the skinny shape below it.
func TestGEMMRateAveragesAFallingTop(t *testing.T) {
	rates := quickRates()
	rates[square(4096)] = 90e9
	d := gemmDevice(rates)
	want := math.Sqrt(102e9 * 90e9)
	for _, m := range []int{256, 1000, 4096} {
		if l := rate(t, d, m, 4096, 4096); !close12(l.Value, want) || !strings.Contains(l.Note, "averaged") {
			t.Errorf("m = %d: %+v, want %v", m, l, want)
		}
	}
	if l := rate(t, d, 2048, 2048, 2048); !close12(l.Value, 108e9) {
		t.Errorf("a square below N is %v", l.Value)
	}
	if l := rate(t, d, 3000, 3900, 3900); l.Value < 90e9 || l.Value > 108e9 {
		t.Errorf("between squares of 90 and 108 GFLOP/s: %v", l.Value)
	}
}

func TestGEMMRateOutsideIsTheEdgeAndSaysSo(t *testing.T) {
	d := gemmDevice(quickRates())
	for _, c := range []struct {
		name    string
		m, n, k int
		like    kernels.Shape // whose rate it has; none if zero
		note    string
	}{
		{"long", 64, 11008, 11008, thin(64), "the other dimensions"},
		{"huge", 8192, 8192, 8192, kernels.Shape{}, "the smallest dimension 8192"},
		{"small", 1, 64, 64, kernels.Shape{}, "the other dimensions, 64"},
		{"inside", 100, 1000, 1000, kernels.Shape{}, ""},
	} {
		l := rate(t, d, c.m, c.n, c.k)
		if l.Outside != (c.note != "") || !strings.Contains(l.Note, c.note) || (c.note == "" && l.Note != "") {
			t.Errorf("%s: outside %v, note %q", c.name, l.Outside, l.Note)
		}
		if c.like != (kernels.Shape{}) {
			if want := rate(t, d, c.like.M, c.like.N, c.like.K).Value; !close12(l.Value, want) {
				t.Errorf("%s: %v, want %v", c.name, l.Value, want)
			}
		}
	}
	if top := rate(t, d, 8192, 8192, 8192).Value; top > 109e9 || top < 100e9 {
		t.Errorf("beyond the largest square the rate is %v", top)
	}
}

func TestGEMMRateNamesWhatStoodInForAMissingFamily(t *testing.T) {
	for want, rates := range map[string]map[kernels.Shape]float64{
		"no skinny shapes": {square(256): 88e9, square(512): 90e9},
		"no squares":       {thin(1): 6e9, thin(64): 80e9},
		"neither":          {{M: 100, N: 300, K: 50}: 31e9},
	} {
		if l := rate(t, gemmDevice(rates), 60, 400, 300); !strings.Contains(l.Note, want) {
			t.Errorf("note %q, want %q", l.Note, want)
		}
	}
}

func TestGEMMRateRefusesBadInput(t *testing.T) {
	d := gemmDevice(quickRates())
	for _, c := range []struct {
		p                kernels.Precision
		threads, m, n, k int
		want             string
	}{
		{kernels.FP32FP32, 1, 0, 4, 4, "at least 1"},
		{kernels.FP32FP32, 1, 4, -4, 4, "at least 1"},
		{kernels.FP32FP32, 0, 4, 4, 4, "threads 0"},
		{kernels.FP16FP32, 1, 4, 4, 4, "it has fp32/fp32"},
	} {
		_, err := d.GEMMRate(c.p, c.threads, c.m, c.n, c.k)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := (&Device{}).GEMMRate(kernels.FP32FP32, 1, 1, 1, 1); err == nil || !strings.Contains(err.Error(), "no gemm") {
		t.Errorf("an empty device answers %v", err)
	}
}
