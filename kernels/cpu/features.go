package cpu

import (
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// featureNames maps our lower-case names to cpuid's.
var featureNames = map[string]cpuid.FeatureID{
	"avx2": cpuid.AVX2, "fma": cpuid.FMA3, "f16c": cpuid.F16C,
	"avx512f": cpuid.AVX512F, "avx512bw": cpuid.AVX512BW, "avx512dq": cpuid.AVX512DQ, "avx512vl": cpuid.AVX512VL,
}

// The instruction sets that the engines need.
var (
	needsAVX2   = []string{"avx2", "fma", "f16c"}
	needsAVX512 = []string{"avx512f", "avx512bw", "avx512dq", "avx512vl"}
)

// HasFeature reports whether this CPU has the instruction set and the operating system has
// enabled its registers (cpuid drops what XCR0 does not allow).
func HasFeature(name string) bool {
	id, ok := featureNames[strings.ToLower(name)]
	return ok && cpuid.CPU.Supports(id)
}
