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
	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/agent/store"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/cpu"
	"github.com/realflops/realflops/kernels"
)

type runFlags struct {
	device string
	out    string
	ifIdle bool
	plan   bool
	wait   time.Duration
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Measure this machine: detect, bench, calibrate, keep, push",
		Long: `run measures a suite of kernels on this machine, calibrates, and keeps every result as
it is made. It prints the table, the profile's summary and an estimate made from it.
Where InfluxDB is configured (INFLUX_HOST, ...), it pushes what the outbox holds.

Ctrl-C ends it within a second; what was measured by then is kept.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.String("suite", "quick", "quick, standard or full")
	fl.StringVar(&f.device, "device", "cpu", "devices to measure, with commas: cpu")
	fl.StringVar(&f.out, "out", "", "write the JSON document to this file as well")
	fl.BoolVar(&f.ifIdle, "if-idle", false, "leave with one line and exit 0 if the machine is busy")
	fl.BoolVar(&f.plan, "plan", false, "print what would be measured, with the time it takes, and stop")
	fl.DurationVar(&f.wait, "wait", 10*time.Minute, "how long to wait for another run on this machine")
	return cmd
}

func (a *app) run(ctx context.Context, f runFlags) error {
	suite, err := bench.SuiteByName(a.settings.Suite)
	if err != nil {
		return err
	}
	host, err := detectHost(ctx)
	if err != nil {
		return err
	}
	if err := checkDevices(f.device, host); err != nil {
		return err
	}
	cases := suite.Plan(machine(host).PlanInput())
	if f.plan {
		return a.printPlan(suite.Name, cases)
	}
	if f.ifIdle {
		share, err := cpuShare(ctx)
		if err != nil {
			return err
		}
		if busy := busyText(share); busy != "" {
			fmt.Fprintln(a.stderr, busy)
			return nil
		}
	}
	fmt.Fprintf(a.stderr, "%s suite on %s: %s, about %s\n", suite.Name, cpuModel(host), plural(len(cases), "measurement"), seconds(bench.PlanSeconds(cases)))
	doc, err := a.measure(ctx, host, suite.Name, cases, f.wait, true)
	if f.out != "" && doc != nil {
		if outErr := writeDocument(f.out, doc); outErr != nil {
			err = errors.Join(err, outErr)
		}
	}
	return err
}

// measure runs cases under the lock, keeps them, prints the outcome and pushes. The document is nil
// if nothing was measured.
func (a *app) measure(ctx context.Context, host *detect.Host, name string, cases []bench.Case, wait time.Duration, calibrate bool) (*agent.Document, error) {
	if a.settings.Influx.Host != "" {
		if _, err := a.influxConfig(); err != nil {
			return nil, err // before a minute of measuring, not after it
		}
	}
	unlock, lockErr := agent.Lock(ctx, a.settings.StateDir, wait, func() {
		fmt.Fprintf(a.stderr, "another run is measuring on this machine: waiting at most %s\n", seconds(wait.Seconds()))
	})
	switch {
	case errors.Is(lockErr, agent.ErrBusy):
		return nil, withCode(exitNothing, "%w", lockErr)
	case errors.Is(lockErr, context.Canceled):
		return nil, lockErr
	case lockErr == nil:
		defer unlock()
	}
	st, keptErr := a.openStoreForRun(ctx, lockErr)
	if st != nil {
		defer func() { _ = st.Close() }()
	}
	if keptErr != nil {
		fmt.Fprintln(a.stderr, a.errPaint().yellow("not kept:"), keptErr, "(measuring all the same)")
	}
	runner, err := cpu.New(machine(host))
	if err != nil {
		return nil, withCode(exitNothing, "%w", err)
	}
	defer runner.Close()

	bar := newProgress(a.stderr, bench.PlanSeconds(cases))
	doc, writeErr, runErr := agent.Measure(ctx, agent.Request{
		Suite: name, Version: version, Host: host, Cases: cases, Runner: runner, Calibrate: calibrate,
		Store: st, Observe: bar.show, Now: time.Now,
	})
	bar.done()
	if keptErr == nil {
		keptErr = writeErr
	}
	if err := a.printDocument(doc); err != nil {
		return &doc, err
	}
	switch {
	case runErr != nil:
		return &doc, withCode(exitInterrupted, "interrupted: %s kept", plural(len(doc.Results), "result"))
	case keptErr != nil:
		return &doc, withCode(exitFailed, "the results were not kept: %w", keptErr)
	case doc.Run.Status == store.Failed:
		return &doc, withCode(exitNothing, "nothing was measured: %s", firstError(doc.Results))
	}
	return &doc, a.pushAfterRun(ctx, st)
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

func writeDocument(path string, doc *agent.Document) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644) //nolint:gosec // a report is meant to be read
	if err != nil {
		return err
	}
	b := &app{stdout: file}
	return errors.Join(b.printJSON(doc), file.Close())
}

// checkDevices refuses a device that is not there or that this version cannot measure.
func checkDevices(list string, host *detect.Host) error {
	ids := []string{"cpu", "gpu"}
	for _, d := range host.Devices {
		if d.Kind == "gpu" {
			ids = append(ids, d.ID)
		}
	}
	for _, name := range strings.Split(list, ",") {
		switch {
		case name == "cpu":
		case name == "gpu" && len(ids) == 2:
			return withCode(exitNothing, "--device gpu: this machine shows no NVIDIA GPU on its PCI bus")
		case name == "gpu" || strings.HasPrefix(name, "pci-") && slices.Contains(ids, name):
			return withCode(exitNothing, "--device %s: this version of realflops measures CPUs only", name)
		default:
			return kernels.Unknown("device", name, ids)
		}
	}
	return nil
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
		Threads   int     `json:"threads"`
		Seconds   float64 `json:"seconds"`
	}
	rows := make([]row, len(cases))
	for i, c := range cases {
		rows[i] = row{string(c.Kernel), string(c.Precision), c.Shape.String(), c.Level, c.Threads, bench.PlanSeconds(cases[i : i+1])}
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
	t := newTable("kernel", "precision", ">shape", "level", ">threads", ">time")
	for _, r := range rows {
		t.add(r.Kernel, r.Precision, r.Shape, r.Level, fmt.Sprint(r.Threads), seconds(r.Seconds))
	}
	if err := t.write(a.stdout, a.outPaint()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "%s suite: %s, about %s\n", name, plural(len(cases), "measurement"), seconds(total))
	return err
}
