package cpu

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/cpuid/v2"

	"github.com/realflops/realflops/kernels"
)

// processorWith is a processor that names all extended instruction sets but those given, on an operating system with this XCR0.
func processorWith(xcr0 uint64, permit error, without ...string) processor {
	leaves := map[[2]uint32]*[4]uint32{}
	set := func(leaf, subleaf uint32, register, bit int) {
		l := leaves[[2]uint32{leaf, subleaf}]
		if l == nil {
			l = new([4]uint32)
			leaves[[2]uint32{leaf, subleaf}] = l
		}
		l[register] |= 1 << bit
	}
	for name, x := range extended {
		if !slices.Contains(without, name) {
			set(x.leaf, x.subleaf, x.register, x.bit)
		}
	}
	if xcr0 != 0 {
		set(1, 0, ecx, 27) // OSXSAVE (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID, leaf 1)
	}
	return processor{
		leaf: func(leaf, subleaf uint32) [4]uint32 {
			if l := leaves[[2]uint32{leaf, subleaf}]; l != nil {
				return *l
			}
			return [4]uint32{}
		},
		xcr0: func() uint64 {
			if xcr0 == 0 {
				panic("XGETBV where the operating system has not enabled it is an invalid instruction")
			}
			return xcr0
		},
		permit: func() error { return permit },
	}
}

func on(t *testing.T, p processor) {
	before := host
	host = p
	t.Cleanup(func() { host = before })
}

// TestWhatTheSystemHasNotEnabledIsNotOffered: the engine falls to the next, and whoever names it learns why.
func TestWhatTheSystemHasNotEnabledIsNotOffered(t *testing.T) {
	const all = 1 | stateAVX512 | stateTiles
	const disabled, unpermitted = "the operating system has not enabled (XCR0)", "the operating system does not permit (arch_prctl(ARCH_REQ_XCOMP_PERM): operation not permitted)"
	const avx512 = "avx512_bf16, avx512_fp16, avx512_vnni, avx512bw, avx512dq, avx512f, avx512vl"
	refused := errors.New("arch_prctl(ARCH_REQ_XCOMP_PERM): operation not permitted")
	for _, c := range []struct {
		name       string
		cpu        processor
		bf16, int8 string // the engines that are picked
		withheld   string
		amx        string // what is said to who names it
	}{
		{"all", processorWith(all, nil), GoAMX, GoAMX, "", ""},
		{"a CPU without tiles", processorWith(all, refused, "amx_tile", "amx_bf16", "amx_int8"), GoAVX512BF16, GoAVX512VNNI, "", "engine go-amx needs amx_tile, amx_bf16, which this CPU lacks; leave"},
		{"a CPU without int8 tiles", processorWith(all, nil, "amx_int8"), GoAMX, GoAVX512VNNI, "", ""},
		{"XCR0 without tiles", processorWith(1|stateAVX512, nil), GoAVX512BF16, GoAVX512VNNI, "amx_bf16, amx_int8, amx_tile: " + disabled, "engine go-amx needs amx_tile, amx_bf16, which " + disabled + "; leave"},
		{"permission refused", processorWith(all, refused), GoAVX512BF16, GoAVX512VNNI, "amx_bf16, amx_int8, amx_tile: " + unpermitted, "engine go-amx needs amx_tile, amx_bf16, which " + unpermitted + "; leave"},
		{
			"XCR0 without AVX-512, permission refused", processorWith(1|stateAVX|stateTiles, refused), GoAVX2, GoAVXVNNI, "amx_bf16, amx_int8, amx_tile: " + unpermitted + "; " + avx512 + ": " + disabled,
			"engine go-amx needs avx512f, avx512bw, avx512dq, avx512vl, which " + disabled + ", and amx_tile, amx_bf16, which " + unpermitted + "; leave",
		},
		{"no XCR0 at all", processorWith(0, nil), Go, Go, "amx_bf16, amx_int8, amx_tile, avx2, " + avx512 + ", avx_vnni, f16c, fma: " + disabled, "which " + disabled},
	} {
		t.Run(c.name, func(t *testing.T) {
			on(t, c.cpu)
			for p, want := range map[kernels.Precision]string{kernels.BF16FP32: c.bf16, kernels.INT8INT32: c.int8} {
				if i, err := Pick(kernels.GEMM, p, ""); err != nil || i.Engine != want {
					t.Errorf("gemm at %s: engine %s, error %v; want %s", p, i.Engine, err, want)
				}
			}
			var withheld []string
			for _, w := range WithheldFeatures() {
				withheld = append(withheld, fmt.Sprintf("%s: %s", strings.Join(w.Features, ", "), w.Why))
			}
			if got := strings.Join(withheld, "; "); got != c.withheld {
				t.Errorf("withheld: %q, want %q", got, c.withheld)
			}
			i, err := Pick(kernels.GEMM, kernels.BF16FP32, GoAMX)
			switch {
			case c.amx == "" && (err != nil || i.Engine != GoAMX):
				t.Errorf("go-amx by name: %q, error %v", i.Engine, err)
			case c.amx != "" && (err == nil || !strings.Contains(err.Error(), c.amx)):
				t.Errorf("go-amx by name: error is %v, it should say %q", err, c.amx)
			}
		})
	}
}

// TestTheTableReadsTheBitsThatCPUIDHas compares with another reader of them, for this CPU.
func TestTheTableReadsTheBitsThatCPUIDHas(t *testing.T) {
	for name := range extended {
		why, _ := host.lacking(name)
		if got, want := why == "", cpuid.CPU.Supports(featureNames[name]); got != want && extended[name].state != stateTiles {
			t.Errorf("%s: %v (%s), the library says %v", name, got, why, want)
		}
	}
}
