package bench

import (
	"slices"

	"github.com/realflops/realflops/kernels"
)

// Suite is a table of what to measure. [Suite.Plan] makes cases of it for one machine.
type Suite struct {
	Name      string
	Purpose   string // one line
	MemoryCap int64  // bytes: most that a working set meant for memory takes
	Rows      []Row  // of a CPU
}

// Row is one line of a suite: a kernel at some precisions, at shapes (fma, gemm) or at
// levels of the memory hierarchy (the others), each with one thread and all
// unless it says otherwise.
type Row struct {
	Kernel     kernels.Kernel
	Precisions []kernels.Precision
	Engines    []string // by name, those of them that the machine has; nil for its best
	AllEngines bool     // every engine that the machine has, but plain Go beside others
	Shapes     []kernels.Shape
	Levels     []string
	Threads    ThreadMode
	Places     PlaceKind // of which parts of the machine; WholeMachine unless said
	MinS       float64   // seconds a case; MaxS is maxOverMin times as long
}

// ThreadMode says with how many threads a row runs.
type ThreadMode int

// The thread modes. On a machine with one thread OneAndAll and ThreadCurve are OneThread, and
// AllThreads is left out.
const (
	OneAndAll ThreadMode = iota
	OneThread
	AllThreads
	ThreadCurve // 1, 2, 4 ..., all cores, and all hardware threads where those are more
	OnePerCore  // as many as cores, one on each, where those run several; left out elsewhere
)

// maxOverMin is MaxS over MinS: a suite's time is known within this spread beforehand.
const maxOverMin = 1.3

// The levels of the memory hierarchy that a working set can be made for, smallest first.
const (
	LevelRegister = "register"
	LevelL1       = "l1"
	LevelL2       = "l2"
	LevelL3       = "l3"
	LevelMemory   = "memory"
	LevelBus      = "bus" // between the host and a device: the copies alone
)

var (
	allLevels   = []string{LevelL1, LevelL2, LevelL3, LevelMemory}
	nearAndFar  = []string{LevelL1, LevelMemory}
	inMemory    = []string{LevelMemory}
	fp32fp16    = []kernels.Precision{kernels.FP32, kernels.FP16}
	fp32bf16    = []kernels.Precision{kernels.FP32, kernels.BF16}
	allStorages = []kernels.Precision{kernels.FP32, kernels.BF16, kernels.FP16}
	fp64        = []kernels.Precision{kernels.FP64}
	gemmFP32    = []kernels.Precision{kernels.FP32FP32}
	gemmFP16    = []kernels.Precision{kernels.FP16FP32}
	gemmBoth    = []kernels.Precision{kernels.FP32FP32, kernels.FP16FP32}
	gemmOthers  = []kernels.Precision{kernels.BF16FP32, kernels.INT8INT32, kernels.FP16FP16, kernels.FP64FP64}
	linears     = []kernels.Precision{kernels.FP32FP32, kernels.BF16FP32, kernels.FP16FP32, kernels.INT8FP32, kernels.INT4FP32}
	cpuLimits   = []kernels.Precision{kernels.FP32FP32, kernels.FP64FP64, kernels.BF16FP32, kernels.FP16FP16, kernels.INT8INT32}

	// fmaShape takes about a millisecond on a core of 100 GFLOP/s.
	fmaShape = []kernels.Shape{{N: kernels.FMAQuantum << 8}}
	// heads is the product of a layer's attention scores: 32 heads, 512 tokens, head dimension 128.
	heads = []kernels.Shape{{Batch: 32, M: 512, N: 512, K: 128}}
	// nonTemporal are the engines whose stores bypass the caches.
	nonTemporal = []string{"go-avx2-nt", "go-avx512-nt"}
)

// mlp is the family m x 11008 x 4096, the up-projection of a 7B model.
func mlp(ms ...int) []kernels.Shape {
	var s []kernels.Shape
	for _, m := range ms {
		s = append(s, kernels.Shape{M: m, N: 11008, K: 4096})
	}
	return s
}

// each makes a row of every kernel.
func each(names []kernels.Kernel, row Row) []Row {
	var rows []Row
	for _, row.Kernel = range names {
		rows = append(rows, row)
	}
	return rows
}

func squares(sizes ...int) []kernels.Shape {
	var s []kernels.Shape
	for _, n := range sizes {
		s = append(s, kernels.Shape{M: n, N: n, K: n})
	}
	return s
}

