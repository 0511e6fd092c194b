package influx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api"
	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"
	"github.com/influxdata/influxdb-client-go/v2/api/write"

	"github.com/realflops/realflops/agent/store"
)

// Outbox is where points wait; [*store.Store] is one.
type Outbox interface {
	Pending(ctx context.Context, limit int) ([]store.Entry, error)
	Delivered(ctx context.Context, ids []int64) error
	Newest(ctx context.Context) (store.Entry, error)
	Reject(ctx context.Context, id int64, message string) error
	Counts(ctx context.Context) (pending, rejected int, err error)
}

// Options say how patient a Drain is. The zero value is what the end of a run uses.
type Options struct {
	// Wait: keep trying until everything is delivered or the context ends, whatever the
	// trouble. Without it, trouble that only a person can mend (a wrong token) ends the
	// Drain at once, and other trouble once the next try would begin after MaxElapsed.
	Wait       bool
	MaxElapsed time.Duration // 0: 30 s; a try under way is let to end
	BatchSize  int           // lines a request; 0: 500
	Timeout    time.Duration // of one request; 0: 20 s
	Log        *slog.Logger  // nil: none

	// The clock and the jitter in [0, 1), for tests; nil: the real ones.
	Now    func() time.Time
	Sleep  func(context.Context, time.Duration) error
	Jitter func() float64
}

// Report is what a Drain did.
type Report struct {
	Delivered int   // points the server has accepted
	Rejected  int   // points it refused, moved to the rejected ones with its message
	Pending   int   // points that still wait in the outbox
	LastError error // why they wait; nil if none does
}

// Drain delivers the outbox, oldest first, until it is empty or its patience is over; what
// is not delivered stays and shows in the report. The error is for a faulty cfg, the
// outbox and the context alone; the report stands beside it.
func Drain(ctx context.Context, cfg Config, outbox Outbox, o Options) (Report, error) {
	base, err := cfg.address()
	if err != nil {
		return Report{}, err
	}
	o = o.withDefaults()
	client := newDoer(o.Timeout)
	defer client.client.CloseIdleConnections()
	service := influxhttp.NewService(base, "", influxhttp.DefaultOptions().SetHTTPDoer(client).SetApplicationName("realflops"))
	d := &drain{
		Options: o, outbox: outbox, base: strings.TrimSuffix(base, "/"), token: cfg.Token, service: service,
		api:   api.NewWriteAPIBlocking(cfg.Org, cfg.Bucket, service, write.DefaultOptions()),
		limit: o.BatchSize, deadline: o.Now().Add(o.MaxElapsed),
	}
	err = d.run(ctx)
	pending, _, countErr := outbox.Counts(context.WithoutCancel(ctx))
	d.report.Pending = pending
	return d.report, errors.Join(err, countErr)
}

