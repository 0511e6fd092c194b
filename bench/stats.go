package bench

import (
	"math"
	"slices"
)

// Confidence is the least probability with which the interval of a median covers the
// true median.
const Confidence = 0.95

// noisyHalfWidth is the relative half-width of the interval above which a figure is noisy.
const noisyHalfWidth = 0.03

// minSamples is the fewest samples for which some pair of order statistics covers the
// median with Confidence: 1 - 2·2^-n >= 0.95.
const minSamples = 6

// Estimate is a median with its interval.
type Estimate struct {
	Median, Lo, Hi float64
	N              int // samples
}

// HalfWidth is half the interval over the median, a fraction; +Inf if the median is 0.
func (e Estimate) HalfWidth() float64 {
	if e.Median == 0 {
		return math.Inf(1)
	}
	return (e.Hi - e.Lo) / 2 / math.Abs(e.Median)
}

// Median estimates the median of x with an interval between two order statistics that
// covers it with at least 95%, whatever the distribution: the largest k for which
// 1 - 2·P(Bin(n, 1/2) < k) >= 0.95 gives the interval from the k-th smallest to the k-th
// largest (David and Nagaraja, Order Statistics, 3rd ed., 7.1). With fewer than 6
// samples no such pair exists: the interval is [min, max] and a few_samples warning
// says so. x must not be empty and holds no NaN; it is left as it is.
func Median(x []float64) (Estimate, []Warning) {
	s := slices.Sorted(slices.Values(x))
	n := len(s)
	e := Estimate{Median: middle(s), Lo: s[0], Hi: s[n-1], N: n}
	if k := orderStatistic(n); k > 0 {
		e.Lo, e.Hi = s[k-1], s[n-k]
	}
	var warnings []Warning
	if n < minSamples {
		warnings = append(warnings, Warn(FewSamples, "%d samples: the interval is from the smallest to the largest", n))
	}
	if w := e.HalfWidth(); w > noisyHalfWidth {
		warnings = append(warnings, Warn(Noisy, "the interval is ±%.1f%% of the median", 100*w))
	}
	return e, warnings
}

// middle is the median of the sorted s.
func middle(s []float64) float64 {
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}

// orderStatistic is the k of [Median], 0 if there is none.
func orderStatistic(n int) int {
	tail := 0.0 // P(Bin(n, 1/2) < k)
	logAll, _ := math.Lgamma(float64(n + 1))
	for k := 0; k <= n/2; k++ {
		a, _ := math.Lgamma(float64(k + 1))
		b, _ := math.Lgamma(float64(n - k + 1))
		tail += math.Exp(logAll - a - b - float64(n)*math.Ln2)
		if 1-2*tail < Confidence { // tail is now P(Bin < k+1)
			return k
		}
	}
	return n / 2
}
