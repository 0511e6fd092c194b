package gpu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels"
)

const (
	// batchS is how long the samples of one request take together: long against the way to the
	// worker and back, short against the second within which an interrupt ends a case.
	batchS = 0.05
	// mostSamples is how many samples one request asks for at most.
	mostSamples = 64
	// checkEvery is how many batches there are for each one after which the output is checked.
	checkEvery = 8
	// mostReductions is how often a shape that does not fit is halved.
	mostReductions = 6
	// wallFactor is how many times its MaxS a case may take on this machine's clock while it
	// samples, and wallS what it may take in any case: a device whose clock stands still ends nothing.
	wallFactor, wallS = 10, 30
)

// measurement is one case in progress on one session.
type measurement struct {
	*session
	r       *Runner
	ctx     context.Context // ends the measurement
	lasting lasting         // ends a request; a little later
	c       bench.Case
	with    *meeting
	stop    *bench.Stopper
	random  *rand.Rand // chooses the batches after which is checked

	prepared  worker.Prepared
	reduced   string // why the shape is not the one that was asked for
	asked     kernels.Shape
	batch     worker.SampleRequest
	together  int
	telemetry []worker.Telemetry // of the batches that count
	wall      time.Duration      // since the first of them
	heldUp    bool               // that was too long
}

// lasting is a context that outlives another by a little.
type lasting struct {
	context.Context
	stop func()
}

// outlive makes a context that ends so long after ctx does.
func outlive(ctx context.Context, by time.Duration) lasting {
	c, cancel := context.WithCancel(context.WithoutCancel(ctx))
	begun := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(by)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-c.Done():
		}
	})
	return lasting{c, func() { begun(); cancel() }}
}

// errInterrupted is an end before there was anything to keep.
var errInterrupted = errors.New("interrupted before the first sample")

// wrongError says that the device computed something wrong.
type wrongError struct{ text string }

func (e *wrongError) Error() string { return e.text }

func newMeasurement(ctx context.Context, r *Runner, s *session, c bench.Case, with *meeting) *measurement {
	return &measurement{
		session: s, r: r, ctx: ctx, lasting: outlive(ctx, r.config.Deadlines.Leave), c: c, with: with, asked: c.Shape,
		stop: bench.NewStopper(c.MinS, c.MaxS), random: rand.New(rand.NewPCG(c.Seed, 1)),
	}
}

// measure prepares the case, warms up and samples until the stopping rule or the context
// ends it, and frees the case. The error is [errInterrupted], a [*fault], a [*wrongError] or
// the worker's reason; without one there is a sample at least.
func (m *measurement) measure() error {
	if err := m.prepare(); err != nil {
		return err
	}
	err := m.passes()
	if !m.unusable {
		if _, releaseErr := m.call(m.lasting, worker.Request{Do: worker.Release}, 0); releaseErr != nil {
			m.unusable = true
			m.r.config.Log(fmt.Sprintf("%s: %s was not released, and the next case gets a new worker: %v", m.r.device.ID, m.c.Spec, releaseErr))
		}
	}
	return err
}

// passes meets the others, if there are any, and does all that is timed.
func (m *measurement) passes() error {
	if m.with != nil {
		m.together = m.with.meet(m.ctx)
		t := max(m.c.MinS, 3*m.prepared.PassS)
		m.stop = bench.NewStopper(t, t) // as long as the others, however steady
	}
	if err := m.warmUp(); err != nil {
		return err
	}
	if m.stop.Phase() == bench.Done {
		return nil // the pass that was verified is the one sample
	}
	return m.sample()
}

// ask calls the worker, and turns its reasons into errors of the measurement.
func (m *measurement) ask(req worker.Request, expected time.Duration) (worker.Reply, error) {
	reply, err := m.call(m.lasting, req, expected)
	var said *worker.Error
	switch {
	case errors.Is(err, context.Canceled):
		return reply, errInterrupted
	case errors.As(err, &said) && said.Kind == worker.Wrong:
		return reply, &wrongError{sentence(said)}
	case errors.As(err, &said):
		return reply, fmt.Errorf("%s: %w", req.Do, said)
	}
	return reply, err
}

// prepare prepares the case, at a smaller shape where the memory does not suffice: the largest
// dimension halved, again and again.
func (m *measurement) prepare() error {
	for reductions := 0; ; reductions++ {
		req := &worker.PrepareRequest{
			Kernel: m.c.Kernel, Precision: m.c.Precision, Shape: m.c.Shape, Engine: m.c.Engine,
			Data: m.c.Data, Seed: m.c.Seed, Cold: m.c.Level == bench.LevelMemory,
		}
		reply, err := m.ask(worker.Request{Do: worker.Prepare, Prepare: req}, seconds(m.c.Bytes()/m.deadlines.PrepareBytesPerS))
		var said *worker.Error
		if errors.As(err, &said) && said.Kind == worker.NoMemory && reductions < mostReductions {
			if shape := Reduced(m.c.Shape); shape != m.c.Shape {
				m.c.Shape, m.reduced = shape, sentence(said)
				continue
			}
		}
		if err != nil {
			return err
		}
		m.prepared = *reply.Prepare
		return nil
	}
}

