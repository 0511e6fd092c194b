// Package emulator is a node with emulated GPUs: what answers in place of the NVIDIA driver,
// NVML and cuBLASLt when the worker opens the library shim/ in place of theirs. Kernels are run from
// their PTX by package ptxvm; time is virtual. docs/emulator.md describes the cards, the scenarios and
// how their files are written; wire.go describes the requests.
//
// # What is true of it, and what is not
//
// Results are the kernels': a launch of up to 20 million thread instructions is interpreted whole. A
// larger one is carried out by package twin, except for the first block, one in the middle and the last, which are
// interpreted and whose results stand: so a kernel that is wrong there stays wrong. The elementwise functions that are
// not exact (sigmoid, tanh, gelu, silu and sigmoid's backward) are interpreted on the distinct values of
// their operands, and every element is looked up. Where even one block is too large (fp32 gemm with a large k, fma with
// many iterations) the blocks are interpreted at two smaller sizes, for their counts alone. A launch that
// would write what its result holds already, or what another piece of memory holds, is not carried out again: only time
// passes. Products of the library come from package twin.
//
// Times are those of a formula, not of a GPU. They tell nothing about how fast a real card is.
//
// # The formula
//
// A launch of W on a [Card] at clock f takes ([Card.Time]):
//
//	launch + max(SM, L2, memory)
//	SM     = max over units u of W.u / rate(u) · ⌈blocks / SMs⌉ / blocks / (f · efficiency.compute)
//	L2     = W.L2Bytes / (l2_bytes_per_clock · f · efficiency.memory)
//	memory = W.MemoryBytes / (memory_bytes_per_s · efficiency.memory)
//
// The units are the issue slots (warp instructions but for moves, which a compiler renames away), fp32,
// fp64, fp16 pairs, integers and conversions, special functions, shared memory (bytes, and 128 more for each
// cycle of a bank conflict) and the tensor cores (the sum over precisions of multiply-adds / rate). W is what the
// blocks count in the interpreter, or for a grid of more than three blocks: the first, the last, and the one in the middle
// times the rest. PTX stands for the machine code that a compiler makes of it.
//
// L2Bytes is 32 for each sector that a warp instruction touches. MemoryBytes is what of the operands is
// not in the L2 cache: the operands used last are in it, whole, as long as they fit together; one that is larger than
// the cache never is. A product whose operands exceed the cache reads, if that is more than its operands once,
//
//	waves · (8 · TileM + columns · TileN) · k · element bytes
//
// where a wave is a rectangle of tiles, 8 high, as many as SMs hold at a time (two blocks each, as far as shared
// memory and threads allow).
//
// A product of the library counts multiply-adds alone, at the rates per_clock.library and the
// efficiency.library, in whole tiles of C; a block moves a row and a column of tiles through L2. Of tiles of 16 to 256 a side, and
// k in 1 to 32 parts, the library takes what is fastest.
//
// A copy between the host and the device takes bus_s + bytes / bus_bytes_per_s.
//
// Power is idle + (0.95·limit - idle) · (0.25 + 0.75·u), with u the share of the launch that is not
// launch overhead; the temperature starts at 34 °C and rises by up to 36 with a time constant of 30 s under load. The
// clock is the card's from the first launch of a process until it leaves the device, and idle otherwise.
package emulator
