package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/docs/schema"
	"github.com/realflops/realflops/kernels"
)

// gpuProgram is the program with the worker in its PATH: the real two programs, on emulated
// devices. Waits are a tenth of the usual ones.
func gpuProgram(t *testing.T) program {
	t.Helper()
	if testing.Short() {
		t.Skip("skip: it runs both programs for a minute, and end-to-end has done it")
	}
	return newProgram(t, workerInPATH(t), "REALFLOPS_GPU_PATIENCE=0.1")
}

// workerInPATH is the variable that makes the program find the worker.
func workerInPATH(t *testing.T) string {
	t.Helper()
	worker := os.Getenv("REALFLOPS_TEST_WORKER")
	if worker == "" {
		t.Fatal("REALFLOPS_TEST_WORKER is not set: it is the path of realflops-worker, which `make worker` builds; `make end-to-end` sets it")
	}
	return "PATH=" + filepath.Dir(worker) + string(os.PathListSeparator) + os.Getenv("PATH")
}

// emulated runs a verb on an emulated node and reads the document, which must fit the schema.
func (p program) emulated(code int, args ...string) (doc agent.Document, stderr string) {
	p.t.Helper()
	stdout, stderr := p.run(code, append(args, "--json")...)
	if stdout == "" {
		return doc, stderr
	}
	if err := schema.Validate("realflops-1", []byte(stdout)); err != nil {
		p.t.Error(err)
	}
	return decode[agent.Document](p.t, stdout), stderr
}

// product is a small matrix product of 0.05 s on an emulated node.
func product(node string, more ...string) []string {
	return append([]string{"bench", "gemm", "--emulate", node, "--shape", "256x256x256", "--seconds", "0.05"}, more...)
}

func warned(r bench.Result, code string) string {
	for _, w := range r.Warnings {
		if w.Code == code {
			return w.Text
		}
	}
	return ""
}

// scenario is what an emulated node does, and what must become of it.
type scenario struct {
	node string   // CARD[xN]:SCENARIO
	args []string // nil: product(node)
	code int
	// What the last line of stderr says, where there is one.
	stderr string
	// The first result: "" for no document.
	status bench.Status
	error  string // what its error matches
	code1  string // a warning that it has
	text1  string // what that warning matches
	clock  bool   // its clock is unknown
}

