package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
)

var server = PlanInput{
	Caches:  []Cache{{Level: 3, Bytes: 32 << 20, SharedBy: 2}, {Level: 1, Bytes: 32 << 10, SharedBy: 1}, {Level: 2, Bytes: 1 << 20, SharedBy: 1}},
	Threads: 2, MemoryBytes: 16 << 30,
}

func suite(t *testing.T, name string) Suite {
	t.Helper()
	s, err := SuiteByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestQuickSuiteIsTheTableWithinAMinute: what `run` promises to show, and its time.
func TestQuickSuiteIsTheTableWithinAMinute(t *testing.T) {
	cases := suite(t, "quick").Plan(server)
	have := map[string]bool{}
	for _, c := range cases {
		have[fmt.Sprint(c.Kernel, " ", c.Precision, " ", c.Level, " ", c.Threads)] = true
		have[fmt.Sprint(c.Kernel, " ", c.Precision, " ", c.Shape, " ", c.Threads)] = true
		if err := c.Check(); err != nil {
			t.Errorf("%v: %v", c.Spec, err)
		}
		if c.MinS <= 0 || c.MaxS != maxOverMin*c.MinS {
			t.Errorf("%v: %v to %v s", c.Spec, c.MinS, c.MaxS)
		}
	}
	for _, threads := range []string{" 1", " 2"} {
		for _, want := range []string{
			"fma fp32/fp32 register", "fma fp64/fp64 register",
			"copy fp64 l1", "copy fp64 l2", "copy fp64 l3", "copy fp64 memory",
			"triad fp64 l1", "triad fp64 l2", "triad fp64 l3", "triad fp64 memory",
			"gemm fp32/fp32 256x256x256", "gemm fp32/fp32 512x512x512", "gemm fp32/fp32 1024x1024x1024", "gemm fp32/fp32 2048x2048x2048",
			"gemm fp32/fp32 1x4096x4096", "gemm fp32/fp32 8x4096x4096", "gemm fp32/fp32 64x4096x4096", "gemm fp32/fp32 256x4096x4096",
			"gemm fp16/fp32 2048x2048x2048", "gemm fp16/fp32 1x4096x4096",
			"relu fp32 l1", "relu fp16 l1", "relu fp32 memory", "relu fp16 memory",
			"sigmoid fp32 l1", "sigmoid fp16 l1", "sigmoid fp32 memory", "sigmoid fp16 memory",
		} {
			if !have[want+threads] {
				t.Errorf("the quick suite lacks %q", want+threads)
			}
		}
	}
	most := 0.0 // if every case takes its longest
	for _, c := range cases {
		most += (1 - stopsAt) * (c.MaxS - c.MinS)
	}
	if s := PlanSeconds(cases); s+most > 60 || s < 30 {
		t.Errorf("planned %v s, at most %v", s, s+most)
	} else if most/s > 0.25 {
		t.Errorf("planned %v s within ±%v: more than a quarter", s, most)
	}
}

// TestLimitsComeFirst, so that every later result can be judged as it is made.
func TestLimitsComeFirst(t *testing.T) {
	for _, s := range Suites() {
		rank := map[kernels.Class]int{kernels.Register: 0, kernels.Bandwidth: 1, kernels.Latency: 1, kernels.Matrix: 2, kernels.Elementwise: 3, kernels.Rowwise: 3}
		last, of := 0, kernels.FMA
		for _, c := range s.Plan(server) {
			d, err := kernels.Lookup(string(c.Kernel))
			if err != nil {
				t.Fatal(err)
			}
			if rank[d.Class] < last {
				t.Fatalf("%s: %v comes after %v", s.Name, c.Kernel, of)
			}
			last, of = rank[d.Class], c.Kernel
		}
		if last != 3 {
			t.Errorf("%s ends with %v", s.Name, of)
		}
	}
}

func TestOneThreadHasNoRowsForAll(t *testing.T) {
	in := server
	in.Threads = 1
	seen := map[string]bool{}
	for _, c := range suite(t, "full").Plan(in) {
		key := fmt.Sprint(c.Spec, c.Threads)
		if c.Threads != 1 || seen[key] {
			t.Errorf("%v with %d threads, seen before: %v", c.Spec, c.Threads, seen[key])
		}
		seen[key] = true
	}
	for mode, want := range map[ThreadMode]string{OneAndAll: "[1] [1 8]", OneThread: "[1] [1]", AllThreads: "[] [8]", ThreadCurve: "[1] [1 2 4 8]"} {
		if got := fmt.Sprint(mode.counts(1, 1), " ", mode.counts(8, 4)); got != want {
			t.Errorf("mode %v: %s, want %s", mode, got, want)
		}
	}
	for _, c := range []struct {
		threads, cores  int
		curve, siblings string
	}{{2, 1, "[1 2]", "[1]"}, {4, 2, "[1 2 4]", "[2]"}, {24, 12, "[1 2 4 8 12 16 24]", "[12]"}, {3, 3, "[1 2 3]", "[]"}, {3, 0, "[1 2 3]", "[]"}} {
		if got := fmt.Sprint(ThreadCurve.counts(c.threads, c.cores)); got != c.curve {
			t.Errorf("a curve over %d threads of %d cores is %s, want %s", c.threads, c.cores, got, c.curve)
		}
		if got := fmt.Sprint(OnePerCore.counts(c.threads, c.cores)); got != c.siblings {
			t.Errorf("one a core of %d threads of %d cores is %s, want %s", c.threads, c.cores, got, c.siblings)
		}
	}
}

func TestWorkingSetsFillHalfOfTheirLevel(t *testing.T) {
	want := map[string]float64{
		"l1 1": 16 << 10, "l1 2": 32 << 10, "l2 1": 512 << 10, "l2 2": 1 << 20,
		"l3 1": 16 << 20, "l3 2": 16 << 20, "memory 1": 128 << 20, "memory 2": 128 << 20,
	}
	seen := 0
	for _, c := range suite(t, "quick").Plan(server) {
		w, ok := want[fmt.Sprint(c.Level, " ", c.Threads)]
		if !ok || c.Elements() == 0 {
			continue
		}
		seen++
		if got := c.Bytes(); got > w || got < 0.9*w {
			t.Errorf("%v %s, %d threads: %v bytes, want just under %v", c.Spec, c.Level, c.Threads, got, w)
		}
		if c.Shape.N%(64*c.Threads) != 0 {
			t.Errorf("%v: shares of %d threads are not whole cache lines", c.Spec, c.Threads)
		}
	}
	if seen != 8*(2+4)+2 {
		t.Errorf("%d working sets", seen)
	}
}

func TestMemoryWorkingSetIsBounded(t *testing.T) {
	quick := suite(t, "quick")
	for _, c := range []struct {
		name string
		in   PlanInput
		want int64
	}{
		{"small cache", PlanInput{Caches: []Cache{{1, 32 << 10, 1}, {2, 1 << 20, 1}}, Threads: 1}, 64 << 20},
		{"cap", PlanInput{Caches: []Cache{{1, 32 << 10, 1}, {3, 256 << 20, 64}}, Threads: 64}, 256 << 20},
		{"little memory", PlanInput{Caches: server.Caches, Threads: 2, MemoryBytes: 100 << 20}, 25 << 20},
		{"two sockets", PlanInput{Caches: []Cache{{1, 32 << 10, 1}, {3, 16 << 20, 32}}, Threads: 64}, 128 << 20},
		{"unknown", PlanInput{Threads: 4}, 256 << 20},
		{"unknown, little memory", PlanInput{Threads: 4, MemoryBytes: 400 << 20}, 100 << 20},
	} {
		if got := quick.workingSet(LevelMemory, c.in.Threads, c.in); got != c.want {
			t.Errorf("%s: %d MiB, want %d", c.name, got>>20, c.want>>20)
		}
	}
}

// TestHiddenCachesLeaveQuickItsMinute, although its memory sets are as large as they get.
func TestHiddenCachesLeaveQuickItsMinute(t *testing.T) {
	in := server
	in.Caches = nil
	cases := suite(t, "quick").Plan(in)
	largest := 0.0
	for _, c := range cases {
		largest = max(largest, c.Bytes())
	}
	if s := PlanSeconds(cases); s > 60 || largest < 255<<20 {
		t.Errorf("planned %v s, largest set %v", s, largest)
	}
}

func TestLevelsThatAreNotThereAreLeftOut(t *testing.T) {
	levels := func(in PlanInput) string {
		var l []string
		for _, c := range suite(t, "quick").Plan(in) {
			if c.Kernel == kernels.Copy {
				l = append(l, c.Level)
			}
		}
		return strings.Join(l, " ")
	}
	for want, caches := range map[string][]Cache{
		"l1 l2 memory":    {{1, 48 << 10, 1}, {2, 2 << 20, 1}},
		"l1 l2 l3 memory": {{1, 48 << 10, 1}, {2, 512 << 10, 1}, {3, 32 << 20, 8}},
		"l1 memory":       {{1, 48 << 10, 1}, {2, 64 << 10, 1}}, // an L2 hardly larger than L1
	} {
		if got := levels(PlanInput{Caches: caches, Threads: 1}); got != want {
			t.Errorf("%v: %s", caches, got)
		}
	}
	if got := levels(PlanInput{Threads: 1}); got != "l1 l2 memory" {
		t.Errorf("unknown caches: %s", got)
	}
}

func TestShapesThatDoNotFitAreLeftOut(t *testing.T) {
	in := server
	in.MemoryBytes = 100 << 20
	told := suite(t, "quick").Skipped(in)
	if len(told) == 0 || told[0].Code != ShapeSkipped || !strings.Contains(told[0].Text, "64x4096x4096") {
		t.Errorf("nothing tells what is left out: %v", told)
	}
	if all := suite(t, "quick").Skipped(server); len(all) != 0 {
		t.Errorf("left out with memory enough: %v", all)
	}
	for _, c := range suite(t, "quick").Plan(in) {
		if c.Bytes() > 50<<20 {
			t.Errorf("%v takes %v bytes of %d", c.Spec, c.Bytes(), in.MemoryBytes)
		}
	}
}

// TestASlowEngineGetsTheShapesThatItHasTimeFor, so that the suite's time holds for it too.
func TestASlowEngineGetsTheShapesThatItHasTimeFor(t *testing.T) {
	in := server
	in.FlopPerS = 1e9
	kept := 0
	for _, c := range suite(t, "quick").Plan(in) {
		if c.Kernel != kernels.GEMM {
			continue
		}
		if s := c.FLOP() / 1e9 / float64(c.Threads); s > c.MaxS {
			t.Errorf("%v takes %v s of %v", c.Spec, s, c.MaxS)
		}
		kept++
	}
	if kept < 8 {
		t.Errorf("only %d products are left", kept)
	}
}

// TestSkippedNamesWhatIsLeftOut: every shape of the suite is planned or named.
func TestSkippedNamesWhatIsLeftOut(t *testing.T) {
	s := Suite{Rows: []Row{
		{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: squares(64, 512, 1024), MinS: 0.1},
		{Kernel: kernels.GEMM, Precisions: gemmFP32, Shapes: squares(2048, 4096), MinS: 1},
		{Kernel: kernels.FMA, Precisions: gemmFP32, Shapes: fmaShape, MinS: 0.1},
		{Kernel: kernels.Copy, Precisions: fp64, Levels: allLevels, MinS: 0.1},
	}}
	in := PlanInput{Caches: server.Caches, Threads: 2, MemoryBytes: 200e6, FlopPerS: 1e9}
	var got []string
	for _, w := range s.Skipped(in) {
		if w.Code != ShapeSkipped {
			t.Errorf("%+v", w)
		}
		got = append(got, w.Text)
	}
	want := []string{
		"gemm fp32/fp32 with 1 thread 512x512x512, 1024x1024x1024; fp32/fp32 with 2 threads 512x512x512, 1024x1024x1024; fp16/fp32 with 1 thread 512x512x512, 1024x1024x1024; fp16/fp32 with 2 threads 512x512x512, 1024x1024x1024: left out, because at about 1 GFLOP/s a thread one pass would take longer than the 0.13 s of the case",
		"gemm fp32/fp32 with 1 thread 4096x4096x4096; fp32/fp32 with 2 threads 4096x4096x4096: left out, because each takes more than half of the 0.2 GB that this process may use",
		"gemm fp32/fp32 with 1 thread 2048x2048x2048; fp32/fp32 with 2 threads 2048x2048x2048: left out, because at about 1 GFLOP/s a thread one pass would take longer than the 1.3 s of the case",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if planned := len(s.Plan(in)); planned != 2*(2+0+1+4) {
		t.Errorf("%d cases are planned", planned)
	}
	if all := suite(t, "full").Skipped(server); len(all) != 0 {
		t.Errorf("a machine with memory and time for all: %v", all)
	}
}

func TestLevelOf(t *testing.T) {
	for bytes, want := range map[float64]string{1: "l1", 32 << 10: "l1", 32<<10 + 1: "l2", 2 << 20: "l3", 33 << 20: "memory"} {
		if got := LevelOf(bytes, server.Caches, 1); got != want {
			t.Errorf("%v bytes: %s, want %s", bytes, got, want)
		}
	}
	if got := LevelOf(2<<20, server.Caches, 2); got != "l2" {
		t.Errorf("two threads have two L2s, but 2 MB lie in %s", got)
	}
	if got := LastLevelCache(server.Caches, 2); got != 32<<20 {
		t.Errorf("last-level cache %d", got)
	}
}

// avx512 is what a machine offers that has AVX-512 and VNNI, and neither BF16 nor half precision.
func avx512() []Offer {
	var offers []Offer
	for _, d := range kernels.All() {
		for _, p := range d.Precisions {
			engines := []string{"go-avx512", "go-avx2", "go"}
			switch {
			case d.Class == kernels.Latency || p == kernels.FP16FP16 || d.Kernel == kernels.FMA && p == kernels.BF16FP32:
				engines = []string{"go"}
			case d.Class == kernels.Bandwidth:
				engines = []string{"go-avx512", "go-avx2", "go", "go-avx512-nt", "go-avx2-nt"}
			case p == kernels.INT8INT32:
				engines = []string{"go-avx512-vnni", "go-avx2", "go"}
			}
			for _, e := range engines {
				offers = append(offers, Offer{d.Kernel, p, e})
			}
		}
	}
	return offers
}

// TestPlansNameTheEnginesThatTheMachineHas, and leave out precisions that it has no instructions for.
func TestPlansNameTheEnginesThatTheMachineHas(t *testing.T) {
	in := server
	in.Offers = avx512()
	seen := map[string]bool{}
	plan := suite(t, "full").Plan(in)
	for _, c := range plan {
		seen[fmt.Sprint(c.Kernel, " ", c.Precision, " ", c.Engine)] = true
	}
	for key, want := range map[string]bool{
		"fma fp32/fp32 go-avx512": true, "fma fp32/fp32 go-avx2": true, "fma fp32/fp32 go": false, "fma fp32/fp32 ": false,
		"fma int8/int32 go-avx512-vnni": true, "fma int8/int32 go-avx512": false,
		"fma bf16/fp32 go": false, "fma bf16/fp32 ": false, "gemm fp16/fp16 ": false, "gemm bf16/fp32 ": true,
		"triad fp64 ": true, "triad fp64 go-avx512-nt": true, "triad fp64 go-avx2-nt": true, "triad fp64 go-avx2": false, "chase fp64 ": true, "relu bf16 ": true,
	} {
		if seen[key] != want {
			t.Errorf("%q is planned: %v, want %v", key, seen[key], want)
		}
	}
	if s := PlanSeconds(plan); s > 25*60 {
		t.Errorf("with every engine the full suite takes %v s", s)
	}
	if n := len(suite(t, "full").Plan(PlanInput{Caches: server.Caches, Threads: 2, MemoryBytes: 16 << 30, Offers: []Offer{{kernels.GEMM, kernels.FP32FP32, "go"}, {kernels.FMA, kernels.FP32FP32, "go"}}})); n == 0 {
		t.Error("where there is plain Go alone nothing is planned")
	}
}

func TestSuitesGrowAndHaveNames(t *testing.T) {
	last := 0.0
	for _, s := range Suites() {
		seconds := PlanSeconds(s.Plan(server))
		if seconds < 4*last || math.IsNaN(seconds) || s.Purpose == "" {
			t.Errorf("%s takes %v s after %v", s.Name, seconds, last)
		}
		last = seconds
	}
	if last < 15*60 || last > 25*60 {
		t.Errorf("full takes %v s, want about twenty minutes", last)
	}
	if _, err := SuiteByName("quik"); err == nil || !strings.Contains(err.Error(), `did you mean "quick"?`) {
		t.Errorf("%v", err)
	}
}
