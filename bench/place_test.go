package bench

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// twoSockets has a memory node for each, 8 cores of two threads on either.
func twoSockets() PlanInput {
	in := PlanInput{
		Caches:  []Cache{{Level: 1, Bytes: 32 << 10, SharedBy: 2}, {Level: 2, Bytes: 1 << 20, SharedBy: 2}, {Level: 3, Bytes: 32 << 20, SharedBy: 16}},
		Threads: 32, Cores: 16, MemoryBytes: 64 << 30, Offers: avx512(),
	}
	for _, name := range []string{"node0-node0", "node1-node1", "node0-node1", "node1-node0"} {
		in.Places = append(in.Places, Place{Name: name, Kind: NodePair, Threads: 16, Cores: 8, MemoryBytes: 32 << 30})
	}
	return in
}

// placed lists the cases of a plan that have a placement, in order.
func placed(cases []Case) []string {
	var list []string
	for _, c := range cases {
		if c.Placement != "" {
			list = append(list, fmt.Sprint(c.Kernel, " ", c.Precision, " ", c.Level, " ", c.Threads, " ", c.Placement))
		}
	}
	return list
}

// TestEveryPairOfNodesIsMeasured: what reads, writes and waits, on all threads of a node and one.
func TestEveryPairOfNodesIsMeasured(t *testing.T) {
	in := twoSockets()
	var want []string
	for _, what := range []string{"read fp64 memory 16", "triad fp64 memory 16", "chase fp64 memory 1"} {
		for _, p := range in.Places {
			want = append(want, what+" "+p.Name)
		}
	}
	full := suite(t, "full")
	cases := full.Plan(in)
	if got := placed(cases); !slices.Equal(got, want) {
		t.Errorf("planned\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, c := range cases {
		if set := c.Bytes(); c.Placement != "" && c.Kernel != kernels.Chase && (set > 128<<20 || set < 120<<20) {
			t.Errorf("%v at %s: %v bytes, want four times the last-level cache of one socket", c.Spec, c.Placement, set)
		}
	}
	in.Places[2].MemoryBytes = 200 << 20
	for _, c := range full.Plan(in) {
		if small := c.Placement == "node0-node1"; small && c.Bytes() > 50<<20 {
			t.Errorf("%v takes %v bytes of a node of %d", c.Spec, c.Bytes(), in.Places[2].MemoryBytes)
		}
	}
	in.Places[2].Threads = 1
	if got := placed(full.Plan(in)); !slices.Contains(got, "triad fp64 memory 1 node0-node1") {
		t.Errorf("a node of one CPU has no triad: %v", got)
	}
	for _, name := range []string{"quick", "standard"} {
		if got := placed(suite(t, name).Plan(in)); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestEachTypeOfCoreHasItsLimitAndProduct, the limits first.
func TestEachTypeOfCoreHasItsLimitAndProduct(t *testing.T) {
	in := twoSockets()
	in.Places = []Place{{Name: "core:core", Kind: CoreKind, Threads: 8, Cores: 4}, {Name: "core:atom", Kind: CoreKind, Threads: 1, Cores: 1}}
	want := []string{
		"fma fp32/fp32 register 1 core:core", "fma fp32/fp32 register 8 core:core", "fma fp32/fp32 register 1 core:atom",
		"gemm fp32/fp32 memory 1 core:core", "gemm fp32/fp32 memory 8 core:core", "gemm fp32/fp32 memory 1 core:atom",
	}
	got := slices.DeleteFunc(placed(suite(t, "full").Plan(in)), func(c string) bool { return !strings.Contains(c, "fp32/fp32") })
	if !slices.Equal(got, want) {
		t.Errorf("planned\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestOneThreadACoreIsHeldAgainstAllSiblings: every limit, what reads memory, the stream and the product.
func TestOneThreadACoreIsHeldAgainstAllSiblings(t *testing.T) {
	in := twoSockets()
	in.Places = nil
	have := map[string]bool{}
	for _, c := range suite(t, "full").Plan(in) {
		have[fmt.Sprint(c.Kernel, " ", c.Precision, " ", c.Engine, " ", c.Threads)] = true
	}
	for _, what := range []string{
		"fma fp32/fp32 go-avx512", "fma fp32/fp32 go-avx2", "fma int8/int32 go-avx512-vnni", "read fp64 ", "triad fp64 ", "gemm fp32/fp32 ",
	} {
		for _, threads := range []string{" 16", " 32"} {
			if !have[what+threads] {
				t.Errorf("%s on%s threads is not planned", what, threads)
			}
		}
	}
	if !have["fma fp32/fp32 go-avx512 4"] {
		t.Error("the curve of the product has no limit")
	}
}

// TestASimpleMachineHasNoMoreToMeasure: one node, one type of core, one thread a core.
func TestASimpleMachineHasNoMoreToMeasure(t *testing.T) {
	in := server
	in.Offers = avx512()
	with := suite(t, "full")
	without := with
	without.Rows = slices.DeleteFunc(slices.Clone(with.Rows), func(r Row) bool {
		return r.Places != WholeMachine || r.Threads == OnePerCore || r.Kernel == kernels.FMA && r.Threads == ThreadCurve
	})
	if len(with.Rows)-len(without.Rows) < 7 {
		t.Fatalf("%d of %d rows are left", len(without.Rows), len(with.Rows))
	}
	for _, cores := range []int{0, 2} {
		in.Cores = cores
		if got, want := with.Plan(in), without.Plan(in); !slices.EqualFunc(got, want, func(a, b Case) bool { return a.Spec == b.Spec && a.Threads == b.Threads && a.Engine == b.Engine }) {
			t.Errorf("%d cases, want the %d of the rows for every machine", len(got), len(want))
		}
	}
}

// TestSkippedNamesThePlacement, so that nobody looks for the product of the small cores.
func TestSkippedNamesThePlacement(t *testing.T) {
	in := twoSockets()
	in.FlopPerS = 1e9
	in.Places = []Place{{Name: "core:atom", Kind: CoreKind, Threads: 1, Cores: 1}}
	s := Suite{Rows: []Row{{Kernel: kernels.GEMM, Precisions: gemmFP32, Shapes: squares(2048), Places: CoreKind, MinS: 1}}}
	if told := s.Skipped(in); len(told) != 1 || !strings.Contains(told[0].Text, "with 1 thread at core:atom 2048x2048x2048") {
		t.Errorf("%v", told)
	}
}
