package cpu

import (
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// featureNames maps our lower-case names to cpuid's.
var featureNames = map[string]cpuid.FeatureID{
	"avx2": cpuid.AVX2, "fma": cpuid.FMA3, "f16c": cpuid.F16C, "avxvnni": cpuid.AVXVNNI, "erms": cpuid.ERMS,
	"avx512f": cpuid.AVX512F, "avx512bw": cpuid.AVX512BW, "avx512dq": cpuid.AVX512DQ, "avx512vl": cpuid.AVX512VL,
	"avx512vnni": cpuid.AVX512VNNI, "avx512bf16": cpuid.AVX512BF16, "avx512fp16": cpuid.AVX512FP16,
	"amxtile": cpuid.AMXTILE, "amxbf16": cpuid.AMXBF16, "amxint8": cpuid.AMXINT8,
	"asimd": cpuid.ASIMD, "asimdhp": cpuid.ASIMDHP, "asimddp": cpuid.ASIMDDP, "bf16": cpuid.BF16, "i8mm": cpuid.I8MM,
}

// The instruction sets that the engines need.
var (
	needsAVX2       = []string{"avx2", "fma", "f16c"}
	needsAVX512     = []string{"avx512f", "avx512bw", "avx512dq", "avx512vl"}
	needsAVXVNNI    = append(needsAVX2[:3:3], "avxvnni")
	needsAVX512VNNI = append(needsAVX512[:4:4], "avx512vnni")
	needsAVX512BF16 = append(needsAVX512[:4:4], "avx512bf16")
	needsAVX512FP16 = append(needsAVX512[:4:4], "avx512fp16")
	needsNEON       = []string{"asimd"}
	needsNEONFP16   = append(needsNEON[:1:1], "asimdhp")
	needsNEONDot    = append(needsNEON[:1:1], "asimddp")
	needsNEONBF16   = append(needsNEON[:1:1], "bf16")
	needsNEONI8MM   = append(needsNEON[:1:1], "i8mm")
)

// HasFeature reports whether this CPU has the instruction set and the operating system has
// enabled its registers (cpuid drops what XCR0 does not allow).
func HasFeature(name string) bool {
	id, ok := featureNames[strings.ToLower(name)]
	return ok && cpuid.CPU.Supports(id)
}
