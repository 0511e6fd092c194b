package cpu

import (
	"fmt"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/kerneltest"
)

// TestConformance runs the suite of every implementation that is compiled in, not only of
// those that this CPU would pick.
func TestConformance(t *testing.T) {
	for _, impl := range All() {
		t.Run(fmt.Sprintf("%s/%s/%s", impl.Kernel, strings.ReplaceAll(string(impl.Precision), "/", "-"), impl.Engine), func(t *testing.T) {
			needs(t, impl)
			switch f := impl.Func.(type) {
			case ElementwiseFunc[float32]:
				kerneltest.Elementwise(t, impl.Kernel, f)
			case ElementwiseFunc[kernels.Float16]:
				kerneltest.Elementwise(t, impl.Kernel, f)
			case ElementwiseFunc[kernels.BFloat16]:
				kerneltest.Elementwise(t, impl.Kernel, f)
			case TriadFunc:
				kerneltest.Triad(t, f)
			case CopyFunc:
				kerneltest.Copy(t, f)
			case ScaleFunc:
				kerneltest.Scale(t, f)
			case AddFunc:
				kerneltest.Add(t, f)
			case WriteFunc:
				kerneltest.Write(t, f)
			case ReadFunc:
				kerneltest.Read(t, f)
			case *Chase:
				return // TestChaseWalksTheWholeCycle
			case FMAFunc:
				kerneltest.FMA(t, f)
			case *GEMM[float64, float64]:
				conform(t, impl.Kernel, f, kerneltest.Arithmetic{})
			case *GEMM[float32, float32]:
				conform(t, impl.Kernel, f, kerneltest.Arithmetic{})
			case *GEMM[kernels.Float16, float32]:
				conform(t, impl.Kernel, f, kerneltest.Arithmetic{})
			case *GEMM[kernels.BFloat16, float32]:
				conform(t, impl.Kernel, f, arithmetics[impl.Engine])
			case *GEMM[kernels.Float16, kernels.Float16]:
				conform(t, impl.Kernel, f, kerneltest.Arithmetic{})
			case *GEMM[int8, int32]:
				conform(t, impl.Kernel, f, kerneltest.Arithmetic{})
			case *Linear[float32, float32]:
				conformLinear(t, impl, f)
			case *Linear[kernels.BFloat16, float32]:
				conformLinear(t, impl, f)
			case *Linear[kernels.Float16, float32]:
				conformLinear(t, impl, f)
			case *Linear[int8, int32]:
				conformLinear(t, impl, f)
			case RowsFunc[float32]:
				kerneltest.Rows(t, impl.Kernel, rowsSuite(f))
			case RowsFunc[kernels.Float16]:
				kerneltest.Rows(t, impl.Kernel, rowsSuite(f))
			case RowsFunc[kernels.BFloat16]:
				kerneltest.Rows(t, impl.Kernel, rowsSuite(f))
			case AdamWFunc[float32]:
				kerneltest.AdamW(t, adamWSuite(f))
			case AdamWFunc[kernels.Float16]:
				kerneltest.AdamW(t, adamWSuite(f))
			case AdamWFunc[kernels.BFloat16]:
				kerneltest.AdamW(t, adamWSuite(f))
			default:
				t.Fatalf("no suite for a %T", f)
			}
		})
	}
}

// arithmetics are the engines whose instructions do not sum as the types say.
var arithmetics = map[string]kerneltest.Arithmetic{
	// BFMMLA takes subnormal operands as zero and rounds to odd, which errs by less than a unit in the last place where
	// rounding to nearest errs by half of one: once as it adds two products, which are exact, and once as it adds their sum to
	// C (Arm Architecture Reference Manual, DDI 0487, BFDotAdd with FPCR.EBF = 0, which is how Linux starts a
	// process). That is ceil(k/2) errors of 2^-23, at most 1.5 k of 2^-24; one more for each block along k is
	// within it.
	GoNEONBF16: {Unit: 1.5 * 0x1p-24, FlushesSubnormals: true},
	// VDPBF16PS is two fused multiply-adds in fp32, that of the odd elements first, each rounded to nearest, with subnormal
	// operands taken for 0 and subnormal results flushed (Intel 64 and IA-32 Architectures Software Developer's
	// Manual, volume 2): k roundings of 2^-24, as the types say.
	GoAVX512BF16: {FlushesSubnormals: true},
	GoAMX:        {FlushesSubnormals: true}, // TDPBF16PS, likewise
}

// needs skips, by name, what this CPU lacks the instructions for.
func needs(t testing.TB, impl Impl) {
	t.Helper()
	if missing := impl.Missing(); len(missing) > 0 {
		t.Skipf("skip: engine %s needs %s", impl.Engine, strings.Join(missing, ", "))
	}
}