func TestScenarios(t *testing.T) {
	gpuProgram(t) // or skip them all at once
	relu := func(node string) []string {
		return []string{"bench", "relu", "--emulate", node, "--shape", "67108864", "--seconds", "0.01"}
	}
	long := func(node string) []string {
		return []string{"bench", "gemm", "--emulate", node, "--shape", "1024x1024x1024", "--engine", "ptx-simt", "--seconds", "6"}
	}
	const uuid = `GPU-[0-9a-f-]{36}`
	for _, s := range []scenario{
		{node: "a100", status: bench.OK, code1: bench.Emulated, text1: "nothing was measured"},
		{node: "a100:hang", code: exitFaulty, stderr: `device ` + uuid + ` is faulty: it failed at gemm`, status: bench.Failed, error: "hangs", code1: bench.TimedOut, text1: "hangs"},
		{node: "a100:error-700", code: exitFaulty, stderr: "ILLEGAL_ADDRESS", status: bench.Failed, error: `CUDA_ERROR_ILLEGAL_ADDRESS, code 700`, code1: bench.Lost},
		{node: "a100:error-719", code: exitFaulty, stderr: "LAUNCH_FAILED", status: bench.Failed, error: `CUDA_ERROR_LAUNCH_FAILED, code 719`, code1: bench.Lost},
		{node: "a100:error-214", code: exitFaulty, stderr: "ECC", status: bench.Failed, error: `CUDA_ERROR_ECC_UNCORRECTABLE, code 214`, code1: bench.Lost},
		{node: "a100:error-999", code: exitFaulty, stderr: "UNKNOWN", status: bench.Failed, error: `CUDA_ERROR_UNKNOWN, code 999`, code1: bench.Lost},
		{node: "a100:init-803", code: exitNothing, stderr: `nothing was measured: .*CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, code 803`},
		{node: "a100:init-100", code: exitNothing, stderr: `nothing was measured: .*CUDA_ERROR_NO_DEVICE, code 100`},
		{node: "a100:off-bus", code: exitFaulty, stderr: "is faulty", status: bench.Failed, error: "code 999", code1: bench.Lost},
		{node: "a100:oom", args: relu("a100:oom"), status: bench.OK, code1: bench.ShapeReduced, text1: "67108864"},
		{node: "a100:small-memory", args: relu("a100:small-memory"), status: bench.OK, code1: bench.ShapeReduced, text1: "67108864"},
		{node: "a100:does-nothing", code: exitFaulty, stderr: `is faulty: it computed gemm .* wrong`, status: bench.Failed, error: `C\[0,0\] is NaN`, code1: bench.WrongResult},
		{node: "a100:flipped-bit", code: exitFaulty, stderr: `is faulty: it computed gemm .* wrong: C\[\d+,\d+\]`, status: bench.Failed, error: `C\[\d+,\d+\] is .*, want`, code1: bench.WrongResult},
		{node: "a100:throttle-thermal", args: long("a100:throttle-thermal"), status: bench.OK, code1: bench.Throttled, text1: "thermal"},
		{node: "a100:throttle-power", args: long("a100:throttle-power"), status: bench.OK, code1: bench.Throttled, text1: "power_cap"},
		{node: "a100:throttle-both", args: long("a100:throttle-both"), status: bench.OK, code1: bench.Throttled, text1: "power_cap.*thermal"},
		{node: "a100:clock-unknown", status: bench.OK, code1: bench.ClockUnknown, clock: true},
		{node: "a100:nvml-absent", status: bench.OK, code1: bench.ClockUnknown, text1: "NVML", clock: true},
		{node: "a100:nvml-hang", status: bench.OK, code1: bench.ClockUnknown, text1: "does not answer", clock: true},
		{node: "a100:mig", code: exitNothing, stderr: "cut into parts.*--force"},
		{node: "a100:busy", code: exitNothing, stderr: "2 other processes compute on it.*--force"},
		{node: "a100:exclusive", code: exitNothing, stderr: "one process alone.*--force"},
		{node: "a100:prohibited", code: exitNothing, stderr: "no process compute on it.*--force"},
		{node: "a100:busy --force", args: product("a100:busy", "--force"), status: bench.OK, code1: bench.Busy, text1: "by force"},
		{node: "a100:vanished", code: exitFaulty, stderr: uuid + ` is not there any more`},
		{node: "a100:new-arch", status: bench.OK, code1: bench.JIT, text1: `PTX .* 13\.0`},
		{node: "a100:old-arch", status: bench.OK, code1: bench.JIT, text1: `compute_50.* 6\.0`},
		{node: "a100:ancient-arch", code: exitNothing, stderr: `compute capability 3\.5 is not supported`},
		{node: "a100:old-driver", code: exitNothing, stderr: "newer than the driver's compiler; update the driver"},
		{node: "a1000", code: exitUsage, stderr: `unknown emulated card "a1000": did you mean "a100"`},
		{node: "a100:hag", code: exitUsage, stderr: `did you mean "hang"`},
	} {
		t.Run(s.node, func(t *testing.T) {
			p := gpuProgram(t)
			args := s.args
			if args == nil {
				args = product(s.node)
			}
			doc, stderr := p.emulated(s.code, args...)
			lines := strings.Split(strings.TrimSpace(stderr), "\n")
			if last := lines[len(lines)-1]; !regexp.MustCompile(s.stderr).MatchString(last) {
				t.Errorf("stderr ends with %q, want %q in it", last, s.stderr)
			}
			if s.status == "" {
				if doc.Run.ID != "" {
					t.Errorf("a document was printed: %+v", doc.Run)
				}
				return
			}
			s.check(t, doc)
		})
	}
}

