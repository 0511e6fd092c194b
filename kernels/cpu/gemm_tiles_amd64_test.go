package cpu

import (
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

// TestPackersAllocateNothing: they are called for every panel. Those of NEON still allocate their arguments. Those for AMX have no tiles in them, and so they run without; the
// twins in Go, which do the rest for AVX2 too, allocate a line.
func TestPackersAllocateNothing(t *testing.T) {
	for _, impl := range All() {
		g, ok := impl.Func.(interface{ family() *tiles })
		missing := slices.DeleteFunc(impl.Missing(), func(name string) bool { return strings.HasPrefix(name, "amx_") })
		if !ok || impl.Kernel != kernels.GEMM || len(missing) > 0 || impl.Engine == Go || impl.Engine == GoAVX2 {
			continue
		}
		f := g.family()
		const k = 70
		src := make([]uint64, k*max(f.MR*max(f.PanelsAT, 1), f.NR)) // no element is larger
		dst := make([]uint64, (f.panelA(k)*max(f.PanelsAT, 1)+f.panelB(f.NR, k)+7)/8)
		to, from := unsafe.Pointer(&dst[0]), unsafe.Pointer(&src[0])
		for name, pack := range map[string]func(){
			"PackA": func() { f.PackA(to, from, k, f.MR, k) }, "PackAT": func() { f.PackAT(to, from, f.MR, f.MR, k) },
			"PackB": func() { f.PackB(to, from, f.NR, f.NR, k) }, "PackBT": func() { f.PackBT(to, from, k, f.NR, k) },
		} {
			if n := testing.AllocsPerRun(10, pack); n > 0 {
				t.Errorf("%s of %s at %s allocates %v times", name, impl.Engine, impl.Precision, n)
			}
		}
	}
}
