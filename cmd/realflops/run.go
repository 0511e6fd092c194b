package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	gocpu "github.com/shirou/gopsutil/v3/cpu"
	"github.com/spf13/cobra"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/agent/store"
	"github.com/realflops/realflops/bench"
)

type runFlags struct {
	device  string
	out     string
	emulate string
	ifIdle  bool
	force   bool
	plan    bool
	wait    time.Duration
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Measure this machine: detect, bench, calibrate, keep, push",
		Long: `run measures a suite of kernels on this machine, calibrates, and keeps every result as
it is made. It prints the table, the profile's summary and an estimate made from it.
Where InfluxDB is configured (INFLUX_HOST, ...), it pushes what the outbox holds.

GPUs are measured by realflops-worker, one process a device, each device alone and then all
at once. A GPU that others use is named and left alone, unless --force is given.

Ctrl-C ends it within a second; what was measured by then is kept.

--emulate shows what a run on another node looks like, by the figures of a cost model: nothing is
measured, kept or pushed. It takes CARD[xN][:SCENARIO], such as a100 or h100x8:three-of-eight.

Suites:
` + suiteList(),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.String("suite", "quick", "one of the suites above")
	fl.StringVar(&f.device, "device", "", "devices to measure, with commas: cpu, gpu (all GPUs) or ids of GPUs (default: all there are)")
	fl.StringVar(&f.emulate, "emulate", "", "emulate the GPUs of a node instead of measuring: CARD[xN][:SCENARIO], or list")
	fl.StringVar(&f.out, "out", "", "write the JSON document to this file as well")
	fl.BoolVar(&f.ifIdle, "if-idle", false, "leave with one line and exit 0 if the machine is busy")
	fl.BoolVar(&f.force, "force", false, "measure GPUs that are in use, cut into parts or in quarantine")
	fl.BoolVar(&f.plan, "plan", false, "print what would be measured, with the time it takes, and stop")
	fl.DurationVar(&f.wait, "wait", 10*time.Minute, "how long to wait for another run on this machine")
	return cmd
}

func suiteList() string {
	var text strings.Builder
	for _, s := range bench.Suites() {
		fmt.Fprintf(&text, "  %-9s %s\n", s.Name, s.Purpose)
	}
	return strings.TrimRight(text.String(), "\n")
}

func (a *app) run(ctx context.Context, f runFlags) error {
	if f.emulate == "list" {
		return a.printEmulated()
	}
	suite, err := bench.SuiteByName(a.settings.Suite)
	if err != nil {
		return err
	}
	want, err := selectDevices(f.device)
	if err != nil {
		return err
	}
	host, err := detectHost(ctx)
	if err != nil {
		return err
	}
	t, err := a.target(ctx, host, want, targetFlags{f.emulate, f.force, f.ifIdle})
	if err != nil {
		return err
	}
	defer t.close()
	cases, skipped := t.plan(suite)
	if f.plan {
		return a.printPlan(suite.Name, cases)
	}
	if f.ifIdle {
		if busy, err := t.busy(ctx); err != nil || busy != "" {
			return errors.Join(err, a.leave(busy))
		}
	}
	fmt.Fprintf(a.stderr, "%s suite on %s: %s, about %s\n", suite.Name, t.name(), plural(len(cases), "measurement"), seconds(bench.PlanSeconds(cases)))
	var out *os.File
	if f.out != "" { // opened before a minute of measuring, written after it
		if out, err = os.OpenFile(f.out, os.O_WRONLY|os.O_CREATE, 0o644); err != nil { //nolint:gosec // a report is meant to be read
			return usage("--out: %w", err)
		}
	}
	doc, err := a.measure(ctx, t, agent.Request{Suite: suite.Name, Cases: cases, Warnings: skipped, Calibrate: true}, f.wait)
	if out == nil {
		return err
	}
	if doc != nil {
		err = errors.Join(err, out.Truncate(0), encode(out, doc))
	}
	return errors.Join(err, out.Close())
}

// leave is the end of a run that --if-idle prevents: one line, and exit code 0.
func (a *app) leave(busy string) error {
	if busy == "" {
		return nil
	}
	fmt.Fprintln(a.stderr, busy)
	if !a.json {
		return nil
	}
	return a.printJSON(struct {
		Schema string `json:"schema"`
		Reason string `json:"reason"`
	}{"realflops-skipped/1", busy})
}

// measure runs cases under the lock, keeps them, prints the outcome and pushes. The document is nil
// if nothing was measured. What is emulated is printed, and neither kept nor pushed.
func (a *app) measure(ctx context.Context, t *target, req agent.Request, wait time.Duration) (*agent.Document, error) {
	if a.settings.Influx.Host != "" && !t.emulated() {
		if _, err := a.influxConfig(); err != nil {
			return nil, err // before a minute of measuring, not after it
		}
	}
	unlock, lockErr := a.lock(ctx, wait)
	switch {
	case errors.Is(lockErr, agent.ErrBusy):
		return nil, withCode(exitNothing, "%w", lockErr)
	case errors.Is(lockErr, context.Canceled):
		return nil, lockErr
	case lockErr == nil:
		defer unlock()
	}
	var st *store.Store
	var keptErr error
	if !t.emulated() {
		st, keptErr = a.openStoreForRun(ctx, lockErr)
	}
	if st != nil {
		defer func() { _ = st.Close() }()
	}
	if keptErr != nil {
		fmt.Fprintln(a.stderr, a.errPaint().yellow("not kept:"), keptErr, "(measuring all the same)")
	}
	if err := t.prepare(&req); err != nil {
		return nil, err
	}
	bar := newProgress(a.stderr, bench.PlanSeconds(req.Cases))
	req.Version, req.Store, req.Observe, req.Now = version, st, bar.show, time.Now
	doc, writeErr, runErr := agent.Measure(ctx, req)
	bar.done()
	if keptErr == nil {
		keptErr = writeErr
	}
	printErr := a.printDocument(doc)
	if runErr != nil {
		what := plural(len(doc.Results), "result") + " kept"
		switch {
		case t.emulated():
			what = "an emulated run is not kept"
		case keptErr != nil:
			what = "not kept: " + keptErr.Error()
		}
		return &doc, withCode(exitInterrupted, "interrupted: %s", what)
	}
	var pushErr error
	if st != nil { // a device that is faulty or results that are odd are what a fleet must hear of
		pushErr = a.pushAfterRun(ctx, st)
	}
	return &doc, verdict(doc, t.faulty(), keptErr, printErr, pushErr)
}

