package calibrate

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
)

func curveOf(k kernels.Kernel, p kernels.Precision, threads int, rates map[int]float64) Curve {
	c := Curve{Kernel: k, Precision: p, Threads: threads}
	for n, r := range rates {
		bytes := kernels.Spec{Kernel: k, Precision: p, Shape: kernels.Shape{N: n}}.Bytes()
		c.Points = append(c.Points, Point{n, bytes, "", "go-avx2", around(r)})
	}
	slices.SortFunc(c.Points, func(a, b Point) int { return a.N - b.N })
	return c
}

func lookupDevice() *Device {
	return &Device{
		ID: "cpu",
		Limits: []Limit{
			{kernels.FP32FP32, 1, "go-avx512", around(100e9)},
			{kernels.FP32FP32, 4, "go-avx512", around(390e9)},
			{kernels.FP64FP64, 4, "go-avx512", around(190e9)},
		},
		Elementwise: []Curve{
			curveOf(kernels.ReLU, kernels.FP32, 1, map[int]float64{2048: 27e9, 65536: 14e9, 2 << 20: 8e9, 16 << 20: 3e9}),
			curveOf(kernels.ReLU, kernels.FP16, 4, map[int]float64{2048: 27e9}),
		},
		Bandwidth: []Curve{
			curveOf(kernels.Triad, kernels.FP64, 1, map[int]float64{640: 260e9, 5 << 20: 30e9}),
			curveOf(kernels.Copy, kernels.FP64, 1, map[int]float64{1024: 220e9, 8 << 20: 35e9}),
		},
		Overheads: []Overhead{{"dispatch", 4, Figure{2e-7, 1e-7, 3e-7}}},
	}
}

func TestRatesAreExactAtMeasuredSizes(t *testing.T) {
	d := lookupDevice()
	for _, p := range d.Elementwise[0].Points {
		l, err := d.ElementwiseRate(kernels.ReLU, kernels.FP32, 1, float64(p.N))
		if err != nil || !close12(l.Value, p.Rate.Value) || !close12(l.Lo, p.Rate.Lo) || !close12(l.Hi, p.Rate.Hi) || l.Outside || l.Note != "" || l.Engine != "go-avx2" {
			t.Errorf("%d elements: %+v, %v; want %+v", p.N, l, err, p.Rate)
		}
	}
	for _, p := range d.Bandwidth[0].Points {
		l, err := d.BandwidthRate(1, p.Bytes)
		if err != nil || !close12(l.Value, p.Rate.Value) || l.Outside || l.Note != "" {
			t.Errorf("%v bytes: %+v, %v; want %+v", p.Bytes, l, err, p.Rate)
		}
	}
}

// TestTimeNeverFallsAsWorkGrows, whatever was measured.
func TestTimeNeverFallsAsWorkGrows(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 500 {
		rates := map[int]float64{}
		for n := 1 + r.IntN(1000); len(rates) < 6; n += 1 + r.IntN(10*n) {
			rates[n] = 1e9 * math.Exp(6*r.Float64())
		}
		c := curveOf(kernels.Sigmoid, kernels.FP32, 1, rates)
		for i := range c.Points {
			f := &c.Points[i].Rate
			f.Lo, f.Hi = f.Value*(0.1+0.9*r.Float64()), f.Value*(1+r.Float64())
		}
		d := &Device{Elementwise: []Curve{c}}
		last := 0.0
		for at := float64(c.Points[0].N) / 2; at < 2*float64(c.Points[5].N); at *= 1.05 {
			l, err := d.ElementwiseRate(kernels.Sigmoid, kernels.FP32, 1, at)
			if err != nil {
				t.Fatal(err)
			}
			if !(l.Lo <= l.Value && l.Value <= l.Hi) {
				t.Fatalf("%v is outside [%v, %v]", l.Value, l.Lo, l.Hi)
			}
			if s := at / l.Value; s < last*(1-1e-12) {
				t.Fatalf("rates %v: at %v elements the time falls from %v to %v", rates, at, last, s)
			} else {
				last = s
			}
		}
	}
}