// Reduced is the shape that is tried where s does not fit into a device's memory: its largest
// dimension halved; s itself where that is 1.
func Reduced(s kernels.Shape) kernels.Shape {
	largest := &s.N
	for _, d := range []*int{&s.M, &s.K} {
		if *d > *largest {
			largest = d
		}
	}
	*largest = max(*largest/2, 1)
	return s
}

// warmUp runs passes whose time does not count; the verified one does its part.
func (m *measurement) warmUp() error {
	m.stop.Warmed(1, m.prepared.PassS)
	m.plan(m.prepared.PassS)
	for m.stop.Phase() == bench.WarmUp {
		if m.ctx.Err() != nil {
			return errInterrupted
		}
		sampled, err := m.run()
		if err != nil {
			return err
		}
		passes, took := total(sampled.Samples)
		m.stop.Warmed(passes, took)
		m.plan(took / float64(passes))
	}
	return nil
}

// plan sizes the batches for passes of so many seconds.
func (m *measurement) plan(passS float64) {
	m.batch.Passes = bench.PassesPerSample(passS)
	sampleS := passS * float64(m.batch.Passes)
	m.batch.Samples = int(min(max(math.Round(min(batchS, m.c.MaxS)/sampleS), 1), mostSamples))
}

// run has one batch sampled.
func (m *measurement) run() (worker.Sampled, error) {
	batch := m.batch
	reply, err := m.ask(worker.Request{Do: worker.Sample, Sample: &batch}, m.allowed(batch.Passes*batch.Samples))
	if err != nil {
		return worker.Sampled{}, err
	}
	return *reply.Sample, nil
}

// allowed is the time that so many passes may take before the device is said to hang.
func (m *measurement) allowed(passes int) time.Duration {
	return seconds(m.deadlines.SampleFactor * float64(passes) * m.prepared.PassS)
}

// sample takes batches until the stopping rule or the context ends it. The output is checked
// after one batch in 8, chosen at random from the seed, and after the last.
func (m *measurement) sample() error {
	checked := false
	for began := time.Now(); m.stop.Phase() == bench.Sampling && m.ctx.Err() == nil; {
		sampled, err := m.run()
		if errors.Is(err, errInterrupted) {
			break
		}
		if err != nil {
			return err
		}
		checked = false
		passes, took := total(sampled.Samples)
		if want := bench.PassesPerSample(took / float64(passes)); want > 4*m.batch.Passes {
			m.plan(took / float64(passes)) // the passes of the warm-up were held up: these were too short to be samples
			continue
		}
		for _, t := range sampled.Samples {
			m.stop.Add(bench.Sample{Start: t.StartS, Seconds: t.Seconds, Passes: t.Passes})
		}
		m.telemetry = append(m.telemetry, sampled.Telemetry)
		if m.wall = time.Since(began); m.wall > seconds(wallFactor*m.c.MaxS+wallS) {
			m.heldUp = true
			break
		}
		if m.random.IntN(checkEvery) == 0 {
			if err := m.verify(); err != nil {
				return err
			}
			checked = true
		}
	}
	if len(m.stop.Series()) == 0 {
		return errInterrupted
	}
	if checked {
		return nil
	}
	return m.verify()
}

// verify has a pass run on a spoilt output, which must repeat the first. An interrupt that
// leaves no time for it is none of its errors.
func (m *measurement) verify() error {
	if m.unusable {
		return nil // left in the middle of a batch
	}
	reply, err := m.ask(worker.Request{Do: worker.Check}, m.allowed(1))
	switch {
	case errors.Is(err, errInterrupted):
		return nil
	case err != nil:
		return err
	case reply.Checksum != m.prepared.Checksum:
		return &wrongError{fmt.Sprintf("a later pass did not repeat the first: the checksum of its output is %s, and was %s", reply.Checksum, m.prepared.Checksum)}
	}
	return nil
}

// total is all passes of some samples, and their time.
func total(samples []worker.Timed) (passes int, took float64) {
	for _, t := range samples {
		passes += t.Passes
		took += t.Seconds
	}
	return passes, took
}

func seconds(s float64) time.Duration {
	return time.Duration(min(s, math.MaxInt32) * float64(time.Second))
}
