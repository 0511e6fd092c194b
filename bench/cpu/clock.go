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
	overheadSamples = 101 // for each overhead, unless they take longer than overheadTime
	overheadAtLeast = 11
	overheadTime    = 200 * time.Millisecond
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
		samples, err := r.dispatchSamples(ctx, threads)
		if err != nil {
			return all, err
		}
		all = append(all, r.overhead("dispatch", threads, samples))
	}
	timer, err := r.repeat(ctx, timerBatch, func() { _ = r.now() })
	if err != nil {
		return all, err
	}
	return append(all, r.overhead("timer", 1, timer)), nil
}

func (r *Runner) overhead(name string, threads int, samples []float64) bench.Overhead {
	e, _ := bench.Median(samples)
	return bench.Overhead{Name: name, Device: r.machine.ID, Threads: threads, Seconds: e.Median, Lo: e.Lo, Hi: e.Hi}
}

func (r *Runner) dispatchSamples(ctx context.Context, threads int) ([]float64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // and no new pool in the place of a stopped one
	}
	pool := r.pool(threads)
	defer stopWith(ctx, pool)()
	pool.Run(func(int) {}) // wakes the threads
	return r.repeat(ctx, dispatchBatch, func() { pool.Run(func(int) {}) })
}

// dispatchSeconds is the median time of an empty call, measured once for each thread count;
// 0 if ctx ends before it is known.
func (r *Runner) dispatchSeconds(ctx context.Context, threads int) float64 {
	if s, ok := r.dispatchS[threads]; ok {
		return s
	}
	s, err := r.dispatchSamples(ctx, threads)
	if err != nil {
		return 0
	}
	slices.Sort(s)
	r.dispatchS[threads] = s[len(s)/2]
	return s[len(s)/2]
}

// repeat times f in samples of so many calls and returns the seconds of one call in each. Where
// a call is slow, as with more threads than CPUs, there are fewer samples. The error is that of ctx.
func (r *Runner) repeat(ctx context.Context, batch int, f func()) ([]float64, error) {
	var samples []float64
	for began := r.now(); len(samples) < overheadSamples; {
		start := r.now()
		for range batch {
			f()
		}
		end := r.now()
		if err := ctx.Err(); err != nil {
			return nil, err // a stopped pool calls nothing: this was no sample
		}
		samples = append(samples, end.Sub(start).Seconds()/float64(batch))
		if len(samples) >= overheadAtLeast && end.Sub(began) >= overheadTime {
			break
		}
	}
	return samples, nil
}
