package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
	"github.com/realflops/realflops/kernels"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func testRun(id string, started time.Time) Run {
	return Run{
		ID: id, Started: started, HostID: "h1", HostName: "node7", Suite: "quick", Version: "1.2.3",
		Host: json.RawMessage(`{"id":"h1","name":"node7"}`),
	}
}

func testResult(i int) bench.Result {
	flop := 1e9 + float64(i)/3
	return bench.Result{
		Time: start.Add(time.Duration(i)), Device: "cpu", DeviceModel: "Some CPU", Kernel: kernels.GEMM, Precision: kernels.FP16FP32,
		Engine: "go-avx2", Shape: kernels.Shape{M: 64, N: 65, K: 66}, Threads: 2, Data: bench.Randn, Level: "l2",
		FlopPerS: &flop, N: i, Seconds: 0.25, Status: bench.OK, Bound: bench.ComputeBound,
		Warnings: []bench.Warning{{Code: "noisy", Text: "the interval is 12% wide"}},
	}
}

func testProfile(run, host string, created time.Time) *calibrate.Profile {
	return &calibrate.Profile{Schema: calibrate.Schema, Run: run, Host: host, Created: created, Devices: []calibrate.Device{{ID: "cpu", Kind: "cpu"}}}
}

func mustOpen(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasKeptIsReadBackAsItWas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "odd name?#%20", "state")
	ctx := t.Context()
	s := mustOpen(t, dir)
	run := testRun("run-1", start)
	must(t, s.Begin(ctx, run))
	want := Stored{Run: run}
	want.Status = Complete
	for i := range 3 {
		r := testResult(i)
		must(t, s.AddResult(ctx, run.ID, r, fmt.Sprintf("line %d", i)))
		want.Results = append(want.Results, r)
	}
	finished := start.Add(time.Minute)
	want.Finished = &finished
	want.Warnings = []bench.Warning{{Code: "preempted", Text: "others ran"}}
	want.Overheads = []bench.Overhead{{Name: "dispatch", Device: "cpu", Threads: 2, Seconds: 1e-6, Lo: 5e-7, Hi: 2e-6}}
	want.Profile = testProfile(run.ID, run.HostID, finished)
	must(t, s.Finish(ctx, run.ID, finished, Complete, want.Warnings, want.Overheads, want.Profile, []string{"run line", "profile line"}))
	must(t, s.Close())

	s = mustOpen(t, dir)
	for _, name := range []string{"run-1", "run", Latest} {
		got, err := s.Load(ctx, name)
		must(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("Load(%q) = %+v\nwant %+v", name, got, want)
		}
	}
	entries, err := s.Pending(ctx, 10)
	must(t, err)
	var lines []string
	for _, e := range entries {
		lines = append(lines, e.RunID+" "+e.Line)
	}
	wantLines := []string{"run-1 line 0", "run-1 line 1", "run-1 line 2", "run-1 run line", "run-1 profile line"}
	if !reflect.DeepEqual(lines, wantLines) {
		t.Errorf("outbox = %q, want %q", lines, wantLines)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o700, s.Path(): 0o600, s.Path() + "-wal": 0o600, s.Path() + "-shm": 0o600} {
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), mode)
		}
	}
}

func TestSettingsThatDurabilityHangsOn(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "30000"} {
		var got string
		must(t, s.db.QueryRow("PRAGMA "+pragma).Scan(&got))
		if got != want {
			t.Errorf("%s = %s, want %s", pragma, got, want)
		}
	}
}

func TestResultAndOutboxEntryAreOneTransaction(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, t.TempDir())
	must(t, s.Begin(ctx, testRun("r", start)))
	_, err := s.db.Exec(`CREATE TRIGGER full BEFORE INSERT ON outbox WHEN NEW.line = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END`)
	must(t, err)
	if err := s.AddResult(ctx, "r", testResult(0), "bad"); err == nil {
		t.Fatal("a result whose entry fails was acknowledged")
	}
	if err := s.Finish(ctx, "r", start, Complete, nil, nil, testProfile("r", "h1", start), []string{"good", "bad"}); err == nil {
		t.Fatal("a run whose entry fails was finished")
	}
	got, err := s.Load(ctx, "r")
	must(t, err)
	pending, _, err := s.Counts(ctx)
	must(t, err)
	if len(got.Results) != 0 || got.Profile != nil || got.Status != Running || pending != 0 {
		t.Errorf("half a transaction was kept: %+v, %d pending", got, pending)
	}
	must(t, s.AddResult(ctx, "r", testResult(1), ""))
	if pending, _, err = s.Counts(ctx); err != nil || pending != 0 {
		t.Errorf("a result without a line made %d entries (%v)", pending, err)
	}
}

func TestAResultOfAnUnknownRunIsRefused(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	if err := s.AddResult(t.Context(), "nobody", testResult(0), "x"); err == nil {
		t.Error("AddResult took a result of a run that was never begun")
	}
	if err := s.Finish(t.Context(), "nobody", start, Complete, nil, nil, nil, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("Finish of a run that was never begun: %v", err)
	}
}

