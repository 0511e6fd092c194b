// Package ptxvm is a GPU that is not there: it reads PTX, NVIDIA's assembly language, and runs it in Go, for tests of
// kernels on machines without a GPU. It is written for the PTX that NVRTC makes of this module's kernels, and for the
// misuses that a GPU forgives on one day and not on another: a kernel that runs here without a [Fault] touches nothing
// outside its operands, reads nothing that was not written, and orders its warps where they share memory.
//
// What it takes for true: PTX ISA 8.8, with one dimension of blocks and grids. A warp is 32 threads in lockstep; where they
// part, the group at the lowest instruction runs first. A warp runs until it waits at a barrier; the order of
// warps and blocks is shuffled by a seed. cp.async reads its source when it is issued, and its data
// land when it is waited for. Collectives need all the threads that they name, together.
//
// Arithmetic is exact and rounded once: fma, the 16-bit formats, conversions. Where the ISA leaves room (.approx forms, the
// order in which mma.sync adds up) it is computed in fp64 and rounded once, so that hardware may differ by what the
// ISA allows: a test of a kernel must grant that error, or use operands for which there is none.
//
// It counts what a model of a GPU's speed needs ([Counts]) and takes no time itself. What it does not know (calls,
// textures, wgmma, tcgen05, clusters, mbarriers, clocks) [Parse] refuses by name; it guesses nothing.
//
// Not found: races in global memory, save for two blocks that store to one byte where [Launch] asks for that, and
// races across a barrier of a part of the block.
package ptxvm
