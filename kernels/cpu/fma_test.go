package cpu

import (
	"testing"

	"github.com/realflops/realflops/kernels"
)

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
