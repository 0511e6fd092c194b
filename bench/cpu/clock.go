package cpu

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels/cpu"
)

// clockChain is the length of the multiply chain that is timed beside a sample: 45 µs
// at 4 GHz, 2% of the shortest sample.
const clockChain = 60_000

// coreClock measures the clock of the core that thread 0 runs on, in Hz, while every
// thread of the pool is as busy. Not ok where the latency of a multiply is unknown.
func coreClock(p *cpu.Pool) (hz float64, ok bool) {
	cycles, ok := cpu.ClockLatency()
	if !ok {
		return 0, false
	}
	var took time.Duration
	p.Run(func(tid int) {
		start := time.Now()
		runtime.KeepAlive(cpu.ClockChain(clockChain))
		if tid == 0 {
			took = time.Since(start)
		}
	})
	if took <= 0 {
		return 0, false
	}
	return float64(clockChain*cycles) / took.Seconds(), true
}

const (
	overheadSamples = 101  // an odd number: the median is one of them
	dispatchBatch   = 20   // empty Runs in one sample
	timerBatch      = 1000 // clock readings in one sample
)

// Overheads measures the fixed costs beside the work: "dispatch", an empty call of the
// thread pool, with one thread and with all, and "timer", one reading of the clock.
// The error is that of ctx alone.
func (r *Runner) Overheads(ctx context.Context) ([]bench.Overhead, error) {
	counts := []int{1}
	if r.machine.Threads > 1 {
		counts = append(counts, r.machine.Threads)
	}
	var all []bench.Overhead
	for _, threads := range counts {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		all = append(all, r.overhead("dispatch", threads, r.dispatchSamples(threads)))
	}
	timer := r.repeat(timerBatch, func() { _ = r.now() })
	return append(all, r.overhead("timer", 1, timer)), ctx.Err()
}

func (r *Runner) overhead(name string, threads int, samples []float64) bench.Overhead {
	e, _ := bench.Median(samples)
	return bench.Overhead{Name: name, Device: r.machine.ID, Threads: threads, Seconds: e.Median, Lo: e.Lo, Hi: e.Hi}
}

func (r *Runner) dispatchSamples(threads int) []float64 {
	pool := r.pool(threads)
	pool.Run(func(int) {}) // wakes the threads
	return r.repeat(dispatchBatch, func() { pool.Run(func(int) {}) })
}

// dispatchSeconds is the median time of an empty call, measured once for each thread count.
func (r *Runner) dispatchSeconds(threads int) float64 {
	if s, ok := r.roofs.dispatchS[threads]; ok {
		return s
	}
	s := r.dispatchSamples(threads)
	slices.Sort(s)
	r.roofs.dispatchS[threads] = s[len(s)/2]
	return s[len(s)/2]
}

// repeat times f in samples of so many calls and returns the seconds of one call in each.
func (r *Runner) repeat(batch int, f func()) []float64 {
	samples := make([]float64, overheadSamples)
	for i := range samples {
		start := r.now()
		for range batch {
			f()
		}
		samples[i] = r.now().Sub(start).Seconds() / float64(batch)
	}
	return samples
}
