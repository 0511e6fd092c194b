package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/realflops/realflops/agent/store"
)

func (a *app) historyCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List the runs that are kept, newest first",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return usage("--limit %d: want at least 1", limit)
			}
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				runs, err := s.History(cmd.Context(), limit)
				if err != nil {
					return err
				}
				if a.json {
					if runs == nil {
						runs = []store.Summary{}
					}
					return a.printJSON(struct {
						Schema string          `json:"schema"`
						Runs   []store.Summary `json:"runs"`
					}{"realflops-history/1", runs})
				}
				if len(runs) == 0 {
					_, err := fmt.Fprintln(a.stdout, "no run is kept yet: `realflops run` makes the first")
					return err
				}
				t := newTable("run", "started", "host", "suite", "status", ">results", ">pending")
				for _, r := range runs {
					t.add(r.Run, r.Started.Local().Format(time.DateTime), r.Host, r.Suite, r.Status, fmt.Sprint(r.Results), fmt.Sprint(r.Pending))
				}
				return t.write(a.stdout, a.outPaint())
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many runs to list")
	return cmd
}
