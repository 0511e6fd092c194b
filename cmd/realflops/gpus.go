package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/gpu"
	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels"
)

// selection is the devices that are to be measured.
type selection struct {
	cpu  bool
	gpus bool     // all there are
	ids  []string // or these
	said bool     // named by the user, who is to hear if they are not there
}

// selectDevices reads --device: "" is the CPU and every GPU.
func selectDevices(list string) (selection, error) {
	if list == "" {
		return selection{cpu: true, gpus: true}, nil
	}
	s := selection{said: true}
	for _, name := range strings.Split(list, ",") {
		switch name {
		case "cpu":
			s.cpu = true
		case "gpu":
			s.gpus = true
		default:
			if !gpuID.MatchString(name) {
				return s, kernels.Unknown("device", name, []string{"cpu", "gpu", "the id of a GPU (GPU-...)"})
			}
			s.ids = append(s.ids, name)
		}
	}
	return s, nil
}

// gpuID is the form of the ids that drivers give: GPU-, or MIG- for a part of one.
var gpuID = regexp.MustCompile(`^(GPU|MIG)-[0-9A-Za-z/-]+$`)

func (s selection) anyGPU() bool { return s.gpus || len(s.ids) > 0 }

// gpuDevice is a GPU that is going to be measured.
type gpuDevice struct {
	worker.Device
	runner *gpu.Runner
	opened worker.Opened
}

// gpuNode is the GPUs of this node, or of an emulated one.
type gpuNode struct {
	config   gpu.Config
	emulator *gpu.Emulator
	welcome  worker.Welcome
	devices  []gpuDevice     // that are going to be measured
	warnings []bench.Warning // about those that are not
	busy     []string        // sentences: who is in use
	faulty   string          // the first device that could not be opened: why
	none     string          // why there is no GPU figure, one sentence; "" where there will be one
}

func (n *gpuNode) close() {
	for _, d := range n.devices {
		d.runner.Close()
	}
	if n.emulator != nil {
		_ = n.emulator.Close()
	}
}

