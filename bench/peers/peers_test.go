package main

import (
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/kernels"
)

// TestEveryJobIsOne: of kernels, precisions and peers that there are, and each is judged or at least told once.
func TestEveryJobIsOne(t *testing.T) {
	jobs, err := choice{threads: []int{1, 2}}.jobs(families)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, j := range jobs {
		d, err := kernels.Lookup(string(j.Kernel))
		if err != nil || !slices.Contains(d.Precisions, j.Precision) {
			t.Errorf("%s: %v, the precisions are %v", j, err, d.Precisions)
		}
		if err := j.Check(); err != nil {
			t.Errorf("%s: %v", j, err)
		}
		var names []string
		for _, r := range j.Rivals {
			names = append(names, r.name(j.spec))
			if r.Peer != self && !slices.ContainsFunc(peers, func(p peer) bool { return p.name == r.Peer }) {
				t.Errorf("%s: no peer is called %q", j, r.Peer)
			}
			if d, _ := kernels.Lookup(string(r.spec(j.spec).Kernel)); !slices.Contains(d.Precisions, r.spec(j.spec).Precision) {
				t.Errorf("%s: %s has no %s", j, r.name(j.spec), r.spec(j.spec).Precision)
			}
		}
		key := j.String() + j.Engine + strings.Join(names, ",")
		if seen[key] {
			t.Errorf("%s against %v is twice in the table", j, names)
		}
		seen[key] = true
		if small := j.Kernel == kernels.Linear && j.Shape.M < manyRows; small != (j.Sets > 1) {
			t.Errorf("%s: %d sets", j, j.Sets)
		}
		if bytes := float64(j.Sets) * j.Precision.WeightBytes() * float64(j.Shape.N*j.Shape.K); j.Sets > 1 && j.Sets < 64 && bytes < float64(fromMemory()) {
			t.Errorf("%s: the sets take %v bytes, less than %v", j, bytes, fromMemory())
		}
		if j.Beside && j.Threads == 1 {
			t.Errorf("%s beside a busy process", j)
		}
	}
}

func TestChoiceKeepsWhatIsAskedFor(t *testing.T) {
	jobs, err := choice{kernels: []string{"linear"}, precisions: []string{"fp32/fp32"}, peers: []string{"llama.cpp"}, rows: []int{1, 8}, sizes: []int{4096}, threads: []int{1}}.jobs(families)
	if err != nil || len(jobs) != 2 {
		t.Fatalf("%d jobs, error %v", len(jobs), err)
	}
	for i, m := range []int{1, 8} {
		if j := jobs[i]; j.Shape.M != m || len(j.Rivals) != 1 || j.Rivals[0].Peer != "llama.cpp" || j.Sets < 2 {
			t.Errorf("job %d is %+v", i, j)
		}
	}
	if quick, err := (choice{quick: true, threads: []int{1}}).jobs(families); err != nil || len(quick) > len(families)*3 {
		t.Errorf("%d quick jobs, error %v", len(quick), err)
	}
}

func TestBadFlagsAreRefused(t *testing.T) {
	for args, want := range map[string]string{
		"--rounds=0": "--rounds is 0", "--n=x": "invalid argument", "--n=0": "--n is 0", "--m=-1": "--m is -1", "--threads=-1": "--threads is -1",
		"--threads=": "invalid argument", "--slope=512": "--slope has the size 512 alone", "--slope=0,1": "--slope is 0",
		"--kernel=gem": `"gem"`, "--precision=fp33": `"fp33"`, "--peer=OpenBLASS": `"OpenBLASS"`, "go": `the argument "go" is none`,
		"--kernel=chase": "no comparison is of all that was chosen",
	} {
		var out strings.Builder
		if err := run([]string{args}, &out, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q", args, err, want)
		}
	}
}

