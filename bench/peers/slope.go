package main

import (
	"math"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// slope is by which power of n the time of a product of n x n x n grows.
type slope struct {
	Sizes   []int   `json:"sizes"`
	Threads int     `json:"threads"`
	Slope   float64 `json:"slope"` // the median of the rounds' least-squares slopes of log time over log n
	Lo      float64 `json:"slope_lo"`
	Hi      float64 `json:"slope_hi"`
	Rounds  int     `json:"rounds"`
}

// slopeRounds are few: the largest size takes seconds.
const slopeRounds = 3

// slope measures ours by turns at each size.
func (a *arena) slope(sizes []int, rounds int) (slope, error) {
	jobs, err := family{kernels: gemm, precisions: of(kernels.FP32FP32), shapes: squares(sizes...)}.jobs([]int{a.threads})
	if err != nil {
		return slope{}, err
	}
	var field []*entrant
	for _, j := range jobs {
		us := &ours{pool: a.pool, cpus: a.cpus, keep: &a.keep}
		defer us.drop()
		field = append(field, newEntrant(j.Shape.String(), us, j.spec, a.threads))
	}
	meet(field, length{rounds: rounds, budget: time.Hour, burst: a.length.burst, elapsed: func() time.Duration { return 0 }})
	var slopes []float64
	for round := range rounds {
		seconds := make([]float64, len(field))
		for i, e := range field {
			if e.failed != nil {
				return slope{}, e.failed
			}
			seconds[i] = e.amount / e.rates[round]
		}
		slopes = append(slopes, logSlope(sizes, seconds))
	}
	m, _ := bench.Median(slopes)
	return slope{sizes, a.threads, m.Median, m.Lo, m.Hi, rounds}, nil
}

// logSlope is the least-squares slope of log seconds over log n.
func logSlope(n []int, seconds []float64) float64 {
	var x, y, xx, xy float64
	for i := range n {
		a, b := math.Log(float64(n[i])), math.Log(seconds[i])
		x, y, xx, xy = x+a, y+b, xx+a*a, xy+a*b
	}
	count := float64(len(n))
	return (count*xy - x*y) / (count*xx - x*x)
}
