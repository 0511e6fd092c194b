package cuda

import "github.com/realflops/realflops/kernels"

// Geometry of src/fill.cu, fold.cu, elementwise.cu, bandwidth.cu, fma.cu and gemm_simt.cu.
const (
	simtThreads = 256
	simtVectors = 4 * 16 * simtThreads // bytes of one operand that a block takes: four 16-byte accesses a thread
)

// simtEntries are the device functions without matrix instructions. fp16 and bf16 are
// only formats in memory to all of them but fma_fp16, so that any GPU runs them.
var simtEntries = concat(helpers(), activations(), []Entry{
	bandwidth("copy_fp64", kernels.Copy, simtVectors, "ld.global.nc.v4.u32"),
	bandwidth("triad_fp64", kernels.Triad, simtVectors, "fma.rn.f64"),
	bandwidth("read_fp64", kernels.Read, 2*simtVectors, "ld.global.nc.v4.u32"),
	issue("fma_fp32", kernels.FP32FP32, "fma.rn.f32", 50),
	issue("fma_fp64", kernels.FP64FP64, "fma.rn.f64", 50),
	issue("fma_fp16", kernels.FP16FP16, "fma.rn.f16x2", 70),
	simtGEMM("gemm_fp32_fp32", 4),
	simtGEMM("gemm_fp32_fp32_any", 1),
})

func concat(lists ...[]Entry) []Entry {
	var all []Entry
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// helpers fill operands and fold results; they are no kernels that are measured.
func helpers() []Entry {
	var all []Entry
	for _, of := range []struct {
		bytes string
		chunk int
	}{{"1", simtVectors}, {"2", simtVectors / 2}, {"4", simtVectors / 4}, {"8", simtVectors / 8}} {
		all = append(all,
			Entry{Name: "fill_" + of.bytes, MinArch: 50, Block: simtThreads, Chunk: of.chunk},
			Entry{Name: "fold_bits_" + of.bytes, MinArch: 50, Block: simtThreads})
	}
	for _, of := range []string{"fp16", "bf16", "fp32", "int32"} {
		all = append(all, Entry{Name: "fold_int_" + of, MinArch: 50, Block: simtThreads})
	}
	return all
}

// activations are named by what most of their time goes into.
func activations() []Entry {
	var all []Entry
	for _, of := range []struct {
		name        string
		kernel      kernels.Kernel
		instruction string
	}{
		{"relu", kernels.ReLU, "setp.le.f32"},
		{"sigmoid", kernels.Sigmoid, "ex2.approx.f32"},
		{"tanh", kernels.Tanh, "ex2.approx.ftz.f32"},
		{"gelu", kernels.GELU, "ex2.approx.f32"},
		{"silu", kernels.SiLU, "ex2.approx.f32"},
		{"relu_backward", kernels.ReLUBackward, "setp.gt.f32"},
		{"sigmoid_backward", kernels.SigmoidBackward, "mul.rn.f32"},
	} {
		for _, p := range []kernels.Precision{kernels.FP32, kernels.FP16, kernels.BF16} {
			all = append(all, Entry{
				Name: of.name + "_" + string(p), Kernel: of.kernel, Precision: p, Engine: SIMT, Instruction: of.instruction,
				MinArch: 50, Block: simtThreads, Chunk: simtVectors / p.Bytes(),
			})
		}
	}
	return all
}

func bandwidth(name string, k kernels.Kernel, bytes int, instruction string) Entry {
	return Entry{
		Name: name, Kernel: k, Precision: kernels.FP64, Engine: SIMT, Instruction: instruction,
		MinArch: 50, Block: simtThreads, Chunk: bytes / 8,
	}
}

// issue has eight warps a scheduler, which every architecture has room for.
func issue(name string, p kernels.Precision, instruction string, minArch int) Entry {
	return Entry{
		Name: name, Kernel: kernels.FMA, Precision: p, Engine: SIMT, Instruction: instruction,
		MinArch: minArch, Block: simtThreads, BlocksPerSM: 4,
	}
}

func simtGEMM(name string, multiple int) Entry {
	return Entry{
		Name: name, Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Engine: SIMT, Instruction: "fma.rn.f32",
		MinArch: 50, Block: simtThreads, TileM: 128, TileN: 128, Multiple: multiple,
	}
}
