package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/agent/influx"
	"github.com/realflops/realflops/agent/store"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
)

// Request is what Measure is asked to do.
type Request struct {
	Suite     string // name that the run is kept under
	Version   string // of realflops
	Host      *detect.Host
	Cases     []bench.Case
	Runner    Runner
	Warnings  []bench.Warning // of the plan: what it leaves out
	Calibrate bool            // make a profile of the results
	Store     *store.Store    // nil: keep nothing
	Observe   func(Event)     // told before and after each case; after it, the result is on disk
	Now       func() time.Time

	// Together measures a case that several devices run at once; nil where there is none.
	Together func(context.Context, bench.Case) ([]bench.Result, error)
	// Review holds the results of the devices against each other at the end; nil is no review.
	Review func([]bench.Result) []bench.Warning
}

// Runner measures cases and the fixed costs beside them on a device.
type Runner interface {
	bench.Runner
	Overheads(ctx context.Context) ([]bench.Overhead, error)
}

// Router is the Runner of several devices: each case goes to that of its Device ("" is the
// CPU).
type Router map[string]Runner

// Run implements [bench.Runner].
func (r Router) Run(ctx context.Context, c bench.Case) (bench.Result, error) {
	return r[c.Device].Run(ctx, c)
}

// Overheads are those of all devices, in the order of their ids.
func (r Router) Overheads(ctx context.Context) ([]bench.Overhead, error) {
	all := []bench.Overhead{}
	for _, id := range slices.Sorted(maps.Keys(r)) {
		some, err := r[id].Overheads(ctx)
		all = append(all, some...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// Event tells how far a run is. DoneS and LeftS are seconds by the plan.
type Event struct {
	Index, Total int
	Case         bench.Case
	Result       *bench.Result // nil before the case is measured
	DoneS, LeftS float64
}

// Measure runs the cases one after the other and keeps each result as it is made. It
// always returns the document of what was measured; keptErr is the first reason why
// something of it is not on disk, err is that of ctx when the run was interrupted.
func Measure(ctx context.Context, req Request) (doc Document, keptErr, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Document{}, nil, fmt.Errorf("run id: %w", err)
	}
	doc = Document{
		Schema: Schema, Host: *req.Host, Results: []bench.Result{}, Overheads: []bench.Overhead{},
		Run: Run{ID: id.String(), Started: req.Now().UTC(), Suite: req.Suite, Version: req.Version, Status: store.Running, Warnings: append([]bench.Warning{}, req.Warnings...)},
	}
	keep := &keeper{store: req.Store, points: influx.NewPoints(hostTags(req.Host), doc.Run.ID, req.Version)}
	keep.begin(ctx, doc)

	total := bench.PlanSeconds(req.Cases)
	for i, c := range req.Cases {
		left := bench.PlanSeconds(req.Cases[i:])
		event := Event{Index: i, Total: len(req.Cases), Case: c, DoneS: total - left, LeftS: left}
		req.Observe(event)
		results, runErr := req.run(ctx, c)
		left = bench.PlanSeconds(req.Cases[i+1:])
		event.DoneS, event.LeftS = total-left, left
		for _, result := range results {
			if runErr != nil && result.N == 0 {
				continue // interrupted before the first sample: there is nothing to keep
			}
			doc.Results = append(doc.Results, result)
			keep.result(ctx, doc.Run, result)
			event.Result = &result
			req.Observe(event)
		}
		if err = runErr; err != nil {
			break
		}
	}
	if err == nil {
		doc.Overheads, err = req.Runner.Overheads(ctx)
		if doc.Overheads == nil {
			doc.Overheads = []bench.Overhead{}
		}
	}
	if req.Review != nil {
		doc.Run.Warnings = append(doc.Run.Warnings, req.Review(doc.Results)...)
	}
	finished := req.Now().UTC()
	doc.Run.Finished = &finished
	doc.Run.Status = status(doc.Results, err)
	if req.Calibrate && err == nil && doc.Run.Status == store.Complete {
		profile, calErr := calibrate.New(calibrationInput(doc))
		if calErr != nil {
			doc.Run.Warnings = append(doc.Run.Warnings, bench.Warning{Code: bench.NoProfile, Text: calErr.Error()})
		} else {
			doc.Profile = &profile
		}
	}
	keep.finish(ctx, doc)
	return doc, errors.Join(keep.err, keep.odd), err
}

// run measures a case on its device, or on several at once.
func (req Request) run(ctx context.Context, c bench.Case) ([]bench.Result, error) {
	if len(c.Together) > 0 {
		return req.Together(ctx, c)
	}
	result, err := req.Runner.Run(ctx, c)
	return []bench.Result{result}, err
}

// status of a run: complete as soon as one result is ok.
func status(results []bench.Result, err error) string {
	if err != nil {
		return store.Interrupted
	}
	for _, r := range results {
		if r.Status == bench.OK {
			return store.Complete
		}
	}
	return store.Failed
}

func calibrationInput(doc Document) calibrate.Input {
	in := calibrate.Input{
		RunID: doc.Run.ID, HostID: doc.Host.ID, Created: *doc.Run.Finished,
		Results: doc.Results, Overheads: doc.Overheads,
	}
	for _, d := range doc.Host.Devices {
		in.Devices = append(in.Devices, calibrate.DeviceInfo{ID: d.ID, Kind: d.Kind, Model: d.Model})
	}
	return in
}

func hostTags(h *detect.Host) influx.HostTags {
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	return influx.HostTags{Host: h.Name, InstanceType: text(h.InstanceType), Cloud: text(h.Cloud), Region: text(h.Region)}
}

// keeper writes a run to the store as it is made. What was measured is worth having even
// after a signal, so it does not stop with ctx. Once a write has failed it goes on without the
// disk, so that a database which another process holds delays no measurement, and tries
// again at the end; what cannot be kept then is still printed.
type keeper struct {
	store  *store.Store // nil: nothing is kept
	points *influx.Points
	begun  bool

	waiting []kept
	err     error // why they wait
	odd     error // results that are no numbers
}

// kept is a result on its way to the disk, with its point.
type kept struct {
	result bench.Result
	line   string
}

func (k *keeper) note(err error) {
	if err != nil && k.err == nil {
		k.err = err
	}
}

func (k *keeper) begin(ctx context.Context, doc Document) {
	if k.store == nil {
		return
	}
	host, err := json.Marshal(doc.Host)
	if err == nil {
		err = k.store.Begin(context.WithoutCancel(ctx), store.Run{
			ID: doc.Run.ID, Started: doc.Run.Started, Suite: doc.Run.Suite, Version: doc.Run.Version,
			HostID: doc.Host.ID, HostName: doc.Host.Name, Host: host,
		})
	}
	k.begun = err == nil
	k.note(err)
}

// result keeps r; after a write that failed, it only puts r by for finish.
func (k *keeper) result(ctx context.Context, run Run, r bench.Result) {
	if k.store == nil {
		return
	}
	line, err := k.points.Result(r)
	if err != nil {
		k.odd = errors.Join(k.odd, err) // this one alone cannot be kept: go on with the others
		return
	}
	k.waiting = append(k.waiting, kept{r, line})
	if k.err == nil {
		k.note(k.write(ctx, run))
	}
}

// write keeps the results that wait, in their order, as far as it comes.
func (k *keeper) write(ctx context.Context, run Run) error {
	for len(k.waiting) > 0 {
		next := k.waiting[0]
		if err := k.store.AddResult(context.WithoutCancel(ctx), run.ID, next.result, next.line); err != nil {
			return err
		}
		k.waiting = k.waiting[1:]
	}
	return nil
}

func (k *keeper) finish(ctx context.Context, doc Document) {
	if k.store == nil {
		return
	}
	if k.err != nil { // a database that was held or full may be free again: one more try
		k.err = nil
		if !k.begun {
			k.begin(ctx, doc)
		}
		if k.err == nil {
			k.note(k.write(ctx, doc.Run))
		}
	}
	if k.err != nil {
		return
	}
	lines, err := k.lines(doc)
	if err == nil {
		err = k.store.Finish(context.WithoutCancel(ctx), doc.Run.ID, *doc.Run.Finished, doc.Run.Status, doc.Run.Warnings, doc.Overheads, doc.Profile, lines)
	}
	k.note(err)
}

func (k *keeper) lines(doc Document) ([]string, error) {
	failed := 0
	for _, r := range doc.Results {
		if r.Status == bench.Failed {
			failed++
		}
	}
	run, err := k.points.Run(influx.RunStatus{
		Started: doc.Run.Started, Finished: *doc.Run.Finished, Suite: doc.Run.Suite, Status: doc.Run.Status,
		Results: len(doc.Results), Failed: failed, Warnings: doc.Run.Warnings,
	})
	if err != nil || doc.Profile == nil {
		return []string{run}, err
	}
	profile, err := k.points.Profile(*doc.Profile)
	return append(profile, run), err
}
