package main

import (
	"runtime"
	"syscall"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels/cpu"
)

// usage is what this process had of the CPUs over some time.
type usage struct {
	wallS, cpuS float64
	switches    int64 // involuntary
}

// processUsage reads getrusage(2).
func processUsage() usage {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return usage{}
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return usage{float64(time.Now().UnixNano()) / 1e9, seconds(u.Utime) + seconds(u.Stime), int64(u.Nivcsw)}
}

// add adds what happened from before to after.
func (u *usage) add(before, after usage) {
	u.wallS += after.wallS - before.wallS
	u.cpuS += after.cpuS - before.cpuS
	u.switches += after.switches - before.switches
}

// preempted reports whether others took more than 5% of the threads' CPU time, in more than 20 involuntary switches
// a second and thread: what the warning of that name says.
func (u usage) preempted(threads int) bool {
	return u.wallS > 0 && u.cpuS < 0.95*u.wallS*float64(threads) && float64(u.switches) > 20*u.wallS*float64(threads)
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
	c := conditions{Preempted: o.preempted(threads)}
	if len(o.clocks) > 0 {
		m, _ := bench.Median(o.clocks)
		c.ClockHz = &m.Median
	}
	return c
}
