package main

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/klauspost/cpuid/v2"

	"github.com/realflops/realflops/kernels"
)

// job is a contest to hold: ours and its rivals on one spec, with so many threads.
type job struct {
	spec
	Threads int
	Engine  string // ours, "" for the best
	Rivals  []rival
	// Beside says that everybody also works beside a process that keeps one CPU busy.
	Beside bool
}

// rival is a peer, or with the name of realflops another implementation of ours. Its spec is the job's but for what is
// set here; where it differs, results are not compared.
type rival struct {
	Peer      string
	Kernel    kernels.Kernel
	Precision kernels.Precision
	Engine    string
	// Rounds says that its results are stored as the operands are, in 16 bits: what PyTorch does.
	Rounds bool
}

// self is how a rival of our own is named.
const self = "realflops"

func (r rival) spec(s spec) spec {
	if r.Kernel != "" {
		s.Kernel = r.Kernel
	}
	if r.Precision != "" {
		s.Precision = r.Precision
	}
	return s
}

// name is what a table calls the rival of s.
func (r rival) name(s spec) string {
	name := r.Peer
	if r.Kernel != "" && r.Kernel != s.Kernel {
		name += " " + string(r.Kernel)
	}
	if r.Precision != "" && r.Precision != s.Precision {
		name += " " + string(r.Precision)
	}
	if r.Engine != "" {
		name += " " + r.Engine
	}
	return name
}

func named(peers ...string) []rival {
	out := make([]rival, len(peers))
	for i, p := range peers {
		out[i] = rival{Peer: p}
	}
	return out
}

func (j job) String() string {
	return fmt.Sprintf("%s %s %s, %d threads", j.Kernel, j.Precision, j.Shape, j.Threads)
}

// fromMemory is how many bytes the copies of a small product's weights take together, so that they come from memory
// and not from a cache.
func fromMemory() int { return max(128<<20, 4*cpuid.CPU.Cache.L3) }

// family makes jobs of kernels, precisions, shapes and rivals, in this order for each number of threads.
type family struct {
	kernels    []kernels.Kernel
	precisions []kernels.Precision
	shapes     []string
	engine     string
	rivals     []rival
	beside     bool
	one, many  bool // only at one thread, only at more
}

func (f family) jobs(threads []int) ([]job, error) {
	var out []job
	for _, t := range threads {
		if f.many && t == 1 || f.one && t > 1 {
			continue
		}
		for _, k := range f.kernels {
			d, err := kernels.Lookup(string(k))
			if err != nil {
				return nil, err
			}
			for _, p := range f.precisions {
				for _, shape := range f.shapes {
					s, err := kernels.ParseShape(d, shape)
					if err != nil {
						return nil, err
					}
					j := job{spec{kernels.Spec{Kernel: k, Precision: p, Shape: s}, 1}, t, f.engine, f.rivals, f.beside}
					if weights := p.WeightBytes() * float64(s.N*s.K); k == kernels.Linear && s.M < manyRows {
						j.Sets = min(64, max(2, int(math.Ceil(float64(fromMemory())/weights))))
					}
					out = append(out, j)
				}
			}
		}
	}
	return out, nil
}

func squares(sizes ...int) []string {
	out := make([]string, len(sizes))
	for i, n := range sizes {
		out[i] = fmt.Sprintf("%dx%dx%d", n, n, n)
	}
	return out
}

// layers are decode's products: few rows by a layer's weights.
func layers(n int, rows ...int) []string {
	out := make([]string, len(rows))
	for i, m := range rows {
		out[i] = fmt.Sprintf("%dx%dx4096", m, n)
	}
	return out
}

const (
	inL1     = "3072"     // elements of fp32: two operands take three quarters of a 32 KiB cache
	inMemory = "33554432" // 128 MiB of fp32 each
	doubles  = "16777216" // 128 MiB of fp64 each
	training = "4194304"  // 16 MiB of fp32 each: three operands, or four of a step of AdamW
)

