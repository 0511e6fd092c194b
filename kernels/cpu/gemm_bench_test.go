package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// BenchmarkGEMM reports GFLOP/s of every engine that this CPU can run: -bench
// 'GEMM/fp32.*/go-avx512/1024x1024x1024/t1'.
func BenchmarkGEMM(b *testing.B) {
	shapes := []kernels.Shape{
		{M: 512, N: 512, K: 512},
		{M: 1024, N: 1024, K: 1024},
		{M: 2048, N: 2048, K: 2048},
		{M: 1, N: 4096, K: 4096},
		{M: 8, N: 4096, K: 4096},
		{M: 64, N: 4096, K: 4096},
		{M: 4096, N: 8, K: 4096},
	}
	for _, i := range All() {
		if i.Kernel != kernels.GEMM || len(i.Missing()) > 0 {
			continue
		}
		for _, s := range shapes {
			for _, threads := range []int{1, 2} {
				name := fmt.Sprintf("%s/%s/%s/t%d", i.Precision, i.Engine, s, threads)
				switch g := i.Func.(type) {
				case *GEMM[float64, float64]:
					b.Run(name, func(b *testing.B) { benchmarkGEMM(b, g, func(x float32) float64 { return float64(x) }, s, threads) })
				case *GEMM[float32, float32]:
					b.Run(name, func(b *testing.B) { benchmarkGEMM(b, g, func(x float32) float32 { return x }, s, threads) })
				case *GEMM[kernels.Float16, float32]:
					b.Run(name, func(b *testing.B) { benchmarkGEMM(b, g, kernels.ToFloat16, s, threads) })
				case *GEMM[kernels.BFloat16, float32]:
					b.Run(name, func(b *testing.B) { benchmarkGEMM(b, g, kernels.ToBFloat16, s, threads) })
				case *GEMM[kernels.Float16, kernels.Float16]:
					b.Run(name, func(b *testing.B) { benchmarkGEMM(b, g, kernels.ToFloat16, s, threads) })
				case *GEMM[int8, int32]:
					b.Run(name, func(b *testing.B) { benchmarkGEMM(b, g, func(x float32) int8 { return int8(x * 30) }, s, threads) })
				}
			}
		}
	}
}

func benchmarkGEMM[T Stored, C Summed](b *testing.B, g *GEMM[T, C], convert func(float32) T, s kernels.Shape, threads int) {
	p := NewPool(threads)
	defer p.Close()
	plan, err := g.Plan(p, Product{M: s.M, N: s.N, K: s.K})
	if err != nil {
		b.Fatal(err)
	}
	defer plan.Close()
	matrix := func(n int) []T {
		x, free, err := Alloc[T](n)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(free)
		r := rand.New(rand.NewPCG(1, 2))
		for i := range x {
			x[i] = convert(float32(r.NormFloat64()))
		}
		return x
	}
	a, bb := matrix(s.M*s.K), matrix(s.K*s.N)
	c, free, err := Alloc[C](s.M * s.N)
	if err != nil {
		b.Fatal(err)
	}
	defer free()
	for b.Loop() {
		plan.Run(c, a, bb)
	}
	flop := kernels.Spec{Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Shape: s}.FLOP()
	b.ReportMetric(flop*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
