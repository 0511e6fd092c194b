package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// BenchmarkElementwise times every implementation of the elementwise
// kernels on one thread, with all operands together in half of a 32 KiB L1 cache and in
// 192 MiB, which no cache holds.
func BenchmarkElementwise(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"L1", 16 << 10}, {"memory", 192 << 20}} {
		for _, impl := range All() {
			pass := elementwisePass(impl, size.bytes)
			if pass == nil {
				continue
			}
			b.Run(fmt.Sprintf("%s/%s/%s/%s", size.name, impl.Kernel, impl.Precision, impl.Engine), func(b *testing.B) {
				if missing := impl.Missing(); len(missing) > 0 {
					b.Skipf("skip: engine %s needs %s", impl.Engine, missing[0])
				}
				elements, run := pass()
				spec := kernels.Spec{Kernel: impl.Kernel, Precision: impl.Precision, Shape: kernels.Shape{N: elements}}
				b.SetBytes(int64(spec.Bytes()))
				for b.Loop() {
					run()
				}
				b.ReportMetric(float64(elements)*float64(b.N)/b.Elapsed().Seconds(), "elements/s")
			})
		}
	}
}

// elementwisePass is nil for a kernel of another class; otherwise it prepares one pass of
// impl over operands that take the given bytes together.
func elementwisePass(impl Impl, bytes int) func() (elements int, run func()) {
	switch f := impl.Func.(type) {
	case UnaryFunc[float32]:
		return func() (int, func()) {
			n := bytes / 8
			dst, src := make([]float32, n), normal(n, func(x float64) float32 { return float32(x) })
			return n, func() { f(dst, src) }
		}
	case UnaryFunc[kernels.Float16]:
		return func() (int, func()) {
			n := bytes / 4
			dst, src := make([]kernels.Float16, n), normal(n, func(x float64) kernels.Float16 { return kernels.ToFloat16(float32(x)) })
			return n, func() { f(dst, src) }
		}
	}
	return nil
}

// normal repeats 4,096 values of the standard normal distribution.
func normal[T any](n int, as func(float64) T) []T {
	r := rand.New(rand.NewPCG(1, 2))
	values := make([]T, n)
	for i := range values {
		if i < 4096 {
			values[i] = as(r.NormFloat64())
		} else {
			values[i] = values[i-4096]
		}
	}
	return values
}