func TestHistoryIsNewestFirst(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, t.TempDir())
	must(t, s.Begin(ctx, testRun("b", start)))
	must(t, s.Begin(ctx, testRun("c", start))) // the same nanosecond: by id
	must(t, s.Begin(ctx, testRun("a", start.Add(time.Second))))
	must(t, s.AddResult(ctx, "c", testResult(0), "x"))
	must(t, s.AddResult(ctx, "c", testResult(1), ""))
	must(t, s.Finish(ctx, "b", start, Complete, nil, nil, nil, nil))
	got, err := s.History(ctx, -1)
	must(t, err)
	want := []Summary{
		{Run: "a", Started: start.Add(time.Second), Host: "node7", Suite: "quick", Status: Running},
		{Run: "c", Started: start, Host: "node7", Suite: "quick", Status: Running, Results: 2, Pending: 1},
		{Run: "b", Started: start, Host: "node7", Suite: "quick", Status: Complete},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("history = %+v\nwant %+v", got, want)
	}
	if got, err = s.History(ctx, 1); err != nil || len(got) != 1 || got[0].Run != "a" {
		t.Errorf("History(1) = %+v, %v", got, err)
	}
	n, err := s.MarkInterrupted(ctx)
	must(t, err)
	got, err = s.History(ctx, -1)
	must(t, err)
	if n != 2 || got[0].Status != Interrupted || got[1].Status != Interrupted || got[2].Status != Complete {
		t.Errorf("after MarkInterrupted (%d): %+v", n, got)
	}
}

func TestLoadNamesWhatItCannotFind(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, t.TempDir())
	if _, err := s.Load(ctx, Latest); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "realflops run") {
		t.Errorf("latest of none: %v", err)
	}
	for i, id := range []string{"0190-aa", "0190-ab", "0190-ab-longer"} {
		must(t, s.Begin(ctx, testRun(id, start.Add(time.Duration(i)))))
	}
	if _, err := s.Load(ctx, Latest); !errors.Is(err, ErrNotFound) {
		t.Errorf("latest while all run: %v", err)
	}
	must(t, s.Finish(ctx, "0190-ab", start, Interrupted, nil, nil, nil, nil))
	for name, want := range map[string]string{Latest: "0190-ab", "0190-aa": "0190-aa", "0190-ab": "0190-ab", "0190-ab-": "0190-ab-longer"} {
		if got, err := s.Load(ctx, name); err != nil || got.ID != want {
			t.Errorf("Load(%q) = %q, %v; want %q", name, got.ID, err, want)
		}
	}
	for _, name := range []string{"", "x", "0190-aa%", "0190_aa", "190"} {
		if _, err := s.Load(ctx, name); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "realflops history") {
			t.Errorf("Load(%q): %v", name, err)
		}
	}
	_, err := s.Load(ctx, "0190")
	if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "0190-aa or 0190-ab") {
		t.Errorf("an ambiguous beginning: %v", err)
	}
}

func TestLatestProfileIsTheNewestOfACompleteRunOfThatHost(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, t.TempDir())
	if _, err := s.LatestProfile(ctx, "h1"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "realflops run") {
		t.Errorf("no profile: %v", err)
	}
	for i, p := range []struct{ id, host, status string }{
		{"old", "h1", Complete}, {"wanted", "h1", Complete}, {"cut", "h1", Interrupted}, {"other", "h2", Complete},
	} {
		at := start.Add(time.Duration(i) * time.Hour)
		must(t, s.Begin(ctx, testRun(p.id, at)))
		must(t, s.Finish(ctx, p.id, at, p.status, nil, nil, testProfile(p.id, p.host, at), nil))
	}
	if p, err := s.LatestProfile(ctx, "h1"); err != nil || p.Run != "wanted" {
		t.Errorf("LatestProfile = %+v, %v", p, err)
	}
}

func TestOutboxMovesAndNeverForgets(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, t.TempDir())
	must(t, s.Begin(ctx, testRun("r", start)))
	for i := range 5 {
		must(t, s.AddResult(ctx, "r", testResult(i), fmt.Sprintf("line %d", i)))
	}
	first, err := s.Pending(ctx, 2)
	must(t, err)
	if len(first) != 2 || first[0].Line != "line 0" || first[1].Line != "line 1" {
		t.Fatalf("Pending(2) = %+v", first)
	}
	must(t, s.Delivered(ctx, []int64{first[0].ID, first[1].ID, 999}))
	must(t, s.Delivered(ctx, nil))
	rest, err := s.Pending(ctx, 10)
	must(t, err)
	must(t, s.Reject(ctx, rest[2].ID, "unable to parse 'line 4'"))
	must(t, s.Reject(ctx, rest[2].ID, "again")) // by a second sender: nothing left to do
	pending, rejected, err := s.Counts(ctx)
	must(t, err)
	if pending != 2 || rejected != 1 {
		t.Errorf("%d pending and %d rejected, want 2 and 1", pending, rejected)
	}
	var line, message string
	must(t, s.db.QueryRow(`SELECT line, message FROM rejected`).Scan(&line, &message))
	if line != "line 4" || message != "unable to parse 'line 4'" {
		t.Errorf("rejected %q with %q", line, message)
	}
	must(t, s.AddResult(ctx, "r", testResult(5), "line 5"))
	all, err := s.Pending(ctx, 10)
	must(t, err)
	if last := all[len(all)-1]; last.Line != "line 5" || last.ID <= rest[2].ID {
		t.Errorf("id %d of %q was used before (up to %d)", last.ID, last.Line, rest[2].ID)
	}
}

func TestACancelledContextIsToldAsSuch(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Begin(ctx, testRun("r", start)); !errors.Is(err, context.Canceled) {
		t.Errorf("Begin: %v", err)
	}
}
