package gpu

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels"
)

const (
	// attempts is how often a case is tried, each time by a new worker.
	attempts = 2
	// mostLost is how many workers of one device may be lost in a run before nothing more is
	// measured on it.
	mostLost = 3
)

// Runner measures cases on one device, one at a time, by a worker process that it starts
// when the first case needs it and replaces when it is lost, and remembers the limits and
// bandwidths it has measured so that later results can be held against them. Not for
// concurrent use; runners of different devices do not know of each other.
type Runner struct {
	config Config
	device worker.Device
	roofs  *bench.Roofs
	alone  map[caseKey]float64 // the rates of this device alone

	session   *session // nil: none
	seen      bool     // a worker has described the device, and doubts were looked at
	emulated  bool
	opened    *worker.Opened // what the last worker said of the device
	lost      int
	refused   *fault // why nothing more is measured
	endings   sync.WaitGroup
	abandoned bool // an interrupt left a worker in the middle of something
}

// New prepares a Runner of a device that [List] told of. It starts nothing; Close ends what runs.
func New(c Config, d worker.Device) *Runner {
	r := &Runner{config: c.withDefaults(), device: d, roofs: bench.NewRoofs(), alone: map[caseKey]float64{}}
	r.refused = r.doubtful()
	return r
}

// Device is what the Runner measures on.
func (r *Runner) Device() worker.Device { return r.device }

// Refused says why the Runner measures nothing, or nothing more; "" while it does.
func (r *Runner) Refused() string {
	if r.refused == nil {
		return ""
	}
	return r.refused.text
}

// doubtful is why the device is not to be measured, unless that is forced.
func (r *Runner) doubtful() *fault {
	if r.config.Force {
		return nil
	}
	if why, yes := r.config.Quarantined(r.device.ID); yes {
		return &fault{bench.Quarantined, "it is in quarantine: " + why}
	}
	if doubts := Doubts(r.device); len(doubts) > 0 {
		return &fault{bench.Busy, strings.Join(doubts, "; ")}
	}
	return nil
}

