package main

import (
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
this machine can be looked at elsewhere. Names and ids of the host are left out.`,
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
			checks := append(detect.Doctor(source, host), a.ownChecks(ctx)...)
			if a.json {
				return a.printJSON(struct {
					Checks []detect.Check `json:"checks"`
				}{checks})
			}
			t := newTable("", "check", "finding")
			for _, c := range checks {
				t.add(c.Status, c.Name, c.Text)
			}
			return t.write(a.stdout, a.outPaint())
		},
	}
	cmd.Flags().StringVar(&dump, "dump", "", "write what detection reads to this archive (.tar.gz)")
	return cmd
}
