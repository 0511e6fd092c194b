package cpu

import (
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

// The routines of _asm/dot, by address.
func dotAVX512FP16Tiles(table *[24]uintptr)
func dotAVX512FP16Loop(table *[1]uintptr)

func init() {
	registerGEMM(newGEMM[kernels.Float16, kernels.Float16](&fp16AVX512().tiles), Impl{
		Precision: kernels.FP16FP16, Engine: GoAVX512FP16, Needs: needsAVX512FP16, Limit: kernels.FP16FP16,
	})
	register(Impl{Kernel: kernels.FMA, Precision: kernels.FP16FP16, Engine: GoAVX512FP16, Needs: needsAVX512FP16, Func: FMAFunc(func(n int) float64 {
		return fmaFP16(n, call)
	})})
}

// fp16AVX512 multiplies by VFMADD231PH: all sums are fp16, those of even and of odd k apart until the last. What it packs has the
// form of bf16, and so the same routines pack it.
func fp16AVX512() *dotFamily {
	return newDotFamily(tiles{MR: 8, NR: 48, Lanes: 16, KStep: 2, StoredBytes: 2}, addresses(dotAVX512FP16Tiles), addresses(dotAVX512BF16Packers))
}

// fp16LoopArgs is what the loop of fma gets. The generator knows its layout.
type fp16LoopArgs struct {
	rounds int
	sums   *[32]float32
}

// fmaFP16 counts in 24 x 32 chains of fp16, which the loop adds to sums of fp32 before they grow beyond 2048.
func fmaFP16(n int, call func(routine uintptr, args unsafe.Pointer)) float64 {
	var sums [32]float32
	call(addresses(dotAVX512FP16Loop)[0], unsafe.Pointer(&fp16LoopArgs{n / (24 * len(sums)), &sums}))
	return sum(sums[:])
}