// openGPUs finds the GPUs that are wanted and opens a worker on each. What keeps a GPU from being
// measured is in the node, not an error; an error is for what the user asked for and cannot
// have, or ctx.
func (a *app) openGPUs(ctx context.Context, host *detect.Host, want selection, emulate string, force bool) (*gpuNode, error) {
	n := &gpuNode{}
	err := n.greet(ctx, a, host, emulate, force)
	if err == nil {
		err = n.open(ctx, want)
	}
	if err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// greet asks a worker which devices there are.
func (n *gpuNode) greet(ctx context.Context, a *app, host *detect.Host, emulate string, force bool) error {
	path, err := gpu.Find()
	if err != nil {
		if emulate != "" {
			return withCode(exitNothing, "--emulate: %w", err)
		}
		n.none = err.Error()
		if !hasGPU(host) {
			n.none = "no NVIDIA GPU on the PCI bus"
		}
		return nil
	}
	n.config = gpu.Config{Worker: path, Version: version, Force: force, Log: func(text string) { fmt.Fprintln(a.stderr, text) }}
	if version == developer {
		n.config.Version = "" // whoever builds by hand builds both
	}
	if n.config.Deadlines, err = a.gpuDeadlines(); err != nil {
		return err
	}
	if n.config.StateDir, err = a.stateDir(); err != nil {
		return err
	}
	if emulate != "" {
		n.config.StateDir = "" // an emulated device is in no quarantine
		program, err := os.Executable()
		if err != nil {
			return err
		}
		if n.emulator, err = gpu.StartEmulator(ctx, program, path, emulate, n.config.Log); err != nil {
			return err
		}
		n.config.Env = n.emulator.Env
	}
	n.welcome, err = gpu.List(ctx, n.config)
	if err == nil && atWork(n.welcome) { // perhaps by a run that has just ended
		select {
		case <-time.After(settles):
			n.welcome, err = gpu.List(ctx, n.config)
		case <-ctx.Done():
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		n.none = err.Error()
	case len(n.welcome.Devices) == 0:
		n.none = n.welcome.Problem
		if !n.welcome.Emulated && !hasGPU(host) {
			n.none = "no NVIDIA GPU on the PCI bus, and " + n.none
		}
	}
	return nil
}

// settles is how long a driver's figure of utilization remembers what has ended: it is of the last
// second.
const settles = 1500 * time.Millisecond

// atWork reports that a device was at work though no process is known to use it.
func atWork(w worker.Welcome) bool {
	return slices.ContainsFunc(w.Devices, func(d worker.Device) bool {
		return (d.Processes == nil || *d.Processes == 0) && len(gpu.Doubts(d)) > 0 && d.Utilization != nil && *d.Utilization > 0
	})
}

// gpuDeadlines are the usual ones, or as many times longer or shorter as REALFLOPS_GPU_PATIENCE
// says.
func (a *app) gpuDeadlines() (gpu.Deadlines, error) {
	text := a.getenv("REALFLOPS_GPU_PATIENCE")
	if text == "" {
		return gpu.DefaultDeadlines(), nil
	}
	factor, err := strconv.ParseFloat(text, 64)
	if err != nil || !(factor >= 0.001 && factor <= 1000) {
		return gpu.Deadlines{}, usage("REALFLOPS_GPU_PATIENCE %q: want a factor from 0.001 to 1000", text)
	}
	return gpu.DefaultDeadlines().Times(factor), nil
}

func hasGPU(host *detect.Host) bool {
	return slices.ContainsFunc(host.Devices, func(d detect.Device) bool { return d.GPU != nil })
}

// open starts a worker on each device that is wanted and can be measured.
func (n *gpuNode) open(ctx context.Context, want selection) error {
	var ids []string
	for _, d := range n.welcome.Devices {
		ids = append(ids, d.ID)
	}
	for _, id := range want.ids {
		if !slices.Contains(ids, id) {
			if len(ids) == 0 {
				return withCode(exitNothing, "--device %s: %s", id, n.none)
			}
			return kernels.Unknown("device", id, append([]string{"cpu", "gpu"}, ids...))
		}
	}
	for _, d := range n.welcome.Devices {
		if !want.gpus && !slices.Contains(want.ids, d.ID) {
			continue
		}
		if err := n.openOne(ctx, d); err != nil {
			return err
		}
	}
	if len(n.devices) == 0 && n.none == "" && want.anyGPU() {
		n.none = n.warnings[0].Text
	}
	return nil
}

func (n *gpuNode) openOne(ctx context.Context, d worker.Device) error {
	if why, yes := n.config.Quarantined(d.ID); yes && !n.config.Force {
		n.warnings = append(n.warnings, bench.Warn(bench.Quarantined, "%s (%s) is not measured: %s; --force measures it all the same", d.Model, d.ID, why))
		return nil
	}
	if doubts := gpu.Doubts(d); len(doubts) > 0 && !n.config.Force {
		n.busy = append(n.busy, fmt.Sprintf("%s (%s): %s", d.Model, d.ID, strings.Join(doubts, "; ")))
		n.warnings = append(n.warnings, bench.Warn(bench.Busy, "%s (%s) is not measured: %s; --force measures it all the same", d.Model, d.ID, strings.Join(doubts, "; ")))
		return nil
	}
	config := n.config
	if n.welcome.Backend == "cuda" { // so that one device's driver state is no other's worker's business
		config.Env = append(slices.Clone(config.Env), "CUDA_VISIBLE_DEVICES="+d.ID)
	}
	runner := gpu.New(config, d)
	opened, err := runner.Open(ctx)
	if err != nil {
		runner.Close()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		code := gpu.Code(err)
		switch code {
		case "":
			code = bench.Unsupported
		case bench.Lost, bench.TimedOut:
			if n.faulty == "" {
				n.faulty = fmt.Sprintf("device %s is faulty: %s", d.ID, err)
			}
		}
		n.warnings = append(n.warnings, bench.Warn(code, "%s (%s) is not measured: %s", d.Model, d.ID, err))
		return nil
	}
	n.devices = append(n.devices, gpuDevice{d, runner, opened})
	if opened.NoLibrary != "" {
		n.warnings = append(n.warnings, bench.Warn(bench.NoLibrary, "%s (%s): %s", d.Model, d.ID, opened.NoLibrary))
	}
	return nil
}

// emulatedFlopPerS bounds the shapes of an emulated run: about what stands in for a large
// product here, a third of a second for 2048 x 2048 x 2048.
const emulatedFlopPerS = 50e9

// plan lists the cases of the suite on the node's devices: each alone, then all at once.
func (n *gpuNode) plan(suite bench.Suite) (cases []bench.Case, skipped []bench.Warning) {
	var ids []string
	for _, d := range n.devices {
		in := n.planInput(d)
		cases = append(cases, suite.PlanGPU(in)...)
		skipped = append(skipped, suite.SkippedGPU(in)...)
		ids = append(ids, d.ID)
	}
	if len(n.devices) > 1 {
		cases = append(cases, suite.PlanTogether(n.planInput(n.devices[0]), ids)...)
	}
	return cases, skipped
}

func (n *gpuNode) planInput(d gpuDevice) bench.GPUInput {
	in := bench.GPUInput{Device: d.ID, CacheBytes: d.CacheBytes, MemoryBytes: d.opened.FreeBytes}
	if n.welcome.Emulated {
		in.FlopPerS = emulatedFlopPerS
	}
	for _, o := range d.opened.Offers {
		in.Offers = append(in.Offers, bench.Offer{Kernel: o.Kernel, Precision: o.Precision, Engine: o.Engine})
	}
	return in
}

// together runs a case on all its devices at once.
func (n *gpuNode) together(ctx context.Context, c bench.Case) ([]bench.Result, error) {
	var runners []*gpu.Runner
	for _, d := range n.devices {
		if slices.Contains(c.Together, d.ID) {
			runners = append(runners, d.runner)
		}
	}
	results := gpu.Together(ctx, runners, c)
	return results, ctx.Err()
}

// review names devices that are slower than their peers. What is kept of a result stays as it was
// when it was made.
func (n *gpuNode) review(results []bench.Result) []bench.Warning {
	return gpu.MarkSlower(slices.Clone(results))
}

// addTo puts the node's devices into the host's inventory, each in the place of what the PCI
// bus shows of it, and the runners beside that of the CPU.
func (n *gpuNode) addTo(host *detect.Host, router agent.Router) {
	if n.welcome.Emulated {
		host.Devices = slices.DeleteFunc(host.Devices, func(d detect.Device) bool { return d.GPU != nil })
	}
	for _, d := range n.welcome.Devices {
		host.AddGPU(d.ID, d.Model, d.Bus, detect.GPU{
			Architecture: d.Architecture, Units: &d.Units, MemoryBytes: &d.MemoryBytes, CacheBytes: &d.CacheBytes,
			MaxHz: d.MaxClockHz, PowerLimitW: d.PowerLimitW, Runtime: n.welcome.Backend + " " + n.welcome.Runtime, Partitioned: d.Partitioned,
		})
	}
	for _, d := range n.devices {
		router[d.ID] = d.runner
	}
}