// TestOneRunFromFlagsToTables, with fakes that come to another result than ours, or to none.
func TestOneRunFromFlagsToTables(t *testing.T) {
	args := []string{"--kernel=copy", "--threads=2", "--seconds=0", "--rounds=1", "--engine=go", "--slope=16,32"}
	t.Run("no servers", func(t *testing.T) {
		var out strings.Builder
		md := filepath.Join(t.TempDir(), "peers.md")
		if err := run(append(args, "--json", "--out="+md, "--servers="+t.TempDir()), &out, io.Discard); err != nil {
			t.Fatal(err)
		}
		var r report
		if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
			t.Fatal(err)
		}
		if r.Schema != "realflops-peers/2" || len(r.Rows) != 0 || len(r.Skipped) == 0 || r.Skipped[0].Failed || !strings.Contains(r.Skipped[0].Why, "scripts/peers.sh installs it") {
			t.Errorf("the report is %+v", r)
		}
		if len(r.Slopes) != 1 || !slices.Equal(r.Slopes[0].Sizes, []int{16, 32}) || r.Slopes[0].Threads != 2 || r.Slopes[0].Slope == 0 {
			t.Errorf("the slopes are %+v", r.Slopes)
		}
		if text, err := os.ReadFile(md); err != nil || !strings.Contains(string(text), "## Not compared") {
			t.Errorf("the document is %q, error %v", text, err)
		}
	})
	t.Run("wrong results", func(t *testing.T) {
		var out strings.Builder
		err := run(append(args, "--servers="+fakeServers(t, "honest")), &out, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "STREAM: the results differ") || !strings.Contains(out.String(), "FAILED: the results differ") {
			t.Errorf("error is %v; it printed %s", err, out.String())
		}
	})
}

func TestABrokenServerIsStartedAnew(t *testing.T) {
	a := newArena(1, fakeServers(t, "dies"), unhurried(1))
	first, err := a.server("MKL")
	if err != nil {
		t.Fatal(err)
	}
	if same, err := a.server("MKL"); same != first || err != nil {
		t.Errorf("a running server is not kept: %v", err)
	}
	if _, err := first.burst(anySpec, 1, 1); err == nil {
		t.Error("a server that died answered")
	}
	second, err := a.server("MKL")
	if err != nil || second == first {
		t.Errorf("a server that died is not replaced: %v", err)
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
}

// exampleRow is what tables are tested with.
var exampleRow = row{
	Kernel: "gemm", Precision: "fp32/fp32", Shape: "1024x1024x1024", Threads: 2, Sets: 1, Who: self, Engine: "go-x", Peer: "OpenBLAS", Unit: "FLOP/s",
	versus:  versus{Ours: 2e11, Theirs: 1.6e11, Ratio: 1.25, Paired: 1.26, Lo: 1.2, Hi: 1.3, Rounds: 9, Noisy: true},
	OfLimit: &versus{Paired: 0.95}, Limit: "fma fp32/fp32 go-x", conditions: conditions{Preempted: true},
}

func TestReportShapes(t *testing.T) {
	clock := 3.5e9
	second := exampleRow
	second.Noisy, second.Preempted, second.OfLimit, second.Limit, second.ClockHz, second.Who = false, false, nil, "", &clock, "OpenBLAS beside a busy process"
	r := report{
		Schema: "realflops-peers/2", Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), CPU: "A CPU", OS: "linux/amd64", Go: "go1", Peers: map[string]string{"OpenBLAS": "OpenBLAS 1"},
		Rows: []row{exampleRow, second}, Slopes: []slope{{[]int{512, 1024}, 2, 3.01, 2.99, 3.02, 3}},
		Skipped:  []skip{{"gemm x", "no such engine", false}, {"gemm y", "it broke", true}},
		Outcomes: []outcome{{Goal: "fast", Least: 1, Value: 0.9, Rows: 2, Worst: "that one", Verdict: "missed"}},
	}
	for name, c := range map[string]struct {
		write func(io.Writer) error
		want  []string
	}{
		"text": {r.text, []string{
			"2026-01-02", "CPU: A CPU, linux/amd64", "OpenBLAS: OpenBLAS 1",
			"fp32/fp32  1024x1024x1024  2        go-x                            OpenBLAS  200   160     GFLOP/s  1.250  1.260         1.200-1.300 noisy preempted  0.950     fma fp32/fp32 go-x  -     9",
		}},
		"markdown": {r.markdown, []string{
			"## gemm: C = A·B, dense, row-major", "| precision | shape |", "|---|---|",
			"| fp32/fp32 | 1024x1024x1024 | 2 | go-x | OpenBLAS | 200 | 160 | GFLOP/s | 1.250 | 1.260 | 1.200-1.300 noisy preempted | 0.950 | fma fp32/fp32 go-x | - | 9 |",
			"| OpenBLAS beside a busy process | OpenBLAS | 200 | 160 | GFLOP/s | 1.250 | 1.260 | 1.200-1.300 | - | - | 3.50 | 9 |",
			"| fast | 1.000 | 0.900 | 2 | missed | that one |", "| 512 1024 | 2 | 3.010 | 2.990-3.020 | 3 |", "| gemm y | FAILED: it broke |",
		}},
		"json": {r.json, []string{`"schema": "realflops-peers/2"`, `"ours_per_s": 200000000000`, `"paired_ratio_lo": 1.2`, `"peer": "OpenBLAS"`, `"clock_hz": 3500000000`, `"verdict": "missed"`}},
	} {
		var b strings.Builder
		if err := c.write(&b); err != nil {
			t.Fatal(err)
		}
		for _, w := range c.want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("%s lacks %q:\n%s", name, w, b.String())
			}
		}
	}
}

