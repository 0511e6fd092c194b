package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/bench/gpu"
	kcpu "github.com/realflops/realflops/kernels/cpu"
)

func (a *app) doctorCommand() *cobra.Command {
	var dump string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what works on this node, and why the rest does not",
		Long: `doctor says what works on this node and why the rest does not.

With --dump it writes the files that detection reads to an archive instead, so that
this machine can be looked at elsewhere. Names and ids of the host are left out.

Exit code 1 says that a check failed.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, source := cmd.Context(), detect.Live()
			if dump != "" {
				return detect.DumpFile(ctx, source, dump)
			}
			host, err := detect.Detect(ctx, source)
			if err != nil {
				return err
			}
			checks := append(detect.Doctor(source, host), a.ownChecks(ctx, host)...)
			if a.json {
				return errors.Join(a.printJSON(struct {
					Schema string         `json:"schema"`
					Checks []detect.Check `json:"checks"`
				}{"realflops-doctor/1", checks}), failedChecks(checks))
			}
			t := newTable("", "check", "finding")
			for _, c := range checks {
				t.add(c.Status, c.Name, c.Text)
			}
			return errors.Join(t.write(a.stdout, a.outPaint()), failedChecks(checks))
		},
	}
	cmd.Flags().StringVar(&dump, "dump", "", "write what detection reads to this archive (.tar.gz)")
	return cmd
}

// failedChecks ends doctor with code 1, in silence: the findings have said it.
func failedChecks(checks []detect.Check) error {
	if slices.ContainsFunc(checks, func(c detect.Check) bool { return c.Status == detect.Fail }) {
		return &codedError{code: exitFailed}
	}
	return nil
}

// withheldChecks say which instruction sets the operating system keeps from this program.
func withheldChecks(all []kcpu.Withheld) []detect.Check {
	var checks []detect.Check
	for _, w := range all {
		text := fmt.Sprintf("The CPU has %s, which %s: what needs them is measured by the next best engine.", strings.Join(w.Features, ", "), w.Why)
		checks = append(checks, detect.Check{Name: "instruction sets", Status: detect.Warn, Text: text})
	}
	return checks
}

// gpuChecks are doctor's findings on the worker and on what it sees. On a machine without an
// NVIDIA GPU nothing of it is amiss.
func (a *app) gpuChecks(ctx context.Context, host *detect.Host) []detect.Check {
	amiss := detect.OK
	if hasGPU(host) {
		amiss = detect.Warn
	}
	path, err := gpu.Find()
	if err != nil {
		return []detect.Check{{Name: "gpu worker", Status: amiss, Text: fmt.Sprintf("%s; without it no GPU is measured.", err)}}
	}
	state, err := a.stateDir()
	if err != nil {
		state = ""
	}
	config := gpu.Config{Worker: path, StateDir: state}
	welcome, err := gpu.List(ctx, config)
	if err != nil {
		return []detect.Check{{Name: "gpu worker", Status: detect.Fail, Text: fmt.Sprintf("%s: %s.", path, err)}}
	}
	if len(welcome.Devices) == 0 {
		return []detect.Check{{Name: "gpu worker", Status: amiss, Text: fmt.Sprintf("%s runs, and finds no GPU to measure: %s.", path, welcome.Problem)}}
	}
	checks := []detect.Check{{Name: "gpu worker", Status: detect.OK, Text: fmt.Sprintf("%s runs, with %s %s.", path, welcome.Backend, welcome.Runtime)}}
	if len(welcome.Absent) > 0 {
		checks[0].Text += " The driver lacks " + strings.Join(welcome.Absent, ", ") + "."
	}
	for _, d := range welcome.Devices {
		check := detect.Check{Name: "gpu " + shortID(d.ID), Status: detect.OK, Text: fmt.Sprintf("%s, compute capability %s, can be measured.", d.Model, d.Architecture)}
		doubts := gpu.Doubts(d)
		if why, yes := config.Quarantined(d.ID); yes {
			doubts = append([]string{"it is in quarantine: " + why}, doubts...)
		}
		if len(doubts) > 0 {
			check.Status, check.Text = detect.Warn, fmt.Sprintf("%s is measured only with --force: %s.", d.Model, strings.Join(doubts, "; "))
		}
		checks = append(checks, check)
	}
	return checks
}
