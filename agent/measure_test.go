package agent

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/agent/store"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// fakeRunner measures nothing and answers at once.
type fakeRunner struct {
	run func(ctx context.Context, c bench.Case) (bench.Result, error)
}

func (f fakeRunner) Run(ctx context.Context, c bench.Case) (bench.Result, error) {
	return f.run(ctx, c)
}

func (fakeRunner) Overheads(context.Context) ([]bench.Overhead, error) {
	return []bench.Overhead{{Name: "dispatch", Device: "cpu", Threads: 1, Seconds: 1e-6, Lo: 1e-6, Hi: 1e-6}}, nil
}

var start = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// answer is a result of c at so many FLOP/s.
func answer(c bench.Case, flopPerS float64) bench.Result {
	return bench.Result{
		Time: start.Add(time.Duration(c.Shape.N)), Device: "cpu", DeviceModel: "test", Kernel: c.Kernel, Precision: c.Precision,
		Engine: "go", Shape: c.Shape, Threads: c.Threads, Data: bench.Randn, Level: "l1", N: 10, Seconds: 1,
		FlopPerS: &flopPerS, FlopPerSLo: &flopPerS, FlopPerSHi: &flopPerS, FlopPerSBurst: &flopPerS,
		Bound: bench.ComputeBound, Status: bench.OK, Warnings: []bench.Warning{},
	}
}

// request asks for four multiplications.
func request(t *testing.T, run func(context.Context, bench.Case) (bench.Result, error)) Request {
	var cases []bench.Case
	for _, n := range []int{64, 128, 256, 512} {
		spec := kernels.Spec{Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Shape: kernels.Shape{M: n, N: n, K: n}}
		cases = append(cases, bench.Case{Spec: spec, Threads: 1, MinS: 1, MaxS: 1})
	}
	s, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return Request{
		Suite: "quick", Version: "test", Cases: cases, Runner: fakeRunner{run}, Calibrate: true, Store: s,
		Host:    &detect.Host{ID: "h", Name: "host", Devices: []detect.Device{{ID: "cpu", Kind: "cpu", Model: "test", CPU: &detect.CPU{}}}},
		Observe: func(Event) {}, Now: func() time.Time { return start },
	}
}

func load(t *testing.T, s *store.Store, id string) Document {
	t.Helper()
	stored, err := s.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := FromStore(stored)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestMeasureTellsOnlyWhatIsOnDisk(t *testing.T) {
	req := request(t, func(_ context.Context, c bench.Case) (bench.Result, error) { return answer(c, 1e9), nil })
	told := 0
	req.Observe = func(e Event) {
		if e.Result == nil {
			return
		}
		told++
		runs, err := req.Store.History(t.Context(), 1)
		if err != nil || len(runs) != 1 || runs[0].Results != told || runs[0].Pending != told {
			t.Errorf("after result %d: history %+v, %v", told, runs, err)
		}
	}
	doc, kept, err := Measure(t.Context(), req)
	if kept != nil || err != nil {
		t.Fatal(kept, err)
	}
	if told != 4 || doc.Run.Status != store.Complete || doc.Profile == nil {
		t.Errorf("%d told, status %q, profile %v", told, doc.Run.Status, doc.Profile)
	}
	again := load(t, req.Store, doc.Run.ID)
	if len(again.Results) != 4 || again.Profile == nil || again.Host.Name != "host" || len(again.Overheads) != 1 {
		t.Errorf("what is kept is not what was measured: %+v", again)
	}
}

func TestInterruptedMeasureKeepsWhatThereIs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	req := request(t, func(ctx context.Context, c bench.Case) (bench.Result, error) {
		if c.Shape.N == 128 { // in the middle of the second case, with some samples taken
			cancel()
			return answer(c, 2e9), ctx.Err()
		}
		return answer(c, 1e9), nil
	})
	doc, kept, err := Measure(ctx, req)
	if !errors.Is(err, context.Canceled) || kept != nil {
		t.Fatalf("err %v, kept %v", err, kept)
	}
	if doc.Run.Status != store.Interrupted || doc.Profile != nil {
		t.Errorf("status %q, profile %v", doc.Run.Status, doc.Profile)
	}
	if again := load(t, req.Store, doc.Run.ID); len(again.Results) != 2 || again.Run.Status != store.Interrupted {
		t.Errorf("%d results are kept, status %q", len(again.Results), again.Run.Status)
	}
}

