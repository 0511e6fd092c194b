package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/realflops/realflops/bench/gpu"
)

// gpuCheck is scripts/gpu-check.sh with the two programs in a folder of their own.
type gpuCheck struct {
	program
	bin, out string
}

func newGPUCheck(t *testing.T) gpuCheck {
	t.Helper()
	c := gpuCheck{gpuProgram(t), t.TempDir(), filepath.Join(t.TempDir(), "check")}
	built := filepath.Dir(os.Getenv("REALFLOPS_TEST_WORKER"))
	c.link(programPath, filepath.Join(c.bin, "realflops"))
	for _, name := range []string{gpu.WorkerName, "realflops-emulated.so"} {
		c.link(filepath.Join(built, name), filepath.Join(c.bin, name))
	}
	c.env = append(c.env, "PYTHONDONTWRITEBYTECODE=1")
	return c
}

func (c gpuCheck) link(from, to string) {
	c.t.Helper()
	if err := os.Symlink(from, to); err != nil {
		c.t.Fatal(err)
	}
}

// script writes a stand-in for a program.
func (c gpuCheck) script(path, body string) {
	c.t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		c.t.Fatal(err)
	}
}

// checkReport is what the tests read of report.json.
type checkReport struct {
	Schema   string
	Emulated *string
	ExitCode int `json:"exit_code"`
	Wrong    []string
	Missing  []string `json:"incomplete"`
	Steps    []struct {
		Name, Status, Why, Command string
		Code                       int
	}
	Conformance []struct {
		Step, Image               string
		Kernels, Checks, Launches int
		Failures                  []string
	}
	Peers *contestRows
	Run   *struct {
		Results []struct{ Kernel, Status string }
	}
}

type contestRows struct {
	Rows []struct {
		Engine  string
		Ratio   float64
		Verdict *string
	}
}

// openScripts opens what the tests run: the go command then knows that they are to run again when
// it changes.
func openScripts(t *testing.T) {
	t.Helper()
	for _, path := range []string{"scripts/gpu-check.sh", "scripts/gpu_report.py", "bench/peers/pytorch.py", "bench/peers/pairs.py"} {
		if _, err := os.ReadFile(filepath.Join("../..", path)); err != nil {
			t.Fatal(err)
		}
	}
}

// check runs the script to its end and wants the exit code.
func (c gpuCheck) check(code int, args ...string) (report checkReport, markdown, stderr string) {
	c.t.Helper()
	stderr = c.sh(code, args...)
	data, err := os.ReadFile(filepath.Join(c.out, "report.json"))
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(c.out, "report.md"))
	if err != nil {
		c.t.Fatal(err)
	}
	report = decode[checkReport](c.t, string(data))
	if report.Schema != "realflops-gpu-check/1" || report.ExitCode != code {
		c.t.Errorf("schema %q, exit code %d in the report, want %d", report.Schema, report.ExitCode, code)
	}
	return report, string(text), stderr
}

// sh runs the script and wants the exit code.
func (c gpuCheck) sh(code int, args ...string) (stderr string) {
	c.t.Helper()
	openScripts(c.t)
	cmd := exec.Command("sh", append([]string{"../../scripts/gpu-check.sh", "--bin", c.bin, "--out", c.out, "--brief"}, args...)...)
	cmd.Env = c.env
	var errs strings.Builder
	cmd.Stderr = &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		c.t.Fatalf("exit code %d, want %d\n%s", got, code, errs.String())
	}
	return errs.String()
}

// gpuSteps are the steps in their order.
var gpuSteps = []string{"doctor", "detect", "nvidia-smi", "devices", "conform", "conform-ptx", "memcheck", "racecheck", "peers", "run"}

