package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// seriesOf makes samples of 4 ms back to back at the given rates.
func seriesOf(rates ...float64) []Sample {
	var s []Sample
	for i, r := range rates {
		s = append(s, Sample{Start: float64(i) * 0.004, Seconds: 0.004, Passes: 1})
		s[i].Seconds = 1 / r
	}
	return s
}

// steady is n rates around v with a noise of ±0.5%.
func steady(r *rand.Rand, n int, v float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = v * (1 + 0.01*(r.Float64()-0.5))
	}
	return x
}

func TestSteadySeriesIsSustainedFromTheStart(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	s := Summarize(seriesOf(steady(r, 100, 250)...))
	if s.PlateauS == nil || *s.PlateauS != 0 || s.Sustained.N != 100 || len(s.Warnings) != 0 {
		t.Errorf("%+v", s)
	}
	if math.Abs(s.Sustained.Median/250-1) > 0.002 || s.Burst < s.Sustained.Median || s.Burst > 250*1.005 {
		t.Errorf("sustained %v, burst %v", s.Sustained.Median, s.Burst)
	}
}

// TestBurstAndSustainedAreApart: a machine that holds 300 for 100 ms and then 250.
func TestBurstAndSustainedAreApart(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	rates := append(steady(r, 25, 300), steady(r, 100, 250)...)
	s := Summarize(seriesOf(rates...))
	if math.Abs(s.Sustained.Median/250-1) > 0.005 || math.Abs(s.Burst/300-1) > 0.01 {
		t.Errorf("sustained %v, burst %v", s.Sustained.Median, s.Burst)
	}
	// A window of 5 has its median on the plateau once 3 of it are there.
	if s.PlateauS == nil || math.Abs(*s.PlateauS-23*0.004) > 1e-9 || s.Sustained.N != 102 {
		t.Errorf("plateau %v, n %d", *s.PlateauS, s.Sustained.N)
	}
}

func TestDriftIsNotAPlateau(t *testing.T) {
	rates := make([]float64, 100)
	for i := range rates {
		rates[i] = 300 - float64(i)
	}
	s := Summarize(seriesOf(rates...))
	if s.PlateauS != nil || !slices.Contains(codes(s.Warnings), NotPlateaued) || s.Sustained.N != 50 {
		t.Errorf("%+v", s)
	}
}

// TestNoiseIsNoDrift: a fifth of samples preempted moves neither median nor plateau.
func TestNoiseIsNoDrift(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	rates := steady(r, 200, 250)
	for i := range rates {
		if r.IntN(5) == 0 {
			rates[i] /= 2
		}
	}
	s := Summarize(seriesOf(rates...))
	if s.PlateauS == nil || *s.PlateauS > 0.05 || math.Abs(s.Sustained.Median/250-1) > 0.01 || !slices.Equal(codes(s.Warnings), []string{Uneven}) {
		t.Errorf("%+v", s)
	}
}

// TestAQuotaIsSeen: a quota of 1.5 CPUs lets two threads run 75 ms of each 100 ms, so that
// one sample of 4 ms in 19 takes 25 ms more; the median of the others is that of two free CPUs.
func TestAQuotaIsSeen(t *testing.T) {
	var throttled, free []float64
	for i := range 190 {
		rate := 250.0
		free = append(free, rate)
		if i%19 == 18 {
			rate = 1 / (1/250.0 + 0.025)
		}
		throttled = append(throttled, rate)
	}
	if got := codes(Summarize(seriesOf(throttled...)).Warnings); !slices.Equal(got, []string{Uneven}) {
		t.Errorf("throttled: warnings %v", got)
	}
	if got := Summarize(seriesOf(free...)).Warnings; len(got) != 0 {
		t.Errorf("free: warnings %v", got)
	}
}

// TestUnevenLeavesOutWhatIsBeforeThePlateau: a slow start alone is no burst.
func TestUnevenLeavesOutWhatIsBeforeThePlateau(t *testing.T) {
	rates := append(slices.Repeat([]float64{125}, 10), slices.Repeat([]float64{250}, 100)...)
	if s := Summarize(seriesOf(rates...)); len(s.Warnings) != 0 || s.PlateauS == nil || *s.PlateauS == 0 {
		t.Errorf("%+v", s)
	}
}

func TestFewSamplesAreTakenWhole(t *testing.T) {
	s := Summarize(seriesOf(1, 2, 3))
	if s.PlateauS != nil || s.Sustained.N != 3 || s.Sustained.Median != 2 || s.Burst != 3 {
		t.Errorf("%+v", s)
	}
	if got := codes(s.Warnings); !slices.Equal(got, []string{FewSamples, Noisy, Uneven}) {
		t.Errorf("warnings %v", got)
	}
}

// TestBurstIsOfFiftyMilliseconds: one fast sample of 4 ms among many is no burst.
func TestBurstIsOfFiftyMilliseconds(t *testing.T) {
	rates := slices.Repeat([]float64{250}, 60)
	rates[0], rates[30] = 1000, 1000
	if s := Summarize(seriesOf(rates...)); s.Burst != 250 {
		t.Errorf("burst %v", s.Burst)
	}
}
