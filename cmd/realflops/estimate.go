package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/agent/store"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
	"github.com/realflops/realflops/calibrate/estimate"
	"github.com/realflops/realflops/calibrate/model"
	"github.com/realflops/realflops/kernels"
)

type estimateFlags struct {
	shape     shapeFlags
	task      string
	profile   string
	device    string
	threads   int
	newTokens int
	tokens    float64
	samples   float64
	optimizer string
	price     float64
}

func (a *app) estimateCommand() *cobra.Command {
	var f estimateFlags
	cmd := &cobra.Command{
		Use:   "estimate MODEL",
		Short: "Price a model on a measured machine",
		Long: `estimate prices every operation of a model at the rate that was measured for its own
shape, and says what binds it. The range holds the curves' intervals and the spread of the
assumptions; a framework's own time is not in.

` + modelHelp(),
		Args: exactArgs(1, "one model, such as gpt2"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.shape.check(cmd.Flags()); err != nil {
				return err
			}
			for name, v := range map[string]float64{"threads": float64(f.threads), "new-tokens": float64(f.newTokens), "tokens": f.tokens, "samples": f.samples, "price": f.price} {
				if cmd.Flags().Changed(name) && !(v > 0) {
					return usage("--%s %v: want a number above 0", name, v)
				}
			}
			m, err := loadModel(args[0])
			if err != nil {
				return err
			}
			var host *detect.Host
			if f.profile == store.Latest && !isFile(f.profile) {
				if host, err = detectHost(cmd.Context()); err != nil {
					return err
				}
			}
			device, err := a.loadDevice(cmd.Context(), f.profile, f.device, host)
			if err != nil {
				return err
			}
			setup := f.setup(device, host)
			setup.Causal = f.shape.causalFlag(cmd.Flags())
			e, err := estimate.Estimate(m, device, setup)
			if err != nil {
				return usage("%w", err)
			}
			if a.json {
				return a.printJSON(e)
			}
			return a.printEstimate(e)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.task, "task", string(estimate.Forward), "forward, prefill, decode or train")
	fl.StringVar(&f.profile, "profile", store.Latest, "profile to price on: latest (of this host), a run, or a file")
	fl.IntVar(&f.threads, "threads", 0, "threads to run on (default: all that the profile has)")
	fl.IntVar(&f.newTokens, "new-tokens", 0, "of decode: tokens that follow the context")
	fl.Float64Var(&f.tokens, "tokens", 0, "tokens of the whole job")
	fl.Float64Var(&f.samples, "samples", 0, "sequences of the whole job")
	fl.StringVar(&f.device, "device", "", "device of the profile: cpu, gpu or an id (default: its first GPU, or else its CPU)")
	fl.StringVar(&f.optimizer, "optimizer", "", "of train: adamw")
	fl.Float64Var(&f.price, "price", 0, "price of the machine an hour, for the cost")
	f.shape.register(fl)
	return cmd
}

// setup is what the flags ask for. Host is nil unless the profile is of this very machine: then its memory and
// its threads are those that count.
func (f estimateFlags) setup(device *calibrate.Device, host *detect.Host) estimate.Setup {
	s := estimate.Setup{
		Task: estimate.Task(f.task), Batch: f.shape.batch, Seq: f.shape.seq, Context: f.shape.context,
		Precision: kernels.Precision(f.shape.precision), Threads: f.threads, Device: device.Model, Optimizer: f.optimizer,
		NewTokens: f.newTokens, Tokens: f.tokens, Samples: f.samples, PricePerHour: f.price,
	}
	if host == nil {
		return s
	}
	if device.Kind == "gpu" {
		for _, d := range host.Devices {
			if d.ID == device.ID && d.GPU != nil && d.GPU.MemoryBytes != nil {
				s.MemoryBytes = float64(*d.GPU.MemoryBytes)
			}
		}
		return s
	}
	s.MemoryBytes = float64(usableMemory(host))
	for _, n := range device.ThreadCounts() { // the most that this process may use now
		if f.threads == 0 && n <= host.Limits.Threads() {
			s.Threads = max(s.Threads, n)
		}
	}
	return s
}

// loadDevice finds a device of a profile: of the newest of host, or, without one, of that of a
// run or of a file (a profile, or a run with one).
func (a *app) loadDevice(ctx context.Context, name, device string, host *detect.Host) (*calibrate.Device, error) {
	profile, err := a.loadProfile(ctx, name, host)
	if err != nil {
		return nil, err
	}
	d, err := pickDevice(profile, device)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", name, err)
	}
	return d, nil
}

