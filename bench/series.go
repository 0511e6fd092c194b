package bench

import (
	"math"
	"slices"
)

// Sample is one timed repetition: some passes of the work, one after the other.
type Sample struct {
	Start   float64 // seconds since measuring began
	Seconds float64 // time the passes took
	Passes  int
}

// Rate is passes a second.
func (s Sample) Rate() float64 { return float64(s.Passes) / s.Seconds }

// Summary is what a series of samples says, in passes a second.
type Summary struct {
	Sustained Estimate // median of the samples from the plateau on
	Burst     float64  // best median of any 50 ms of consecutive samples, never below the sustained
	PlateauS  *float64 // seconds until the rate was steady; nil if it never was, or with too few samples to tell
	Warnings  []Warning
}

const (
	burstWindow    = 0.050 // seconds of one burst window
	plateauWindow  = 5     // samples whose median is held against that of the second half
	plateauSamples = 4 * plateauWindow
	plateauWithin  = 0.02 // of the second half's median
	driftWithin    = 0.03 // third against fourth quarter
	unevenBelow    = 0.05 // mean below the median
)

// Summarize finds burst, plateau and sustained rate of a series (not empty).
//
// The plateau begins at the first sample where the median of 5 consecutive samples lies
// within 2% of the median of the second half of the series, or within half that half's
// interquartile range where noise makes it wider. A series is not steady if its
// third and fourth quarter differ by more than 3% (or that half interquartile range):
// then the sustained figure is the median of the second half, with a not_plateaued
// warning. Series of fewer than 20 samples are taken whole.
func Summarize(series []Sample) Summary {
	rates := make([]float64, len(series))
	for i, s := range series {
		rates[i] = s.Rate()
	}
	var sum Summary
	from, steady := plateau(rates)
	sum.Sustained, sum.Warnings = Median(rates[from:])
	if mean := meanRate(series[from:]); mean < (1-unevenBelow)*sum.Sustained.Median {
		sum.Warnings = append(sum.Warnings, Warn(Uneven, "the mean rate of the samples was %.0f%% below the median: the work came in bursts, as under a CPU quota or beside a neighbour", 100*(1-mean/sum.Sustained.Median)))
	}
	switch {
	case !steady:
		third, fourth := quarters(rates)
		sum.Warnings = append(sum.Warnings, Warn(NotPlateaued, "the rate of the last quarter was %+.1f%% of that before it", 100*(fourth/third-1)))
	case len(rates) >= plateauSamples:
		at := series[from].Start - series[0].Start
		sum.PlateauS = &at
	}
	sum.Burst = max(sum.Sustained.Median, burst(series, rates))
	return sum
}

// meanRate is all passes over all time. A CPU quota stops the threads for tens of
// milliseconds in each 100, which falls into few of the samples: the median does not see it.
func meanRate(series []Sample) float64 {
	var passes, seconds float64
	for _, s := range series {
		passes += float64(s.Passes)
		seconds += s.Seconds
	}
	return passes / seconds
}

// plateau is the index from which the rates are sustained, and whether they are steady.
func plateau(rates []float64) (from int, steady bool) {
	if len(rates) < plateauSamples {
		return 0, true
	}
	half := len(rates) / 2
	tail := slices.Sorted(slices.Values(rates[half:]))
	median := middle(tail)
	noise := (tail[len(tail)*3/4] - tail[len(tail)/4]) / 2
	if third, fourth := quarters(rates); math.Abs(fourth-third) > max(driftWithin*median, noise) {
		return half, false
	}
	tolerance := max(plateauWithin*median, noise)
	for i := range half {
		if math.Abs(medianOf(rates[i:i+plateauWindow])-median) <= tolerance {
			return i, true
		}
	}
	return half, true
}

// quarters are the medians of the third and the fourth quarter of the rates.
func quarters(rates []float64) (third, fourth float64) {
	n := len(rates)
	return medianOf(rates[n/2 : n*3/4]), medianOf(rates[n*3/4:])
}

func medianOf(x []float64) float64 { return middle(slices.Sorted(slices.Values(x))) }

// burst is the best median of consecutive samples that took 50 ms together; of the whole
// series if it took less.
func burst(series []Sample, rates []float64) float64 {
	best, seconds, lo := 0.0, 0.0, 0
	for hi := range series {
		seconds += series[hi].Seconds
		for seconds-series[lo].Seconds >= burstWindow {
			seconds -= series[lo].Seconds
			lo++
		}
		if seconds >= burstWindow {
			best = max(best, medianOf(rates[lo:hi+1]))
		}
	}
	if best == 0 {
		return medianOf(rates)
	}
	return best
}
