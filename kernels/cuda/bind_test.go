package cuda

import (
	"slices"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
)

var testedArchs = []int{50, 60, 70, 75, 80, 86, 89, 90, 100, 120, 130}

func TestEveryImageHasEachEntryOnce(t *testing.T) {
	for _, arch := range testedArchs {
		seen := map[string]bool{}
		for _, e := range Entries(arch) {
			if seen[e.Name] {
				t.Errorf("%d: %s has two forms", arch, e.Name)
			}
			seen[e.Name] = true
		}
		if !seen["fma_fp32"] || !seen["gemm_fp32_fp32_any"] || !seen["fold_bits_4"] {
			t.Errorf("%d: there are only %v", arch, seen)
		}
	}
}

// TestEveryEntryCanBeLaunched holds the tables to what Launch needs of them.
func TestEveryEntryCanBeLaunched(t *testing.T) {
	for _, e := range slices.Concat(simtEntries, mmaEntries) {
		b, ok := bindings[e.family()]
		if !ok {
			t.Errorf("%s: family %q has no binding", e.Name, e.family())
			continue
		}
		shape := kernels.Shape{N: 2 * kernels.FMAQuantum}
		if e.Kernel == kernels.GEMM {
			shape = kernels.Shape{M: 3, N: 256, K: 512}
		}
		l, err := e.Launch(shape, 2, make([]Ptr, len(b.operands)), []uint64{512}[:len(b.scalars)]...)
		switch {
		case err != nil:
			t.Error(err)
		case l.Block < 32 || l.Block > 1024 || l.Block%32 != 0:
			t.Errorf("%s: %d threads a block", e.Name, l.Block)
		case l.Entry != e.Name || l.Shared != e.Shared:
			t.Errorf("%s is launched as %+v", e.Name, l)
		}
	}
}

func TestLaunchCoversTheShape(t *testing.T) {
	gemm := Entry{Name: "gemm_x", Kernel: kernels.GEMM, Precision: kernels.FP16FP32, Engine: MMA, Block: 128, Shared: 7, TileM: 128, TileN: 64, Multiple: 8}
	fma := Entry{Name: "fma_x", Kernel: kernels.FMA, Engine: SIMT, Block: 256, BlocksPerSM: 3}
	mma := Entry{Name: "mma_x", Kernel: kernels.FMA, Engine: MMA, Block: 256, BlocksPerSM: 2}
	relu := Entry{Name: "relu_x", Kernel: kernels.ReLU, Block: 256, Chunk: 1000}
	fold := Entry{Name: "fold_x", Block: 256}
	fill := Entry{Name: "fill_x", Block: 256, Chunk: 16}
	for _, c := range []struct {
		e       Entry
		shape   kernels.Shape
		ptrs    []Ptr
		scalars []uint64
		grid    int
		params  []uint64
	}{
		{gemm, kernels.Shape{M: 129, N: 64, K: 8}, []Ptr{1, 2, 3}, nil, 2, []uint64{1, 2, 3, 129, 64, 8}},
		{gemm, kernels.Shape{M: 128, N: 72, K: 8}, []Ptr{1, 2, 3}, nil, 2, []uint64{1, 2, 3, 128, 72, 8}},
		{fma, kernels.Shape{N: 768}, []Ptr{9}, nil, 15, []uint64{9, 3, 1}},
		{mma, kernels.Shape{N: 768}, []Ptr{9}, nil, 10, []uint64{9, 1, 1}},
		{relu, kernels.Shape{N: 1000}, []Ptr{1, 2}, nil, 1, []uint64{1, 2, 1000}},
		{relu, kernels.Shape{N: 1001}, []Ptr{1, 2}, nil, 2, []uint64{1, 2, 1001}},
		{fold, kernels.Shape{N: 7}, []Ptr{1, 2}, []uint64{3}, 3, []uint64{1, 2, 7, 3}},
		{fill, kernels.Shape{N: 17}, []Ptr{1, 2}, []uint64{99}, 2, []uint64{1, 2, 17, 99}},
	} {
		l, err := c.e.Launch(c.shape, 5, c.ptrs, c.scalars...)
		if err != nil {
			t.Error(err)
			continue
		}
		if l.Grid != c.grid || !slices.Equal(l.Params, c.params) {
			t.Errorf("%s at %s: %d blocks, parameters %v; want %d and %v", c.e.Name, c.shape, l.Grid, l.Params, c.grid, c.params)
		}
	}
}

