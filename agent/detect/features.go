package detect

import "slices"

// instructionSet is one that matters for arithmetic: our name, and what cpuid and the
// kernel call it. Our names are the kernel's, but for neon.
type instructionSet struct {
	name  string
	cpuid string // empty: cpuid does not know it, the kernel is asked
	flag  string // in /proc/cpuinfo; empty: as name
}

var instructionSets = map[string][]instructionSet{
	"amd64": {
		{name: "sse2", cpuid: "SSE2"},
		{name: "sse4_1", cpuid: "SSE4"},
		{name: "sse4_2", cpuid: "SSE42"},
		{name: "popcnt", cpuid: "POPCNT"},
		{name: "bmi1", cpuid: "BMI1"},
		{name: "bmi2", cpuid: "BMI2"},
		{name: "erms", cpuid: "ERMS"},
		{name: "avx", cpuid: "AVX"},
		{name: "f16c", cpuid: "F16C"},
		{name: "fma", cpuid: "FMA3"},
		{name: "fma4", cpuid: "FMA4"},
		{name: "avx2", cpuid: "AVX2"},
		{name: "avx_vnni", cpuid: "AVXVNNI"},
		{name: "avx_ifma", cpuid: "AVXIFMA"},
		{name: "avx_ne_convert", cpuid: "AVXNECONVERT"},
		{name: "avx_vnni_int8", cpuid: "AVXVNNIINT8"},
		{name: "avx_vnni_int16", cpuid: "AVXVNNIINT16"},
		{name: "avx512f", cpuid: "AVX512F"},
		{name: "avx512bw", cpuid: "AVX512BW"},
		{name: "avx512cd", cpuid: "AVX512CD"},
		{name: "avx512dq", cpuid: "AVX512DQ"},
		{name: "avx512vl", cpuid: "AVX512VL"},
		{name: "avx512er", cpuid: "AVX512ER"},
		{name: "avx512ifma", cpuid: "AVX512IFMA"},
		{name: "avx512vbmi", cpuid: "AVX512VBMI"},
		{name: "avx512_vbmi2", cpuid: "AVX512VBMI2"},
		{name: "avx512_bitalg", cpuid: "AVX512BITALG"},
		{name: "avx512_vpopcntdq", cpuid: "AVX512VPOPCNTDQ"},
		{name: "avx512_vp2intersect", cpuid: "AVX512VP2INTERSECT"},
		{name: "avx512_vnni", cpuid: "AVX512VNNI"},
		{name: "avx512_bf16", cpuid: "AVX512BF16"},
		{name: "avx512_fp16", cpuid: "AVX512FP16"},
		{name: "amx_tile", cpuid: "AMXTILE"},
		{name: "amx_bf16", cpuid: "AMXBF16"},
		{name: "amx_int8", cpuid: "AMXINT8"},
		{name: "amx_fp16", cpuid: "AMXFP16"},
		{name: "amx_complex", cpuid: "AMXCOMPLEX"},
		{name: "amx_fp8", cpuid: "AMXFP8"},
		{name: "amx_tf32", cpuid: "AMXTF32"},
	},
	"arm64": {
		{name: "neon", cpuid: "ASIMD", flag: "asimd"},
		{name: "fphp", cpuid: "FPHP"},
		{name: "asimdhp", cpuid: "ASIMDHP"},
		{name: "asimdrdm", cpuid: "ASIMDRDM"},
		{name: "asimddp", cpuid: "ASIMDDP"},
		{name: "asimdfhm", cpuid: "FHM"},
		{name: "fcma", cpuid: "FCMA"},
		{name: "bf16", cpuid: "BF16"},
		{name: "i8mm", cpuid: "I8MM"},
		{name: "sve", cpuid: "SVE"},
		{name: "svebf16"},
		{name: "svei8mm"},
		{name: "svef32mm"},
		{name: "svef64mm"},
		{name: "sve2", cpuid: "SVE2"},
		{name: "sve2p1"},
		{name: "sme"},
		{name: "sme2"},
	},
}

// features lists the instruction sets. cpuid has the word where it knows one, because it
// also asks whether the operating system saves the registers and the kernels trust it; the
// kernel's flags fill in what cpuid does not know, or all if cpuid said nothing.
func features(r Record, flags []string) []string {
	found := []string{}
	for _, set := range instructionSets[r.Arch] {
		flag := set.flag
		if flag == "" {
			flag = set.name
		}
		known := set.cpuid != "" && len(r.CPUID.Features) > 0
		if known && r.CPUID.has(set.cpuid) || !known && slices.Contains(flags, flag) {
			found = append(found, set.name)
		}
	}
	return found
}
