package bench

import (
	"math/rand/v2"
	"testing"
)

// script runs a Stopper against a work whose passes take what took says, on a clock of its
// own, and returns the seconds of the sampling.
func script(minS, maxS float64, took func(i int) float64) (s *Stopper, warmed, sampled float64) {
	s = NewStopper(minS, maxS)
	i := 0
	next := func() float64 { i++; return took(i - 1) }
	for s.Phase() == WarmUp {
		seconds := next()
		warmed += seconds
		s.Warmed(1, seconds)
	}
	for s.Phase() == Sampling {
		seconds := next()
		s.Add(Sample{Start: sampled, Seconds: seconds, Passes: 1})
		sampled += seconds
	}
	return s, warmed, sampled
}

func TestQuietWorkStopsAtMinS(t *testing.T) {
	s, warmed, sampled := script(0.4, 0.56, func(int) float64 { return 0.004 })
	if sampled < 0.4 || sampled > 0.41 || len(s.Series()) < 100 {
		t.Errorf("sampled %v s, %d samples", sampled, len(s.Series()))
	}
	if warmed < 0.0399 || warmed > 0.045 {
		t.Errorf("warmed up for %v s, want a tenth of MinS", warmed)
	}
}

func TestNoisyWorkStopsAtMaxS(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	_, _, sampled := script(0.4, 0.56, func(int) float64 { return 0.004 * (1 + r.Float64()) })
	if sampled < 0.54 || sampled > 0.56 {
		t.Errorf("sampled %v s, want just under MaxS", sampled)
	}
}

// TestNarrowingWorkStopsBetween: noise that ends lets the interval narrow before MaxS.
func TestNarrowingWorkStopsBetween(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	_, _, sampled := script(0.4, 4, func(i int) float64 {
		if i < 80 {
			return 0.004 * (1 + r.Float64())
		}
		return 0.004
	})
	if sampled <= 0.45 || sampled >= 3 {
		t.Errorf("sampled %v s", sampled)
	}
}

func TestDriftingWorkGoesOnToMaxS(t *testing.T) {
	s, _, sampled := script(0.4, 0.56, func(i int) float64 { return 0.001 * (1 + float64(i)/2500) })
	if sampled < 0.55 {
		t.Errorf("sampled %v s of a rate that still fell", sampled)
	}
	if e, _ := Median(seriesRates(s.Series()[200:])); e.HalfWidth() > narrow {
		t.Errorf("the interval of ±%v would not have stopped it anyway", e.HalfWidth())
	}
}

func seriesRates(series []Sample) []float64 {
	var rates []float64
	for _, s := range series {
		rates = append(rates, s.Rate())
	}
	return rates
}

func TestAPassLongerThanMaxSIsTheOnlySample(t *testing.T) {
	s, _, sampled := script(0.4, 0.56, func(int) float64 { return 11 })
	if len(s.Series()) != 1 || s.Series()[0].Seconds != 11 || sampled != 0 {
		t.Errorf("%d samples, %v s more", len(s.Series()), sampled)
	}
}

// TestSlowPassesGetOneToThreeSamples: no pass is begun that would end beyond MaxS.
func TestSlowPassesGetOneToThreeSamples(t *testing.T) {
	for took, want := range map[float64]int{0.5: 1, 0.27: 2, 0.18: 3} {
		s, warmed, sampled := script(0.4, 0.56, func(int) float64 { return took })
		if len(s.Series()) != want || sampled > 0.56 || warmed != took {
			t.Errorf("passes of %v s: %d samples, want %d, after a warm-up of %v s", took, len(s.Series()), want, warmed)
		}
	}
}

func TestZeroSecondsStillTakesASample(t *testing.T) {
	s, _, _ := script(0, 0, func(int) float64 { return 0.001 })
	if len(s.Series()) != 1 {
		t.Errorf("%d samples", len(s.Series()))
	}
}

func TestAStopperThatIsDoneTakesNothing(t *testing.T) {
	s, _, _ := script(0.4, 0.56, func(int) float64 { return 11 })
	s.Add(Sample{Seconds: 1, Passes: 1})
	s.Warmed(1, 1)
	if len(s.Series()) != 1 || s.Phase() != Done {
		t.Errorf("%d samples, phase %v", len(s.Series()), s.Phase())
	}
}

func TestPassesPerSampleFillThreeMilliseconds(t *testing.T) {
	for pass, want := range map[float64]int{1: 1, 0.003: 1, 0.002: 2, 1e-6: 3001, 0: 1e9} {
		if got := PassesPerSample(pass); got != want {
			t.Errorf("passes of %v s: %d, want %d", pass, got, want)
		}
	}
}