func TestOutsideTheMeasuredSizesIsTheEdgeAndSaysSo(t *testing.T) {
	d := lookupDevice()
	for _, c := range []struct {
		elements, want float64
		outside        bool
	}{{10, 27e9, true}, {2048, 27e9, false}, {1e12, 3e9, true}} {
		l, err := d.ElementwiseRate(kernels.ReLU, kernels.FP32, 1, c.elements)
		if err != nil || !close12(l.Value, c.want) || l.Outside != c.outside || strings.Contains(l.Note, "outside") != c.outside {
			t.Errorf("%v elements: %+v, %v", c.elements, l, err)
		}
	}
	if l, err := d.BandwidthRate(1, 1); err != nil || !l.Outside || !close12(l.Value, 260e9) {
		t.Errorf("1 byte: %+v, %v", l, err)
	}
}

func TestTheNearestLowerThreadCountStandsIn(t *testing.T) {
	d := lookupDevice()
	for _, c := range []struct {
		threads int
		want    float64
		note    string
	}{{1, 100e9, ""}, {2, 100e9, "measured with 1 threads, not 2"}, {3, 100e9, "not 3"}, {4, 390e9, ""}, {64, 390e9, "measured with 4 threads, not 64"}} {
		l, err := d.Limit(kernels.FP32FP32, c.threads)
		if err != nil || l.Value != c.want || !strings.Contains(l.Note, c.note) || (c.note == "") != (l.Note == "") {
			t.Errorf("%d threads: %+v, %v", c.threads, l, err)
		}
	}
	// Nothing lower: the lowest there is.
	if l, err := d.Limit(kernels.FP64FP64, 1); err != nil || l.Value != 190e9 || !strings.Contains(l.Note, "measured with 4 threads") {
		t.Errorf("fp64 with 1 thread: %+v, %v", l, err)
	}
	if got := d.ThreadCounts(); !slices.Equal(got, []int{1, 4}) {
		t.Errorf("thread counts %v", got)
	}
}

func TestLimitOfAWidenedPrecisionIsItsAccumulators(t *testing.T) {
	l, err := lookupDevice().Limit(kernels.FP16FP32, 4)
	if err != nil || l.Value != 390e9 || !strings.Contains(l.Note, "the limit of fp32/fp32") {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestBandwidthFallsBackOnCopy(t *testing.T) {
	d := lookupDevice()
	d.Bandwidth = d.Bandwidth[1:]
	l, err := d.BandwidthRate(1, 8<<20*16)
	if err != nil || !close12(l.Value, 35e9) || !strings.Contains(l.Note, "copy's rate") {
		t.Errorf("%+v, %v", l, err)
	}
	d.Bandwidth = nil
	if _, err := d.BandwidthRate(1, 1e6); err == nil || !strings.Contains(err.Error(), "no triad") {
		t.Errorf("without any: %v", err)
	}
}

func TestLookupsRefuseWhatHasNoMeaning(t *testing.T) {
	d := lookupDevice()
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := d.ElementwiseRate(kernels.ReLU, kernels.FP32, 1, bad); err == nil || !strings.Contains(err.Error(), "above 0") {
			t.Errorf("%v elements: %v", bad, err)
		}
		if _, err := d.BandwidthRate(1, bad); err == nil || !strings.Contains(err.Error(), "above 0") {
			t.Errorf("%v bytes: %v", bad, err)
		}
	}
	for name, ask := range map[string]func() error{
		"threads -1":                         func() error { _, err := d.Limit(kernels.FP32FP32, -1); return err },
		"it has fp32/fp32, fp64/fp64":        func() error { _, err := d.Limit("bf16/bf16", 1); return err },
		"no relu at fp64: it has fp16, fp32": func() error { _, err := d.ElementwiseRate(kernels.ReLU, kernels.FP64, 1, 9); return err },
		"no sigmoid":                         func() error { _, err := d.ElementwiseRate(kernels.Sigmoid, kernels.FP32, 1, 9); return err },
		"threads 0":                          func() error { _, err := d.BandwidthRate(0, 9); return err },
	} {
		if err := ask(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want an error with %q, got %v", name, err)
		}
	}
}

func TestOverheadIsByExactThreads(t *testing.T) {
	d := lookupDevice()
	if f, ok := d.Overhead("dispatch", 4); !ok || f.Value != 2e-7 {
		t.Errorf("%+v, %v", f, ok)
	}
	if _, ok := d.Overhead("dispatch", 1); ok {
		t.Error("an overhead that was not measured is answered")
	}
}