func (s scenario) check(t *testing.T, doc agent.Document) {
	if len(doc.Results) != 1 {
		t.Fatalf("%d results, want 1", len(doc.Results))
	}
	r := doc.Results[0]
	if r.Status != s.status || !regexp.MustCompile(s.error).MatchString(r.Error) {
		t.Errorf("status %s, error %q; want %s, %q", r.Status, r.Error, s.status, s.error)
	}
	if s.code1 != "" && (warned(r, s.code1) == "" || !regexp.MustCompile(s.text1).MatchString(warned(r, s.code1))) {
		t.Errorf("warning %s says %q, want %q; all: %v", s.code1, warned(r, s.code1), s.text1, r.Warnings)
	}
	if _, ok := r.Rate(); ok != (s.status == bench.OK) {
		t.Errorf("a figure: %v, of a result that is %s", ok, r.Status)
	}
	if s.status == bench.OK && (r.ClockHz == nil) != s.clock {
		t.Errorf("clock %v, want it unknown: %v", r.ClockHz, s.clock)
	}
	if s.code1 == bench.Throttled && !(*r.FlopPerSBurst > 1.1**r.FlopPerS && *r.ThrottleShare > 0) {
		t.Errorf("burst %g, sustained %g, throttled for %v of the time: want a burst above", *r.FlopPerSBurst, *r.FlopPerS, *r.ThrottleShare)
	}
	if !strings.Contains(r.DeviceModel, "EMULATED") || warned(r, bench.Emulated) == "" {
		t.Errorf("nothing says that %q is emulated: %v", r.DeviceModel, r.Warnings)
	}
}

// TestSlowOneOfTwoIsNamed: at 60% of its peer's clock it is found, by id.
func TestSlowOneOfTwoIsNamed(t *testing.T) {
	p := gpuProgram(t)
	doc, stderr := p.emulated(exitFaulty, product("a100x2:slow-one")...)
	if len(doc.Results) != 2 {
		t.Fatalf("%d results, want 2", len(doc.Results))
	}
	slow := doc.Results[1]
	if !strings.Contains(stderr, "device "+slow.Device+" is slower than its peers") {
		t.Errorf("stderr does not name %s: %s", slow.Device, stderr)
	}
	if i := slices.IndexFunc(doc.Run.Warnings, func(w bench.Warning) bool { return w.Code == bench.SlowerThanPeers }); i < 0 {
		t.Errorf("the run has no slower_than_peers warning: %v", doc.Run.Warnings)
	}
}

// TestThreeOfEightMisbehave and the other five complete, each with the figure it has alone.
func TestThreeOfEightMisbehave(t *testing.T) {
	p := gpuProgram(t)
	alone, _ := p.emulated(exitOK, product("a100")...)
	want := *alone.Results[0].FlopPerS
	doc, stderr := p.emulated(exitFaulty, product("a100x8:three-of-eight")...)
	if len(doc.Results) != 8 {
		t.Fatalf("%d results, want 8", len(doc.Results))
	}
	codes := map[int]string{1: bench.TimedOut, 4: bench.Lost, 6: bench.WrongResult}
	for i, r := range doc.Results {
		if code, bad := codes[i]; bad {
			if r.Status != bench.Failed || warned(r, code) == "" {
				t.Errorf("device %d is %s with %v, want failed with %s", i, r.Status, r.Warnings, code)
			}
		} else if r.Status != bench.OK || math.Abs(*r.FlopPerS/want-1) > 0.01 {
			t.Errorf("device %d: %s, %v FLOP/s (%s), want %g as alone", i, r.Status, r.FlopPerS, r.Error, want)
		}
	}
	if !strings.Contains(stderr, doc.Results[6].Device+" is faulty: it computed") {
		t.Errorf("the gravest fault is not the last line: %s", stderr)
	}
}

// TestKilledWorkerIsReplaced: SIGKILL costs the worker, not the figure.
func TestKilledWorkerIsReplaced(t *testing.T) {
	p := gpuProgram(t)
	cmd := p.command("bench", "gemm", "--emulate", "a100", "--shape", "1024x1024x1024", "--engine", "ptx-simt", "--seconds", "30", "--json")
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := make(chan bool, 1)
	go func() { killed <- killMeasuring(cmd.Process.Pid) }()
	err := cmd.Wait()
	if !<-killed {
		t.Fatal("no worker was seen at work")
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	r := decode[agent.Document](t, out.String()).Results[0]
	if r.Status != bench.OK || !strings.Contains(warned(r, bench.Lost), "killed") {
		t.Errorf("%s with %v, want ok, and that a worker was lost by a signal", r.Status, r.Warnings)
	}
}

// killMeasuring kills the worker of a program once it has used the CPU for a while: it is beyond
// its greeting then. It reports false if the program ends before that.
func killMeasuring(program int) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", program))
		if err != nil {
			return false
		}
		all, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", program))
		if err != nil || len(all) == 0 {
			return false
		}
		for _, path := range all {
			text, _ := os.ReadFile(path)
			children = append(children, text...)
		}
		for _, pid := range strings.Fields(string(children)) {
			name, _ := os.ReadFile("/proc/" + pid + "/comm")
			stat, _ := os.ReadFile("/proc/" + pid + "/stat")
			fields := strings.Fields(string(stat))
			if !strings.HasPrefix(string(name), "realflops-worke") || len(fields) < 15 {
				continue
			}
			ticks, _ := strconv.Atoi(fields[13]) // user time, in hundredths of a second
			id, _ := strconv.Atoi(pid)
			if ticks >= 5 {
				return syscall.Kill(id, syscall.SIGKILL) == nil
			}
		}
	}
	return false
}

