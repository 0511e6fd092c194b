package main

import (
	"fmt"

	"github.com/realflops/realflops/bench"
)

// row compares two contenders at one size.
type row struct {
	N       int     `json:"n"`
	Threads int     `json:"threads"`
	Ours    float64 `json:"ours_flop_per_s"` // medians over the rounds
	Peer    float64 `json:"peer_flop_per_s"`
	Ratio   float64 `json:"ratio"`        // of these medians
	Paired  float64 `json:"paired_ratio"` // the median of the rounds' ratios, and its 95% interval
	Lo      float64 `json:"paired_ratio_lo"`
	Hi      float64 `json:"paired_ratio_hi"`
	Rounds  int     `json:"rounds"`
	Noisy   bool    `json:"noisy"` // that interval is wide
}

// burstSeconds is about how long a burst takes: long enough for the clock to follow the load,
// short enough that both sides of a round meet the same machine.
const burstSeconds = 0.06

// compare lets both multiply by turns, a burst each a round, and changes who goes first every
// round. A round's figure is the median of its burst. The products must be equal.
func compare(us, peer contender, n, rounds int) (row, error) {
	flop := 2 * float64(n) * float64(n) * float64(n)
	count := 3
	var rates [2][]float64
	var ratios []float64
	for round := range rounds {
		var sums, rate [2]float64
		for turn := range 2 {
			who := (turn + round) % 2
			sum, seconds, err := []contender{us, peer}[who].burst(n, count)
			if err != nil {
				return row{}, err
			}
			m, _ := bench.Median(seconds) // its warnings are of the burst; the rounds' are what counts
			sums[who], rate[who] = sum, flop/m.Median
		}
		if sums[0] != sums[1] {
			return row{}, fmt.Errorf("n = %d: the products differ: their elements sum to %v here and %v there", n, sums[0], sums[1])
		}
		count = min(50, max(3, int(burstSeconds*rate[0]/flop)))
		rates[0], rates[1] = append(rates[0], rate[0]), append(rates[1], rate[1])
		ratios = append(ratios, rate[0]/rate[1])
	}
	ours, _ := bench.Median(rates[0])
	theirs, _ := bench.Median(rates[1])
	ratio, warnings := bench.Median(ratios)
	return row{
		N: n, Ours: ours.Median, Peer: theirs.Median, Ratio: ours.Median / theirs.Median,
		Paired: ratio.Median, Lo: ratio.Lo, Hi: ratio.Hi, Rounds: rounds, Noisy: len(warnings) > 0,
	}, nil
}
