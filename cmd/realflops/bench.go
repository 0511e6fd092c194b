package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	kcpu "github.com/realflops/realflops/kernels/cpu"
)

type benchFlags struct {
	precision, shape, device, engine, data, emulate, placement string

	threads int
	seconds float64
	wait    time.Duration
	force   bool
}

func (a *app) benchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench KERNEL",
		Short: "Measure one kernel, with every knob",
		Long:  "bench measures one kernel and keeps the result.\n\n" + kernelList(),
		Args:  exactArgs(1, "one kernel, such as gemm"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			host, err := detectHost(ctx)
			if err != nil {
				return err
			}
			c, err := f.benchCase(args[0])
			if err != nil {
				return err
			}
			if f.emulate != "" && f.device == "cpu" {
				f.device = "gpu" // no CPU is emulated
			}
			want, err := selectDevices(f.device)
			if err != nil {
				return err
			}
			t, err := a.target(ctx, host, want, targetFlags{emulate: f.emulate, force: f.force})
			if err != nil {
				return err
			}
			defer t.close()
			cases, err := f.onEach(t, c, cmd.Flags().Changed("threads"))
			if err != nil {
				return err
			}
			_, err = a.measure(ctx, t, agent.Request{Suite: "bench", Cases: cases}, f.wait)
			return err
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.precision, "precision", "", "precision, such as fp32/fp32 for gemm and fp16 for relu (default: the kernel's first)")
	fl.StringVar(&f.shape, "shape", "", "MxNxK for gemm, N for the others (default: a usual one)")
	fl.IntVar(&f.threads, "threads", 0, "threads to run on, of a CPU (default: all that are allowed)")
	fl.StringVar(&f.placement, "placement", "", "part of the CPU to run on, where it has several: node0-node1 (threads on memory node 0, operands on node 1; bandwidth kernels and chase) or core:TYPE (default: where threads and memory are best put)")
	fl.Float64Var(&f.seconds, "seconds", 1, "seconds to measure for")
	fl.StringVar(&f.device, "device", "cpu", "devices to measure, with commas: cpu, gpu (all GPUs) or ids of GPUs")
	fl.StringVar(&f.emulate, "emulate", "", "emulate the GPUs of a node instead of measuring: CARD[xN][:SCENARIO] (see run)")
	fl.BoolVar(&f.force, "force", false, "measure GPUs that are in use, cut into parts or in quarantine")
	fl.StringVar(&f.engine, "engine", "", "engine to run it with (default: the best that the device can run)")
	fl.StringVar(&f.data, "data", "randn", "what fills the operands: randn, uniform, zeros or constant")
	fl.DurationVar(&f.wait, "wait", 10*time.Minute, "how long to wait for another run on this machine")
	return cmd
}

func kernelList() string {
	var text strings.Builder
	text.WriteString("Kernels, with their precisions:\n")
	for _, d := range kernels.All() {
		var precisions []string
		for _, p := range d.Precisions {
			precisions = append(precisions, string(p))
		}
		fmt.Fprintf(&text, "  %-18s %-48s %s\n", d.Kernel, d.Computes, strings.Join(precisions, ", "))
	}
	return text.String()
}

// defaultShape is one that tells something on most machines.
func defaultShape(d kernels.Definition) kernels.Shape {
	switch {
	case d.Kernel == kernels.Linear: // a token against a weight matrix of a 7B model
		return kernels.Shape{M: 1, N: 4096, K: 4096}
	case d.Kernel == kernels.Batched: // the scores of 32 heads over 512 tokens
		return kernels.Shape{Batch: 32, M: 512, N: 512, K: 128}
	case d.Class == kernels.Matrix:
		return kernels.Shape{M: 1024, N: 1024, K: 1024}
	case d.Class == kernels.Register:
		return kernels.Shape{N: kernels.FMAQuantum << 6}
	case d.Class == kernels.Rowwise:
		return kernels.Shape{M: 1024, N: 1024}
	}
	return kernels.Shape{N: 1 << 20}
}