func TestGPUsThatCannotBeHad(t *testing.T) {
	without := newProgram(t, "PATH="+t.TempDir())
	for _, c := range []struct {
		p    program
		code int
		args []string
		want string
	}{
		{without, exitNothing, []string{"run", "--device", "gpu"}, "nothing was measured: no NVIDIA GPU on the PCI bus"},
		{without, exitNothing, []string{"run", "--emulate", "a100"}, "realflops-worker is neither in .* nor in PATH: build it with `make worker`"},
		{without, exitUsage, []string{"run", "--device", "gpux"}, `unknown device "gpux"`},
		{without, exitNothing, []string{"run", "--device", "GPU-00000000-0000-0000-0000-000000000000"}, "--device GPU-0.*: no NVIDIA GPU"},
		{gpuProgram(t), exitUsage, append(product("a100x2"), "--device", "GPU-1"), `unknown device "GPU-1": did you mean "GPU-`},
		{gpuProgram(t), exitUsage, append(product("t4"), "--precision", "bf16/fp32"), "runs no gemm at bf16/fp32: it has "},
		{gpuProgram(t), exitUsage, append(product("a100"), "--engine", "ptx-wgmma"), `unknown engine "ptx-wgmma"`},
		{gpuProgram(t), exitUsage, append(product("a100"), "--threads", "2"), "--threads is of a CPU"},
		{gpuProgram(t).with("REALFLOPS_GPU_PATIENCE=soon"), exitUsage, product("a100"), `REALFLOPS_GPU_PATIENCE "soon": want a factor`},
	} {
		_, stderr := c.p.run(c.code, c.args...)
		if !regexp.MustCompile(c.want).MatchString(stderr) {
			t.Errorf("%v: %q, want %q in it", c.args, stderr, c.want)
		}
	}
	_, stderr := gpuProgram(t).run(exitOK, "run", "--emulate", "a100:busy", "--if-idle")
	if stderr != strings.TrimSpace(stderr)+"\n" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "2 other processes compute on it") {
		t.Errorf("--if-idle on a busy GPU says %q, want one line", stderr)
	}
	doctor, _ := without.run(exitOK, "doctor")
	if !strings.Contains(doctor, "build it with `make worker`") {
		t.Errorf("doctor does not say how to build the worker:\n%s", doctor)
	}
	doctor, _ = gpuProgram(t).run(exitOK, "doctor")
	if !strings.Contains(doctor, "finds no GPU to measure: no NVIDIA driver: libcuda.so.1 is not on this machine") {
		t.Errorf("doctor does not say why there is no GPU:\n%s", doctor)
	}
}

// peaks are what datasheets give a card, by SMs, clock and FLOP a clock: on CUDA cores at fp32, on tensor cores
// at fp16/fp32 (of Hopper's wgmma rate mma.sync reaches 0.64), and of its memory, in bytes a second.
var peaks = map[string]struct{ fp32, fp16, bytesPerS float64 }{
	"a100":    {108 * 1.41e9 * 128, 108 * 1.41e9 * 2048, 2.039e12},
	"h100":    {132 * 1.83e9 * 256, 132 * 1.83e9 * 4096 * 0.64, 3.35e12},
	"rtx4090": {128 * 2.52e9 * 256, 128 * 2.52e9 * 512, 1.008e12},
	"t4":      {40 * 1.59e9 * 128, 40 * 1.59e9 * 1024, 0.32e12},
	"v100":    {80 * 1.53e9 * 128, 80 * 1.53e9 * 1024, 0.9e12},
}