// verdict is the one error that a run ends with: the worst of what happened.
func verdict(doc agent.Document, faulty string, keptErr, printErr, pushErr error) error {
	if text := firstFault(doc); text != "" {
		faulty = text
	}
	switch {
	case faulty != "":
		return withCode(exitFaulty, "%s", faulty)
	case keptErr != nil:
		return withCode(exitFailed, "the results were not kept: %w", keptErr)
	case doc.Run.Status == store.Failed:
		return withCode(exitNothing, "nothing was measured: %s", firstError(doc.Results))
	case printErr != nil:
		return printErr
	}
	return pushErr
}

// firstFault says which device is faulty, the gravest first: one that computes wrong, one that failed in
// the middle, one that is slower than its peers.
func firstFault(doc agent.Document) string {
	find := func(code string) (bench.Result, bool) {
		i := slices.IndexFunc(doc.Results, func(r bench.Result) bool {
			return r.Status == bench.Failed && slices.ContainsFunc(r.Warnings, func(w bench.Warning) bool { return w.Code == code })
		})
		if i < 0 {
			return bench.Result{}, false
		}
		return doc.Results[i], true
	}
	if r, ok := find(bench.WrongResult); ok {
		return fmt.Sprintf("device %s is faulty: it computed %s wrong: %s", r.Device, r.Spec(), r.Error)
	}
	for _, code := range []string{bench.TimedOut, bench.Lost} {
		if r, ok := find(code); ok {
			return fmt.Sprintf("device %s is faulty: it failed at %s: %s", r.Device, r.Spec(), r.Error)
		}
	}
	for _, w := range doc.Run.Warnings {
		if w.Code == bench.SlowerThanPeers {
			return w.Text
		}
	}
	return ""
}

// lock takes the run lock of the state folder.
func (a *app) lock(ctx context.Context, wait time.Duration) (unlock func(), err error) {
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	return agent.Lock(ctx, dir, wait, func() {
		fmt.Fprintf(a.stderr, "another run is measuring on this machine: waiting at most %s\n", seconds(wait.Seconds()))
	})
}

func (a *app) printDocument(doc agent.Document) error {
	if a.json {
		return a.printJSON(doc)
	}
	return a.printReport(doc)
}

func firstError(results []bench.Result) string {
	for _, r := range results {
		if r.Error != "" {
			return r.Error
		}
	}
	return "the plan is empty"
}

// idleShare is the share of the CPUs' time that may be in use on a machine called idle.
const idleShare = 0.20

// cpuShare is the share of the CPUs' time that was in use in the last second.
func cpuShare(ctx context.Context) (float64, error) {
	used, err := gocpu.PercentWithContext(ctx, time.Second, false)
	if err != nil || len(used) == 0 {
		return 0, err
	}
	return used[0] / 100, nil
}

// busyText is the line that --if-idle leaves with, or "" on an idle machine.
func busyText(share float64) string {
	if share <= idleShare {
		return ""
	}
	return fmt.Sprintf("not measured: the machine is busy (%.0f%% of its CPU time in the last second; idle is at most %.0f%%)", 100*share, 100*idleShare)
}

func (a *app) printPlan(name string, cases []bench.Case) error {
	type row struct {
		Kernel    string  `json:"kernel"`
		Precision string  `json:"precision"`
		Shape     string  `json:"shape"`
		Level     string  `json:"level"`
		Device    string  `json:"device"`
		Engine    string  `json:"engine,omitempty"`
		Threads   int     `json:"threads,omitempty"`
		Placement string  `json:"placement,omitempty"`
		Seconds   float64 `json:"seconds"`
	}
	rows := make([]row, len(cases))
	for i, c := range cases {
		rows[i] = row{string(c.Kernel), string(c.Precision), c.Shape.String(), c.Level, onDevice(c), c.Engine, c.Threads, c.Placement, bench.PlanSeconds(cases[i : i+1])}
	}
	total := bench.PlanSeconds(cases)
	if a.json {
		return a.printJSON(struct {
			Schema  string  `json:"schema"`
			Suite   string  `json:"suite"`
			Seconds float64 `json:"seconds"`
			Cases   []row   `json:"cases"`
		}{"realflops-plan/1", name, total, rows})
	}
	t := newTable("kernel", "precision", ">shape", "level", "on", "engine", ">time")
	for i, r := range rows {
		t.add(r.Kernel, r.Precision, r.Shape, r.Level, where(cases[i]), r.Engine, seconds(r.Seconds))
	}
	if err := t.write(a.stdout, a.outPaint()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "%s suite: %s, about %s\n", name, plural(len(cases), "measurement"), seconds(total))
	return err
}