// statuses says of each step how it ended, in the order of gpuSteps.
func (r checkReport) statuses(t *testing.T) map[string]string {
	t.Helper()
	var names []string
	of := map[string]string{}
	for _, s := range r.Steps {
		names = append(names, s.Name)
		of[s.Name] = s.Status
		if s.Status != "ok" && s.Why == "" {
			t.Errorf("step %s is %s, and nothing says why", s.Name, s.Status)
		}
	}
	if !slices.Equal(names, gpuSteps) {
		t.Errorf("the steps are %v, want %v", names, gpuSteps)
	}
	return of
}

func TestGPUCheckGoesToItsEndInEmulation(t *testing.T) {
	c := newGPUCheck(t)
	report, markdown, _ := c.check(0, "--emulate", "a100")
	for name, status := range report.statuses(t) {
		ran := slices.Contains([]string{"doctor", "detect", "devices", "conform", "run"}, name)
		if ran != (status == "ok") || ran == (status == "skipped") {
			t.Errorf("step %s is %s", name, status)
		}
	}
	for _, s := range report.Steps {
		if s.Status == "skipped" && !strings.Contains(s.Why, "EMULATED") {
			t.Errorf("step %s was skipped because %q", s.Name, s.Why)
		}
		if strings.Contains(s.Command, c.bin) || strings.Contains(s.Command, c.out) {
			t.Errorf("the command of %s is of this machine: %s", s.Name, s.Command)
		}
	}
	if len(report.Conformance) != 1 {
		t.Fatalf("%d passes over the kernels, want 1", len(report.Conformance))
	}
	if p := report.Conformance[0]; p.Kernels != 4 || p.Checks < 8 || p.Launches < 50 || len(p.Failures) != 0 || p.Image != "compute_80" {
		t.Errorf("the pass over the kernels is %+v", p)
	}
	if report.Run == nil || len(report.Run.Results) != 1 || report.Run.Results[0].Status != "ok" || report.Emulated == nil {
		t.Errorf("the run is %+v, of %v", report.Run, report.Emulated)
	}
	if len(report.Wrong)+len(report.Missing) != 0 {
		t.Errorf("wrong: %q, missing: %q", report.Wrong, report.Missing)
	}
	for _, heading := range regexp.MustCompile(`(?m)^##? .*`).FindAllString(markdown, -1) {
		if !strings.Contains(heading, "EMULATED") {
			t.Errorf("the heading %q does not say that it is emulated", heading)
		}
	}
}

func TestGPUCheckNamesTheKernelThatComputesWrong(t *testing.T) {
	report, markdown, stderr := newGPUCheck(t).check(3, "--emulate", "a100:flipped-bit")
	if of := report.statuses(t); of["conform"] != "failed" || of["run"] != "failed" {
		t.Errorf("the steps ended %v", of)
	}
	want := regexp.MustCompile(`conform: gemm_fp16_fp32: integers are exact .*: C\[\d+,\d+\] is .*, want`)
	for where, text := range map[string]string{"report.json": strings.Join(report.Wrong, "\n"), "report.md": markdown, "stderr": stderr} {
		if !want.MatchString(text) {
			t.Errorf("%s does not name the kernel: %s", where, text)
		}
	}
}

func TestGPUCheckRefusesWhatItCannotDo(t *testing.T) {
	c := newGPUCheck(t)
	if stderr := c.sh(2, "--emulate", "a1000"); !strings.Contains(stderr, `did you mean "a100"`) {
		t.Errorf("a card that does not exist: %s", stderr)
	}
	if stderr := c.sh(2, "--emulated"); !strings.Contains(stderr, "unknown argument --emulated") {
		t.Errorf("an argument that does not exist: %s", stderr)
	}
	c.script(filepath.Join(c.out, "notes.md"), "")
	if stderr := c.sh(2, "--emulate", "a100"); !strings.Contains(stderr, "is not empty") {
		t.Errorf("a folder with something in it: %s", stderr)
	}
}