func TestOneResultThatCannotBeKeptCostsNoOther(t *testing.T) {
	req := request(t, func(_ context.Context, c bench.Case) (bench.Result, error) {
		if c.Shape.N == 128 {
			return answer(c, math.NaN()), nil
		}
		return answer(c, 1e9), nil
	})
	doc, kept, err := Measure(t.Context(), req)
	if err != nil || kept == nil {
		t.Fatalf("err %v, kept %v: want the reason why one is not kept", err, kept)
	}
	if again := load(t, req.Store, doc.Run.ID); len(doc.Results) != 4 || len(again.Results) != 3 {
		t.Errorf("%d measured, %d kept; want 4 and 3", len(doc.Results), len(again.Results))
	}
}

func TestResultsThatCouldNotBeKeptAtOnceAreKeptAtTheEnd(t *testing.T) {
	req := request(t, nil)
	database, err := sql.Open("sqlite", req.Store.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = database.Close() }()
	exec := func(statement string) {
		t.Helper()
		if _, err := database.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	req.Runner = fakeRunner{func(_ context.Context, c bench.Case) (bench.Result, error) {
		switch c.Shape.N {
		case 128: // from here on writes fail
			exec("CREATE TRIGGER refuse BEFORE INSERT ON result BEGIN SELECT RAISE(ABORT, 'not now'); END")
		case 512: // and now they would not, but until the end nothing is tried
			exec("DROP TRIGGER refuse")
		}
		return answer(c, 1e9), nil
	}}
	doc, kept, err := Measure(t.Context(), req)
	if err != nil || kept != nil {
		t.Fatalf("err %v, kept %v", err, kept)
	}
	again := load(t, req.Store, doc.Run.ID)
	if len(again.Results) != 4 || again.Run.Status != store.Complete || again.Profile == nil {
		t.Errorf("%d results are kept, status %q", len(again.Results), again.Run.Status)
	}
	for i, r := range again.Results {
		if r.Shape != doc.Results[i].Shape {
			t.Errorf("result %d is %s, want %s", i, r.Shape, doc.Results[i].Shape)
		}
	}
}

func TestMeasureWithoutStoreMeasuresAllTheSame(t *testing.T) {
	req := request(t, func(_ context.Context, c bench.Case) (bench.Result, error) { return answer(c, 1e9), nil })
	broken := req.Store
	if err := broken.Close(); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*store.Store{"none": nil, "broken": broken} {
		req.Store = s
		doc, kept, err := Measure(t.Context(), req)
		if err != nil || len(doc.Results) != 4 || doc.Profile == nil {
			t.Errorf("%s: %d results, profile %v, %v", name, len(doc.Results), doc.Profile, err)
		}
		if (kept != nil) != (s != nil) {
			t.Errorf("%s: kept %v", name, kept)
		}
	}
}

func TestRunOfFailuresAloneIsFailed(t *testing.T) {
	req := request(t, func(_ context.Context, c bench.Case) (bench.Result, error) {
		r := answer(c, 1)
		r.FlopPerS, r.FlopPerSLo, r.FlopPerSHi, r.FlopPerSBurst = nil, nil, nil, nil
		r.Status, r.Error = bench.Failed, "wrong"
		return r, nil
	})
	doc, kept, err := Measure(t.Context(), req)
	if err != nil || kept != nil || doc.Run.Status != store.Failed || doc.Profile != nil {
		t.Errorf("status %q, profile %v, kept %v, err %v", doc.Run.Status, doc.Profile, kept, err)
	}
	if again := load(t, req.Store, doc.Run.ID); len(again.Results) != 4 {
		t.Errorf("%d failed results are kept, want 4", len(again.Results))
	}
}

func TestLockIsTakenOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	unlock, err := Lock(t.Context(), dir, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(t.Context(), dir, 0, nil); !errors.Is(err, ErrBusy) {
		t.Errorf("a second lock: %v, want ErrBusy", err)
	}
	// One that waits gets it as soon as the first is done.
	waits := make(chan struct{})
	got := make(chan error, 1)
	go func() {
		second, err := Lock(t.Context(), dir, time.Hour, func() { close(waits) })
		if err == nil {
			second()
		}
		got <- err
	}()
	select {
	case <-waits:
	case err := <-got:
		t.Fatalf("a third lock did not wait: %v", err)
	}
	unlock()
	if err := <-got; err != nil {
		t.Errorf("the one that waited: %v", err)
	}
	// One that is told to stop waits no longer.
	unlock, err = Lock(t.Context(), dir, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Lock(ctx, dir, time.Hour, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("a lock whose context ended: %v", err)
	}
}
