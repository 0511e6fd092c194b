package cpu

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// checkEvery is how many samples there are for each one whose output is checked.
const checkEvery = 16

// measurement is one Run in progress.
type measurement struct {
	*Runner
	ctx    context.Context
	c      bench.Case
	impl   cpu.Impl
	work   *workload
	pool   *cpu.Pool
	stop   *bench.Stopper
	random *rand.Rand // chooses the samples that are checked

	checksum uint64 // of the first pass
	began    time.Time
	passes   int // of one sample
	clocks   []float64
	usage    tally
}

// measure checks one pass, warms up and samples, until the stopping rule or the context
// ends it. The error is errInterrupted, or says that the kernel computed something wrong.
//
// That no work is skipped: the output is overwritten with NaN before the first
// pass, and the result is held against the oracle. Before the first sample and, chosen at
// random from the seed, before one in 16 of the others it is overwritten again, and the checksum
// afterwards must be that of the first pass.
func (m *measurement) measure() error {
	m.work.poison()
	pass := m.timed(1)
	if m.ctx.Err() != nil {
		return errInterrupted
	}
	if err := m.work.verify(); err != nil {
		return err
	}
	m.checksum = m.work.checksum()
	if m.stop.Warmed(1, pass); m.stop.Phase() == bench.Done {
		m.readClock() // that pass was the one sample
	}
	for m.passes = bench.PassesPerSample(pass); m.stop.Phase() == bench.WarmUp; {
		seconds := m.timed(m.passes)
		if m.ctx.Err() != nil {
			return errInterrupted
		}
		m.stop.Warmed(m.passes, seconds)
		m.passes = bench.PassesPerSample(seconds / float64(m.passes))
	}
	return m.sample()
}

var errInterrupted = errors.New("interrupted before the first sample")

// sample takes samples until the stopping rule or the context ends it.
func (m *measurement) sample() error {
	m.began = m.now()
	for i := 0; m.stop.Phase() == bench.Sampling; i++ {
		checked := i == 0 || m.random.IntN(checkEvery) == 0
		if checked {
			m.work.poison()
		}
		start := m.now().Sub(m.began).Seconds()
		before, _ := m.processUsage()
		seconds := m.timed(m.passes)
		after, known := m.processUsage()
		if m.ctx.Err() != nil {
			break
		}
		if checked && m.work.checksum() != m.checksum {
			if m.ctx.Err() != nil {
				break // what a stopped pool adds up is no checksum
			}
			return m.mismatch()
		}
		if want := bench.PassesPerSample(seconds / float64(m.passes)); want > 4*m.passes {
			m.passes = want // the passes of the warm-up were held up: this was too short to be a sample
			continue
		}
		m.usage.add(before, after, known, seconds, m.c.Threads)
		m.readClock()
		m.stop.Add(bench.Sample{Start: start, Seconds: seconds, Passes: m.passes})
	}
	if len(m.stop.Series()) == 0 {
		return errInterrupted
	}
	return nil
}

func (m *measurement) readClock() {
	if hz, ok := m.clockHz(m.pool); ok {
		m.clocks = append(m.clocks, hz)
	}
}

// timed runs passes and returns the seconds they took; never 0.
func (m *measurement) timed(passes int) float64 {
	start := m.now()
	m.work.run(passes)
	return max(m.now().Sub(start), 1).Seconds()
}

// mismatch names the first element that is wrong now and was right in the first pass.
func (m *measurement) mismatch() error {
	err := m.work.verify()
	switch {
	case errors.Is(err, errInterrupted): // only now: the checksum was whole
		return errors.New("a later pass did not repeat the first: its output differs in bits")
	case err != nil:
		return fmt.Errorf("a later pass did not repeat the first: %w", err)
	}
	return errors.New("a later pass did not repeat the first: its output differs in bits, within the tolerance")
}

// result fills in the figures.
func (m *measurement) result(res bench.Result) bench.Result {
	s := bench.Summarize(m.stop.Series())
	m.figures(&res, s)
	res.N, res.PlateauS = s.Sustained.N, s.PlateauS
	for _, sample := range m.stop.Series() {
		res.Seconds += sample.Seconds
	}
	res.Checksum = fmt.Sprintf("%016x", m.checksum)
	res.Warnings = append(res.Warnings, s.Warnings...)
	if len(m.clocks) > 0 {
		slices.Sort(m.clocks)
		res.ClockHz = &m.clocks[len(m.clocks)/2]
	} else {
		res.Warnings = append(res.Warnings, bench.Warn(bench.ClockUnknown, "the core clock could not be measured beside the samples"))
	}
	res.Warnings = append(res.Warnings, m.usage.doubt()...)
	if llc := bench.LastLevelCache(m.machine.Caches, m.c.Threads); m.c.Level == bench.LevelMemory && m.c.Bytes() < 2*float64(llc) && m.c.Shape.M == 0 {
		res.Warnings = append(res.Warnings, bench.Warn(bench.CacheResident, "the working set of %.0f MB is smaller than twice the last-level cache of %.0f MB", m.c.Bytes()/1e6, float64(llc)/1e6))
	}
	if m.ctx.Err() != nil {
		res.Warnings = append(res.Warnings, bench.Warn(bench.Interrupted, "interrupted after %d samples", len(m.stop.Series())))
	}
	m.judge(&res, s)
	return res
}

// figures turns passes a second into the rates of the result.
func (m *measurement) figures(res *bench.Result, s bench.Summary) {
	work := bench.Work{FLOP: m.c.FLOP(), Elements: m.c.Elements()}
	if m.c.Kernel == kernels.FMA {
		work.FLOP *= float64(m.c.Threads) // each thread has its own chains
	}
	if work.Elements > 0 {
		work.Bytes = m.c.Bytes()
	}
	res.SetRates(s, work)
	if d, _ := kernels.Lookup(string(m.c.Kernel)); d.Class == kernels.Bandwidth && m.c.Level == bench.LevelMemory && res.BytesPerS != nil { // the case was checked
		traffic := *res.BytesPerS * cpu.Traffic(m.c.Spec, m.impl.Engine) / m.c.Bytes()
		res.TrafficBytesPerS = &traffic
	}
}