// reaches holds a figure to its peak times what the card's model lets a kernel sustain of it: 0.90 to 0.95 of
// arithmetic and 0.83 to 0.92 of memory, of which a launch and the instructions beside the work may cost a little.
func reaches(t *testing.T, card string, r bench.Result) {
	peak, got, least := 0.0, r.FlopPerS, 0.85
	switch {
	case r.Kernel == kernels.FMA && r.Precision == kernels.FP32FP32:
		peak = peaks[card].fp32
	case r.Kernel == kernels.FMA && r.Precision == kernels.FP16FP32:
		peak = peaks[card].fp16
	case r.Kernel == kernels.Copy && r.Level == bench.LevelMemory:
		peak, got, least = peaks[card].bytesPerS, r.BytesPerS, 0.80
	default:
		return
	}
	if share := *got / peak; share < least || share > 1 {
		t.Errorf("%s by %s: %.4g, %.0f%% of the %.4g that the card must give", r.Spec(), r.Engine, *got, 100*share, peak)
	}
}

// TestEmulatedRunIsLikeARealOneAndKeepsNothing goes through the quick suite on each card.
func TestEmulatedRunIsLikeARealOneAndKeepsNothing(t *testing.T) {
	gpuProgram(t) // or skip them all at once
	for card, lacks := range map[string][]kernels.Precision{
		"a100": nil, "h100": nil, "rtx4090": nil,
		"t4":   {kernels.BF16FP32, kernels.TF32FP32},
		"v100": {kernels.BF16FP32, kernels.TF32FP32, kernels.INT8INT32},
	} {
		t.Run(card, func(t *testing.T) {
			t.Parallel()
			p := gpuProgram(t).with("REALFLOPS_GPU_PATIENCE=1")
			doc, _ := p.emulated(exitOK, "run", "--emulate", card, "--suite", "quick")
			if doc.Profile == nil || len(doc.Profile.Devices) != 1 || doc.Profile.Devices[0].Kind != "gpu" {
				t.Errorf("the profile is %+v, want one of the GPU", doc.Profile)
			}
			for _, want := range []kernels.Spec{
				{Kernel: kernels.GEMM, Precision: kernels.FP32FP32},
				{Kernel: kernels.GEMM, Precision: kernels.FP16FP32},
				{Kernel: kernels.ReLU, Precision: kernels.FP32},
				{Kernel: kernels.ReLU, Precision: kernels.FP16},
				{Kernel: kernels.Sigmoid, Precision: kernels.FP32},
				{Kernel: kernels.Sigmoid, Precision: kernels.FP16},
				{Kernel: kernels.Copy, Precision: kernels.FP64},
			} {
				if !slices.ContainsFunc(doc.Results, func(r bench.Result) bool {
					return r.Kernel == want.Kernel && r.Precision == want.Precision && r.Status == bench.OK
				}) {
					t.Errorf("no figure of %s %s", want.Kernel, want.Precision)
				}
			}
			for _, r := range doc.Results {
				reaches(t, card, r)
				if r.Status != bench.OK || warned(r, bench.Emulated) == "" || !strings.Contains(r.DeviceModel, "EMULATED") {
					t.Errorf("%s by %s is %s (%s), marked %v", r.Spec(), r.Engine, r.Status, r.Error, r.Warnings)
				}
				if r.Kernel == kernels.GEMM && slices.Contains(lacks, r.Precision) {
					t.Errorf("%s has a figure of %s, which its architecture lacks", card, r.Precision)
				}
			}
			if history, _ := p.run(exitOK, "history", "--json"); len(decode[historyDocument](t, history).Runs) != 0 {
				t.Errorf("an emulated run was kept: %s", history)
			}
		})
	}
}

// TestEmulateListNamesWhatThereIs in the form that is promised.
func TestEmulateListNamesWhatThereIs(t *testing.T) {
	p := newProgram(t)
	stdout, _ := p.run(exitOK, "run", "--emulate", "list", "--json")
	list := decode[struct {
		Cards, Scenarios []struct{ Name string }
	}](t, stdout)
	for _, name := range []string{"a100", "h100", "rtx4090", "v100", "t4"} {
		if !strings.Contains(fmt.Sprint(list.Cards), name) {
			t.Errorf("no card %s in %v", name, list.Cards)
		}
	}
	if len(list.Scenarios) < 20 {
		t.Errorf("only %d scenarios", len(list.Scenarios))
	}
}
