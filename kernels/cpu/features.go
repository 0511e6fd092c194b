package cpu

import (
	"maps"
	"slices"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// featureNames maps our lower-case names to cpuid's.
var featureNames = map[string]cpuid.FeatureID{
	"avx2": cpuid.AVX2, "fma": cpuid.FMA3, "f16c": cpuid.F16C, "avx_vnni": cpuid.AVXVNNI, "erms": cpuid.ERMS,
	"avx512f": cpuid.AVX512F, "avx512bw": cpuid.AVX512BW, "avx512dq": cpuid.AVX512DQ, "avx512vl": cpuid.AVX512VL,
	"avx512_vnni": cpuid.AVX512VNNI, "avx512_bf16": cpuid.AVX512BF16, "avx512_fp16": cpuid.AVX512FP16,
	"amx_tile": cpuid.AMXTILE, "amx_bf16": cpuid.AMXBF16, "amx_int8": cpuid.AMXINT8,
	"neon": cpuid.ASIMD, "asimdhp": cpuid.ASIMDHP, "asimddp": cpuid.ASIMDDP, "bf16": cpuid.BF16, "i8mm": cpuid.I8MM,
}

// The instruction sets that the engines need.
var (
	needsAVX2       = []string{"avx2", "fma", "f16c"}
	needsAVX512     = []string{"avx512f", "avx512bw", "avx512dq", "avx512vl"}
	needsAVXVNNI    = append(needsAVX2[:3:3], "avx_vnni")
	needsAVX512VNNI = append(needsAVX512[:4:4], "avx512_vnni")
	needsAVX512BF16 = append(needsAVX512[:4:4], "avx512_bf16")
	needsAVX512FP16 = append(needsAVX512[:4:4], "avx512_fp16")
	needsNEON       = []string{"neon"}
	needsNEONFP16   = append(needsNEON[:1:1], "asimdhp")
	needsNEONDot    = append(needsNEON[:1:1], "asimddp")
	needsNEONBF16   = append(needsNEON[:1:1], "bf16")
	needsNEONI8MM   = append(needsNEON[:1:1], "i8mm")
	needsAMXBF16    = append(needsAVX512[:4:4], "amx_tile", "amx_bf16")
	needsAMXINT8    = append(needsAVX512[:4:4], "amx_tile", "amx_int8")
)

// HasFeature reports whether this CPU has the instruction set and the operating system lets this program use it.
func HasFeature(name string) bool { return lacking(name) == "" }

// cpuLacks is the reason of all that no operating system could give.
const cpuLacks = "this CPU lacks"

// lacking is the reason why an instruction set cannot be used, in words that follow "which"; "" if it can.
func lacking(name string) string {
	name = strings.ToLower(name)
	if why, known := host.lacking(name); known {
		return why
	}
	if id, ok := featureNames[name]; ok && cpuid.CPU.Supports(id) {
		return ""
	}
	return cpuLacks
}

// Withheld are instruction sets that the CPU has and the operating system keeps from this program.
type Withheld struct {
	Features []string
	Why      string // in words that follow "which": "the operating system has not enabled (XCR0)"
}

// WithheldFeatures lists them by reason; none in most cases.
func WithheldFeatures() []Withheld {
	var all []Withheld
	for _, name := range slices.Sorted(maps.Keys(featureNames)) {
		if why := lacking(name); why != "" && why != cpuLacks {
			all = addWithheld(all, name, why)
		}
	}
	return all
}

// lackingOf groups the instruction sets of a list that cannot be used by reason.
func lackingOf(names []string) []Withheld {
	var all []Withheld
	for _, name := range names {
		if why := lacking(name); why != "" {
			all = addWithheld(all, name, why)
		}
	}
	return all
}

func addWithheld(all []Withheld, name, why string) []Withheld {
	for i := range all {
		if all[i].Why == why {
			all[i].Features = append(all[i].Features, name)
			return all
		}
	}
	return append(all, Withheld{[]string{name}, why})
}
