package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/agent/store"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
	"github.com/realflops/realflops/kernels"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestFiguresHaveThreeDigitsAndAUnit(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{si(0, "B"), "0 B"},
		{si(999.4, "B"), "999 B"},
		{si(999.6, "B"), "1.00 kB"},
		{si(999.96e9, "FLOP/s"), "1.00 TFLOP/s"},
		{si(104.4e9, "FLOP/s"), "104 GFLOP/s"},
		{si(9.996e9, "FLOP/s"), "10.0 GFLOP/s"},
		{si(-2.5e6, "B"), "-2.50 MB"},
		{siOr(nil, "Hz"), "n/a"},
		{binary(1023), "1023 B"},
		{binary(32 << 10), "32.0 KiB"},
		{binary(1.5 * (1 << 40)), "1.50 TiB"},
		{binary(3 << 50), "3.00 PiB"},
		{seconds(0), "0 s"},
		{seconds(41.5), "41.5 s"},
		{seconds(119.9), "120 s"},
		{seconds(125), "2 min 05 s"},
		{seconds(3 * 3600), "3 h 00 min"},
		{seconds(0.0132), "13.2 ms"},
		{seconds(4.66e-8), "46.6 ns"},
		{seconds(3 * 86400), "3.00 days"},
		{seconds(2 * 365.25 * 86400), "2.00 years"},
		{grouped(124439808), "124,439,808"},
		{grouped(-1000), "-1,000"},
		{grouped(999), "999"},
		{plusMinus(100, 99, 104), "±2.5%"},
		{plural(1, "result"), "1 result"},
		{plural(2, "result"), "2 results"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestIdleIsAFifthAtMost(t *testing.T) {
	if text := busyText(0.2); text != "" {
		t.Errorf("a fifth in use: %q", text)
	}
	if text := busyText(0.43); !strings.Contains(text, "busy (43% of its CPU time") {
		t.Errorf("43%% in use: %q", text)
	}
}

func TestTableAlignsRunes(t *testing.T) {
	table := newTable("name", ">rate", "note")
	table.add("relu", "27.4 Gelem/s", "")
	table.add("QKᵀ", "±0.2%", "x")
	var out bytes.Buffer
	if err := table.write(&out, palette{}); err != nil {
		t.Fatal(err)
	}
	const want = "" +
		"name          rate  note\n" +
		"relu  27.4 Gelem/s\n" +
		"QKᵀ          ±0.2%  x\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestNotesWrapAndSayNothingTwice(t *testing.T) {
	var c conventions
	c.add("forward", "2 a multiply-add; causal")
	c.add("backward", "2 a multiply-add; causal; gradients: "+strings.Repeat("word ", 30))
	var out bytes.Buffer
	if err := c.write(&out, palette{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[1], "backward  as forward; gradients: word") || !strings.HasPrefix(lines[2], "          word") {
		t.Errorf("got\n%s", out.String())
	}
	for _, l := range lines {
		if len(l) > textWidth {
			t.Errorf("%d columns in %q", len(l), l)
		}
	}
}

// sample is a run with every kind of row: bound by each, failed, warned.
func sample() agent.Document {
	started := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	finished := started.Add(41 * time.Second)
	result := func(k kernels.Kernel, p kernels.Precision, s kernels.Shape, level string, threads int, rate float64, bound bench.Bound) bench.Result {
		lo, hi := rate*.99, rate*1.01
		r := bench.Result{
			Time: started, Device: "cpu", DeviceModel: "Example 9000", Kernel: k, Precision: p, Engine: "go-avx512", Shape: s,
			Threads: threads, Data: bench.Randn, Level: level, N: 100, Seconds: 1, Bound: bound, Status: bench.OK, Warnings: []bench.Warning{},
		}
		switch unit := r.Spec().Elements(); {
		case unit == 0:
			r.FlopPerS, r.FlopPerSLo, r.FlopPerSHi = &rate, &lo, &hi
		case k == kernels.Copy || k == kernels.Triad:
			r.BytesPerS, r.BytesPerSLo, r.BytesPerSHi = &rate, &lo, &hi
		default:
			r.ElementsPerS, r.ElementsPerSLo, r.ElementsPerSHi = &rate, &lo, &hi
		}
		return r
	}
	square := kernels.Shape{M: 1024, N: 1024, K: 1024}
	var results []bench.Result
	for threads := 1; threads <= 2; threads++ {
		f := float64(threads)
		share := 0.93
		gemm := result(kernels.GEMM, kernels.FP32FP32, square, "l3", threads, f*102e9, bench.ComputeBound)
		gemm.OfLimit = &share
		results = append(results,
			result(kernels.FMA, kernels.FP32FP32, kernels.Shape{N: kernels.FMAQuantum}, "register", threads, f*110e9, bench.ComputeBound),
			result(kernels.Triad, kernels.FP64, kernels.Shape{N: 1 << 23}, "memory", threads, f*20e9, bench.BandwidthBound), gemm)
		inCache, inMemory := kernels.Shape{N: 2048}, kernels.Shape{N: 1 << 24}
		results = append(results,
			result(kernels.ReLU, kernels.FP32, inCache, "l1", threads, f*27e9, bench.BandwidthBound),
			result(kernels.ReLU, kernels.FP32, inMemory, "memory", threads, f*3e9, bench.BandwidthBound),
			result(kernels.Sigmoid, kernels.FP32, inCache, "l1", threads, f*3e9, bench.ComputeBound),
			result(kernels.Sigmoid, kernels.FP32, inMemory, "memory", threads, f*3e9, bench.BandwidthBound))
	}
	noisy := &results[2]
	noisy.Warnings = append(noisy.Warnings, bench.Warn(bench.Noisy, "the interval is ±4.0%% of the median"))
	wrong := result(kernels.GEMM, kernels.FP16FP32, square, "l3", 1, 0, bench.UnknownBound)
	wrong.FlopPerS, wrong.Status, wrong.Error = nil, bench.Failed, "element 3,4 of C is 7, want 8"
	return agent.Document{
		Schema: agent.Schema, Results: append(results, wrong),
		Run: agent.Run{ID: "0193", Started: started, Finished: &finished, Suite: "quick", Status: store.Complete},
	}
}

func TestWorstOfARunIsItsExitCode(t *testing.T) {
	ok, wrong, none := sample(), sample(), sample()
	last := len(wrong.Results) - 1
	wrong.Results[last].Warnings = []bench.Warning{{Code: bench.WrongResult, Text: "x"}}
	none.Run.Status = store.Failed
	kept, print, push := errors.New("kept"), errors.New("print"), withCode(exitUndelivered, "push")
	for _, c := range []struct {
		name             string
		doc              agent.Document
		kept, show, push error
		want             int
	}{
		{"fine", ok, nil, nil, nil, exitOK},
		{"not delivered", ok, nil, nil, push, exitUndelivered},
		{"not printed", ok, nil, print, push, exitFailed},
		{"nothing measured", none, nil, nil, nil, exitNothing},
		{"not kept", ok, kept, nil, nil, exitFailed},
		{"a faulty device before all", wrong, kept, print, push, exitFaulty},
	} {
		code := exitOK
		var coded *codedError
		if err := verdict(c.doc, "", c.kept, c.show, c.push); errors.As(err, &coded) {
			code = coded.code
		} else if err != nil {
			code = exitFailed
		}
		if code != c.want {
			t.Errorf("%s: exit code %d, want %d", c.name, code, c.want)
		}
	}
}

func TestReportReads(t *testing.T) {
	doc := sample()
	profile, err := calibrate.New(calibrate.Input{
		RunID: doc.Run.ID, HostID: "h", Created: *doc.Run.Finished, Results: doc.Results,
		Devices:   []calibrate.DeviceInfo{{ID: "cpu", Kind: "cpu", Model: "Example 9000"}},
		Overheads: []bench.Overhead{{Name: "dispatch", Device: "cpu", Threads: 2, Seconds: 1e-7, Lo: 1e-7, Hi: 1e-7}},
	})
	if err != nil {
		t.Fatal(err)
	}
	doc.Profile = &profile
	var out bytes.Buffer
	a := &app{stdout: &out, getenv: func(string) string { return "" }}
	if err := a.printReport(doc); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "report.golden")
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("the report is not that of %s (go test -update writes it):\n%s", golden, out.String())
	}
}
