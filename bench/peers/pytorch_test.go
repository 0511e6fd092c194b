package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels"
)

// reads are what python3 reads. It is opened here too: the go command then knows that these tests
// are to run again when it changes.
var reads = []string{"pytorch.py", "pairs.py", "testdata/torch/__init__.py"}

// playsWorker in the environment makes this test's binary a worker: it is the script, as JSON.
const playsWorker = "REALFLOPS_TEST_PLAYS_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(playsPeer) != "" || len(os.Args) == 2 && os.Args[1] == spinArgument {
		playPeer(os.Getenv(playsPeer))
		os.Exit(0)
	}
	text := os.Getenv(playsWorker)
	if text == "" {
		os.Exit(m.Run())
	}
	var b scriptedWorker
	err := json.Unmarshal([]byte(text), &b.script)
	if err == nil {
		err = worker.Serve(context.Background(), os.Stdin, os.Stdout, &b, time.Hour)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// script is what a worker does: the rate of each burst by engine, the last one for all that follow.
type script struct {
	Architecture string
	Rates        map[string][]float64 // FLOP/s, or bytes a second where there is no product
	Forgets      string               // the engine that computes something else in the end
	NoLibrary    string               // why there is no cublaslt
}

// scriptedWorker is a device with a script in place of kernels.
type scriptedWorker struct {
	script
	spec   kernels.Spec
	engine string
	bursts int
}

func (s *scriptedWorker) rate() float64 {
	r := s.Rates[s.engine]
	return r[min(s.bursts, len(r)-1)]
}

// amount is what the rate counts.
func (s *scriptedWorker) amount() float64 {
	if s.spec.Kernel == kernels.GEMM {
		return s.spec.FLOP()
	}
	return s.spec.Bytes()
}

func (s *scriptedWorker) Hello() (worker.Welcome, *worker.Error) {
	return worker.Welcome{Devices: []worker.Device{{ID: "GPU-1", Model: "a GPU", Architecture: s.Architecture}}}, nil
}

func (s *scriptedWorker) Open(worker.OpenRequest) (worker.Opened, *worker.Error) {
	o := worker.Opened{NoLibrary: s.NoLibrary}
	for engine := range s.Rates {
		for _, p := range []kernels.Precision{kernels.FP16FP32, kernels.FP32FP32, kernels.INT8INT32} {
			o.Offers = append(o.Offers, worker.Offer{Kernel: kernels.GEMM, Precision: p, Engine: engine})
		}
		o.Offers = append(o.Offers, worker.Offer{Kernel: kernels.ReLU, Precision: kernels.FP16, Engine: engine}, worker.Offer{Kernel: kernels.Copy, Precision: kernels.FP64, Engine: engine})
	}
	return o, nil
}

func (s *scriptedWorker) Prepare(r worker.PrepareRequest) (worker.Prepared, *worker.Error) {
	if !r.Cold || r.Data != bench.Randn {
		return worker.Prepared{}, &worker.Error{Kind: worker.Unsupported, Text: "this must be cold, and of randn"}
	}
	s.spec, s.engine = kernels.Spec{Kernel: r.Kernel, Precision: r.Precision, Shape: r.Shape}, r.Engine
	return worker.Prepared{Engine: r.Engine, PassS: s.amount() / s.rate(), Sets: 3, Checksum: "right"}, nil
}

func (s *scriptedWorker) Sample(r worker.SampleRequest) (worker.Sampled, *worker.Error) {
	seconds := float64(r.Passes) * s.amount() / s.rate()
	s.bursts++
	return worker.Sampled{Samples: []worker.Timed{{Seconds: seconds, Passes: r.Passes}}}, nil
}

func (s *scriptedWorker) Check() (string, *worker.Error) {
	if s.Forgets == s.engine {
		return "wrong", nil
	}
	return "right", nil
}

func (s *scriptedWorker) Release() *worker.Error { return nil }
func (s *scriptedWorker) Close() *worker.Error   { return nil }

// contest is the document of pytorch.py.
type contest struct {
	Peer string
	Rows []struct {
		Engine, Precision, Shape, Unit string
		Ours, Peer, Ratio              float64
		Lo                             float64 `json:"ratio_lo"`
		Hi                             float64 `json:"ratio_hi"`
		Rounds, Sets                   int
		Goal                           *float64
		Verdict                        *string
		PeerNote                       string `json:"peer_note"`
	}
	Skipped []struct {
		Case, Why string
		Failed    bool
	}
}

// python runs python3 and returns its exit code and what it printed.
func python(t *testing.T, stdin string, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	if testing.Short() {
		t.Skip("skip: it starts python3, and unit has done it")
	}
	for _, path := range reads {
		if _, err := os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("python3", args...)
	cmd.Env = append(append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"), env...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// hold runs pytorch.py with a PyTorch and a worker that follow scripts.
func hold(t *testing.T, cases string, peer []float64, ours script, env ...string) contest {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(ours)
	if err != nil {
		t.Fatal(err)
	}
	modules, _ := filepath.Abs("testdata")
	out := filepath.Join(t.TempDir(), "peers.json")
	env = append([]string{"PYTHONPATH=" + modules, "REALFLOPS_FAKE_RATES=" + list(peer), playsWorker + "=" + string(text)}, env...)
	code, _, stderr := python(t, "", env, "pytorch.py", "--worker", self, "--device", "GPU-1", "--out", out, "--cases", cases, "--rounds", "7")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var c contest
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func list(rates []float64) string {
	var texts []string
	for _, r := range rates {
		texts = append(texts, strconv.FormatFloat(r, 'g', -1, 64))
	}
	return strings.Join(texts, ",")
}

// times is each of x times factor.
func times(x []float64, factor float64) []float64 {
	out := slices.Clone(x)
	for i := range out {
		out[i] *= factor
	}
	return out
}

func near(got, want float64) bool { return got > want*(1-1e-9) && got < want*(1+1e-9) }

// TestRatiosAreOfRoundsAndHeldAgainstTheirGoals: the card halves its speed in the middle, and
// the first round, which warms up, is far off.
func TestRatiosAreOfRoundsAndHeldAgainstTheirGoals(t *testing.T) {
	card := []float64{9e12, 4e14, 4e14, 4e14, 4e14, 2e14, 2e14, 2e14}
	ours := script{Architecture: "9.0", Rates: map[string][]float64{"ptx-mma": times(card, 0.59), "cublaslt": times(card, 0.98)}}
	ours.Rates["ptx-mma"][0] = 7e14
	c := hold(t, "fp16/fp32 4096x4096x4096", card, ours)
	if len(c.Rows) != 2 || len(c.Skipped) != 0 {
		t.Fatalf("the document is %+v", c)
	}
	for i, want := range []struct {
		engine, verdict string
		ratio, goal     float64
	}{{"ptx-mma", "missed", 0.59, 0.60}, {"cublaslt", "met", 0.98, 0.97}} {
		r := c.Rows[i]
		if r.Engine != want.engine || !near(r.Ratio, want.ratio) || !near(r.Lo, want.ratio) || !near(r.Hi, want.ratio) || r.Rounds != 7 {
			t.Errorf("row %d is %+v, want %+v", i, r, want)
		}
		if r.Goal == nil || *r.Goal != want.goal || r.Verdict == nil || *r.Verdict != want.verdict {
			t.Errorf("%s: goal %v, verdict %v; want %+v", r.Engine, r.Goal, r.Verdict, want)
		}
		if !near(r.Peer, 4e14) || !near(r.Ours, 4e14*want.ratio) || r.Unit != "FLOP/s" || r.Sets != 3 || r.PeerNote != "mm, CUDA graph" {
			t.Errorf("row %d is %+v", i, r)
		}
	}
	ours.Architecture = "8.0"
	for _, r := range hold(t, "fp16/fp32 4096x4096x4096", card, ours).Rows {
		if (r.Goal == nil) != (r.Engine == "ptx-mma") {
			t.Errorf("%s on 8.0 has the goal %v", r.Engine, r.Goal)
		}
	}
}

// TestBandwidthIsHeldAgainstThatOfACopy: also relu's.
func TestBandwidthIsHeldAgainstThatOfACopy(t *testing.T) {
	c := hold(t, "relu fp16|copy", []float64{3e12}, script{Architecture: "8.0", Rates: map[string][]float64{"ptx-simt": {2.7e12}}})
	if len(c.Rows) != 2 {
		t.Fatalf("the document is %+v", c)
	}
	for _, r := range c.Rows {
		if !near(r.Ratio, 0.9) || !near(r.Ours, 2.7e12) || r.Unit != "B/s" || r.Goal == nil || *r.Goal != 0.92 || *r.Verdict != "missed" || r.PeerNote != "copy_, CUDA graph" {
			t.Errorf("the row is %+v", r)
		}
	}
}

func TestWhatIsNotComparedIsNamed(t *testing.T) {
	rates := []float64{1e14}
	t.Run("an engine that is not there", func(t *testing.T) {
		c := hold(t, "fp16/fp32 1024x1024x1024", rates, script{Architecture: "9.0", Rates: map[string][]float64{"ptx-mma": rates}})
		if len(c.Rows) != 1 || c.Rows[0].Verdict != nil || len(c.Skipped) != 1 || c.Skipped[0].Failed || !strings.Contains(c.Skipped[0].Why, "no cublaslt") {
			t.Errorf("the document is %+v", c)
		}
	})
	t.Run("a library that is not there", func(t *testing.T) {
		c := hold(t, "fp16/fp32 1024x1024x1024", rates, script{Architecture: "9.0", Rates: map[string][]float64{"ptx-mma": rates}, NoLibrary: "it was not found"})
		if len(c.Skipped) != 1 || c.Skipped[0].Failed || c.Skipped[0].Why != "it was not found" {
			t.Errorf("the document is %+v", c)
		}
	})
	t.Run("an engine that computes wrong", func(t *testing.T) {
		c := hold(t, "fp16/fp32 1024x1024x1024", rates, script{Architecture: "9.0", Rates: map[string][]float64{"ptx-mma": rates, "cublaslt": rates}, Forgets: "cublaslt"})
		if len(c.Rows) != 1 || c.Rows[0].Engine != "ptx-mma" || len(c.Skipped) != 1 || !c.Skipped[0].Failed || !strings.Contains(c.Skipped[0].Case, "by cublaslt") {
			t.Errorf("the document is %+v", c)
		}
	})
	t.Run("graphs", func(t *testing.T) {
		c := hold(t, "int8/int32 1024x1024x1024", rates, script{Architecture: "9.0", Rates: map[string][]float64{"ptx-mma": rates}}, "REALFLOPS_FAKE_NO_GRAPH=1")
		if len(c.Rows) != 1 || !near(c.Rows[0].Ratio, 1) || !strings.Contains(c.Rows[0].PeerNote, "_int_mm, launched one by one (operation not permitted") {
			t.Errorf("the document is %+v", c)
		}
	})
	t.Run("fp32 without tf32", func(t *testing.T) { // the fake refuses it where that was not said
		c := hold(t, "fp32/fp32 1024x1024x1024", rates, script{Architecture: "8.0", Rates: map[string][]float64{"ptx-simt": rates}})
		if len(c.Rows) != 1 || c.Rows[0].Engine != "ptx-simt" {
			t.Errorf("the document is %+v", c)
		}
	})
}

func TestWithoutPyTorchThereIsNoContest(t *testing.T) {
	absent := t.TempDir()
	if err := os.WriteFile(filepath.Join(absent, "torch.py"), []byte("raise ImportError('No module named torch')\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	modules, _ := filepath.Abs("testdata")
	for want, env := range map[string][]string{
		"PyTorch cannot be imported: No module named torch": {"PYTHONPATH=" + absent},
		"PyTorch 0.0 sees no GPU":                           {"PYTHONPATH=" + modules, "REALFLOPS_FAKE_RATES="},
	} {
		code, _, stderr := python(t, "", env, "pytorch.py", "--worker", "/nowhere", "--device", "GPU-1", "--out", filepath.Join(absent, "out"))
		if code != 5 || strings.TrimSpace(stderr) != want {
			t.Errorf("exit code %d, said %q; want 5, %q", code, stderr, want)
		}
	}
}

// TestIntervalsAreThoseOfEveryOtherFigure: pairs.py has the interval of bench.Median.
func TestIntervalsAreThoseOfEveryOtherFigure(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var samples [][]float64
	for n := 1; n <= 60; n++ {
		x := make([]float64, n)
		for i := range x {
			x[i] = r.Float64()
		}
		samples = append(samples, x)
	}
	input, _ := json.Marshal(samples)
	code, stdout, stderr := python(t, string(input), nil, "-c", "import json, sys, pairs; print(json.dumps([pairs.interval(x) for x in json.load(sys.stdin)]))")
	var got [][3]float64
	if err := json.Unmarshal([]byte(stdout), &got); code != 0 || err != nil || len(got) != len(samples) {
		t.Fatalf("exit code %d, %v, %d answers: %s", code, err, len(got), stderr)
	}
	for i, x := range samples {
		if want, _ := bench.Median(x); got[i] != [3]float64{want.Median, want.Lo, want.Hi} {
			t.Errorf("%d samples: %v, want %v", i+1, got[i], want)
		}
	}
}

func TestEachContenderGoesFirstInItsTurn(t *testing.T) {
	code, stdout, stderr := python(t, "", nil, "-c", `
import pairs
order = []
def burst(name):
    return lambda: order.append(name) or len(order)
rates = pairs.take_turns({n: burst(n) for n in "abc"}, 3)
print("".join(order), rates["a"])`)
	if want := "abcbcacababc [6, 8, 10]\n"; code != 0 || stdout != want {
		t.Errorf("exit code %d, %q, want %q: %s", code, stdout, want, stderr)
	}
}
