package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/realflops/realflops/agent/detect"
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
