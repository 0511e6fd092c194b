package main

import (
	"runtime"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels/cpu"
)

// usage is what this process had of the CPUs over some time.
type usage struct {
	wall time.Duration
	cpu.Usage
}

// during adds what this process has of the CPUs until stop is called.
func (u *usage) during() (stop func()) {
	start := time.Now()
	before, ok := cpu.ProcessUsage()
	return func() {
		if after, still := cpu.ProcessUsage(); ok && still {
			had := after.Sub(before)
			u.wall += time.Since(start)
			u.CPU += had.CPU
			u.Involuntary += had.Involuntary
		}
	}
}

// clockChain is the length of the multiply chain that measures the clock: 45 µs at 4 GHz.
const clockChain = 60_000

// clock measures the core's clock while every thread is as busy, where the latency of a multiply is known.
func (o *ours) clock() {
	cycles, ok := cpu.ClockLatency()
	if !ok {
		return
	}
	var took time.Duration
	o.pool.Run(func(tid int) {
		start := time.Now()
		runtime.KeepAlive(cpu.ClockChain(clockChain))
		if tid == 0 {
			took = time.Since(start)
		}
	})
	if took > 0 {
		o.clocks = append(o.clocks, float64(clockChain*cycles)/took.Seconds())
	}
}

// conditions are those of all bursts together.
func (o *ours) conditions(threads int) conditions {
	_, _, preempted := o.Preempted(o.wall * time.Duration(threads))
	c := conditions{Preempted: preempted}
	if len(o.clocks) > 0 {
		m, _ := bench.Median(o.clocks)
		c.ClockHz = &m.Median
	}
	return c
}