// benchCase is what the flags ask for, apart from the device.
func (f benchFlags) benchCase(kernel string) (bench.Case, error) {
	var none bench.Case
	d, err := kernels.Lookup(kernel)
	if err != nil {
		return none, err
	}
	precision := d.Precisions[0]
	if f.precision != "" {
		if precision, err = d.Precision(f.precision); err != nil {
			return none, usage("%w", err)
		}
	}
	shape := defaultShape(d)
	if f.shape != "" {
		if shape, err = kernels.ParseShape(d, f.shape); err != nil {
			return none, usage("--%w", err)
		}
	}
	if !(f.seconds > 0) || math.IsInf(f.seconds, 0) || f.seconds > 86400 {
		return none, usage("--seconds %v: want a time above 0 and at most 86400", f.seconds)
	}
	data, err := bench.ParseData(f.data)
	if err != nil {
		return none, err
	}
	spec := kernels.Spec{Kernel: d.Kernel, Precision: precision, Shape: shape}
	return bench.Case{Spec: spec, Engine: f.engine, Data: data, MinS: f.seconds, MaxS: f.seconds}, nil
}

// onEach is the case on each device of the target.
func (f benchFlags) onEach(t *target, c bench.Case, threadsGiven bool) ([]bench.Case, error) {
	var cases []bench.Case
	if t.cpu != nil {
		onCPU, err := f.onCPU(t.host, c, threadsGiven)
		if err != nil {
			return nil, err
		}
		cases = append(cases, onCPU)
	}
	if t.gpus == nil {
		return cases, nil
	}
	if threadsGiven && t.cpu == nil {
		return nil, usage("--threads is of a CPU: a GPU always runs as many as it has")
	}
	if f.placement != "" {
		return nil, usage("--placement %s is of a CPU: leave the GPUs out", f.placement)
	}
	for _, d := range t.gpus.devices {
		if err := offered(d, c); err != nil {
			return nil, err
		}
		c.Device = d.ID
		cases = append(cases, c)
	}
	return cases, nil
}

// offered refuses what the GPU does not run.
func offered(d gpuDevice, c bench.Case) error {
	var precisions, engines []string
	for _, o := range d.opened.Offers {
		if o.Kernel == c.Kernel {
			precisions = append(precisions, string(o.Precision))
			if o.Precision == c.Precision {
				engines = append(engines, o.Engine)
			}
		}
	}
	slices.Sort(precisions)
	switch {
	case len(precisions) == 0:
		return usage("%s (%s) runs no %s", d.Model, d.ID, c.Kernel)
	case len(engines) == 0:
		return usage("%s (%s) runs no %s at %s: it has %s", d.Model, d.ID, c.Kernel, c.Precision, strings.Join(slices.Compact(precisions), ", "))
	case c.Engine != "" && !slices.Contains(engines, c.Engine):
		return usage("%w", kernels.Unknown("engine", c.Engine, engines))
	}
	return nil
}

// onCPU is the case with its threads, if the CPU can run it.
func (f benchFlags) onCPU(host *detect.Host, c bench.Case, threadsGiven bool) (bench.Case, error) {
	if usable := usableMemory(host); usable > 0 && c.Bytes() > float64(usable) {
		return c, usage("--shape %s: needs %s, and %s can be used here", c.Shape, binary(c.Bytes()), binary(float64(usable)))
	}
	here := machine(host)
	c.Placement = f.placement
	if err := here.CheckPlacement(c); err != nil {
		return c, usage("--%w", err)
	}
	allowed := here.ThreadsAt(c.Placement)
	if c.Threads = f.threads; !threadsGiven {
		c.Threads = allowed
	}
	if c.Threads < 1 || c.Threads > allowed {
		return c, usage("--threads %d: this process may run on 1 to %d", f.threads, allowed)
	}
	if _, err := kcpu.Pick(c.Kernel, c.Precision, f.engine); err != nil {
		return c, usage("%w", err)
	}
	return c, nil
}
