package main

import (
	"context"
	"fmt"

	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/agent/store"
	kcpu "github.com/realflops/realflops/kernels/cpu"
)

// withStore opens the store for one verb and closes it after.
func (a *app) withStore(ctx context.Context, use func(*store.Store) error) error {
	s, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	return use(s)
}

func (a *app) openStore(ctx context.Context) (*store.Store, error) {
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	a.tellSetAside(s)
	return s, nil
}

// openStoreForRun opens the store and marks as interrupted what an earlier process left
// running, which is certain because this one holds the run lock. Where the state folder
// cannot be used, the reason comes back with a nil store.
func (a *app) openStoreForRun(ctx context.Context, lockErr error) (*store.Store, error) {
	if lockErr != nil {
		return nil, lockErr
	}
	s, err := a.openStore(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.MarkInterrupted(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (a *app) tellSetAside(s *store.Store) {
	if name := s.SetAside(); name != "" {
		fmt.Fprintf(a.stderr, "%s the database was damaged: it was set aside as %s and a new one begun\n", a.errPaint().yellow("warning:"), name)
	}
}

// ownChecks are doctor's findings on what this program itself needs.
func (a *app) ownChecks(ctx context.Context, host *detect.Host) []detect.Check {
	checks := append(withheldChecks(kcpu.WithheldFeatures()), a.gpuChecks(ctx, host)...)
	s, err := a.openStore(ctx)
	if err != nil {
		checks = append(checks, detect.Check{Name: "store", Status: detect.Fail, Text: err.Error()})
	} else {
		defer func() { _ = s.Close() }()
		pending, rejected, err := s.Counts(ctx)
		text := fmt.Sprintf("%s: %s to deliver, %d rejected", s.Path(), plural(pending, "point"), rejected)
		status := detect.OK
		if err != nil {
			status, text = detect.Fail, err.Error()
		}
		checks = append(checks, detect.Check{Name: "store", Status: status, Text: text})
	}
	if a.settings.Influx.Host == "" {
		return append(checks, detect.Check{Name: "influxdb", Status: detect.OK, Text: "not configured: results stay in the outbox until INFLUX_HOST is set and `realflops push` runs"})
	}
	if _, err := a.influxConfig(); err != nil {
		return append(checks, detect.Check{Name: "influxdb", Status: detect.Fail, Text: err.Error()})
	}
	return append(checks, detect.Check{Name: "influxdb", Status: detect.OK, Text: "configured: `realflops push` delivers the outbox"})
}
