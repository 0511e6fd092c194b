package main

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// scripted is a contender whose every call takes what its script says, the same for all calls of a round; the
// last of the script for all that follow.
type scripted struct {
	name    string
	seconds []float64
	check   float64
	fails   error
	order   *[]string
	bursts  [][2]int // passes and count of each
}

func (s *scripted) burst(_ spec, passes, count int) (answer, error) {
	*s.order = append(*s.order, s.name)
	s.bursts = append(s.bursts, [2]int{passes, count})
	if s.fails != nil {
		return answer{}, s.fails
	}
	round := s.seconds[0]
	if len(s.seconds) > 1 {
		s.seconds = s.seconds[1:]
	}
	return answer{s.check, slices.Repeat([]float64{round}, count)}, nil
}

func (s *scripted) close() error { return nil }

func unhurried(rounds int) length {
	return length{rounds: rounds, budget: time.Hour, burst: burstSeconds, elapsed: func() time.Duration { return 0 }}
}

func TestAllTakeTurnsAndRatiosAreOfRounds(t *testing.T) {
	// The machine halves its speed after the third round: the ratio, 1.25 each round, must not care. The first
	// figure is of the round that warms up.
	var order []string
	us := newEntrant("us", &scripted{name: "us", seconds: []float64{9, 0.4, 0.4, 0.4, 0.8}, check: 7, order: &order}, anySpec, 1)
	peer := newEntrant("peer", &scripted{name: "peer", seconds: []float64{9, 0.5, 0.5, 0.5, 1}, check: 7, order: &order}, anySpec, 1)
	meet([]*entrant{us, peer}, unhurried(7))
	if got := strings.Join(order[:6], " "); got != "us peer peer us us peer" {
		t.Errorf("the order is %s", got)
	}
	v := compare(us.rates, peer.rates)
	want := versus{Ours: 1024 / 0.8, Theirs: 1024, Ratio: 1.25, Paired: 1.25, Lo: 1.25, Hi: 1.25, Rounds: 7}
	if v != want {
		t.Errorf("the comparison is %+v, want %+v", v, want)
	}
}

func TestIntervalsAreOfTheMedian(t *testing.T) {
	ours := []float64{10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}
	peer := slices.Repeat([]float64{10}, len(ours))
	v := compare(ours, peer)
	m, _ := bench.Median(ours)
	if v.Paired != m.Median/10 || v.Lo != m.Lo/10 || v.Hi != m.Hi/10 || !v.Noisy {
		t.Errorf("the comparison is %+v, want the interval %v-%v, noisy", v, m.Lo/10, m.Hi/10)
	}
	if few := compare(peer[:3], peer[:3]); !few.Noisy {
		t.Error("an interval of three rounds is not noisy")
	}
}

func TestBurstsLastAsLongWhateverACallTakes(t *testing.T) {
	for _, c := range []struct {
		seconds       float64
		passes, count int
	}{{1e-7, 2000, 50}, {1e-3, 1, 50}, {0.01, 1, 6}, {2, 1, 1}} {
		var order []string
		s := &scripted{seconds: []float64{c.seconds}, order: &order}
		meet([]*entrant{newEntrant("", s, anySpec, 1)}, unhurried(2))
		if got := s.bursts[len(s.bursts)-1]; got != [2]int{c.passes, c.count} {
			t.Errorf("a call of %v s: %d passes and %d repetitions, want %d and %d", c.seconds, got[0], got[1], c.passes, c.count)
		}
	}
}

func TestAContestEndsByItsBudgetButNotBeforeAnInterval(t *testing.T) {
	var order []string
	e := newEntrant("", &scripted{seconds: []float64{1}, order: &order}, anySpec, 1)
	l := unhurried(31)
	l.elapsed = func() time.Duration { return 2 * time.Hour }
	if meet([]*entrant{e}, l); len(e.rates) != fewestRounds {
		t.Errorf("%d rounds, want %d", len(e.rates), fewestRounds)
	}
	e = newEntrant("", &scripted{seconds: []float64{1}, order: &order}, anySpec, 1)
	if meet([]*entrant{e}, unhurried(31)); len(e.rates) != 31 {
		t.Errorf("%d rounds, want 31", len(e.rates))
	}
}

func TestWhoComesToAnotherResultIsOut(t *testing.T) {
	var order []string
	enter := func(name string, check float64, s spec) *entrant {
		return newEntrant(name, &scripted{name: name, seconds: []float64{1}, check: check, order: &order}, s, 1)
	}
	other := anySpec
	other.Precision = kernels.BF16FP32
	us, right, wrong, apart := enter("us", 7, anySpec), enter("right", 7, anySpec), enter("wrong", math.Nextafter(7, 8), anySpec), enter("apart", 9, other)
	rounding, nan := enter("rounding", 7.01, anySpec), enter("nan", math.NaN(), anySpec)
	rounding.rounds = true
	meet([]*entrant{us, right, wrong, apart, rounding, nan}, unhurried(3))
	for _, e := range []*entrant{us, right, apart, rounding} {
		if e.failed != nil || len(e.rates) != 3 {
			t.Errorf("%s: %v, %d rounds", e.name, e.failed, len(e.rates))
		}
	}
	if wrong.failed == nil || wrong.failed.Error() != "the results differ: us comes to 7, wrong to 7.000000000000001" {
		t.Errorf("error is %v", wrong.failed)
	}
	if nan.failed == nil {
		t.Error("a result that is not a number is right")
	}
}

