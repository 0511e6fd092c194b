package cpu

import "github.com/realflops/realflops/kernels"

// The routines of _asm/dot, by address.
func dotAVX512BF16Tiles(table *[24]uintptr)
func dotAVX512BF16Packers(table *[10]uintptr)

func init() {
	registerGEMM(newGEMM[kernels.BFloat16, float32](bf16AVX512()), Impl{
		Precision: kernels.BF16FP32, Engine: GoAVX512BF16, Needs: needsAVX512BF16, Limit: kernels.BF16FP32,
	})
}

// bf16AVX512 multiplies by VDPBF16PS. The instruction takes subnormal operands for 0 and flushes subnormal results, and it rounds
// to nearest, whatever MXCSR says (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, VDPBF16PS).
func bf16AVX512() *tiles {
	return &newDotFamily(tiles{MR: 8, NR: 48, Lanes: 16, KStep: 2, StoredBytes: 2}, addresses(dotAVX512BF16Tiles), addresses(dotAVX512BF16Packers)).tiles
}