// Close ends the worker, and waits for it: a second where an interrupt left it at work, since
// it dies with this process anyway, and otherwise as long as the deadlines say.
func (r *Runner) Close() {
	r.end(context.Background())
	ended := make(chan struct{})
	go func() { r.endings.Wait(); close(ended) }()
	if !r.abandoned {
		<-ended
		return
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}

// Open starts the worker and says what the device offers. An error says why it cannot be
// measured, or is that of ctx.
func (r *Runner) Open(ctx context.Context) (worker.Opened, error) {
	_, err := r.try(ctx, attempts, func(*session) error { return nil })
	if err != nil {
		return worker.Opened{}, err
	}
	return *r.opened, nil
}

// Overheads are the fixed costs beside the work: "dispatch", from one empty launch to the
// next. There are none of a device that cannot be measured; the error is that of ctx alone.
func (r *Runner) Overheads(ctx context.Context) ([]bench.Overhead, error) {
	opened, err := r.Open(ctx)
	if err != nil || opened.LaunchS <= 0 {
		return nil, ctx.Err()
	}
	return []bench.Overhead{{Name: "dispatch", Device: r.device.ID, Seconds: opened.LaunchS, Lo: opened.LaunchS, Hi: opened.LaunchS}}, nil
}

// Run implements [bench.Runner].
func (r *Runner) Run(ctx context.Context, c bench.Case) (bench.Result, error) {
	res, err := r.run(ctx, c, nil)
	if rate, ok := res.Rate(); ok {
		r.alone[keyOf(res)] = rate.Value
	}
	return res, err
}

// caseKey is what a rate is compared by.
type caseKey struct {
	kernels.Spec
	engine, level string
	data          bench.Data
}

func keyOf(res bench.Result) caseKey { return caseKey{res.Spec(), res.Engine, res.Level, res.Data} }

// run measures c; with a meeting, at the same time as others, and then without a second attempt.
func (r *Runner) run(ctx context.Context, c bench.Case, with *meeting) (bench.Result, error) {
	defer with.leave()
	res := bench.Result{
		Time: time.Now().UTC(), Device: r.device.ID, DeviceModel: r.device.Model,
		Kernel: c.Kernel, Precision: c.Precision, Engine: c.Engine, Shape: c.Shape, Data: c.Data, Level: c.Level,
		Bound: bench.UnknownBound, Status: bench.OK, Warnings: []bench.Warning{},
	}
	if err := ctx.Err(); err != nil {
		return r.failed(res, errors.New("interrupted before it began")), err
	}
	if err := r.check(&c); err != nil {
		return r.failed(res, err), nil
	}
	res.Level, res.Data = c.Level, c.Data
	tries := attempts
	if with != nil {
		tries = 1
	}
	var m *measurement
	lost, err := r.try(ctx, tries, func(s *session) error {
		m = newMeasurement(ctx, r, s, c, with)
		defer m.lasting.stop()
		return m.measure()
	})
	for _, f := range lost {
		res.Warnings = append(res.Warnings, bench.Warn(f.code, "%s", f.text))
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = errInterrupted
	}
	if err != nil {
		return r.failed(res, err), ctx.Err()
	}
	return r.marked(m.result(res)), ctx.Err()
}

// failed is res as a measurement that could not be made.
func (r *Runner) failed(res bench.Result, why error) bench.Result {
	res.Status, res.Error = bench.Failed, why.Error()
	var wrong *wrongError
	var stopped *refusal
	var lost *fault
	switch {
	case errors.As(why, &wrong):
		res.Warnings = append(res.Warnings, bench.Warn(bench.WrongResult, "%s", wrong))
	case errors.As(why, &lost), errors.As(why, &stopped) && stopped.code != "":
		if lost == nil {
			lost = stopped.fault
		}
		res.Warnings = append(res.Warnings, bench.Warn(lost.code, "%s", lost))
	}
	if res.Engine == "" {
		res.Engine = r.firstEngine(res)
	}
	return r.marked(res)
}

// firstEngine is the worker's first choice for a case that named none.
func (r *Runner) firstEngine(res bench.Result) string {
	if r.opened != nil {
		for _, o := range r.opened.Offers {
			if o.Kernel == res.Kernel && o.Precision == res.Precision {
				return o.Engine
			}
		}
	}
	return "gpu" // nothing says what it would have been
}

// marked adds what belongs beside every result of the device.
func (r *Runner) marked(res bench.Result) bench.Result {
	if r.emulated {
		res.Warnings = append(res.Warnings, bench.Warn(bench.Emulated, "this device is emulated: the figures are those of a cost model, nothing was measured"))
	}
	if r.config.Force && res.Status == bench.OK {
		for _, doubt := range Doubts(r.device) {
			res.Warnings = append(res.Warnings, bench.Warn(bench.Busy, "measured by force although %s", doubt))
		}
	}
	return res
}

// check refuses a case that no device can run, and fills in what it leaves open.
func (r *Runner) check(c *bench.Case) error {
	if err := c.Check(); err != nil {
		return err
	}
	if !(c.MinS >= 0 && c.MinS <= c.MaxS) {
		return fmt.Errorf("seconds %v to %v: want 0 or more, and no more at least than at most", c.MinS, c.MaxS)
	}
	if c.Kernel == kernels.FMA {
		c.Level, c.Data = bench.LevelRegister, bench.Constant // the kernel's own operands
		return nil
	}
	if c.Data == "" {
		c.Data = bench.Randn
	}
	if _, err := bench.ParseData(string(c.Data)); err != nil {
		return err
	}
	switch {
	case c.Kernel == kernels.HostToDevice || c.Kernel == kernels.DeviceToHost:
		c.Level = bench.LevelBus
	case c.Level != "":
	case c.Bytes() <= float64(r.device.CacheBytes):
		c.Level = bench.LevelL2
	default:
		c.Level = bench.LevelMemory
	}
	return nil
}
