package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/realflops/realflops/agent/influx"
	"github.com/realflops/realflops/agent/store"
)

func (a *app) pushCommand() *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use:   "push",
		Short: "Deliver the outbox to InfluxDB",
		Long: `push delivers to InfluxDB what the outbox holds, oldest first. A point leaves the outbox only
when the server has accepted it; one that the server refuses is kept aside with its message.

Exit code 75 says that points are left: a later push delivers them.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := a.influxConfig()
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				report, err := a.drain(cmd.Context(), s, config, influx.Options{Wait: wait})
				if a.json {
					return errors.Join(a.printPush(report), err)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "keep trying until everything is delivered")
	return cmd
}

// influxConfig is where to push to. What no later try could mend is a usage error; a token
// file is looked at with each try, since it may be renewed.
func (a *app) influxConfig() (influx.Config, error) {
	s := a.settings.Influx
	c := influx.Config{
		URL: s.Host, Org: s.Org, Bucket: s.Bucket,
		Token: influx.TokenSource{File: s.TokenFile, Value: influx.Secret(a.getenv("INFLUX_TOKEN"))},
	}
	if c.URL == "" {
		return c, usage("InfluxDB is not configured: set INFLUX_HOST to its URL, such as http://influx.example:8086")
	}
	if err := c.CheckAddress(); err != nil {
		return c, usage("%w", err)
	}
	if _, err := a.patience(); err != nil {
		return c, err
	}
	return c, nil
}

// patience is how long a server that is away is tried.
func (a *app) patience() (time.Duration, error) {
	text := a.settings.Influx.Patience
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, usage("influx.patience %q: want a time above 0, such as 30s", text)
	}
	return d, nil
}

// pushAfterRun delivers what the outbox holds at the end of a run, where InfluxDB is configured.
func (a *app) pushAfterRun(ctx context.Context, s *store.Store) error {
	if a.settings.Influx.Host == "" {
		return nil
	}
	config, err := a.influxConfig()
	if err != nil {
		return err
	}
	_, err = a.drain(ctx, s, config, influx.Options{})
	return err
}

// drain delivers the outbox, tells on stderr what became of it, and returns an error
// with exit code 75 where points are left.
func (a *app) drain(ctx context.Context, s *store.Store, config influx.Config, o influx.Options) (influx.Report, error) {
	patience, err := a.patience()
	if err != nil {
		return influx.Report{}, err
	}
	o.MaxElapsed, o.Log = patience, a.log()
	report, err := influx.Drain(ctx, config, s, o)
	if err != nil {
		return report, err
	}
	switch {
	case report.Delivered == 0 && report.Rejected == 0 && report.Pending == 0:
		fmt.Fprintln(a.stderr, "nothing to deliver")
	case report.Delivered > 0:
		fmt.Fprintf(a.stderr, "delivered %s to %s\n", plural(report.Delivered, "point"), config.URL)
	}
	if report.Rejected > 0 {
		fmt.Fprintf(a.stderr, "%s the server refused %s: kept aside with its message\n", a.errPaint().yellow("warning:"), plural(report.Rejected, "point"))
	}
	if report.Pending > 0 {
		return report, withCode(exitUndelivered, "%s wait in the outbox, `realflops push` tries again: %w", plural(report.Pending, "point"), report.LastError)
	}
	return report, nil
}

func (a *app) printPush(r influx.Report) error {
	var text *string
	if r.LastError != nil {
		s := r.LastError.Error()
		text = &s
	}
	return a.printJSON(struct {
		Schema    string  `json:"schema"`
		Delivered int     `json:"delivered"`
		Rejected  int     `json:"rejected"`
		Pending   int     `json:"pending"`
		LastError *string `json:"last_error"`
	}{"realflops-push/1", r.Delivered, r.Rejected, r.Pending, text})
}