func TestGPUCheckWithoutAGPU(t *testing.T) {
	report, _, stderr := newGPUCheck(t).check(4, "--emulate", "a100:init-100")
	of := report.statuses(t)
	for _, name := range []string{"conform", "peers", "run"} {
		if of[name] != "skipped" {
			t.Errorf("step %s is %s", name, of[name])
		}
	}
	if !strings.Contains(stderr, "the driver sees no GPU") {
		t.Errorf("nothing says why: %s", stderr)
	}
}

// TestGPUCheckOnANodeWithEverything goes the way of a real node: its driver is the emulator's, and
// PyTorch, nvidia-smi and compute-sanitizer are stand-ins. The run alone says that it is emulated.
func TestGPUCheckOnANodeWithEverything(t *testing.T) {
	c := newGPUCheck(t)
	emulator, err := gpu.StartEmulator(t.Context(), programPath, filepath.Join(c.bin, gpu.WorkerName), "a100", func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = emulator.Close() }()
	torch, err := filepath.Abs("../../bench/peers/testdata")
	if err != nil {
		t.Fatal(err)
	}
	c.env = append(c.env, emulator.Env...)
	c.env = append(c.env, "PYTHONPATH="+torch, "PATH="+c.bin+":"+filepath.Dir(os.Getenv("REALFLOPS_TEST_WORKER"))+":"+os.Getenv("PATH"))
	c.script(filepath.Join(c.bin, "nvidia-smi"), "echo name, uuid")
	c.script(filepath.Join(c.bin, "compute-sanitizer"), `while [ "$1" != --log-file ]; do shift; done; echo checked >"$2"; shift 2; exec "$@"`)
	// realflops gives no worker of its own this environment.
	if err := os.Remove(filepath.Join(c.bin, "realflops")); err != nil {
		t.Fatal(err)
	}
	c.script(filepath.Join(c.bin, "realflops"), `case "$*" in *--device*) set -- bench gemm --emulate a100 --shape 256x256x256 --seconds 0.05 --json;; esac; exec `+programPath+` "$@"`)
	report, markdown, stderr := c.check(0)
	for name, status := range report.statuses(t) {
		if status != "ok" {
			log, _ := os.ReadFile(filepath.Join(c.out, name+".log")) // "" if it left none
			t.Errorf("step %s is %s: %s\n%s", name, status, stderr, log)
		}
	}
	if report.Peers == nil || len(report.Peers.Rows) != 2 || !strings.Contains(markdown, "PyTorch 0.0") {
		t.Errorf("beside PyTorch: %+v", report.Peers)
	}
	var passes []string
	for _, p := range report.Conformance {
		passes = append(passes, p.Step)
	}
	if !slices.Equal(passes, []string{"conform", "conform-ptx", "memcheck", "racecheck"}) {
		t.Errorf("passes over the kernels: %v", passes)
	}
}