func (o Options) withDefaults() Options {
	if o.MaxElapsed == 0 {
		o.MaxElapsed = 30 * time.Second
	}
	if o.BatchSize == 0 {
		o.BatchSize = 500
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	return o
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

type drain struct {
	Options
	outbox   Outbox
	base     string
	token    TokenSource
	service  influxhttp.Service
	api      api.WriteAPIBlocking
	limit    int // lines a request; a 413 lowers it
	deadline time.Time
	failures int // tries in a row that ended with retry or hold
	suspects []suspect
	left     int // times in a row that leave was called with nothing delivered or rejected between
	report   Report
}

// errPatience ends a drain whose points stay where they are.
var errPatience = errors.New("out of patience")

func (d *drain) run(ctx context.Context) error {
	for {
		entries, err := d.outbox.Pending(ctx, d.limit)
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := d.deliver(ctx, entries); errors.Is(err, errPatience) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// deliver gets every entry out of the outbox, by delivering or rejecting it, or leaves those
// of a request at fault. A batch that is too large or holds a line at fault is cut in halves, down to single lines.
func (d *drain) deliver(ctx context.Context, entries []store.Entry) error {
	refusals := 0
	for todo := [][]store.Entry{entries}; len(todo) > 0; {
		batch := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		refused, err := d.send(ctx, batch)
		half := len(batch) / 2
		switch {
		case err != nil:
			return err
		case refused == nil:
			if err := d.delivered(ctx, batch); err != nil {
				return err
			}
			continue
		case half == 0:
			if todo, err = d.suspect(ctx, suspect{batch[0], refused}, todo); err != nil {
				return err
			}
		default:
			if judge(refused) == smaller {
				d.limit = min(d.limit, half)
			}
			todo = append(todo, batch[half:], batch[:half]) // the older half goes first
		}
		if refusals++; refusals == maxRefusals && len(todo) > 0 {
			return d.leave(ctx, fmt.Errorf("the search for the points at fault goes on with the next push: %w", refused))
		}
	}
	return d.judgeSuspects(ctx)
}

// delivered takes what the server has accepted out of the outbox. Since it accepts points, the suspects were at fault.
func (d *drain) delivered(ctx context.Context, batch []store.Entry) error {
	ids := make([]int64, len(batch))
	for i, e := range batch {
		ids[i] = e.ID
	}
	// The server has it: a cancelled context must not keep us from noting that.
	if err := d.outbox.Delivered(context.WithoutCancel(ctx), ids); err != nil {
		return err
	}
	d.report.Delivered += len(batch)
	d.left = 0
	return d.rejectSuspects(ctx)
}

// send tries a batch until it is delivered (nil, nil) or refused for its size or content.
// It waits out other trouble as long as its patience lasts, then returns errPatience.
func (d *drain) send(ctx context.Context, batch []store.Entry) (refused, err error) {
	for {
		trouble := d.try(ctx, batch)
		v := judge(trouble)
		if ctx.Err() != nil && v != delivered {
			return nil, ctx.Err()
		}
		if v != retry && v != hold {
			d.failures, d.report.LastError = 0, nil
			return trouble, nil
		}
		if err := d.pause(ctx, trouble, v); err != nil {
			return nil, err
		}
	}
}

// pause waits until the next try after trouble, or returns errPatience.
func (d *drain) pause(ctx context.Context, trouble error, v verdict) error {
	d.report.LastError = trouble
	wait := d.backoff(trouble)
	d.failures++
	level := slog.LevelWarn
	if v == hold {
		level = slog.LevelError
	}
	if !d.Wait && (v == hold || d.Now().Add(wait).After(d.deadline)) {
		d.Log.Log(ctx, level, "points stay in the outbox", "error", trouble)
		return errPatience
	}
	d.Log.Log(ctx, level, "points stay in the outbox for now", "error", trouble, "next_try_in", wait)
	return d.Sleep(ctx, wait)
}

// The backoff doubles from minBackoff to maxBackoff, less up to half of it by the jitter.
const (
	minBackoff = time.Second
	maxBackoff = 10 * time.Minute
)

// backoff is how long to wait after trouble: what the server asks for, if that is longer.
func (d *drain) backoff(trouble error) time.Duration {
	full := min(maxBackoff, minBackoff<<min(d.failures, 20))
	wait := full/2 + time.Duration(d.Jitter()*float64(full/2))
	var r *refusal
	if errors.As(trouble, &r) {
		wait = max(wait, r.waitAsked(d.Now()))
	}
	return wait
}

// try sends a batch once, with the token as it is now. The error names the server and never the token.
func (d *drain) try(ctx context.Context, batch []store.Entry) error {
	token, err := d.token.read()
	if err != nil {
		return holdError{err}
	}
	lines := make([]string, len(batch))
	for i, e := range batch {
		lines[i] = e.Line
	}
	d.service.SetAuthorization("Token " + token)
	if err := d.api.WriteRecord(ctx, lines...); err != nil {
		var r *refusal
		if errors.As(err, &r) { // a server may repeat what it was sent
			r.message = strings.ReplaceAll(r.message, token, "***")
			r.to = strings.ReplaceAll(r.to, token, "***")
		}
		return fmt.Errorf("InfluxDB at %s: %w", d.base, err)
	}
	return nil
}