func TestAPeerThatFailsIsOutAndWithoutUsNobodyGoesOn(t *testing.T) {
	var order []string
	broken := errors.New("it broke")
	us := newEntrant("us", &scripted{name: "us", seconds: []float64{1}, order: &order}, anySpec, 1)
	bad := newEntrant("bad", &scripted{name: "bad", fails: broken, order: &order}, anySpec, 1)
	good := newEntrant("good", &scripted{name: "good", seconds: []float64{1}, order: &order}, anySpec, 1)
	meet([]*entrant{us, bad, good}, unhurried(7))
	if bad.failed != broken || len(us.rates) != 7 || len(good.rates) != 7 {
		t.Errorf("failed: %v; %d and %d rounds, want 7", bad.failed, len(us.rates), len(good.rates))
	}
	order = nil
	meet([]*entrant{bad, good}, unhurried(7))
	if len(order) != 0 {
		t.Errorf("after the first entrant failed, %v had turns", order)
	}
}

func TestTolerancesAllowRoundingAlone(t *testing.T) {
	for _, c := range []struct {
		kernel    kernels.Kernel
		precision kernels.Precision
		shape     kernels.Shape
		want      float64 // of a check of 1000
	}{
		{kernels.GEMM, kernels.FP32FP32, kernels.Shape{M: 8, N: 8, K: 8}, 0},
		{kernels.Linear, kernels.BF16FP32, kernels.Shape{M: 8, N: 8, K: 8}, 0},
		{kernels.Linear, kernels.INT8FP32, kernels.Shape{M: 8, N: 8, K: 8}, 2},
		{kernels.Linear, kernels.INT4FP32, kernels.Shape{M: 8, N: 8, K: 8}, 20},
		{kernels.Triad, kernels.FP64, kernels.Shape{N: 8}, 0},
		{kernels.Sigmoid, kernels.FP32, kernels.Shape{N: 1000}, 9e-3},
		{kernels.Softmax, kernels.FP32, kernels.Shape{M: 10, N: 1000}, 45e-3},
		{kernels.LayerNorm, kernels.BF16, kernels.Shape{M: 10, N: 1000}, 450},
	} {
		s := spec{kernels.Spec{Kernel: c.kernel, Precision: c.precision, Shape: c.shape}, 1}
		if got := s.tolerance(-1000); math.Abs(got-c.want) > 1e-9*c.want {
			t.Errorf("%s: the tolerance is %v, want %v", s.Spec, got, c.want)
		}
	}
}

// TestTheSlowestNeedIsTheLimit: 1024 FLOP take a second of multiply-adds in the first rounds, and the reading takes two of the
// last ones.
func TestTheSlowestNeedIsTheLimit(t *testing.T) {
	us := newEntrant("us", nil, anySpec, 1)
	us.rates = []float64{512, 512, 256, 256, 256, 256, 256}
	limit := ceiling{&entrant{name: "fma", rates: slices.Repeat([]float64{1024}, 7)}, 1024}
	read := ceiling{&entrant{name: "read", rates: []float64{100, 100, 50, 50, 50, 50, 50}}, 100}
	absent := ceiling{&entrant{name: "absent", failed: errors.New("none")}, 1e9}
	v, name := share(us, []ceiling{limit, read, absent})
	if v == nil || v.Paired != 0.5 || v.Lo != 0.5 || v.Hi != 0.5 || name != "read" {
		t.Errorf("the share is %+v of %s", v, name)
	}
	if v, name := share(us, []ceiling{absent}); v != nil || name != "" {
		t.Errorf("without a limit the share is %+v of %s", v, name)
	}
}

func TestSlopeOfACubeIsThree(t *testing.T) {
	sizes := []int{512, 1024, 2048, 4096, 8192}
	var seconds []float64
	for _, n := range sizes {
		seconds = append(seconds, 3e-12*math.Pow(float64(n), 3))
	}
	if got := logSlope(sizes, seconds); math.Abs(got-3) > 1e-9 {
		t.Errorf("the slope is %v", got)
	}
	seconds[4] *= 2
	if got := logSlope(sizes, seconds); math.Abs(got-3.2) > 1e-9 { // 2·log 2/Σ(x-x̄)²·log 2 with x = 0..4: 2/10 more
		t.Errorf("with the last size twice as slow the slope is %v", got)
	}
}