// TestGPUReport: the report alone, on what steps left.
func TestGPUReport(t *testing.T) {
	if testing.Short() {
		t.Skip("skip: it starts python3, and end-to-end has done it")
	}
	openScripts(t)
	const conform = `{"device": "GPU-1", "model": "a GPU", "driver": "12.4", "image": "sm_90a", "thin": false, "large_bytes": 0, "left": [], "error": null, "outcomes": [{"entry": "relu_fp32", "check": "c", "cases": 3, "worst": "", "error": null}]}`
	const row = `{"kernel": "gemm", "precision": "fp16/fp32", "shape": "8x8x8", "engine": "cublaslt", "unit": "FLOP/s", "ours": 9e11, "peer": 1e12, "ratio": 0.9, "ratio_lo": 0.89, "ratio_hi": 0.91, "goal": 0.97, "verdict": "missed", "peer_note": "mm"}`
	peers := func(rows, skipped string) string {
		return `{"peer": "PyTorch 2", "rows": [` + rows + `], "skipped": [` + skipped + `]}`
	}
	ok := []string{"devices\tok\t1\t9\t0\t\tx", "conform\tok\t1\t9\t0\t\tx", "peers\tok\t1\t9\t0\t\tx", "run\tok\t1\t9\t0\t\tx"}
	with := func(i int, line string) []string {
		steps := slices.Clone(ok)
		steps[i] = line
		return steps
	}
	for name, c := range map[string]struct {
		steps                  []string
		conform, peers, report string
		code                   int
		says                   string
	}{
		"all is well":           {steps: ok, conform: conform, peers: peers("", ""), says: "a GPU GPU-1"},
		"a goal is missed":      {steps: ok, conform: conform, peers: peers(row, ""), code: 3, says: "gemm fp16/fp32 8x8x8 by cublaslt: 0.900 of PyTorch's rate, the goal is 0.97"},
		"a goal is met":         {steps: ok, conform: conform, peers: peers(strings.Replace(row, "missed", "met", 1), ""), says: "0.89"},
		"a peer computes wrong": {steps: ok, conform: conform, peers: peers("", `{"case": "gemm 8", "why": "it forgets", "failed": true}`), code: 3, says: "gemm 8: it forgets"},
		"a case is left out":    {steps: ok, conform: conform, peers: peers("", `{"case": "gemm 8", "why": "no time", "failed": false}`), says: "gemm 8: not compared: no time"},
		"the device broke": {
			steps: with(1, "conform\tfailed\t1\t9\t3\tlost\tx"), conform: strings.Replace(conform, `"error": null, "out`, `"error": "code 719", "out`, 1), code: 3, says: "conform: code 719",
		},
		"conform is cut": {
			steps: with(1, "conform\tcut\t9\t9\t124\tits 9 s were up\tx"), conform: strings.Replace(conform, `"left": []`, `"left": ["gemm_x"]`, 1), code: 1, says: "the first is gemm_x",
		},
		"conform is killed": {steps: with(1, "conform\tfailed\t9\t9\t137\tit did not end\tx"), code: 1, says: "conform: it did not end"},
		"a faulty run":      {steps: with(3, "run\tfailed\t9\t9\t3\tdevice GPU-1 is faulty\tx"), conform: conform, code: 3, says: "run: device GPU-1 is faulty"},
		"a run that is cut": {steps: with(3, "run\tcut\t9\t9\t124\tits 9 s were up\tx"), conform: conform, says: "cut: its 9 s were up"},
		"a sanitizer that finds": {
			steps: append(with(3, "run\tok\t9\t9\t0\t\tx"), "memcheck\tfailed\t9\t9\t9\texit code 9\tx"), conform: conform, code: 3, says: "memcheck: compute-sanitizer found errors: memcheck.txt",
		},
		"a sanitizer that cannot run": {
			steps: append(with(3, "run\tok\t9\t9\t0\t\tx"), "memcheck\tfailed\t9\t9\t1\tno debugger\tx"), conform: conform, says: "failed: no debugger",
		},
		"a busy GPU": {steps: with(3, "run\tfailed\t9\t9\t4\tnothing was measured\tx"), conform: conform, code: 1, says: "run: nothing was measured"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{"steps.tsv": strings.Join(c.steps, "\n") + "\n", "conform.json": c.conform, "peers.json": c.peers, "devices.txt": "devices: 1\n  GPU-1  a GPU, old\n"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("python3", "../../scripts/gpu_report.py", dir)
			said, _ := cmd.CombinedOutput() // the exit code is what is looked at
			text, err := os.ReadFile(filepath.Join(dir, "report.md"))
			if got := cmd.ProcessState.ExitCode(); got != c.code || err != nil {
				t.Errorf("exit code %d, want %d, %v: %s", got, c.code, err, said)
			}
			if !strings.Contains(string(text), c.says) || strings.Contains(string(text), "EMULATED") {
				t.Errorf("the report does not say %q:\n%s", c.says, text)
			}
		})
	}
}
