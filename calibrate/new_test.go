package calibrate

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

var update = flag.Bool("update", false, "write the golden files anew")

func result(k kernels.Kernel, p kernels.Precision, s kernels.Shape, threads int, engine, level string, rate float64) bench.Result {
	spec := kernels.Spec{Kernel: k, Precision: p, Shape: s}
	r := bench.Result{
		Device: "host-1", Kernel: k, Precision: p, Shape: s, Threads: threads, Engine: engine, Level: level,
		Status: bench.OK, Warnings: []bench.Warning{},
	}
	three := func(v float64) (*float64, *float64, *float64) {
		lo, hi := v-v/64, v+v/64 // exact in binary
		return &v, &lo, &hi
	}
	r.FlopPerS, r.FlopPerSLo, r.FlopPerSHi = three(rate)
	if e := spec.Elements(); e > 0 {
		r.ElementsPerS, r.ElementsPerSLo, r.ElementsPerSHi = three(rate)
		r.BytesPerS, r.BytesPerSLo, r.BytesPerSHi = three(rate * spec.Bytes() / e)
	}
	return r
}

func runInput() Input {
	failed := result(kernels.GEMM, kernels.FP32FP32, square(2048), 1, "go-avx512", "memory", 999e9)
	failed.Status, failed.Error = bench.Failed, "c[0,0] is 1, want 2"
	n := func(n int) kernels.Shape { return kernels.Shape{N: n} }
	return Input{
		RunID: "run-1", HostID: "host-1", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Devices: []DeviceInfo{{"host-1", "cpu", "AMD EPYC 9354"}, {"GPU-1", "gpu", "NVIDIA H100"}},
		Results: []bench.Result{
			result(kernels.FMA, kernels.FP32FP32, n(768<<10), 2, "go-avx512", "register", 224e9),
			result(kernels.FMA, kernels.FP32FP32, n(768<<10), 1, "go-avx2", "register", 64e9),
			result(kernels.FMA, kernels.FP32FP32, n(768<<10), 1, "go-avx512", "register", 112e9),
			result(kernels.GEMM, kernels.FP32FP32, square(512), 1, "go-avx512", "l3", 104e9),
			result(kernels.GEMM, kernels.FP32FP32, square(512), 1, "go", "l3", 1e9),
			result(kernels.GEMM, kernels.FP32FP32, thin(8), 1, "go-avx2", "memory", 32e9),
			failed,
			result(kernels.Sigmoid, kernels.FP16, n(1<<20), 1, "go-avx512", "memory", 4e9),
			result(kernels.Sigmoid, kernels.FP16, n(1<<12), 1, "go-avx512", "l1", 8e9),
			result(kernels.Triad, kernels.FP64, n(1<<23), 1, "go-avx512", "memory", 2e9),
			result(kernels.Copy, kernels.FP64, n(1<<23), 1, "go-avx512", "memory", 3e9),
			result(kernels.Triad, kernels.FP64, n(1<<10), 1, "go-avx512", "l1", 16e9),
		},
		Overheads: []bench.Overhead{
			{Name: "timer", Device: "host-1", Threads: 1, Seconds: 5e-8, Lo: 4e-8, Hi: 6e-8},
			{Name: "dispatch", Device: "host-1", Threads: 2, Seconds: 2e-7, Lo: 1e-7, Hi: 3e-7},
			{Name: "dispatch", Device: "host-1", Threads: 1, Seconds: 1e-8, Lo: 1e-8, Hi: 1e-8},
		},
	}
}

// TestProfileJSON holds the documented form: testdata/profile.json is the example of
// docs/profile.md.
func TestProfileJSON(t *testing.T) {
	p, err := New(runInput())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Errorf("a profile made of a run fails its own check: %v", err)
	}
	got, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const golden = "testdata/profile.json"
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the profile's JSON is not %s (go test -update writes it):\n%s", golden, got)
	}

	back, err := Read(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.MarshalIndent(back, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append(again, '\n'), got) {
		t.Errorf("read and written again it is\n%s", again)
	}
}

func TestNewTakesTheFastestEngineAndLeavesFailuresOut(t *testing.T) {
	p, err := New(runInput())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Devices) != 1 || p.Devices[0].ID != "host-1" || p.Devices[0].Model != "AMD EPYC 9354" {
		t.Fatalf("devices %+v", p.Devices)
	}
	d := &p.Devices[0]
	for shape := 1; shape <= 8; shape++ { // slower shapes of fma change nothing
		in := runInput()
		in.Results = append(in.Results, result(kernels.FMA, kernels.FP32FP32, kernels.Shape{N: 768 * shape}, 1, "go", "register", 1e9))
		if again, err := New(in); err != nil || again.Devices[0].Limits[0] != d.Limits[0] {
			t.Errorf("with a slower shape the limit is %+v, %v", again.Devices[0].Limits[0], err)
		}
	}
	part := runInput() // what some of the cores reach is not the machine's
	whole := len(part.Results)
	for i := range whole {
		r := part.Results[i]
		r.Placement, r.Threads = "core:atom", 3
		part.Results = append(part.Results, r)
	}
	if again, err := New(part); err != nil || !reflect.DeepEqual(again, p) {
		t.Errorf("results of a part change the profile: %v", err)
	}
	if l, err := d.Limit(kernels.FP32FP32, 1); err != nil || l.Value != 112e9 || l.Engine != "go-avx512" {
		t.Errorf("limit %+v, %v", l, err)
	}
	if l := rate(t, d, 512, 512, 512); !close12(l.Value, 104e9) || l.Engine != "go-avx512" {
		t.Errorf("gemm %+v", l)
	}
	if l := rate(t, d, 8, 4096, 4096); l.Engine != "go-avx2" {
		t.Errorf("gemm engine %q, want that of the only result", l.Engine)
	}
	for _, point := range d.GEMM[0].Points {
		if point.Shape == square(2048) {
			t.Error("a failed result is in the profile")
		}
	}
}

func TestNewRefusesARunWithoutResults(t *testing.T) {
	in := runInput()
	for i := range in.Results {
		in.Results[i].Status = bench.Failed
	}
	if _, err := New(in); err == nil || !strings.Contains(err.Error(), "no result") {
		t.Errorf("all failed: %v", err)
	}
	in = runInput()
	in.Results[3].Device = "elsewhere"
	if _, err := New(in); err == nil || !strings.Contains(err.Error(), `"elsewhere"`) {
		t.Errorf("foreign device: %v", err)
	}
}

// TestProfileKeepsTheDoubtsOfItsResults: a profile of a disturbed run can be told from a clean one.
func TestProfileKeepsTheDoubtsOfItsResults(t *testing.T) {
	in := runInput()
	noisy := bench.Warning{Code: bench.Noisy, Text: "the interval is ±9% of the median"}
	in.Results[0].Warnings = append(in.Results[0].Warnings, noisy, bench.Warning{Code: bench.Preempted, Text: "others"})
	in.Results[3].Warnings = append(in.Results[3].Warnings, noisy)
	in.Results[6].Warnings = append(in.Results[6].Warnings, noisy) // failed, so no part of the profile
	p, err := New(in)
	if err != nil {
		t.Fatal(err)
	}
	want := []bench.Warning{
		{Code: bench.Noisy, Text: "2 of 11 results of the profile, first fma fp32/fp32 786432 on 2 threads: the interval is ±9% of the median"},
		{Code: bench.Preempted, Text: "1 of 11 results of the profile, first fma fp32/fp32 786432 on 2 threads: others"},
	}
	if got := p.Devices[0].Doubts(); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