func TestLaunchRefusesWhatAKernelCannotDo(t *testing.T) {
	gemm := Entry{Name: "gemm_x", Kernel: kernels.GEMM, TileM: 1, TileN: 1, Multiple: 8}
	fma := Entry{Name: "fma_x", Kernel: kernels.FMA, Engine: MMA, BlocksPerSM: 1}
	fold := Entry{Name: "fold_x"}
	for _, c := range []struct {
		e       Entry
		shape   kernels.Shape
		sms     int
		ptrs    int
		scalars []uint64
		says    string
	}{
		{gemm, kernels.Shape{M: 1, N: 8, K: 9}, 1, 3, nil, "does not take the shape 1x8x9"},
		{gemm, kernels.Shape{M: 1, N: 9, K: 8}, 1, 3, nil, "does not take the shape 1x9x8"},
		{gemm, kernels.Shape{M: 0, N: 8, K: 8}, 1, 3, nil, "does not take the shape"},
		{gemm, kernels.Shape{M: 1, N: 8, K: 8}, 1, 2, nil, "takes the operands c, a, b, not 2"},
		{gemm, kernels.Shape{M: 1 << 20, N: 1 << 20, K: 8}, 1, 3, nil, "would be 1099511627776 blocks"},
		{gemm, kernels.Shape{M: 8, N: 8, K: 1 << 31}, 1, 3, nil, "does not take the shape 8x8x2147483648"},
		{fma, kernels.Shape{N: 256}, 1, 1, nil, "does not take the shape 256"},
		{fma, kernels.Shape{N: 768}, 0, 1, nil, "on 0 multiprocessors would be 0 blocks"},
		{fold, kernels.Shape{N: 5}, 1, 2, nil, "takes 1 scalars [cols], not 0"},
		{fold, kernels.Shape{N: 5}, 1, 2, []uint64{0}, "rows of 0 elements"},
		{Entry{Name: "brew"}, kernels.Shape{N: 5}, 1, 2, nil, `"brew": it is not known how to launch it`},
	} {
		_, err := c.e.Launch(c.shape, c.sms, make([]Ptr, c.ptrs), c.scalars...)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s at %s: the error is %v; want it to say %q", c.e.Name, c.shape, err, c.says)
		}
	}
}

func TestPickTakesTheVectorFormWhereTheShapeAllows(t *testing.T) {
	for _, c := range []struct {
		k       kernels.Kernel
		p       kernels.Precision
		engine  string
		shape   kernels.Shape
		arch    int
		want    string
		problem string
	}{
		{kernels.GEMM, kernels.FP16FP32, "", kernels.Shape{M: 3, N: 8, K: 16}, 80, "gemm_fp16_fp32", ""},
		{kernels.GEMM, kernels.FP16FP32, "", kernels.Shape{M: 3, N: 8, K: 17}, 80, "gemm_fp16_fp32_any", ""},
		{kernels.GEMM, kernels.FP16FP32, "", kernels.Shape{M: 3, N: 9, K: 16}, 80, "gemm_fp16_fp32_any", ""},
		{kernels.GEMM, kernels.FP16FP32, "", kernels.Shape{M: 4096, N: 4096, K: 16}, 80, "gemm_fp16_fp32_wide", ""},
		{kernels.GEMM, kernels.FP16FP32, "", kernels.Shape{M: 1024, N: 4096, K: 16}, 80, "gemm_fp16_fp32", ""},
		{kernels.GEMM, kernels.FP16FP32, "", kernels.Shape{M: 4096, N: 4097, K: 16}, 80, "gemm_fp16_fp32_any", ""},
		{kernels.GEMM, kernels.INT8INT32, "", kernels.Shape{M: 3, N: 9, K: 16}, 80, "gemm_int8_int32", ""},
		{kernels.GEMM, kernels.INT8INT32, "", kernels.Shape{M: 3, N: 16, K: 9}, 80, "gemm_int8_int32_any", ""},
		{kernels.GEMM, kernels.FP32FP32, SIMT, kernels.Shape{M: 3, N: 4, K: 4}, 50, "gemm_fp32_fp32", ""},
		{kernels.FMA, kernels.FP16FP16, "", kernels.Shape{N: 768}, 80, "mma_fp16_fp16", ""},
		{kernels.FMA, kernels.FP16FP16, SIMT, kernels.Shape{N: 768}, 80, "fma_fp16", ""},
		{kernels.ReLUBackward, kernels.BF16, "", kernels.Shape{N: 7}, 80, "relu_backward_bf16", ""},
		{kernels.Read, kernels.FP64, "", kernels.Shape{N: 7}, 50, "read_fp64", ""},

		{kernels.GEMM, kernels.BF16FP32, "", kernels.Shape{M: 3, N: 8, K: 16}, 75, "", "gemm bf16/fp32 needs compute capability 8.0; the kernels of this device are for 7.5"},
		{kernels.GEMM, kernels.FP32FP32, MMA, kernels.Shape{M: 3, N: 8, K: 16}, 80, "", "engine ptx-mma has no gemm at fp32/fp32"},
		{kernels.GEMM, kernels.FP32FP32, "ptx-mme", kernels.Shape{M: 3, N: 8, K: 16}, 80, "", `unknown engine "ptx-mme": did you mean "ptx-mma"?`},
		{kernels.HostToDevice, kernels.FP64, "", kernels.Shape{N: 7}, 80, "", "no device function for h2d at fp64"},
		{kernels.FMA, kernels.FP32FP32, "", kernels.Shape{N: 7}, 80, "", "no device function computes fma fp32/fp32 at 7"},
	} {
		e, err := Pick(c.k, c.p, c.engine, c.shape, c.arch)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if e.Name != c.want || text != c.problem {
			t.Errorf("%s %s at %s on %d: %q, error %q; want %q, %q", c.k, c.p, c.shape, c.arch, e.Name, text, c.want, c.problem)
		}
	}
}

func TestFindSaysWhatANameNeeds(t *testing.T) {
	if e, err := Find("gemm_fp32_fp32", 86); err != nil || e.Kernel != kernels.GEMM {
		t.Errorf("%v, %v", e, err)
	}
	for name, says := range map[string]string{
		"mma_bf16_fp32":  "mma_bf16_fp32 needs compute capability 8.0; the kernels of this device are for 7.0",
		"gemm_fp32_fp3X": `unknown device function "gemm_fp32_fp3X": did you mean "gemm_fp32_fp32"?`,
	} {
		if _, err := Find(name, 70); err == nil || err.Error() != says {
			t.Errorf("%s: %v; want %s", name, err, says)
		}
	}
}
