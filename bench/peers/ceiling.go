package main

import (
	"cmp"
	"fmt"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// A ceiling bounds the rate of a job's work: a loop of ours that does nothing else, timed in the same rounds.
type ceiling struct {
	*entrant
	need float64 // how much of the ceiling's work a call of the job takes
}

// ceilings are those of our implementation of j:
//
//	products      the multiply-adds, in registers, of the instruction that the inner loop is made of
//	decode        that, and the reading of the weights from memory: what is slower
//	activations   in the first cache, a copy of as many bytes
func (a *arena) ceilings(j job) []ceiling {
	d, _ := kernels.Lookup(string(j.Kernel))
	impl, err := cpu.Pick(implementedBy(j.spec), j.Precision, j.Engine)
	if err != nil {
		return nil // the contest will say so
	}
	var out []ceiling
	add := func(k kernels.Kernel, p kernels.Precision, engine string, n int, need float64) {
		if i, err := cpu.Pick(k, p, engine); err == nil {
			c := newEntrant("", nil, spec{kernels.Spec{Kernel: k, Precision: p, Shape: kernels.Shape{N: n}}, 1}, a.threads)
			c.name = fmt.Sprintf("%s %s %s", k, p, i.Engine)
			who := fmt.Sprint(c.name, n)
			if a.loops[who] == nil {
				a.loops[who] = &ours{pool: a.pool, engine: i.Engine, cpus: a.cpus, keep: &keep{}}
			}
			c.who = a.loops[who]
			out = append(out, ceiling{c, need})
		}
	}
	switch {
	case d.Class == kernels.Matrix:
		if impl.Limit != "" {
			add(kernels.FMA, impl.Limit, cmp.Or(impl.LimitEngine, impl.Engine), limitLength, j.FLOP())
		}
		if j.Sets > 1 {
			add(kernels.Read, kernels.FP64, "", fromMemory()/8, j.Precision.WeightBytes()*float64(j.Shape.N*j.Shape.K))
		}
	case d.Class == kernels.Elementwise && j.Bytes() <= cacheBytes:
		add(kernels.Copy, kernels.FP64, impl.Engine, int(j.Bytes())/16, j.Bytes())
	}
	return out
}

const (
	limitLength = 64 * kernels.FMAQuantum // about a millisecond of multiply-adds
	cacheBytes  = 32 << 10
)

// newEntrant is a contender with its work.
func newEntrant(name string, who contender, s spec, threads int) *entrant {
	e := &entrant{name: name, who: who, spec: s}
	e.unit, e.amount = s.work(threads)
	return e
}

// share is what part of the ceilings ours reaches, as the median of the rounds: a call cannot take less time than the slowest
// of what it needs. It names the ceiling that binds in most rounds.
func share(ours *entrant, ceilings []ceiling) (of *versus, name string) {
	var usable []ceiling
	for _, c := range ceilings {
		if c.failed == nil && len(c.rates) == len(ours.rates) {
			usable = append(usable, c)
		}
	}
	if len(usable) == 0 || len(ours.rates) == 0 {
		return nil, ""
	}
	limits := make([]float64, len(ours.rates)) // the most that ours could be
	binds := map[string]int{}
	for i := range limits {
		slowest := 0.0
		by := ""
		for _, c := range usable {
			if seconds := c.need / c.rates[i]; seconds > slowest {
				slowest, by = seconds, c.name
			}
		}
		limits[i] = ours.amount / slowest
		binds[by]++
	}
	for _, c := range usable {
		if binds[c.name] > binds[name] {
			name = c.name
		}
	}
	v := compare(ours.rates, limits)
	return &v, name
}
