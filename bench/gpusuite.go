package bench

import (
	"fmt"
	"slices"
	"strings"

	"github.com/realflops/realflops/kernels"
)

// GPURow is one line of a suite for a GPU: kernels at precisions, at shapes or at levels, by
// every engine that offers them. What the device does not offer is left out.
type GPURow struct {
	Kernels    []kernels.Kernel
	Precisions []kernels.Precision
	Shapes     []kernels.Shape
	Levels     []string
	First      bool // by the first choice among the engines alone
	Together   bool // on all GPUs at once, after each has run alone
	MinS       float64
}

// grid is every m x n x k of the lists.
func grid(ms, ns, ks []int) []kernels.Shape {
	var s []kernels.Shape
	for _, m := range ms {
		for _, n := range ns {
			for _, k := range ks {
				s = append(s, kernels.Shape{M: m, N: n, K: k})
			}
		}
	}
	return s
}

var (
	onGPU      = []string{LevelL2, LevelMemory}
	limits     = []kernels.Precision{kernels.FP32FP32, kernels.FP64FP64, kernels.FP16FP32, kernels.FP16FP16, kernels.BF16FP32, kernels.TF32FP32, kernels.INT8INT32}
	tensor     = []kernels.Precision{kernels.FP16FP16, kernels.BF16FP32, kernels.TF32FP32, kernels.INT8INT32}
	half       = []kernels.Precision{kernels.FP16FP32}
	activation = []kernels.Precision{kernels.FP32, kernels.FP16, kernels.BF16}
	bandwidth  = []kernels.Kernel{kernels.Read, kernels.Copy, kernels.Triad}
	bus        = []kernels.Kernel{kernels.HostToDevice, kernels.DeviceToHost}
	busShape   = []kernels.Shape{{N: 8 << 20}} // 64 MiB
	fma        = []kernels.Kernel{kernels.FMA}
	gemm       = []kernels.Kernel{kernels.GEMM}

	// gpuFMAShape takes about two milliseconds on CUDA cores and a tenth of one on tensor cores: a launch is
	// 2 to 3% of that at most.
	gpuFMAShape = []kernels.Shape{{N: kernels.FMAQuantum << 1}}

	// The grids. Of n and k the weights of models, of m the tokens. Interpolating over 14 x 7 x 7
	// points errs by 3% in the median on Hopper, over 7 x 3 x 3 by 9% (computed on published
	// timings of held-back shapes).
	fineGrid   = grid([]int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192}, []int{128, 256, 512, 1024, 2048, 4096, 8192}, []int{128, 256, 512, 1024, 2048, 4096, 8192})
	coarseGrid = grid([]int{1, 8, 32, 128, 512, 2048, 8192}, []int{256, 1024, 4096}, []int{256, 1024, 4096})
	quickGrid  = grid([]int{1, 16, 128, 1024}, []int{1024, 4096}, []int{1024, 4096})
)

var gpuRows = map[string][]GPURow{
	"quick": {
		{Kernels: fma, Precisions: limits, Shapes: gpuFMAShape, MinS: 0.3},
		{Kernels: bandwidth, Precisions: fp64, Levels: onGPU, MinS: 0.2},
		{Kernels: bus, Precisions: fp64, Shapes: busShape, MinS: 0.2},
		{Kernels: gemm, Precisions: gemmFP32, Shapes: squares(512, 1024, 2048, 4096), MinS: 0.3},
		{Kernels: gemm, Precisions: half, Shapes: squares(512, 1024, 2048, 4096, 8192), MinS: 0.3},
		{Kernels: gemm, Precisions: half, Shapes: quickGrid, First: true, MinS: 0.05},
		{Kernels: gemm, Precisions: gemmFP32, Shapes: skinny(1, 16, 128), First: true, MinS: 0.05},
		{Kernels: gemm, Precisions: tensor, Shapes: squares(1024, 4096), MinS: 0.2},
		{Kernels: []kernels.Kernel{kernels.ReLU, kernels.Sigmoid}, Precisions: activation, Levels: onGPU, MinS: 0.15},
		{Kernels: gemm, Precisions: half, Shapes: squares(4096), First: true, Together: true, MinS: 0.5},
		{Kernels: []kernels.Kernel{kernels.Copy}, Precisions: fp64, Levels: []string{LevelMemory}, Together: true, MinS: 0.3},
		{Kernels: bus, Precisions: fp64, Shapes: busShape, Together: true, MinS: 0.3},
	},
	"standard": gpuFull(1, 0.03, 0.5),
	"full":     gpuFull(10, 0.1, 5),
}