// skinny is the family m x 4096 x 4096: a weight matrix of a 7B model against m tokens.
func skinny(ms ...int) []kernels.Shape {
	var s []kernels.Shape
	for _, m := range ms {
		s = append(s, kernels.Shape{M: m, N: 4096, K: 4096})
	}
	return s
}

// suites hold their rows, which stand below, in the order in which they run: the limits first, so that every
// later result can be held against them as it is made.
var suites = []Suite{
	{Name: "quick", Purpose: "the table for a first look and a usable profile, within a minute", MemoryCap: 256 << 20, Rows: quickRows},
	{Name: "standard", Purpose: "narrower intervals and finer curves, about five minutes", MemoryCap: 1 << 30, Rows: standardRows},
	{Name: "full", Purpose: "every kernel, precision and engine, and sustained figures under a long load, about twenty minutes", MemoryCap: 4 << 30, Rows: fullRows},
}

var quickRows = []Row{
	{Kernel: kernels.FMA, Precisions: cpuLimits, Shapes: fmaShape, MinS: 0.3},
	{Kernel: kernels.Copy, Precisions: fp64, Levels: allLevels, MinS: 0.3},
	{Kernel: kernels.Triad, Precisions: fp64, Levels: allLevels, MinS: 0.3},
	{Kernel: kernels.Read, Precisions: fp64, Levels: inMemory, MinS: 0.3},
	{Kernel: kernels.GEMM, Precisions: gemmFP32, Shapes: squares(256, 512, 1024), MinS: 0.4},
	{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: squares(2048), MinS: 0.9},
	{Kernel: kernels.GEMM, Precisions: gemmFP32, Shapes: skinny(1, 8, 64), MinS: 0.4},
	{Kernel: kernels.GEMM, Precisions: gemmFP32, Shapes: skinny(256), MinS: 0.6},
	{Kernel: kernels.GEMM, Precisions: gemmFP16, Shapes: append(squares(512, 1024), skinny(1, 64)...), MinS: 0.35},
	{Kernel: kernels.GEMM, Precisions: gemmOthers[:2], Shapes: squares(1024), MinS: 0.3},
	{Kernel: kernels.Linear, Precisions: linears[3:], Shapes: skinny(1), MinS: 0.3},
	{Kernel: kernels.ReLU, Precisions: fp32fp16, Levels: allLevels, MinS: 0.25},
	{Kernel: kernels.Sigmoid, Precisions: fp32fp16, Levels: allLevels, MinS: 0.25},
}

var standardRows = slices.Concat(
	[]Row{{Kernel: kernels.FMA, Precisions: cpuLimits, Shapes: fmaShape, MinS: 1.5}},
	each([]kernels.Kernel{kernels.Copy, kernels.Triad}, Row{Precisions: fp64, Levels: allLevels, MinS: 1.2}),
	[]Row{
		{Kernel: kernels.Read, Precisions: fp64, Levels: allLevels, MinS: 0.7},
		{Kernel: kernels.Triad, Precisions: fp64, Levels: inMemory, Engines: nonTemporal, MinS: 0.7},
		{Kernel: kernels.Chase, Precisions: fp64, Levels: allLevels, Threads: OneThread, MinS: 0.5},
		{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: squares(128, 256, 512, 1024), MinS: 1},
		{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: squares(2048, 4096), MinS: 3},
		{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: skinny(1, 4, 16, 64, 128), MinS: 1},
		{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: skinny(256, 1024), MinS: 1.5},
		{Kernel: kernels.GEMM, Precisions: gemmOthers, Shapes: squares(512, 2048), MinS: 1},
		{Kernel: kernels.Linear, Precisions: linears, Shapes: skinny(1, 16), MinS: 0.7},
	},
	each([]kernels.Kernel{kernels.ReLU, kernels.Sigmoid}, Row{Precisions: fp32fp16, Levels: allLevels, MinS: 1}),
	each([]kernels.Kernel{kernels.Tanh, kernels.GELU, kernels.SiLU, kernels.SiLUMul, kernels.Softmax, kernels.RMSNorm, kernels.LayerNorm},
		Row{Precisions: fp32bf16, Levels: nearAndFar, MinS: 0.3}),
)

