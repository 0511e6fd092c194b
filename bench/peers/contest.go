package main

import (
	"fmt"
	"math"
	"time"

	"github.com/realflops/realflops/bench"
)

// entrant is a contender with its work in a contest.
type entrant struct {
	name   string
	who    contender
	spec   spec
	amount float64 // of work a call
	unit   string
	rounds bool // its results are rounded to 16 bits
	// around, if it is not nil, is called before a burst, and what it returns after it.
	around func() (after func(), err error)

	rates         []float64 // a round
	passes, count int
	failed        error
}

const (
	// burstSeconds is about how long a burst takes: long enough for the clock to follow the load, short enough that all
	// of a round meet the same machine.
	burstSeconds = 0.06
	// repetitionSeconds is how long a repetition takes at least, so that reading the clock does not count.
	repetitionSeconds = 200e-6
	mostRepetitions   = 50

	// fewestRounds give a median an interval ([bench.Median]).
	fewestRounds = 7
)

// pace sets how much a burst does by how long a call takes.
func (e *entrant) pace(callSeconds, burst float64) {
	e.passes = max(1, int(repetitionSeconds/callSeconds))
	e.count = min(mostRepetitions, max(1, int(burst/(callSeconds*float64(e.passes)))))
}

// burst makes one and returns its check and the median of its seconds a call.
func (e *entrant) burst() (check, seconds float64, err error) {
	if e.around != nil {
		after, err := e.around()
		if err != nil {
			return 0, 0, err
		}
		defer after()
	}
	a, err := e.who.burst(e.spec, e.passes, e.count)
	if err != nil {
		return 0, 0, err
	}
	m, _ := bench.Median(a.seconds) // its warnings are of the burst; the rounds' are what counts
	return a.check, m.Median, nil
}

// length bounds a contest.
type length struct {
	rounds  int           // at most, and fewestRounds of them at least where there are so many
	budget  time.Duration // after which no round is begun, once there are the fewest
	burst   float64       // seconds
	elapsed func() time.Duration
}

// meet lets all work by turns, a burst each a round; who goes first changes every round. A round before those makes
// everything ready and finds how long a call takes. An entrant that fails is out, with its error, and so is one whose result
// is another than that of the first entrant with the same work; without the first entrant nobody goes on.
func meet(entrants []*entrant, l length) {
	for round := -1; round < l.rounds; round++ {
		if round >= fewestRounds && l.elapsed() > l.budget {
			break
		}
		checks := map[*entrant]float64{}
		for turn := range entrants {
			e := entrants[(turn+round+1)%len(entrants)]
			if e.failed == nil && entrants[0].failed == nil {
				checks[e] = e.take(round < 0, l.burst)
			}
		}
		compareChecks(entrants, checks)
	}
}

// take is an entrant's turn. It returns the check of the results.
func (e *entrant) take(first bool, burst float64) float64 {
	tries := 1
	if first {
		e.passes, e.count = 1, 1
		tries = 2 // a single short call says little of how long one takes
	}
	var check, seconds float64
	for range tries {
		if check, seconds, e.failed = e.burst(); e.failed != nil {
			return 0
		}
		if e.pace(seconds, burst); seconds > burst {
			break
		}
	}
	if !first {
		e.rates = append(e.rates, e.amount/seconds)
	}
	return check
}

// compareChecks fails who came to another result than the first entrant with the same work.
func compareChecks(entrants []*entrant, checks map[*entrant]float64) {
	for i, e := range entrants {
		for _, first := range entrants[:i] {
			if e.failed != nil || first.failed != nil || e.spec.Spec != first.spec.Spec {
				continue
			}
			if a, b := checks[first], checks[e]; !(math.Abs(a-b) <= e.tolerance(a)) {
				e.failed = fmt.Errorf("the results differ: %s comes to %v, %s to %v", first.name, a, e.name, b)
			}
		}
	}
}

// tolerance is by how much the entrant's check may differ from a.
func (e *entrant) tolerance(a float64) float64 {
	if e.rounds {
		return max(roundedTo16*math.Abs(a), e.spec.tolerance(a))
	}
	return e.spec.tolerance(a)
}

// roundedTo16 is half a unit in the last place of bf16, which the errors of so many results never come to together.
const roundedTo16 = 0x1p-9

// versus is one entrant's rate over another's, round by round.
type versus struct {
	Ours   float64 `json:"ours_per_s"` // medians over the rounds
	Theirs float64 `json:"peer_per_s"`
	Ratio  float64 `json:"ratio"`        // of these medians
	Paired float64 `json:"paired_ratio"` // the median of the rounds' ratios, and its 95% interval
	Lo     float64 `json:"paired_ratio_lo"`
	Hi     float64 `json:"paired_ratio_hi"`
	Rounds int     `json:"rounds"`
	Noisy  bool    `json:"noisy"` // that interval is wide, or of few rounds
}

func compare(ours, peer []float64) versus {
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = ours[i] / peer[i]
	}
	a, _ := bench.Median(ours)
	b, _ := bench.Median(peer)
	r, warnings := bench.Median(ratios)
	return versus{
		Ours: a.Median, Theirs: b.Median, Ratio: a.Median / b.Median,
		Paired: r.Median, Lo: r.Lo, Hi: r.Hi, Rounds: len(ratios), Noisy: len(warnings) > 0,
	}
}
