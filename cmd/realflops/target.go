package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/cpu"
	"github.com/realflops/realflops/kernels/cuda/emulator"
)

// target is what a run measures: the host's CPU, its GPUs, or both.
type target struct {
	host  *detect.Host
	cpu   *cpu.Runner // nil: not measured
	gpus  *gpuNode    // nil: none were asked for
	named bool        // the devices were named, and are to be there
}

// targetFlags say how devices are come by.
type targetFlags struct {
	emulate string // a node in place of this one's GPUs
	force   bool   // in spite of doubts
	ifIdle  bool   // a GPU in use is no error: nothing is to be measured then
}

// target opens the devices that are wanted. Without any of them the error says why.
func (a *app) target(ctx context.Context, host *detect.Host, want selection, f targetFlags) (*target, error) {
	t := &target{host: host, named: want.said}
	if f.emulate != "" {
		if _, err := emulator.ParseNode(f.emulate); err != nil {
			return nil, usage("--emulate: %w", err)
		}
		want.cpu, want.gpus = false, len(want.ids) == 0
	}
	var err error
	if want.anyGPU() {
		if t.gpus, err = a.openGPUs(ctx, host, want, f.emulate, f.force); err != nil {
			return nil, err
		}
		if f.ifIdle && len(t.gpus.busy) > 0 {
			return t, nil // the busy line is all that will be said
		}
		none := t.gpus.none
		for i, w := range t.gpus.warnings {
			if i > 0 || none == "" || want.cpu {
				fmt.Fprintln(a.stderr, a.errPaint().yellow(w.Code+":"), w.Text)
			}
		}
		if none != "" && !want.cpu {
			code := exitNothing
			if t.gpus.faulty != "" {
				code = exitFaulty
			}
			t.close()
			return nil, withCode(code, "nothing was measured: %s", none)
		} else if none != "" && len(t.gpus.warnings) == 0 {
			fmt.Fprintln(a.stderr, "no GPU figures:", none)
		}
	}
	if want.cpu {
		if t.cpu, err = cpu.New(machine(host)); err != nil {
			t.close()
			return nil, withCode(exitNothing, "%w", err)
		}
	}
	return t, nil
}

func (t *target) close() {
	if t.cpu != nil {
		t.cpu.Close()
	}
	if t.gpus != nil {
		t.gpus.close()
	}
}

func (t *target) emulated() bool { return t.gpus != nil && t.gpus.welcome.Emulated }

// faulty is the first device that could not be opened, as a sentence.
func (t *target) faulty() string {
	if t.gpus == nil {
		return ""
	}
	return t.gpus.faulty
}

// plan lists the suite's cases on the devices, and what is left out.
func (t *target) plan(suite bench.Suite) (cases []bench.Case, skipped []bench.Warning) {
	if t.cpu != nil {
		in := machine(t.host).PlanInput()
		cases, skipped = suite.Plan(in), suite.Skipped(in)
	}
	if t.gpus != nil {
		more, left := t.gpus.plan(suite)
		cases, skipped = append(cases, more...), append(skipped, left...)
	}
	return cases, skipped
}

// prepare puts the devices and their runners into a request.
func (t *target) prepare(req *agent.Request) error {
	router := agent.Router{}
	if t.cpu != nil {
		router[""] = t.cpu
	}
	if t.gpus != nil {
		t.gpus.addTo(t.host, router)
		req.Together, req.Review = t.gpus.together, t.gpus.review
		req.Warnings = append(req.Warnings, t.gpus.warnings...)
	}
	if t.emulated() {
		req.Warnings = append(req.Warnings, bench.Warn(bench.Emulated, "EMULATED: the figures of every GPU are those of a cost model; nothing was measured, kept or pushed"))
	}
	if len(router) == 0 {
		return withCode(exitNothing, "nothing was measured: no device is left")
	}
	req.Host, req.Runner = t.host, router
	return nil
}

// name is what is measured, in a line.
func (t *target) name() string {
	var names []string
	if t.cpu != nil {
		names = append(names, cpuModel(t.host))
	}
	if t.gpus != nil {
		count := map[string]int{}
		for _, d := range t.gpus.devices {
			if count[d.Model]++; count[d.Model] == 1 {
				names = append(names, d.Model)
			}
		}
		for i, name := range names {
			if n := count[name]; n > 1 {
				names[i] = fmt.Sprintf("%d x %s", n, name)
			}
		}
	}
	return strings.Join(names, " and ")
}

// busy is the line that --if-idle leaves with, or "" on an idle machine.
func (t *target) busy(ctx context.Context) (string, error) {
	if t.gpus != nil && len(t.gpus.busy) > 0 {
		return "not measured: " + t.gpus.busy[0], nil
	}
	if t.cpu == nil {
		return "", nil
	}
	share, err := cpuShare(ctx)
	return busyText(share), err
}

// onDevice is the id of the device that a case runs on, with commas if on several.
func onDevice(c bench.Case) string {
	switch {
	case len(c.Together) > 0:
		return strings.Join(c.Together, ",")
	case c.Device == "":
		return "cpu"
	}
	return c.Device
}

// where says in a few words what a case runs on.
func where(c bench.Case) string {
	switch {
	case len(c.Together) > 0:
		return plural(len(c.Together), "GPU") + " at once"
	case c.Device != "":
		return shortID(c.Device)
	}
	return threadsAt(c.Threads, c.Placement)
}

// threadsAt says how many threads there are, and on which part of the machine.
func threadsAt(n int, placement string) string {
	if placement == "" {
		return plural(n, "thread")
	}
	return plural(n, "thread") + " at " + placement
}

// shortID is the start of a GPU's UUID, enough to tell a node's apart.
func shortID(id string) string { return id[:min(len(id), len("GPU-12345678"))] }

// printEmulated lists what can be emulated.
func (a *app) printEmulated() error {
	type item struct {
		Name    string `json:"name"`
		Purpose string `json:"purpose"`
	}
	var cards, scenarios []item
	for _, c := range emulator.Cards() {
		cards = append(cards, item{c.Name, c.Model})
	}
	for _, s := range emulator.Scenarios() {
		scenarios = append(scenarios, item{s.Name, s.Purpose})
	}
	if a.json {
		return a.printJSON(struct {
			Schema    string `json:"schema"`
			Cards     []item `json:"cards"`
			Scenarios []item `json:"scenarios"`
		}{"realflops-emulated/1", cards, scenarios})
	}
	t := newTable("card", "what it is")
	for _, c := range cards {
		t.add(c.Name, c.Purpose)
	}
	s := newTable("scenario", "what happens")
	for _, c := range scenarios {
		s.add(c.Name, c.Purpose)
	}
	return errors.Join(t.write(a.stdout, a.outPaint()), newline(a), s.write(a.stdout, a.outPaint()))
}

func newline(a *app) error {
	_, err := fmt.Fprintln(a.stdout)
	return err
}
