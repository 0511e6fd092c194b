package cuda

import "github.com/realflops/realflops/kernels"

// The engines of a GPU. An own kernel names beside it which instruction it issues.
const (
	SIMT     = "ptx-simt" // CUDA cores
	MMA      = "ptx-mma"  // tensor cores by mma.sync
	CuBLASLt = "cublaslt" // NVIDIA's library, where the node has it
)

// Entry is one device function: what it computes and how it is launched. Entries of one name
// for several ranges of architectures are forms of one kernel.
type Entry struct {
	Name      string // of the device function
	Kernel    kernels.Kernel
	Precision kernels.Precision
	Engine    string

	// Instruction is the one that the measured loop is made of, as PTX writes it:
	// fma.rn.f32, mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32.
	Instruction      string
	MinArch, MaxArch int // compute capabilities, both inclusive; MaxArch 0 is no bound

	Block  int // threads a block
	Shared int // bytes of dynamic shared memory

	TileM, TileN int // gemm: the part of C that a block computes
	Multiple     int // gemm: n and k must be multiples of it (k alone for int8); 1 takes every shape
	Chunk        int // elementwise, bandwidth, fill: elements a block
	BlocksPerSM  int // fma
}
