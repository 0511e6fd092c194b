package cpu

import (
	"unsafe"

	"github.com/klauspost/cpuid/v2"

	"github.com/realflops/realflops/kernels"
)

func init() {
	l1, l2 := cpuid.CPU.Cache.L1D, cpuid.CPU.Cache.L2
	register(
		Impl{Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Engine: GoAVX2, Needs: needsAVX2, Func: (&GEMM[float32]{
			MR: 6, Lanes: 8, packed: tilesAVX2FP32, direct: tilesAVX2FP32, widen: copyFP32,
			packA: packAAVX2FP32, packB: []packer[float32]{packBAVX2FP32v1, packBAVX2FP32v2},
		}).blocked(l1, l2)},
		Impl{Kernel: kernels.GEMM, Precision: kernels.FP16FP32, Engine: GoAVX2, Needs: needsAVX2, Func: (&GEMM[kernels.Float16]{
			MR: 6, Lanes: 8, packed: tilesAVX2FP32, direct: halfTiles(tilesAVX2FP16), widen: widenFP16,
			packA: halfPack(packAAVX2FP16), packB: halfPacks(packBAVX2FP16v1, packBAVX2FP16v2),
		}).blocked(l1, l2)},
		Impl{Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Engine: GoAVX512, Needs: needsAVX512, Func: (&GEMM[float32]{
			MR: 8, Lanes: 16, packed: tilesAVX512FP32, direct: tilesAVX512FP32, widen: copyFP32,
			packA: packAAVX512FP32, packB: []packer[float32]{packBAVX512FP32v1, packBAVX512FP32v2, packBAVX512FP32v3},
		}).blocked(l1, l2)},
		Impl{Kernel: kernels.GEMM, Precision: kernels.FP16FP32, Engine: GoAVX512, Needs: needsAVX512, Func: (&GEMM[kernels.Float16]{
			MR: 8, Lanes: 16, packed: tilesAVX512FP32, direct: halfTiles(tilesAVX512FP16), widen: widenFP16,
			packA: halfPack(packAAVX512FP16), packB: halfPacks(packBAVX512FP16v1, packBAVX512FP16v2, packBAVX512FP16v3),
		}).blocked(l1, l2)},
	)
}

// The generated microkernels, by vectors and rows. The stubs know fp16 as uint16, since the
// generator cannot name a type of this module.
type (
	halfKernel = func(k int, a []float32, b []uint16, ldb int, c []float32, ldc int, add bool, next []float32)
	halfPacker = func(dst []float32, src []uint16, ld, k int)
)

var (
	tilesAVX2FP32 = [][]microkernel[float32]{
		{gemmAVX2FP32r1v1, gemmAVX2FP32r2v1, gemmAVX2FP32r3v1, gemmAVX2FP32r4v1, gemmAVX2FP32r5v1, gemmAVX2FP32r6v1},
		{gemmAVX2FP32r1v2, gemmAVX2FP32r2v2, gemmAVX2FP32r3v2, gemmAVX2FP32r4v2, gemmAVX2FP32r5v2, gemmAVX2FP32r6v2},
	}
	tilesAVX2FP16 = [][]halfKernel{
		{gemmAVX2FP16r1v1, gemmAVX2FP16r2v1, gemmAVX2FP16r3v1, gemmAVX2FP16r4v1, gemmAVX2FP16r5v1, gemmAVX2FP16r6v1},
		{gemmAVX2FP16r1v2, gemmAVX2FP16r2v2, gemmAVX2FP16r3v2, gemmAVX2FP16r4v2, gemmAVX2FP16r5v2, gemmAVX2FP16r6v2},
	}
	tilesAVX512FP32 = [][]microkernel[float32]{
		{gemmAVX512FP32r1v1, gemmAVX512FP32r2v1, gemmAVX512FP32r3v1, gemmAVX512FP32r4v1, gemmAVX512FP32r5v1, gemmAVX512FP32r6v1, gemmAVX512FP32r7v1, gemmAVX512FP32r8v1},
		{gemmAVX512FP32r1v2, gemmAVX512FP32r2v2, gemmAVX512FP32r3v2, gemmAVX512FP32r4v2, gemmAVX512FP32r5v2, gemmAVX512FP32r6v2, gemmAVX512FP32r7v2, gemmAVX512FP32r8v2},
		{gemmAVX512FP32r1v3, gemmAVX512FP32r2v3, gemmAVX512FP32r3v3, gemmAVX512FP32r4v3, gemmAVX512FP32r5v3, gemmAVX512FP32r6v3, gemmAVX512FP32r7v3, gemmAVX512FP32r8v3},
	}
	tilesAVX512FP16 = [][]halfKernel{
		{gemmAVX512FP16r1v1, gemmAVX512FP16r2v1, gemmAVX512FP16r3v1, gemmAVX512FP16r4v1, gemmAVX512FP16r5v1, gemmAVX512FP16r6v1, gemmAVX512FP16r7v1, gemmAVX512FP16r8v1},
		{gemmAVX512FP16r1v2, gemmAVX512FP16r2v2, gemmAVX512FP16r3v2, gemmAVX512FP16r4v2, gemmAVX512FP16r5v2, gemmAVX512FP16r6v2, gemmAVX512FP16r7v2, gemmAVX512FP16r8v2},
		{gemmAVX512FP16r1v3, gemmAVX512FP16r2v3, gemmAVX512FP16r3v3, gemmAVX512FP16r4v3, gemmAVX512FP16r5v3, gemmAVX512FP16r6v3, gemmAVX512FP16r7v3, gemmAVX512FP16r8v3},
	}
)

func halves(x []kernels.Float16) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.SliceData(x)), len(x))
}

func halfTiles(table [][]halfKernel) [][]microkernel[kernels.Float16] {
	tiles := make([][]microkernel[kernels.Float16], len(table))
	for i, row := range table {
		for _, f := range row {
			tiles[i] = append(tiles[i], func(k int, a []float32, b []kernels.Float16, ldb int, c []float32, ldc int, add bool, next []float32) {
				f(k, a, halves(b), ldb, c, ldc, add, next)
			})
		}
	}
	return tiles
}

func halfPack(f halfPacker) packer[kernels.Float16] {
	return func(dst []float32, src []kernels.Float16, ld, k int) { f(dst, halves(src), ld, k) }
}

func halfPacks(fs ...halfPacker) []packer[kernels.Float16] {
	packs := make([]packer[kernels.Float16], len(fs))
	for i, f := range fs {
		packs[i] = halfPack(f)
	}
	return packs
}