// pickDevice is the device of a profile that is asked for: cpu, gpu (the first), an id, or "" for the
// first GPU, or else the CPU.
func pickDevice(p calibrate.Profile, name string) (*calibrate.Device, error) {
	wanted := []func(calibrate.Device) bool{func(d calibrate.Device) bool { return d.ID == name || d.Kind == name }}
	if name == "" {
		wanted = nil
		for _, kind := range []string{"gpu", "cpu"} {
			wanted = append(wanted, func(d calibrate.Device) bool { return d.Kind == kind })
		}
	}
	for _, want := range wanted {
		if i := slices.IndexFunc(p.Devices, want); i >= 0 {
			return &p.Devices[i], nil
		}
	}
	var have []string
	for _, d := range p.Devices {
		have = append(have, d.Kind, d.ID)
	}
	slices.Sort(have)
	if have = slices.Compact(have); len(have) == 0 {
		return nil, estimate.ErrNoProfile
	}
	return nil, kernels.Unknown("device", name, have)
}

func (a *app) loadProfile(ctx context.Context, name string, host *detect.Host) (p calibrate.Profile, err error) {
	switch {
	case host != nil:
		err = a.withStore(ctx, func(s *store.Store) error {
			p, err = s.LatestProfile(ctx, host.ID)
			if errors.Is(err, store.ErrNotFound) {
				return estimate.ErrNoProfile
			}
			return err
		})
		return p, err
	case isFile(name):
		return readProfile(name)
	}
	doc, err := a.loadRun(ctx, name)
	if err != nil {
		return p, err
	}
	return profileOf(doc, name)
}

// profileOf is the profile that a run carries; name is for the error alone.
func profileOf(doc agent.Document, name string) (calibrate.Profile, error) {
	if doc.Profile == nil {
		return calibrate.Profile{}, fmt.Errorf("%s: run %s has no profile: want one of a whole `realflops run`", name, doc.Run.ID)
	}
	if err := doc.Profile.Check(); err != nil {
		return calibrate.Profile{}, fmt.Errorf("%s: %w", name, err)
	}
	return *doc.Profile, nil
}

