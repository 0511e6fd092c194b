package main

import (
	"fmt"
	"math"
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
	precision, shape, device, engine, data string
	threads                                int
	seconds                                float64
	wait                                   time.Duration
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
			c, err := f.benchCase(args[0], cmd.Flags().Changed("threads"), host)
			if err != nil {
				return err
			}
			_, err = a.measure(ctx, host, agent.Request{Suite: "bench", Cases: []bench.Case{c}}, f.wait)
			return err
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.precision, "precision", "", "precision, such as fp32/fp32 for gemm and fp16 for relu (default: the kernel's first)")
	fl.StringVar(&f.shape, "shape", "", "MxNxK for gemm, N for the others (default: a usual one)")
	fl.IntVar(&f.threads, "threads", 0, "threads to run on (default: all that are allowed)")
	fl.Float64Var(&f.seconds, "seconds", 1, "seconds to measure for")
	fl.StringVar(&f.device, "device", "cpu", "device to measure: cpu")
	fl.StringVar(&f.engine, "engine", "", "engine to run it with (default: the best this machine can run)")
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
		fmt.Fprintf(&text, "  %-8s %-30s %s\n", d.Kernel, d.Computes, strings.Join(precisions, ", "))
	}
	return text.String()
}

// benchCase checks the flags against the kernel and the machine.
func (f benchFlags) benchCase(kernel string, threadsGiven bool, host *detect.Host) (bench.Case, error) {
	var none bench.Case
	d, err := kernels.Lookup(kernel)
	if err != nil {
		return none, err
	}
	if err := checkDevices(f.device, host); err != nil {
		return none, err
	}
	precision := d.Precisions[0]
	if f.precision != "" {
		if precision, err = d.Precision(f.precision); err != nil {
			return none, usage("%w", err)
		}
	}
	shape := kernels.Shape{N: 1 << 20}
	switch d.Class {
	case kernels.Matrix:
		shape = kernels.Shape{M: 1024, N: 1024, K: 1024}
	case kernels.Register:
		shape = kernels.Shape{N: kernels.FMAQuantum << 14}
	}
	if f.shape != "" {
		if shape, err = kernels.ParseShape(d, f.shape); err != nil {
			return none, usage("--%w", err)
		}
	}
	spec := kernels.Spec{Kernel: d.Kernel, Precision: precision, Shape: shape}
	if usable := usableMemory(host); usable > 0 && spec.Bytes() > float64(usable) {
		return none, usage("--shape %s: needs %s, and %s can be used here", shape, binary(spec.Bytes()), binary(float64(usable)))
	}
	allowed := host.Limits.Threads()
	if !threadsGiven {
		f.threads = allowed
	}
	if f.threads < 1 || f.threads > allowed {
		return none, usage("--threads %d: this process may run on 1 to %d", f.threads, allowed)
	}
	if !(f.seconds > 0) || math.IsInf(f.seconds, 0) || f.seconds > 86400 {
		return none, usage("--seconds %v: want a time above 0 and at most 86400", f.seconds)
	}
	if _, err := kcpu.Pick(d.Kernel, precision, f.engine); err != nil {
		return none, usage("%w", err)
	}
	data, err := bench.ParseData(f.data)
	if err != nil {
		return none, err
	}
	return bench.Case{Spec: spec, Threads: f.threads, Engine: f.engine, Data: data, MinS: f.seconds, MaxS: f.seconds}, nil
}