// gpuFull are the rows of the longer suites: sustained seconds for the large squares, gridS for
// each point of a grid, s for the others.
func gpuFull(sustainedS, gridS, s float64) []GPURow {
	return []GPURow{
		{Kernels: fma, Precisions: limits, Shapes: gpuFMAShape, MinS: s},
		{Kernels: bandwidth, Precisions: fp64, Levels: onGPU, MinS: s},
		{Kernels: bus, Precisions: fp64, Shapes: busShape, MinS: s},
		{Kernels: gemm, Precisions: gemmFP32, Shapes: squares(256, 512, 1024, 2048, 4096, 8192), MinS: s},
		{Kernels: gemm, Precisions: half, Shapes: squares(256, 512, 1024, 2048), MinS: s},
		{Kernels: gemm, Precisions: half, Shapes: squares(4096, 8192, 16384), MinS: sustainedS},
		{Kernels: gemm, Precisions: tensor, Shapes: squares(1024, 4096, 8192), MinS: s},
		{Kernels: gemm, Precisions: half, Shapes: fineGrid, First: true, MinS: gridS},
		{Kernels: gemm, Precisions: slices.Concat(gemmFP32, tensor), Shapes: coarseGrid, First: true, MinS: gridS},
		{Kernels: []kernels.Kernel{kernels.ReLU, kernels.Sigmoid, kernels.Tanh, kernels.GELU, kernels.SiLU, kernels.ReLUBackward, kernels.SigmoidBackward}, Precisions: activation, Levels: onGPU, MinS: s / 2},
		{Kernels: gemm, Precisions: half, Shapes: squares(4096, 8192), First: true, Together: true, MinS: sustainedS},
		{Kernels: []kernels.Kernel{kernels.Copy}, Precisions: fp64, Levels: []string{LevelMemory}, Together: true, MinS: s},
		{Kernels: bus, Precisions: fp64, Shapes: busShape, Together: true, MinS: s},
	}
}

// Offer is a kernel at a precision that an engine of a device runs.
type Offer struct {
	Kernel    kernels.Kernel
	Precision kernels.Precision
	Engine    string
}

// GPUInput is what a plan needs to know of a GPU.
type GPUInput struct {
	Device      string
	Offers      []Offer // of one kernel and precision, the first choice first
	CacheBytes  int64   // last level; 0 if unknown
	MemoryBytes int64   // that can be allocated
	Seed        uint64
	FlopPerS    float64 // what gemm reaches where that is so little that it bounds the shapes; otherwise 0
}

// PlanGPU lists the cases of a suite on one GPU, each alone, in the order in which they run.
//
// A working set for l2 is half of that cache; one for memory is four times it and at
// least 64 MB, within 1 GB and a quarter of the memory. Products find
// their operands in memory: several sets of them take turns where one would stay in
// the cache. Shapes of which three sets of operands take more than half of the memory are left out,
// and so are those of which the input's FlopPerS makes a single pass longer than the case:
// [Suite.SkippedGPU] names them.
func (s Suite) PlanGPU(in GPUInput) []Case {
	cases, _ := s.planGPU(in)
	return cases
}

// SkippedGPU says in shape_skipped warnings what [Suite.PlanGPU] leaves out.
func (s Suite) SkippedGPU(in GPUInput) []Warning {
	_, skipped := s.planGPU(in)
	var warnings []Warning
	for _, row := range skipped {
		why := fmt.Sprintf("at about %.2g GFLOP/s one pass would take longer than the %.2g s of the case", in.FlopPerS/1e9, row[0].MaxS)
		if in.FlopPerS == 0 {
			why = fmt.Sprintf("their operands take more than half of the %.1f GB that are free", float64(in.MemoryBytes)/1e9)
		}
		warnings = append(warnings, Warn(ShapeSkipped, "%s on %s: left out, because %s", listed(row), in.Device, why))
	}
	return warnings
}

// PlanTogether lists the cases that GPUs of the same offers run at once, after each ran its own.
func (s Suite) PlanTogether(in GPUInput, devices []string) []Case {
	if len(devices) < 2 {
		return nil
	}
	var cases []Case
	for _, row := range gpuRows[s.Name] {
		if row.Together {
			all, _ := rowGPU(row, in)
			for _, c := range all {
				c.Device, c.Together = "", devices
				cases = append(cases, c)
			}
		}
	}
	return cases
}