func readProfile(path string) (calibrate.Profile, error) {
	text, err := readRegular(path, maxDocument)
	if err != nil {
		return calibrate.Profile{}, fmt.Errorf("%w: want a profile, or a run with one", err)
	}
	if doc, err := parseDocument(path, text); err == nil {
		return profileOf(doc, path)
	}
	p, err := calibrate.Read(bytes.NewReader(text))
	if err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func (a *app) printEstimate(e *estimate.Document) error {
	w, paint := a.stdout, a.outPaint()
	out := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	device := e.Setup.Device
	if e.Setup.Threads > 0 { // of a CPU
		device += ", " + plural(e.Setup.Threads, "thread")
	}
	out("%s on %s, %s: task %s, batch %d, %s, context %d\n", paint.bold(e.Model.Name), device, e.Setup.Precision, e.Task, e.Setup.Batch, plural(e.Setup.Seq, "position"), e.Setup.Context)

	out("\n")
	figures := newTable("figure", ">value", ">from", ">to")
	var notes conventions
	add := func(name string, f *estimate.Figure, show func(float64) string) {
		if f == nil {
			return
		}
		lo, hi := show(f.Lo), show(f.Hi)
		if f.Lo == f.Hi {
			lo, hi = "", ""
		}
		figures.add(name, show(f.Value), lo, hi)
		notes.add(strings.TrimSpace(name), f.Convention)
	}
	perSecond := func(v float64) string { return digits(v) }
	add("time a "+e.Unit, &e.TimeS, seconds)
	add("total time", e.TotalTimeS, seconds)
	add("tokens/s", &e.TokensPerS, perSecond)
	add("FLOP a "+e.Unit, &e.FLOP, func(v float64) string { return si(v, "FLOP") })
	add("energy", e.EnergyJ, func(v float64) string { return si(v, "J") })
	add("cost", e.Cost, perSecond)
	add("memory", &e.MemoryBytes.Total, binary)
	for _, part := range []struct {
		name string
		f    estimate.Figure
	}{
		{"weights", e.MemoryBytes.Weights},
		{"gradients", e.MemoryBytes.Gradients},
		{"optimizer", e.MemoryBytes.Optimizer},
		{"activations", e.MemoryBytes.Activations},
		{"kv cache", e.MemoryBytes.KVCache},
		{"workspace", e.MemoryBytes.Workspace},
	} {
		if part.f.Value > 0 {
			add("  "+part.name, &part.f, binary)
		}
	}
	if err := figures.write(w, paint); err != nil {
		return err
	}
	out("\n")
	if err := notes.write(w, paint); err != nil {
		return err
	}

	out("\n")
	ops := newTable("operation", "kind", "phase", ">count", ">FLOP", ">bytes", ">time", ">share", "bound")
	for _, o := range e.Ops {
		ops.add(o.Name, string(o.Kind), string(o.Phase), fmt.Sprint(o.Count), si(o.FLOP, ""), si(o.Bytes, "B"),
			seconds(o.TimeS), fmt.Sprintf("%.1f%%", 100*o.TimeS/e.TimeS.Value), string(o.Bound))
	}
	if err := ops.write(w, paint); err != nil {
		return err
	}
	out("\n%s\n", boundLine(e))
	for _, warning := range e.Warnings {
		out("%s %s\n", paint.yellow(warning.Code+":"), warning.Text)
	}
	return nil
}

// boundLine says what binds the time: "81% of the time is bound by bandwidth, 19% by compute".
func boundLine(e *estimate.Document) string {
	share := map[bench.Bound]float64{}
	for _, o := range e.Ops {
		share[o.Bound] += o.TimeS / e.TimeS.Value
	}
	bounds := []bench.Bound{bench.ComputeBound, bench.BandwidthBound, bench.LatencyBound}
	slices.SortStableFunc(bounds, func(x, y bench.Bound) int { return cmp.Compare(share[y], share[x]) })
	var parts []string
	for _, b := range bounds {
		if share[b] >= 0.005 {
			text := "%.0f%% by %s"
			if len(parts) == 0 {
				text = "%.0f%% of the time is bound by %s"
			}
			parts = append(parts, fmt.Sprintf(text, 100*share[b], b))
		}
	}
	return strings.Join(parts, ", ")
}

// The estimate that a run ends with: what a newcomer can check by hand with any runtime.
const (
	exampleModel   = "gpt2"
	exampleContext = 512
)

// exampleEstimate prints one estimate made from a run's profile.
func (a *app) exampleEstimate(w io.Writer, doc agent.Document) error {
	device, err := pickDevice(*doc.Profile, "")
	if err != nil {
		return err
	}
	precision := kernels.FP32
	if device.Kind == "gpu" {
		precision = kernels.FP16
	}
	m, err := model.Load(exampleModel)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s\n", a.outPaint().bold("what that is good for: "+fmt.Sprintf("%s on %s, batch 1, %s", exampleModel, device.Model, precision)))
	for _, s := range []estimate.Setup{{Task: estimate.Prefill, Seq: exampleContext, Precision: precision}, {Task: estimate.Decode, Context: exampleContext, Precision: precision}} {
		e, err := estimate.Estimate(m, device, s)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("prefill of %d tokens", s.Seq)
		if s.Task == estimate.Decode {
			what = fmt.Sprintf("one token after %d", s.Context)
		}
		fmt.Fprintf(w, "  %-22s %s (%s to %s), %s tokens/s; %s\n", what, seconds(e.TimeS.Value), seconds(e.TimeS.Lo), seconds(e.TimeS.Hi), digits(e.TokensPerS.Value), boundLine(e))
	}
	fmt.Fprintf(w, "  `realflops estimate %s --task decode --context %d` shows it by operation\n", exampleModel, exampleContext)
	return nil
}
