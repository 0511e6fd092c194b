package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/realflops/realflops/kernels"
)

// goal is what rows are to reach. Empty fields match every row.
type goal struct {
	text      string
	kernel    kernels.Kernel
	precision kernels.Precision
	engine    string
	peer      string
	who       string // realflops if empty
	threads   int
	shapes    []string
	mean      bool // the geometric mean of the rows counts, not the worst
	ofLimit   bool // of the limit, not of the peer
	least     float64
}

var goals = []goal{
	{text: "fp32 GEMM over OpenBLAS, geometric mean, 1 thread", kernel: kernels.GEMM, precision: kernels.FP32FP32, peer: "OpenBLAS", threads: 1, mean: true, least: 1.00},
	{text: "fp32 GEMM over OpenBLAS, geometric mean, 2 threads", kernel: kernels.GEMM, precision: kernels.FP32FP32, peer: "OpenBLAS", threads: 2, mean: true, least: 1.02},
	{text: "fp32 GEMM over OpenBLAS, each size", kernel: kernels.GEMM, precision: kernels.FP32FP32, peer: "OpenBLAS", least: 0.98},
	{text: "fp32 GEMM of the issue limit, 1 thread", kernel: kernels.GEMM, precision: kernels.FP32FP32, peer: "OpenBLAS", threads: 1, ofLimit: true, least: 0.91},
	{text: "fp64 GEMM over OpenBLAS, geometric mean", kernel: kernels.GEMM, precision: kernels.FP64FP64, peer: "OpenBLAS", mean: true, least: 1.00},
	{text: "fp32 GEMM over oneDNN, n = 512", kernel: kernels.GEMM, precision: kernels.FP32FP32, peer: "oneDNN", shapes: squares(512), least: 0.97},
	{text: "fp32 GEMM over oneDNN, n >= 1024", kernel: kernels.GEMM, precision: kernels.FP32FP32, peer: "oneDNN", shapes: squares(1024, 2048, 4096), least: 1.00},
	{text: "bf16 GEMM over oneDNN, n = 512", kernel: kernels.GEMM, precision: kernels.BF16FP32, peer: "oneDNN", shapes: squares(512), least: 0.97},
	{text: "bf16 GEMM over oneDNN, n >= 1024", kernel: kernels.GEMM, precision: kernels.BF16FP32, peer: "oneDNN", shapes: squares(1024, 2048, 4096), least: 1.00},
	{text: "int8 GEMM over oneDNN (s8 x s8), n = 512", kernel: kernels.GEMM, precision: kernels.INT8INT32, peer: "oneDNN", shapes: squares(512), least: 0.97},
	{text: "int8 GEMM over oneDNN (s8 x s8), n >= 1024", kernel: kernels.GEMM, precision: kernels.INT8INT32, peer: "oneDNN", shapes: squares(1024, 2048, 4096), least: 1.00},
	{text: "GEMM packed ahead over oneDNN packed ahead", kernel: kernels.Linear, peer: "oneDNN", shapes: squares(512, 1024, 4096), least: 0.97},
	{text: "fp16 storage over fp32", kernel: kernels.GEMM, precision: kernels.FP16FP32, peer: "realflops fp32/fp32", least: 0.97},
	{text: "packing's share at n = 512: plain over packed ahead", kernel: kernels.GEMM, precision: kernels.FP32FP32, peer: "realflops linear", least: 0.97},
	{text: "decode fp32 of the roofline", kernel: kernels.Linear, precision: kernels.FP32FP32, shapes: decode, ofLimit: true, least: 0.92},
	{text: "decode bf16 of the roofline", kernel: kernels.Linear, precision: kernels.BF16FP32, shapes: decode, ofLimit: true, least: 0.92},
	{text: "decode int8 of the roofline", kernel: kernels.Linear, precision: kernels.INT8FP32, shapes: decode, ofLimit: true, least: 0.88},
	{text: "decode int4 of the roofline", kernel: kernels.Linear, precision: kernels.INT4FP32, shapes: decode, ofLimit: true, least: 0.80},
	{text: "decode over oneDNN", kernel: kernels.Linear, peer: "oneDNN", shapes: decode, least: 1.00},
	{text: "decode over llama.cpp", kernel: kernels.Linear, peer: "llama.cpp", shapes: decode, least: 1.00},
	{text: "relu in L1 of the store and load limit", kernel: kernels.ReLU, shapes: of(inL1), ofLimit: true, threads: 1, least: 0.95},
	{text: "sigmoid in L1 over C with libmvec", kernel: kernels.Sigmoid, peer: "libmvec", shapes: of(inL1), threads: 1, least: 1.8},
	{text: "silu in L1 over C with libmvec", kernel: kernels.SiLU, peer: "libmvec", shapes: of(inL1), threads: 1, least: 2.0},
	{text: "gelu in L1 over C with libmvec", kernel: kernels.GELU, peer: "libmvec", shapes: of(inL1), threads: 1, least: 1.2},
	{text: "tanh in L1 over C with libmvec", kernel: kernels.Tanh, peer: "libmvec", shapes: of(inL1), threads: 1, least: 1.0},
	{text: "softmax over oneDNN", kernel: kernels.Softmax, peer: "oneDNN", least: 1.0},
	{text: "rmsnorm over oneDNN's layernorm (it has no rmsnorm in this release)", kernel: kernels.RMSNorm, peer: "oneDNN layernorm", least: 1.0},
	{text: "triad over STREAM", kernel: kernels.Triad, peer: "STREAM", least: 1.1},
	{text: "triad with non-temporal stores over STREAM, all threads", kernel: kernels.Triad, engine: "go-avx512-nt", peer: "STREAM", threads: 2, least: 1.3},
	{text: "GEMM beside a busy process, of the same alone: 0.9 of the free three quarters", kernel: kernels.GEMM, who: self + besideBusy, peer: self, threads: 2, least: 0.9 * 0.75},
}

