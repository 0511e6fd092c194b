package bench

import (
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
// levels of the memory hierarchy (the others), each with one thread and all.
type Row struct {
	Kernel     kernels.Kernel
	Precisions []kernels.Precision
	Shapes     []kernels.Shape
	Levels     []string
	Threads    ThreadMode
	MinS       float64 // seconds a case; MaxS is maxOverMin times as long
}

// ThreadMode says with how many threads a row runs.
type ThreadMode int

// The thread modes. On a machine with one thread OneAndAll is OneThread, and
// AllThreads is left out.
const (
	OneAndAll ThreadMode = iota
	OneThread
	AllThreads
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
	allLevels = []string{LevelL1, LevelL2, LevelL3, LevelMemory}
	fp32fp16  = []kernels.Precision{kernels.FP32, kernels.FP16}
	fp64      = []kernels.Precision{kernels.FP64}
	gemmFP32  = []kernels.Precision{kernels.FP32FP32}
	gemmFP16  = []kernels.Precision{kernels.FP16FP32}
	gemmBoth  = []kernels.Precision{kernels.FP32FP32, kernels.FP16FP32}

	// fmaShape takes about a millisecond on a core of 100 GFLOP/s.
	fmaShape = []kernels.Shape{{N: kernels.FMAQuantum << 8}}
)

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

// suites hold their rows in the order in which they run: the limits first, so that every
// later result can be held against them as it is made.
var suites = []Suite{
	{
		Name: "quick", Purpose: "the table for a first look and a usable profile, within a minute", MemoryCap: 256 << 20,
		Rows: []Row{
			{Kernel: kernels.FMA, Precisions: []kernels.Precision{kernels.FP32FP32, kernels.FP64FP64}, Shapes: fmaShape, MinS: 0.4},
			{Kernel: kernels.Copy, Precisions: fp64, Levels: allLevels, MinS: 0.35},
			{Kernel: kernels.Triad, Precisions: fp64, Levels: allLevels, MinS: 0.35},
			{Kernel: kernels.GEMM, Precisions: gemmFP32, Shapes: squares(256, 512, 1024), MinS: 0.4},
			{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: squares(2048), MinS: 1.0},
			{Kernel: kernels.GEMM, Precisions: gemmFP32, Shapes: skinny(1, 8, 64), MinS: 0.4},
			{Kernel: kernels.GEMM, Precisions: gemmFP32, Shapes: skinny(256), MinS: 0.6},
			{Kernel: kernels.GEMM, Precisions: gemmFP16, Shapes: append(squares(512, 1024), skinny(1, 64)...), MinS: 0.4},
			{Kernel: kernels.ReLU, Precisions: fp32fp16, Levels: allLevels, MinS: 0.3},
			{Kernel: kernels.Sigmoid, Precisions: fp32fp16, Levels: allLevels, MinS: 0.3},
		},
	},
	{
		Name: "standard", Purpose: "narrower intervals and finer curves, about five minutes", MemoryCap: 1 << 30,
		Rows: []Row{
			{Kernel: kernels.FMA, Precisions: []kernels.Precision{kernels.FP32FP32, kernels.FP64FP64}, Shapes: fmaShape, MinS: 3},
			{Kernel: kernels.Copy, Precisions: fp64, Levels: allLevels, MinS: 2},
			{Kernel: kernels.Triad, Precisions: fp64, Levels: allLevels, MinS: 2},
			{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: squares(128, 256, 512, 1024), MinS: 1.5},
			{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: squares(2048, 4096), MinS: 4},
			{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: skinny(1, 4, 16, 64, 128), MinS: 1.5},
			{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: skinny(256, 1024), MinS: 2.5},
			{Kernel: kernels.ReLU, Precisions: fp32fp16, Levels: allLevels, MinS: 2},
			{Kernel: kernels.Sigmoid, Precisions: fp32fp16, Levels: allLevels, MinS: 2},
		},
	},
	{
		Name: "full", Purpose: "sustained figures under a long load, about twenty minutes", MemoryCap: 4 << 30,
		Rows: []Row{
			{Kernel: kernels.FMA, Precisions: []kernels.Precision{kernels.FP32FP32, kernels.FP64FP64}, Shapes: fmaShape, MinS: 15},
			{Kernel: kernels.Copy, Precisions: fp64, Levels: allLevels, MinS: 7},
			{Kernel: kernels.Triad, Precisions: fp64, Levels: allLevels, MinS: 7},
			{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: squares(64, 128, 256, 512, 1024), MinS: 5},
			{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: squares(2048, 4096), MinS: 15},
			{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: skinny(1, 2, 4, 8, 16, 32, 64, 128), MinS: 5},
			{Kernel: kernels.GEMM, Precisions: gemmBoth, Shapes: skinny(256, 512, 1024), MinS: 10},
			{Kernel: kernels.ReLU, Precisions: fp32fp16, Levels: allLevels, MinS: 7},
			{Kernel: kernels.Sigmoid, Precisions: fp32fp16, Levels: allLevels, MinS: 7},
		},
	},
}

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
