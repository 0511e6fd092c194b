package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
)

// The statuses of a run.
const (
	Running     = "running"
	Complete    = "complete"
	Interrupted = "interrupted"
	Failed      = "failed"
)

// Run is one pass of a suite over a host.
type Run struct {
	ID               string // unique; ids that sort by time sort the history of one nanosecond
	Started          time.Time
	Finished         *time.Time // nil while it runs, or if it was killed
	HostID, HostName string
	Suite            string
	Version          string // of realflops
	Status           string
	Warnings         []bench.Warning
	Host             json.RawMessage // the inventory
}

// Begin keeps a run that starts now: its Status becomes running, and Finished and Warnings are left to [Store.Finish].
func (s *Store) Begin(ctx context.Context, r Run) error {
	_, err := s.db.ExecContext(ctx,
		`INSERT INTO run (id, started, host_id, host_name, suite, version, status, host, warnings, overheads)
		 VALUES (?, ?, ?, ?, ?, ?, ?, ?, '[]', '[]')`,
		r.ID, r.Started.UnixNano(), r.HostID, r.HostName, r.Suite, r.Version, Running, string(r.Host))
	return s.explain("keeping run "+r.ID, err)
}

// AddResult keeps a result and its outbox entry, or neither. It returns nil once both
// are on disk. A line of "" makes no entry.
func (s *Store) AddResult(ctx context.Context, runID string, r bench.Result, line string) error {
	document, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("result %s cannot be kept: %w", r.Spec(), err)
	}
	err = s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			`INSERT INTO result (run_id, time, device, kernel, precision, engine, shape, threads, status, document)
			 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			runID, r.Time.UnixNano(), r.Device, string(r.Kernel), string(r.Precision), r.Engine, r.Shape.String(),
			r.Threads, string(r.Status), string(document))
		if err != nil {
			return err
		}
		return enqueue(ctx, tx, runID, line)
	})
	return s.explain(fmt.Sprintf("keeping result %s", r.Spec()), err)
}

// Finish ends a run with its status, warnings, overheads and profile (nil for none),
// and puts lines (of the run and its profile) into the outbox: all or nothing.
func (s *Store) Finish(ctx context.Context, runID string, finished time.Time, status string,
	warnings []bench.Warning, overheads []bench.Overhead, profile *calibrate.Profile, lines []string,
) error {
	warningDocs, err1 := json.Marshal(nonNil(warnings))
	overheadDocs, err2 := json.Marshal(nonNil(overheads))
	profileDoc, err3 := json.Marshal(profile)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("run %s cannot be kept: %w", runID, err)
	}
	err := s.transact(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE run SET finished = ?, status = ?, warnings = ?, overheads = ? WHERE id = ?`,
			finished.UnixNano(), status, string(warningDocs), string(overheadDocs), runID)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, fmt.Errorf("run %w: it was never begun", ErrNotFound))
		}
		if profile != nil {
			_, err = tx.ExecContext(ctx, `INSERT INTO profile (run_id, host_id, created, document) VALUES (?, ?, ?, ?)`,
				runID, profile.Host, profile.Created.UnixNano(), string(profileDoc))
			if err != nil {
				return err
			}
		}
		return enqueue(ctx, tx, runID, lines...)
	})
	return s.explain("finishing run "+runID, err)
}

// MarkInterrupted ends every run that still says it runs, and counts them. It is for a
// caller who knows that none does, because it holds the lock under which runs are made.
func (s *Store) MarkInterrupted(ctx context.Context) (int, error) {
	done, err := s.db.ExecContext(ctx, `UPDATE run SET status = ? WHERE status = ?`, Interrupted, Running)
	if err != nil {
		return 0, s.explain("marking interrupted runs", err)
	}
	n, err := done.RowsAffected()
	return int(n), err
}

// transact runs f in one transaction that waits its turn (BEGIN IMMEDIATE) and is on disk when it returns nil.
func (s *Store) transact(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer rollback(tx)
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// nonNil makes null an empty list in JSON.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