var decode = append(layers(4096, 1, 2, 4, 8, 16), layers(11008, 1, 2, 4, 8, 16)...)

// outcome is how far a goal is reached, by the rounds' medians.
type outcome struct {
	Goal    string  `json:"goal"`
	Least   float64 `json:"least"`
	Value   float64 `json:"value"`           // of the worst row, or the mean
	Rows    int     `json:"rows"`            // that it is of
	Worst   string  `json:"worst,omitempty"` // which row that is
	Verdict string  `json:"verdict"`         // met or missed
}

func (g goal) matches(r row) bool {
	who := g.who
	if who == "" {
		who = self
	}
	return r.Who == who && among(g.shapes, r.Shape) &&
		(g.kernel == "" || string(g.kernel) == r.Kernel) && (g.precision == "" || string(g.precision) == r.Precision) &&
		(g.peer == "" || g.peer == r.Peer) && (g.threads == 0 || g.threads == r.Threads) && (g.engine == "" || g.engine == r.Engine) &&
		(g.engine != "" || !strings.HasSuffix(r.Engine, "-nt")) && (!g.ofLimit || r.OfLimit != nil)
}

// judge is the outcome of every goal that has a row.
func judge(rows []row) []outcome {
	var out []outcome
	for _, g := range goals {
		o := outcome{Goal: g.text, Least: g.least, Value: math.Inf(1)}
		logs := 0.0
		for _, r := range rows {
			if !g.matches(r) {
				continue
			}
			v := r.Paired
			if g.ofLimit {
				v = r.OfLimit.Paired
			}
			if o.Rows++; v < o.Value {
				o.Value, o.Worst = v, fmt.Sprintf("%s %s %s %s, %d threads, %s", r.Kernel, r.Precision, r.Shape, r.Engine, r.Threads, r.Peer)
			}
			logs += math.Log(v)
		}
		if o.Rows == 0 {
			continue
		}
		if g.mean {
			o.Value, o.Worst = math.Exp(logs/float64(o.Rows)), ""
		}
		o.Verdict = "missed"
		if o.Value >= g.least {
			o.Verdict = "met"
		}
		out = append(out, o)
	}
	return out
}

// missed are the goals that are.
func missed(outcomes []outcome) []outcome {
	return slices.DeleteFunc(slices.Clone(outcomes), func(o outcome) bool { return o.Verdict == "met" })
}
