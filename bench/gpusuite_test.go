package bench

import (
	"slices"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// hopper offers everything, products by two engines.
func hopper() GPUInput {
	in := GPUInput{Device: "GPU-1", CacheBytes: 50 << 20, MemoryBytes: 80 << 30}
	for _, d := range kernels.All() {
		for _, p := range d.Precisions {
			if d.Class == kernels.Matrix {
				in.Offers = append(in.Offers, Offer{d.Kernel, p, "cublaslt"})
			}
			in.Offers = append(in.Offers, Offer{d.Kernel, p, "ptx"})
		}
	}
	return in
}

func TestGPUPlansAreRunnableAndShortEnough(t *testing.T) {
	for name, most := range map[string]float64{"quick": 45, "standard": 300, "full": 1500} {
		s, err := SuiteByName(name)
		if err != nil {
			t.Fatal(err)
		}
		cases := s.PlanGPU(hopper())
		type id struct {
			kernels.Spec
			engine, level string
		}
		seen := map[id]bool{}
		for _, c := range cases {
			if err := c.Check(); err != nil {
				t.Errorf("%s: %s: %v", name, c.Spec, err)
			}
			if c.Device != "GPU-1" || c.Engine == "" || c.Threads != 0 || len(c.Together) != 0 || !(c.MinS > 0 && c.MinS <= c.MaxS) {
				t.Errorf("%s: %+v is no case of one GPU", name, c)
			}
			if key := (id{c.Spec, c.Engine, c.Level}); seen[key] {
				t.Errorf("%s: %s by %s at %s is planned twice", name, c.Spec, c.Engine, c.Level)
			} else {
				seen[key] = true
			}
		}
		if took := PlanSeconds(cases); took > most || took < most/5 {
			t.Errorf("%s: %d cases take %.0f s, want at most %.0f and not a fifth of it", name, len(cases), took, most)
		}
		if left := s.SkippedGPU(hopper()); len(left) != 0 {
			t.Errorf("%s: an 80 GB device leaves out %v", name, left)
		}
	}
}

// TestStandardMeasuresTheWholeGrid: 14 x 7 x 7 shapes of fp16/fp32, by the first engine.
func TestStandardMeasuresTheWholeGrid(t *testing.T) {
	s, _ := SuiteByName("standard")
	shapes, byOthers := map[kernels.Shape]bool{}, 0
	for _, c := range s.PlanGPU(hopper()) {
		if c.Kernel == kernels.GEMM && c.Precision == kernels.FP16FP32 {
			if c.Engine == "cublaslt" {
				shapes[c.Shape] = true
			} else {
				byOthers++
			}
		}
	}
	for _, shape := range fineGrid {
		if !shapes[shape] {
			t.Errorf("the grid lacks %s", shape)
		}
	}
	if len(fineGrid) != 14*7*7 || byOthers != 7 {
		t.Errorf("%d shapes in the grid, want 686; %d products by the other engine, want the 7 squares", len(fineGrid), byOthers)
	}
}

func TestGPUPlanFollowsTheDevice(t *testing.T) {
	s, _ := SuiteByName("quick")
	count := func(in GPUInput, of func(Case) bool) (n int) {
		for _, c := range s.PlanGPU(in) {
			if of(c) {
				n++
			}
		}
		return n
	}
	all := func(Case) bool { return true }
	in := hopper()
	in.Offers = slices.DeleteFunc(in.Offers, func(o Offer) bool { return strings.HasPrefix(string(o.Precision), "bf16") })
	if n := count(in, func(c Case) bool { return strings.HasPrefix(string(c.Precision), "bf16") }); n != 0 {
		t.Errorf("%d cases at bf16, which the device does not offer", n)
	}
	if n := count(GPUInput{Device: "GPU-1"}, all); n != 0 {
		t.Errorf("%d cases of a device that offers nothing", n)
	}
	in = hopper()
	in.CacheBytes = 0
	if n := count(in, func(c Case) bool { return c.Level == LevelL2 }); n != 0 {
		t.Errorf("%d cases for an L2 cache of unknown size", n)
	}
	for _, c := range s.PlanGPU(hopper()) {
		switch c.Level {
		case LevelL2:
			if c.Bytes() > 25<<20 || c.Bytes() < 24<<20 {
				t.Errorf("%s takes %.0f bytes, want half of 50 MiB", c.Spec, c.Bytes())
			}
		case LevelMemory:
			if c.Kernel != kernels.GEMM && (c.Bytes() > 200<<20 || c.Bytes() < 190<<20) {
				t.Errorf("%s takes %.0f bytes, want four times 50 MiB", c.Spec, c.Bytes())
			}
		}
	}
}

func TestGPUPlanLeavesOutWhatDoesNotFitAndSaysSo(t *testing.T) {
	s, _ := SuiteByName("quick")
	in := hopper()
	in.MemoryBytes = 1 << 30
	for _, c := range s.PlanGPU(in) {
		if c.Kernel == kernels.GEMM && 3*c.Bytes() > 1<<29 {
			t.Errorf("%s takes more than half of the memory by three sets", c.Spec)
		}
	}
	want := "gemm fp16/fp32 8192x8192x8192 on GPU-1: left out, because their operands take more than half of the 1.1 GB that are free"
	if left := s.SkippedGPU(in); !slices.Contains(left, Warning{ShapeSkipped, want}) {
		t.Errorf("left out: %v; want %q, both engines in one", left, want)
	}
	in = hopper()
	in.FlopPerS = 1e9
	for _, c := range s.PlanGPU(in) {
		if c.Kernel == kernels.GEMM && c.FLOP() > c.MaxS*1e9 {
			t.Errorf("%s takes longer than its case", c.Spec)
		}
	}
	if left := s.SkippedGPU(in); len(left) == 0 || !strings.Contains(left[0].Text, "at about 1 GFLOP/s") {
		t.Errorf("left out: %v; want the rate named", left)
	}
}

func TestGPUsTogetherRunWhatEachRanAlone(t *testing.T) {
	for _, s := range Suites() {
		if cases := s.PlanTogether(hopper(), []string{"GPU-1"}); len(cases) != 0 {
			t.Errorf("%s: one GPU has %d cases with others", s.Name, len(cases))
		}
		alone := s.PlanGPU(hopper())
		both := s.PlanTogether(hopper(), []string{"GPU-1", "GPU-2"})
		if len(both) < 4 {
			t.Errorf("%s: %d cases at once", s.Name, len(both))
		}
		for _, c := range both {
			if !slices.Equal(c.Together, []string{"GPU-1", "GPU-2"}) || c.Device != "" {
				t.Errorf("%s: %+v does not run on both", s.Name, c)
			}
			if !slices.ContainsFunc(alone, func(a Case) bool { return a.Spec == c.Spec && a.Engine == c.Engine && a.Level == c.Level }) {
				t.Errorf("%s: %s by %s is run at once, and by none alone to hold it against", s.Name, c.Spec, c.Engine)
			}
		}
	}
}
