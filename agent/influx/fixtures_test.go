package influx_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/realflops/realflops/agent/influx"
	"github.com/realflops/realflops/agent/store"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
	"github.com/realflops/realflops/kernels"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ptr(v float64) *float64 { return &v }

// fullResult has every member set but the power, which is unknown.
func fullResult(i int) bench.Result {
	x := float64(i) + 1.0/3
	return bench.Result{
		Time: start.Add(time.Duration(i) * time.Millisecond), Device: "cpu", DeviceModel: "AMD EPYC 9354, 32-Core", Kernel: kernels.GEMM,
		Precision: kernels.FP16FP32, Engine: "go-avx512", Shape: kernels.Shape{M: 64, N: 65, K: 66}, Threads: 2, Data: bench.Randn, Level: "l2",
		FlopPerS: ptr(1e12 + x), FlopPerSLo: ptr(1e12), FlopPerSHi: ptr(1.1e12), FlopPerSBurst: ptr(1.2e12),
		ElementsPerS: ptr(2e9), ElementsPerSLo: ptr(1.9e9), ElementsPerSHi: ptr(2.1e9), ElementsPerSBurst: ptr(2.2e9),
		BytesPerS: ptr(3e9), BytesPerSLo: ptr(2.9e9), BytesPerSHi: ptr(3.1e9), BytesPerSBurst: ptr(3.2e9),
		OfLimit: ptr(0.8), OfDatasheet: ptr(0.7), ClockHz: ptr(3.25e9), TemperatureC: ptr(61.5), ThrottleShare: ptr(0),
		N: i, Seconds: 0.25, PlateauS: ptr(0.1), Checksum: "c0ffee", Bound: bench.ComputeBound, Status: bench.OK,
		Warnings: []bench.Warning{{Code: "noisy", Text: "wide"}, {Code: "preempted", Text: "others"}},
	}
}

func fullProfile() calibrate.Profile {
	f := calibrate.Figure{Value: 2, Lo: 1, Hi: 3}
	return calibrate.Profile{Schema: calibrate.Schema, Run: "run-1", Host: "h1", Created: start, Devices: []calibrate.Device{{
		ID: "cpu", Kind: "cpu", Model: "Some CPU",
		Limits: []calibrate.Limit{{Precision: kernels.FP32FP32, Threads: 1, Engine: "go-avx2", FlopPerS: f}},
		GEMM: []calibrate.GEMMCurve{{Precision: kernels.FP32FP32, Threads: 2, Points: []calibrate.GEMMPoint{
			{Shape: kernels.Shape{M: 1, N: 2, K: 3}, Engine: "go-avx2", FlopPerS: f}, {Shape: kernels.Shape{M: 4, N: 5, K: 6}, Engine: "go-avx2", FlopPerS: f},
		}}},
		Elementwise: []calibrate.Curve{{Kernel: kernels.ReLU, Precision: kernels.FP32, Threads: 1, Points: []calibrate.Point{{N: 1024, Engine: "go-avx2", Rate: f}}}},
		Bandwidth:   []calibrate.Curve{{Kernel: kernels.Triad, Precision: kernels.FP64, Threads: 1, Points: []calibrate.Point{{N: 4096, Engine: "go-avx2", Rate: f}}}},
	}}}
}

func resultLine(t *testing.T, i int) string {
	t.Helper()
	line, err := influx.NewPoints(influx.HostTags{Host: "node7"}, "run-1", "1.0").Result(fullResult(i))
	must(t, err)
	return line
}

// box is a real outbox whose lines a test chooses.
type box struct {
	*store.Store
	dir string
}

func newBox(t *testing.T) box {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), dir)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	must(t, s.Begin(t.Context(), store.Run{ID: "run-1", Started: start, Host: []byte("{}")}))
	return box{s, dir}
}

func (b box) add(t *testing.T, r bench.Result, line string) {
	t.Helper()
	must(t, b.AddResult(t.Context(), "run-1", r, line))
}

// waiting is the outbox's lines.
func (b box) waiting(t *testing.T) (lines []string) {
	t.Helper()
	entries, err := b.Pending(t.Context(), -1)
	must(t, err)
	for _, e := range entries {
		lines = append(lines, e.Line)
	}
	return lines
}

// rejected is the refused lines with the server's message.
func (b box) rejected(t *testing.T) map[string]string {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(b.dir, store.File))
	must(t, err)
	defer func() { must(t, db.Close()) }()
	rows, err := db.Query(`SELECT line, message FROM rejected`)
	must(t, err)
	defer func() { must(t, rows.Close()) }()
	all := map[string]string{}
	for rows.Next() {
		var line, message string
		must(t, rows.Scan(&line, &message))
		all[line] = message
	}
	must(t, rows.Err())
	return all
}