func (s Suite) planGPU(in GPUInput) (cases []Case, skipped [][]Case) {
	type id struct {
		kernels.Spec
		engine, level string
	}
	seen := map[id]bool{}
	for _, row := range gpuRows[s.Name] {
		if row.Together {
			continue
		}
		all, left := rowGPU(row, in)
		for _, c := range all {
			key := id{c.Spec, c.Engine, c.Level}
			if !seen[key] { // the grids overlap
				seen[key] = true
				cases = append(cases, c)
			}
		}
		slices.SortStableFunc(left, func(a, b Case) int { return strings.Compare(string(a.Precision), string(b.Precision)) })
		left = compactSpecs(left)
		if len(left) > 0 {
			skipped = append(skipped, left)
		}
	}
	return cases, skipped
}

// compactSpecs names what several engines would have run once.
func compactSpecs(cases []Case) []Case {
	var once []Case
	for _, c := range cases {
		if !slices.ContainsFunc(once, func(o Case) bool { return o.Spec == c.Spec }) {
			once = append(once, c)
		}
	}
	return once
}

func rowGPU(row GPURow, in GPUInput) (cases, skipped []Case) {
	for _, k := range row.Kernels {
		for _, p := range row.Precisions {
			for i, engine := range in.engines(k, p) {
				if row.First && i > 0 {
					break
				}
				for _, c := range casesGPU(row, kernels.Spec{Kernel: k, Precision: p}, in) {
					c.Engine = engine
					if in.tooMuch(c) {
						skipped = append(skipped, c)
					} else {
						cases = append(cases, c)
					}
				}
			}
		}
	}
	return cases, skipped
}

func (in GPUInput) engines(k kernels.Kernel, p kernels.Precision) []string {
	return enginesOf(in.Offers, k, p)
}

// enginesOf are those of offers that run k at p, in their order.
func enginesOf(offers []Offer, k kernels.Kernel, p kernels.Precision) []string {
	var engines []string
	for _, o := range offers {
		if o.Kernel == k && o.Precision == p {
			engines = append(engines, o.Engine)
		}
	}
	return engines
}

func (in GPUInput) tooMuch(c Case) bool {
	sets := 1.0
	if c.Kernel == kernels.GEMM {
		sets = 3
	}
	return in.MemoryBytes > 0 && sets*c.Bytes() > float64(in.MemoryBytes)/2 ||
		in.FlopPerS > 0 && c.Kernel == kernels.GEMM && c.FLOP() > c.MaxS*in.FlopPerS
}

func casesGPU(row GPURow, spec kernels.Spec, in GPUInput) []Case {
	c := Case{Spec: spec, Device: in.Device, Data: Randn, Seed: in.Seed, Level: LevelMemory, MinS: row.MinS, MaxS: maxOverMin * row.MinS}
	var cases []Case
	for _, c.Shape = range row.Shapes {
		switch spec.Kernel {
		case kernels.FMA:
			c.Level, c.Data = LevelRegister, Constant // the operands are the kernel's own
		case kernels.HostToDevice, kernels.DeviceToHost:
			c.Level = LevelBus
		}
		cases = append(cases, c)
	}
	perElement := kernels.Spec{Kernel: spec.Kernel, Precision: spec.Precision, Shape: kernels.Shape{N: 1}}.Bytes()
	for _, c.Level = range row.Levels {
		const quantum = 1 << 14 // whole blocks of every kernel
		if c.Shape.N = int(float64(setGPU(c.Level, in))/perElement) / quantum * quantum; c.Shape.N > 0 {
			cases = append(cases, c)
		}
	}
	return cases
}

// maxGPUSet is the most that a working set meant for a GPU's memory takes: eight times the largest
// L2 cache of today.
const maxGPUSet = 1 << 30

// setGPU is the bytes of a working set made for a level, 0 if it cannot be made.
func setGPU(level string, in GPUInput) int64 {
	if level == LevelL2 {
		return in.CacheBytes / 2
	}
	most := int64(maxGPUSet)
	if in.MemoryBytes > 0 {
		most = min(most, in.MemoryBytes/4)
	}
	return min(max(4*in.CacheBytes, minMemorySet), most)
}
