package schema_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
	"github.com/realflops/realflops/docs/schema"
	"github.com/realflops/realflops/kernels"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func p[T any](v T) *T { return &v }

// document is a run as the program prints it, with every part present.
func document() agent.Document {
	figure := calibrate.Figure{Value: 2, Lo: 1, Hi: 3}
	return agent.Document{
		Schema: agent.Schema,
		Run: agent.Run{
			ID: "019b7d3c-2f00-7000-8000-000000000001", Started: began, Finished: p(began.Add(time.Minute)),
			Suite: "quick", Version: "dev", Status: "complete", Warnings: []bench.Warning{},
		},
		Host: detect.Host{
			ID: "h", Name: "n", OS: "o", Kernel: "6.1", Arch: "amd64", Cloud: p("aws"), MemoryBytes: p(int64(1 << 33)),
			Limits: detect.Limits{CPUs: []int{0, 1}, CPUQuota: p(1.5)},
			Devices: []detect.Device{
				{ID: "h", Kind: "cpu", Model: "EPYC", CPU: &detect.CPU{
					Vendor: "AuthenticAMD", Family: p(25), Packages: 1, Cores: 2, Threads: 2,
					NUMANodes: []detect.NUMA{{CPUs: []int{0, 1}}},
					Caches:    []detect.Cache{{Level: 1, Type: "data", Bytes: 32768, Instances: 2, SharedBy: 1, LineBytes: 64}},
					Features:  []string{"avx2", "fma"},
				}},
				{ID: "g", Kind: "gpu", Model: "GA100", GPU: &detect.GPU{PCI: "0000:3b:00.0", Vendor: "10de", Device: "20b5", Driver: "no driver"}},
			},
		},
		Results: []bench.Result{
			{
				Time: began, Device: "h", DeviceModel: "EPYC", Kernel: kernels.GEMM, Precision: kernels.FP16FP32, Engine: "go-avx512",
				Shape: kernels.Shape{M: 8, N: 16, K: 32}, Threads: 2, Data: bench.Randn, Level: "l2", FlopPerS: p(1e11),
				N: 9, Seconds: 0.5, Checksum: "c", Bound: bench.ComputeBound, Status: bench.OK,
				Warnings: []bench.Warning{bench.Warn(bench.Noisy, "the interval is 5%% wide")},
			},
			{
				Time: began, Device: "h", Kernel: kernels.Copy, Precision: kernels.FP64, Engine: "go-generic",
				Shape: kernels.Shape{N: 1024}, Threads: 1, Placement: "node0-node1", Data: bench.Zeros, Level: "memory",
				Bound: bench.UnknownBound, Status: bench.Failed, Error: "checksum differs", Warnings: []bench.Warning{},
			},
			{
				Time: began, Device: "g", DeviceModel: "GA100", Kernel: kernels.HostToDevice, Precision: kernels.FP64, Engine: "driver",
				Shape: kernels.Shape{N: 1024}, Data: bench.Randn, Level: bench.LevelBus, BytesPerS: p(2e10), Together: 2, OfAlone: p(0.97),
				N: 9, Seconds: 0.5, Checksum: "c", Note: "pinned", Bound: bench.BandwidthBound, Status: bench.OK, Warnings: []bench.Warning{},
			},
		},
		Overheads: []bench.Overhead{{Name: "dispatch", Device: "h", Threads: 2, Seconds: 1e-6, Lo: 1e-6, Hi: 2e-6}, {Name: "dispatch", Device: "g", Seconds: 1e-6, Lo: 1e-6, Hi: 2e-6}},
		Profile: &calibrate.Profile{
			Schema: calibrate.Schema, Run: "r", Host: "h", Created: began,
			Devices: []calibrate.Device{{
				ID: "h", Kind: "cpu", Model: "EPYC",
				Limits: []calibrate.Limit{{Precision: kernels.FP32FP32, Threads: 1, Engine: "go-avx2", FlopPerS: figure}},
				GEMM: []calibrate.GEMMCurve{{Precision: kernels.FP32FP32, Threads: 1, Points: []calibrate.GEMMPoint{
					{Shape: kernels.Shape{M: 8, N: 8, K: 8}, Engine: "go-avx2", FlopPerS: figure},
				}}},
				Elementwise: []calibrate.Curve{{Kernel: kernels.ReLU, Precision: kernels.FP16, Threads: 1, Points: []calibrate.Point{
					{N: 1024, Bytes: 4096, Level: "l1", Engine: "go-avx2", Rate: figure},
				}}},
				Bandwidth: []calibrate.Curve{},
				Warnings:  []bench.Warning{}, Overheads: []calibrate.Overhead{{Name: "timer", Threads: 1, Seconds: calibrate.Figure{}}},
			}},
		},
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// change sets the value at a path such as results/0/n in a document; with remove as the
// value it takes the field away.
func change(t *testing.T, doc []byte, path string, value any) []byte {
	t.Helper()
	var root any
	if err := json.Unmarshal(doc, &root); err != nil {
		t.Fatal(err)
	}
	at := root
	steps := strings.Split(path, "/")
	for _, step := range steps[:len(steps)-1] {
		if list, ok := at.([]any); ok {
			i, err := strconv.Atoi(step)
			if err != nil {
				t.Fatal(err)
			}
			at = list[i]
		} else {
			at = at.(map[string]any)[step]
		}
	}
	last := steps[len(steps)-1]
	if value == remove {
		delete(at.(map[string]any), last)
	} else {
		at.(map[string]any)[last] = value
	}
	return encode(t, root)
}

type removal struct{}

var remove any = removal{}

func TestRunDocumentKeepsTheContract(t *testing.T) {
	doc := document()
	for name, part := range map[string]any{"realflops-1": doc, "realflops-host-1": doc.Host, "realflops-profile-1": doc.Profile} {
		if err := schema.Validate(name, encode(t, part)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	doc.Profile, doc.Run.Finished = nil, nil
	if err := schema.Validate("realflops-1", encode(t, doc)); err != nil {
		t.Errorf("a bench document: %v", err)
	}
}

// fault is a value that does not belong where path says.
type fault struct {
	path  string
	value any
}

func refuse(t *testing.T, name string, doc []byte, faults []fault) {
	t.Helper()
	for _, f := range faults {
		if err := schema.Validate(name, change(t, doc, f.path, f.value)); err == nil {
			t.Errorf("%s: %s = %v: taken", name, f.path, f.value)
		}
	}
}

func TestBrokenRunDocumentsAreRefused(t *testing.T) {
	refuse(t, "realflops-1", encode(t, document()), []fault{
		{"schema", "realflops/2"},
		{"extra", 1},
		{"overheads", nil},
		{"run/id", "42"},
		{"run/started", "yesterday"},
		{"run/status", "done"},
		{"run/warnings", nil},
		{"results", nil},
		{"results/0/flops", 1e11},
		{"results/0/warnings", nil},
		{"results/0/clock_hz", remove},
		{"results/0/clock_hz", 0},
		{"results/0/flop_per_s", nil}, // status ok without a figure
		{"results/0/flop_per_s", 0},
		{"results/0/flop_per_s", "1e11"},
		{"results/0/n", 0},
		{"results/0/n", 1.5},
		{"results/0/error", "none"},
		{"results/0/shape", "1024"},
		{"results/0/shape", "8x0x8"},
		{"results/0/precision", "half"},
		{"results/0/kernel", "matmul"},
		{"results/0/bound", ""},
		{"results/0/throttle_share", 1.5},
		{"results/0/warnings/0/code", "Not Steady"},
		{"results/1/shape", "8x8x8"},
		{"results/1/error", remove}, // failed without a reason
		{"results/2/threads", 0},
		{"results/2/together", 0},
		{"results/2/of_alone", nil},
		{"results/2/level", "pcie"},
		{"results/2/note", ""},
		{"overheads/1/threads", 0},
		{"host/devices/0/cpu", remove},
		{"host/devices/0/cpu/caches", nil},
		{"host/devices/0/cpu/base_hz", 0},
		{"host/devices/0/kind", "gpu"},
		{"host/devices/1/gpu/pci", "3b"},
		{"host/memory_bytes", 0},
		{"host/cloud", ""},
		{"host/limits/cpus", nil},
		{"profile/devices/0/limits/0/flop_per_s/value", 0},
		{"profile/devices/0/gemm/0/points/0/shape", "8"},
		{"profile/devices/0/elementwise/0/points/0/rate/lo", remove},
		{"profile/devices/0/elementwise/0/points/0/rate/p50", 2},
		{"profile/devices/0/bandwidth", nil},
	})
}

func TestValidateSaysWhereADocumentBreaks(t *testing.T) {
	doc := change(t, encode(t, document()), "results/0/bound", "memory")
	if err := schema.Validate("realflops-1", doc); err == nil || !strings.Contains(err.Error(), "/results/0/bound") {
		t.Errorf("err = %v, want one that names /results/0/bound", err)
	}
	if err := schema.Validate("realflops-1", []byte("{}\n{}")); err == nil {
		t.Error("two documents were taken for one")
	}
	if err := schema.Validate("realflops-nothing-1", []byte("{}")); err == nil || !strings.Contains(err.Error(), "realflops-nothing-1") {
		t.Errorf("err = %v, want one that names the schema", err)
	}
}

func TestEveryKernelIsInTheSchema(t *testing.T) {
	for _, d := range kernels.All() {
		for _, precision := range d.Precisions {
			doc := change(t, encode(t, document()), "results/1/kernel", d.Kernel)
			doc = change(t, doc, "results/1/precision", precision)
			shape, err := kernels.ParseShape(d, d.Example())
			if err != nil {
				t.Fatal(err)
			}
			doc = change(t, doc, "results/1/shape", shape.String())
			if err := schema.Validate("realflops-1", doc); err != nil {
				t.Errorf("%s %s: %v", d.Kernel, precision, err)
			}
		}
	}
}
