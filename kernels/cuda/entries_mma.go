package cuda

import "github.com/realflops/realflops/kernels"

// The geometry of src/mma.cu and src/gemm_mma.cu, which the sources state too.
const (
	mmaThreads     = 256
	mmaBlocksPerSM = 2 // 4 warps a scheduler; __launch_bounds__ keeps the registers for it

	gemmStage      = 16 << 10 // 64 bytes of k of a tile of 128 x 128
	gemmStageWide  = 24 << 10 // of 128 x 256
	stagesByThread = 2        // where operands pass through registers
)

// mmaForm is a tensor-core instruction and the architectures on which it is used.
type mmaForm struct {
	instruction string // after mma.sync.aligned.
	min, max    int
}

var mmaPrecisions = []struct {
	name      string
	precision kernels.Precision
	multiple  int // of n and k in the forms that move 16 bytes at a time; of int8, k alone
	forms     []mmaForm
}{
	{"fp16_fp32", kernels.FP16FP32, 8, []mmaForm{
		{"m8n8k4.row.row.f32.f16.f16.f32", 70, 74},
		{"m16n8k8.row.col.f32.f16.f16.f32", 75, 79},
		{"m16n8k16.row.col.f32.f16.f16.f32", 80, 0},
	}},
	{"fp16_fp16", kernels.FP16FP16, 8, []mmaForm{
		{"m8n8k4.row.row.f16.f16.f16.f16", 70, 74},
		{"m16n8k8.row.col.f16.f16.f16.f16", 75, 79},
		{"m16n8k16.row.col.f16.f16.f16.f16", 80, 0},
	}},
	{"bf16_fp32", kernels.BF16FP32, 8, []mmaForm{
		{"m16n8k16.row.col.f32.bf16.bf16.f32", 80, 0},
	}},
	{"tf32_fp32", kernels.TF32FP32, 4, []mmaForm{
		{"m16n8k8.row.col.f32.tf32.tf32.f32", 80, 0},
	}},
	{"int8_int32", kernels.INT8INT32, 16, []mmaForm{
		{"m8n8k16.row.col.s32.s8.s8.s32", 75, 79},
		{"m16n8k32.row.col.s32.s8.s8.s32", 80, 0},
	}},
}

// mmaEntries are the entry points of src/mma.cu and src/gemm_mma.cu.
var mmaEntries = listMMA()

func listMMA() []Entry {
	var entries []Entry
	for _, p := range mmaPrecisions {
		for _, f := range p.forms {
			limit := Entry{
				Name: "mma_" + p.name, Kernel: kernels.FMA, Precision: p.precision, Engine: MMA,
				Instruction: "mma.sync.aligned." + f.instruction, MinArch: f.min, MaxArch: f.max,
				Block: mmaThreads, BlocksPerSM: mmaBlocksPerSM,
			}

			small := limit
			small.Name, small.Kernel = "gemm_"+p.name, kernels.GEMM
			small.Block, small.BlocksPerSM = 128, 0
			small.TileM, small.TileN = 128, 128
			small.Multiple, small.Shared = p.multiple, stagesByThread*gemmStage

			wide := small
			wide.Name += "_wide"
			wide.Block, wide.TileN = 256, 256
			wide.Shared = stagesByThread * gemmStageWide

			whole := small
			whole.Name += "_any"
			whole.Multiple = 1

			if f.min >= 80 { // operands are copied by cp.async, and wide asks for more than the 48 KiB that every block has
				small.Shared, wide.Shared = 3*gemmStage, 4*gemmStageWide
			}
			entries = append(entries, limit, small, wide, whole)
		}
	}
	return entries
}
