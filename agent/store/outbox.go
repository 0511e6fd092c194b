package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// Entry is a point that waits for InfluxDB: one line of line protocol, as it was made when its result was kept.
type Entry struct {
	ID    int64 // grows in the order of keeping; never used twice
	RunID string
	Line  string
}

func enqueue(ctx context.Context, tx *sql.Tx, runID string, lines ...string) error {
	for _, line := range lines {
		if line == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO outbox (run_id, line) VALUES (?, ?)`, runID, line); err != nil {
			return err
		}
	}
	return nil
}

// Pending is the oldest entries of the outbox, at most limit.
func (s *Store) Pending(ctx context.Context, limit int) (entries []Entry, err error) {
	entries, err = collect(ctx, s.db, func(rows *sql.Rows) (e Entry, err error) {
		err = rows.Scan(&e.ID, &e.RunID, &e.Line)
		return e, err
	}, `SELECT id, run_id, line FROM outbox ORDER BY id LIMIT ?`, limit)
	return entries, s.explain("reading the outbox", err)
}

// Newest is the entry that was queued last; [ErrNotFound] if the outbox is empty.
func (s *Store) Newest(ctx context.Context) (e Entry, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT id, run_id, line FROM outbox ORDER BY id DESC LIMIT 1`).Scan(&e.ID, &e.RunID, &e.Line)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: the outbox is empty", ErrNotFound)
	}
	return e, s.explain("reading the outbox", err)
}

// Delivered takes entries that the server has accepted out of the outbox. Ids that are gone already do no harm.
func (s *Store) Delivered(ctx context.Context, ids []int64) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, `DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?))`, string(list))
	return s.explain("emptying the outbox", err)
}

// Reject moves an entry that the server refuses to the rejected ones, with the server's message. It is never deleted.
func (s *Store) Reject(ctx context.Context, id int64, message string) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			`INSERT INTO rejected (id, run_id, line, message) SELECT id, run_id, line, ? FROM outbox WHERE id = ?`, message, id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM outbox WHERE id = ?`, id)
		return err
	})
	return s.explain("rejecting an outbox entry", err)
}

// Counts is how many entries wait, and how many were rejected.
func (s *Store) Counts(ctx context.Context) (pending, rejected int, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM rejected)`).Scan(&pending, &rejected)
	return pending, rejected, s.explain("counting the outbox", err)
}

// collect gathers the rows of a query.
func collect[T any](ctx context.Context, db *sql.DB, scan func(*sql.Rows) (T, error), query string, args ...any) (list []T, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, rows.Err()
}
