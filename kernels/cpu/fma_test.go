package cpu

import (
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/kerneltest"
)

func TestEveryFMACountsItsMultiplyAdds(t *testing.T) {
	tested := 0
	for _, i := range All() {
		if i.Kernel != kernels.FMA {
			continue
		}
		tested++
		t.Run(string(i.Precision)+"/"+i.Engine, func(t *testing.T) {
			skipMissing(t, i)
			kerneltest.FMA(t, i.Func.(FMAFunc))
		})
	}
	if tested == 0 {
		t.Error("no implementation is registered")
	}
}

// skipMissing skips, by name, what this CPU cannot run.
func skipMissing(t *testing.T, i Impl) {
	t.Helper()
	if missing := i.Missing(); len(missing) > 0 {
		t.Skipf("this CPU lacks %s", strings.Join(missing, ", "))
	}
}

// BenchmarkFMA reports the GFLOP/s of one thread.
func BenchmarkFMA(b *testing.B) {
	for _, i := range All() {
		if i.Kernel != kernels.FMA || len(i.Missing()) > 0 {
			continue
		}
		b.Run(string(i.Precision)+"/"+i.Engine, func(b *testing.B) {
			const n = 5000 * kernels.FMAQuantum
			for b.Loop() {
				if i.Func.(FMAFunc)(n) != n {
					b.Fatal("wrong sum")
				}
			}
			b.ReportMetric(2*n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
