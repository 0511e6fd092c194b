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

// Latest is the name by which [Store.Load] finds the newest run that has ended.
const Latest = "latest"

// Summary is a run's line in the history, and its JSON form in `history --json`.
type Summary struct {
	Run     string    `json:"run"` // id
	Started time.Time `json:"started"`
	Host    string    `json:"host"` // name
	Suite   string    `json:"suite"`
	Status  string    `json:"status"`
	Results int       `json:"results"` // kept
	Pending int       `json:"pending"` // points not yet delivered
}

// Stored is a run with all that was kept of it.
type Stored struct {
	Run
	Results   []bench.Result
	Overheads []bench.Overhead
	Profile   *calibrate.Profile // nil if it has none
}

// History lists the newest runs, at most limit (negative: all of them).
func (s *Store) History(ctx context.Context, limit int) ([]Summary, error) {
	list, err := collect(ctx, s.db, func(rows *sql.Rows) (h Summary, err error) {
		var started int64
		err = rows.Scan(&h.Run, &started, &h.Host, &h.Suite, &h.Status, &h.Results, &h.Pending)
		h.Started = time.Unix(0, started).UTC()
		return h, err
	}, `SELECT id, started, host_name, suite, status,
	           (SELECT count(*) FROM result WHERE run_id = run.id),
	           (SELECT count(*) FROM outbox WHERE run_id = run.id)
	    FROM run ORDER BY started DESC, id DESC LIMIT ?`, limit)
	return list, s.explain("reading the history", err)
}

// Load finds a run by its id, by a beginning of its id that fits no other, or as
// [Latest]. The error is [ErrNotFound] where there is none.
func (s *Store) Load(ctx context.Context, name string) (Stored, error) {
	id, err := s.find(ctx, name)
	if err != nil {
		return Stored{}, err
	}
	run, err := s.load(ctx, id)
	return run, s.explain("reading run "+id, err)
}

func (s *Store) find(ctx context.Context, name string) (string, error) {
	query, args := `SELECT id FROM run WHERE substr(id, 1, length(?1)) = ?1 AND ?1 <> '' ORDER BY id = ?1 DESC, id LIMIT 2`, []any{name}
	if name == Latest {
		query, args = `SELECT id FROM run WHERE status <> ? ORDER BY started DESC, id DESC LIMIT 1`, []any{Running}
	}
	ids, err := collect(ctx, s.db, func(rows *sql.Rows) (id string, err error) {
		err = rows.Scan(&id)
		return id, err
	}, query, args...)
	switch {
	case err != nil:
		return "", s.explain("looking for run "+name, err)
	case len(ids) == 0 && name == Latest:
		return "", fmt.Errorf("run %w: none has ended yet in %s; `realflops run` makes one", ErrNotFound, s.path)
	case len(ids) == 0:
		return "", fmt.Errorf("run %q %w in %s; `realflops history` lists what there is", name, ErrNotFound, s.path)
	case len(ids) > 1 && ids[0] != name:
		return "", fmt.Errorf("run %q could be %s or %s: give more of its id", name, ids[0], ids[1])
	}
	return ids[0], nil
}

func (s *Store) load(ctx context.Context, id string) (r Stored, err error) {
	r.ID = id
	var started int64
	var finished sql.NullInt64
	var warnings, overheads, host, profile []byte
	err = s.db.QueryRowContext(ctx,
		`SELECT started, finished, host_id, host_name, suite, version, status, host, warnings, overheads,
		        (SELECT document FROM profile WHERE run_id = run.id)
		 FROM run WHERE id = ?`, id).
		Scan(&started, &finished, &r.HostID, &r.HostName, &r.Suite, &r.Version, &r.Status, &host, &warnings, &overheads, &profile)
	if err != nil {
		return r, err
	}
	r.Host = host
	r.Started = time.Unix(0, started).UTC()
	if finished.Valid {
		t := time.Unix(0, finished.Int64).UTC()
		r.Finished = &t
	}
	if profile != nil {
		r.Profile = new(calibrate.Profile)
		err = json.Unmarshal(profile, r.Profile)
	}
	err = errors.Join(err, json.Unmarshal(warnings, &r.Warnings), json.Unmarshal(overheads, &r.Overheads))
	if err != nil {
		return r, err
	}
	r.Results, err = collect(ctx, s.db, func(rows *sql.Rows) (result bench.Result, err error) {
		var document []byte
		if err := rows.Scan(&document); err != nil {
			return result, err
		}
		err = json.Unmarshal(document, &result)
		return result, err
	}, `SELECT document FROM result WHERE run_id = ? ORDER BY id`, id)
	r.Results = nonNil(r.Results)
	return r, err
}

// LatestProfile is the newest profile of a host's complete runs; [ErrNotFound] if there is none.
func (s *Store) LatestProfile(ctx context.Context, hostID string) (p calibrate.Profile, err error) {
	var document []byte
	err = s.db.QueryRowContext(ctx,
		`SELECT profile.document FROM profile JOIN run ON run.id = profile.run_id
		 WHERE profile.host_id = ? AND run.status = ? ORDER BY profile.created DESC, run.id DESC LIMIT 1`,
		hostID, Complete).Scan(&document)
	if errors.Is(err, sql.ErrNoRows) {
		return p, fmt.Errorf("a profile of this host was %w in %s; `realflops run` makes one", ErrNotFound, s.path)
	}
	if err == nil {
		err = json.Unmarshal(document, &p)
	}
	return p, s.explain("reading the profile", err)
}