// families are everything that `make bench-peers` shows.
var families = []family{
	{kernels: gemm, precisions: of(kernels.FP32FP32), shapes: squares(512, 1024, 4096), rivals: named("OpenBLAS", "oneDNN")},
	{kernels: gemm, precisions: of(kernels.FP32FP32), shapes: squares(2048), rivals: named("OpenBLAS", "oneDNN", "MKL", "BLIS", "PyTorch")},
	{kernels: gemm, precisions: of(kernels.FP64FP64), shapes: squares(512, 1024, 2048), rivals: named("OpenBLAS", "MKL")},
	{kernels: gemm, precisions: of(kernels.BF16FP32), shapes: squares(512, 1024, 2048, 4096), rivals: append(named("oneDNN"), rival{Peer: "PyTorch", Rounds: true})},
	{kernels: gemm, precisions: of(kernels.INT8INT32), shapes: squares(512, 1024, 2048, 4096), rivals: named("oneDNN", "oneDNN u8s8")},
	{kernels: gemm, precisions: of(kernels.FP16FP32), shapes: squares(1024, 2048), rivals: []rival{{Peer: self, Precision: kernels.FP32FP32}}},
	{kernels: []kernels.Kernel{kernels.GEMMNT, kernels.GEMMTN, kernels.GEMMTT}, precisions: of(kernels.FP32FP32), shapes: squares(1024), rivals: append(named("OpenBLAS", "oneDNN"), rival{Peer: self, Kernel: kernels.GEMM})},
	// Packed ahead; and what packing costs.
	{kernels: of(kernels.Linear), precisions: of(kernels.FP32FP32, kernels.BF16FP32, kernels.INT8INT32), shapes: squares(512, 1024, 4096), rivals: named("oneDNN")},
	{kernels: gemm, precisions: of(kernels.FP32FP32), shapes: squares(512), rivals: []rival{{Peer: self, Kernel: kernels.Linear}}},
	// Decode.
	{kernels: of(kernels.Linear), precisions: of(kernels.FP32FP32, kernels.BF16FP32), shapes: layers(4096, 1, 2, 4, 8, 16), rivals: named("oneDNN", "llama.cpp")},
	{kernels: of(kernels.Linear), precisions: of(kernels.FP32FP32, kernels.BF16FP32), shapes: layers(11008, 1, 8), rivals: named("oneDNN", "llama.cpp")},
	{kernels: of(kernels.Linear), precisions: of(kernels.INT8INT32), shapes: append(layers(4096, 1, 2, 4, 8, 16), layers(11008, 1, 8)...), rivals: named("oneDNN")},
	{kernels: of(kernels.Linear), precisions: of(kernels.INT8FP32, kernels.INT4FP32), shapes: append(layers(4096, 1, 2, 4, 8, 16), layers(11008, 1, 8)...), rivals: named("llama.cpp")},
	{kernels: of(kernels.Linear), precisions: of(kernels.INT8FP32, kernels.INT4FP32), shapes: layers(4096, 1, 4), engine: "go-avx512", rivals: named("llama.cpp")},
	// Element by element, in the first cache and out of all.
	{kernels: activations, precisions: of(kernels.FP32), shapes: of(inL1), rivals: named("libmvec", "oneDNN"), one: true},
	{kernels: of(kernels.ReLU, kernels.Sigmoid, kernels.GELU), precisions: of(kernels.FP32), shapes: of(inMemory), rivals: named("libmvec", "oneDNN")},
	{kernels: gradients, precisions: of(kernels.FP32), shapes: of(training), rivals: named("PyTorch"), one: true},
	{kernels: of(kernels.Softmax, kernels.LayerNorm), precisions: of(kernels.FP32, kernels.BF16), shapes: of("256x4096"), rivals: named("oneDNN")},
	{kernels: of(kernels.RMSNorm), precisions: of(kernels.FP32, kernels.BF16), shapes: of("256x4096"), rivals: []rival{{Peer: "oneDNN", Kernel: kernels.LayerNorm}}},
	// Bandwidth.
	{kernels: of(kernels.Triad, kernels.Copy, kernels.Add, kernels.Scale, kernels.Read, kernels.Write), precisions: of(kernels.FP64), shapes: of(doubles), rivals: named("STREAM")},
	{kernels: of(kernels.Triad, kernels.Copy), precisions: of(kernels.FP64), shapes: of(doubles), engine: "go-avx512-nt", rivals: named("STREAM")},
	// Beside somebody who keeps a CPU busy.
	{kernels: gemm, precisions: of(kernels.FP32FP32), shapes: squares(2048), rivals: named("OpenBLAS"), beside: true, many: true},
}

var (
	gemm        = of(kernels.GEMM)
	gradients   = of(kernels.ReLUBackward, kernels.SigmoidBackward, kernels.TanhBackward, kernels.GELUBackward, kernels.GELUErfBackward, kernels.SiLUBackward, kernels.AdamW)
	activations = of(kernels.ReLU, kernels.Sigmoid, kernels.Tanh, kernels.GELU, kernels.GELUErf, kernels.SiLU)
)

func of[T any](x ...T) []T { return x }

// choice is which jobs are wanted; what is empty is all.
type choice struct {
	kernels, precisions, peers []string
	rows, sizes, threads       []int // of a shape, its m and n
	quick                      bool  // one shape of each family
}

// known says which chosen name is none.
func (c choice) known() error {
	var names []string
	for _, p := range peers {
		names = append(names, p.name)
	}
	for _, p := range c.peers {
		if p != self && !slices.Contains(names, p) {
			return kernels.Unknown("peer", p, append(names, self))
		}
	}
	for _, k := range c.kernels {
		if _, err := kernels.Lookup(k); err != nil {
			return err
		}
	}
	var precisions []string
	for _, d := range kernels.All() {
		for _, p := range d.Precisions {
			if !slices.Contains(precisions, string(p)) {
				precisions = append(precisions, string(p))
			}
		}
	}
	for _, p := range c.precisions {
		if !slices.Contains(precisions, p) {
			return kernels.Unknown("precision", p, precisions)
		}
	}
	return nil
}

// jobs are those of the families that are chosen.
func (c choice) jobs(families []family) ([]job, error) {
	var out []job
	for _, f := range families {
		if c.quick {
			f.shapes = f.shapes[:1]
		}
		all, err := f.jobs(c.threads)
		if err != nil {
			return nil, err
		}
		for _, j := range all {
			if c.wants(&j) {
				out = append(out, j)
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no comparison is of all that was chosen; leave a flag out")
	}
	return out, nil
}

// wants reports whether j is chosen, and leaves it its chosen rivals.
func (c choice) wants(j *job) bool {
	if !among(c.kernels, string(j.Kernel)) || !among(c.precisions, string(j.Precision)) || !among(c.sizes, j.Shape.N) || !among(c.rows, j.Shape.M) {
		return false
	}
	if len(c.peers) > 0 {
		j.Rivals = slices.DeleteFunc(slices.Clone(j.Rivals), func(r rival) bool { return !slices.Contains(c.peers, r.Peer) })
	}
	return len(j.Rivals) > 0
}

// among reports whether x is in list, or list is empty.
func among[T comparable](list []T, x T) bool { return len(list) == 0 || slices.Contains(list, x) }