func TestGoalsAreJudgedByTheirRows(t *testing.T) {
	at := func(shape string, threads int, paired, ofLimit float64) row {
		r := exampleRow
		r.Shape, r.Threads, r.versus = shape, threads, versus{Paired: paired}
		r.OfLimit = &versus{Paired: ofLimit}
		return r
	}
	nt := at("16777216", 2, 1.4, 1)
	nt.Kernel, nt.Precision, nt.Engine, nt.Peer = "triad", "fp64", "go-avx512-nt", "STREAM"
	got := map[string]outcome{}
	for _, o := range judge([]row{at("512x512x512", 1, 0.9, 0.95), at("1024x1024x1024", 1, 1.2, 0.9), at("512x512x512", 2, 1, 1), nt}) {
		got[o.Goal] = o
	}
	for goal, want := range map[string]outcome{
		"fp32 GEMM over OpenBLAS, geometric mean, 1 thread":       {Least: 1, Value: 1.0392304845413265, Rows: 2, Verdict: "met"},
		"fp32 GEMM over OpenBLAS, geometric mean, 2 threads":      {Least: 1.02, Value: 1, Rows: 1, Verdict: "missed"},
		"fp32 GEMM over OpenBLAS, each size":                      {Least: 0.98, Value: 0.9, Rows: 3, Verdict: "missed", Worst: "gemm fp32/fp32 512x512x512 go-x, 1 threads, OpenBLAS"},
		"fp32 GEMM of the issue limit, 1 thread":                  {Least: 0.91, Value: 0.9, Rows: 2, Verdict: "missed", Worst: "gemm fp32/fp32 1024x1024x1024 go-x, 1 threads, OpenBLAS"},
		"triad with non-temporal stores over STREAM, all threads": {Least: 1.3, Value: 1.4, Rows: 1, Verdict: "met", Worst: "triad fp64 16777216 go-avx512-nt, 2 threads, STREAM"},
	} {
		want.Goal = goal
		if math.Abs(got[goal].Value-want.Value) < 1e-12 {
			want.Value = got[goal].Value
		}
		if got[goal] != want {
			t.Errorf("%s: %+v, want %+v", goal, got[goal], want)
		}
	}
	if len(got) != 5 {
		t.Errorf("%d goals are judged, want 5: %v", len(got), got)
	}
}