var fullRows = slices.Concat(
	[]Row{
		{Kernel: kernels.FMA, Precisions: cpuLimits, AllEngines: true, Shapes: fmaShape, MinS: 5},
		{Kernel: kernels.FMA, Precisions: gemmFP32, AllEngines: true, Shapes: fmaShape, Threads: ThreadCurve, MinS: 2},
		{Kernel: kernels.FMA, Precisions: cpuLimits, AllEngines: true, Shapes: fmaShape, Threads: OnePerCore, MinS: 1},
		{Kernel: kernels.FMA, Precisions: cpuLimits, Shapes: fmaShape, Places: CoreKind, MinS: 1},
	},
	each([]kernels.Kernel{kernels.Copy, kernels.Triad}, Row{Precisions: fp64, Levels: allLevels, MinS: 5}),
	each([]kernels.Kernel{kernels.Read, kernels.Write, kernels.Scale, kernels.Add}, Row{Precisions: fp64, Levels: allLevels, MinS: 1}),
	each([]kernels.Kernel{kernels.Write, kernels.Copy, kernels.Scale, kernels.Add, kernels.Triad}, Row{Precisions: fp64, Levels: inMemory, Engines: nonTemporal, MinS: 1}),
	[]Row{
		{Kernel: kernels.Triad, Precisions: fp64, Levels: inMemory, Threads: ThreadCurve, MinS: 2},
		{Kernel: kernels.Read, Precisions: fp64, Levels: inMemory, Threads: OnePerCore, MinS: 1},
		{Kernel: kernels.Read, Precisions: fp64, Levels: inMemory, Threads: AllThreads, Places: NodePair, MinS: 0.7},
		{Kernel: kernels.Triad, Precisions: fp64, Levels: inMemory, Threads: AllThreads, Places: NodePair, MinS: 0.7},
		{Kernel: kernels.Chase, Precisions: fp64, Levels: allLevels, Threads: OneThread, MinS: 2},
		{Kernel: kernels.Chase, Precisions: fp64, Levels: inMemory, Threads: OneThread, Places: NodePair, MinS: 0.7},
		{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: squares(64, 128, 256, 512, 1024), MinS: 4},
		{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: squares(2048, 4096), MinS: 15},
		{Kernel: kernels.GEMM, Precisions: gemmFP32, Shapes: squares(2048), Threads: ThreadCurve, MinS: 4},
		{Kernel: kernels.GEMM, Precisions: gemmFP32, Shapes: squares(2048), Places: CoreKind, MinS: 2},
		{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: skinny(1, 2, 4, 8, 16, 32, 64, 128), MinS: 3},
		{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: skinny(256, 512, 1024), MinS: 5},
		{Kernel: kernels.GEMM, Precisions: gemmOthers, Shapes: squares(256, 512, 1024, 2048), MinS: 2},
		{Kernel: kernels.Linear, Precisions: linears, AllEngines: true, Shapes: slices.Concat(skinny(1, 2, 4, 8, 16), mlp(1)), MinS: 0.5},
		{Kernel: kernels.Batched, Precisions: gemmBoth, Shapes: heads, MinS: 1},
	},
	each([]kernels.Kernel{kernels.GEMMNT, kernels.GEMMTN, kernels.GEMMTT}, Row{Precisions: gemmBoth, Shapes: squares(1024), MinS: 1}),
	each([]kernels.Kernel{kernels.ReLU, kernels.Sigmoid}, Row{Precisions: allStorages, Levels: allLevels, MinS: 2}),
	each([]kernels.Kernel{
		kernels.Tanh, kernels.GELU, kernels.GELUErf, kernels.SiLU, kernels.SiLUMul, kernels.Softmax, kernels.RMSNorm, kernels.LayerNorm,
	}, Row{Precisions: allStorages, Levels: nearAndFar, MinS: 0.6}),
	each([]kernels.Kernel{
		kernels.ReLUBackward, kernels.SigmoidBackward, kernels.TanhBackward, kernels.GELUBackward, kernels.GELUErfBackward, kernels.SiLUBackward, kernels.SiLUMulBackward,
		kernels.SoftmaxBackward, kernels.RMSNormBackward, kernels.LayerNormBackward, kernels.AdamW,
	}, Row{Precisions: fp32bf16, Levels: nearAndFar, Threads: AllThreads, MinS: 0.5}),
)

// Suites lists the suites, the shortest first.
func Suites() []Suite { return append([]Suite(nil), suites...) }

// SuiteByName finds a suite. The error names the nearest there is.
func SuiteByName(name string) (Suite, error) {
	names := make([]string, len(suites))
	for i, s := range suites {
		if s.Name == name {
			return s, nil
		}
		names[i] = s.Name
	}
	return Suite{}, kernels.Unknown("suite", name, names)
}
