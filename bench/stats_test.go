package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func codes(ws []Warning) []string {
	c := []string{}
	for _, w := range ws {
		c = append(c, w.Code)
	}
	return c
}

// TestOrderStatisticIsTheTabulatedOne: k for n samples at 95%, as tables of the sign test
// print it (Conover, Practical Nonparametric Statistics, table A3, p = 0.5), and the exact
// binomial sums in whole numbers.
func TestOrderStatisticIsTheTabulatedOne(t *testing.T) {
	for n, want := range map[int]int{1: 0, 5: 0, 6: 1, 8: 1, 9: 2, 10: 2, 12: 3, 15: 4, 20: 6, 25: 8, 30: 10, 50: 18, 100: 40} {
		if got := orderStatistic(n); got != want {
			t.Errorf("n = %d: k = %d, want %d", n, got, want)
		}
	}
	for n := 1; n <= 60; n++ {
		k := orderStatistic(n)
		if miss := missesOf(n, k); miss > 1-Confidence {
			t.Errorf("n = %d: [%d, %d] misses the median with %v", n, k, n+1-k, miss)
		}
		if miss := missesOf(n, k+1); miss <= 1-Confidence {
			t.Errorf("n = %d: [%d, %d] would do (%v)", n, k+1, n-k, miss)
		}
	}
}

// missesOf is 2·P(Bin(n, 1/2) < k), summed in integers.
func missesOf(n, k int) float64 {
	var below, c uint64 = 0, 1
	for i := range k {
		below += c
		c = c * uint64(n-i) / uint64(i+1)
	}
	return 2 * float64(below) / math.Exp2(float64(n))
}

func TestMedianInterval(t *testing.T) {
	e, warnings := Median([]float64{5, 1, 4, 2, 3, 9, 8, 7, 6, 10})
	if e != (Estimate{Median: 5.5, Lo: 2, Hi: 9, N: 10}) {
		t.Errorf("%+v", e)
	}
	if got := codes(warnings); !slices.Equal(got, []string{Noisy}) {
		t.Errorf("warnings %v", got)
	}
	if w := e.HalfWidth(); math.Abs(w-3.5/5.5) > 1e-15 {
		t.Errorf("half-width %v", w)
	}
}

func TestMedianOfFewSamplesIsTheirRangeAndSaysSo(t *testing.T) {
	x := []float64{100, 101, 99.5, 100.5, 100.2}
	e, warnings := Median(x)
	if e != (Estimate{Median: 100.2, Lo: 99.5, Hi: 101, N: 5}) || !slices.Equal(codes(warnings), []string{FewSamples}) {
		t.Errorf("%+v %v", e, warnings)
	}
	for spread, want := range map[float64][]string{2.9: {}, 3.1: {Noisy}} {
		if _, warnings := Median([]float64{100 - spread, 100, 100, 100, 100, 100 + spread}); !slices.Equal(codes(warnings), want) {
			t.Errorf("±%v%%: %v", spread, warnings)
		}
	}
	if x[0] != 100 {
		t.Error("the samples were sorted in place")
	}
	e, warnings = Median([]float64{100, 101, 99.5, 100.5, 100.2, 100.1})
	if e.Lo != 99.5 || e.Hi != 101 || len(warnings) != 0 {
		t.Errorf("six samples: %+v %v", e, warnings)
	}
}

// TestIntervalCoversTheMedian: on skewed data the interval holds the true median in at least
// 95% of trials (less three standard errors of 1,000 trials).
func TestIntervalCoversTheMedian(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{6, 17, 64, 2000} {
		const trials = 1000
		covered := 0
		for range trials {
			x := make([]float64, n)
			for i := range x {
				x[i] = r.ExpFloat64()
			}
			if e, _ := Median(x); e.Lo <= math.Ln2 && math.Ln2 <= e.Hi {
				covered++
			}
		}
		if share := float64(covered) / trials; share < 0.95-3*math.Sqrt(0.05*0.95/trials) {
			t.Errorf("n = %d: covered in %.1f%%", n, 100*share)
		}
	}
}
