package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

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
	case ElementwiseFunc[float32]:
		return passOf(impl.Kernel, bytes, f)
	case ElementwiseFunc[kernels.Float16]:
		return passOf(impl.Kernel, bytes, f)
	case ElementwiseFunc[kernels.BFloat16]:
		return passOf(impl.Kernel, bytes, f)
	}
	return nil
}

func passOf[T Float](k kernels.Kernel, bytes int, f ElementwiseFunc[T]) func() (int, func()) {
	return func() (int, func()) {
		d, _ := kernels.Lookup(string(k)) // it is registered, and so it is known
		outputs, inputs := make([][]T, d.Writes), make([][]T, d.Reads)
		n := bytes / (d.Reads + d.Writes) / int(unsafe.Sizeof(*new(T)))
		for i := range outputs {
			outputs[i] = make([]T, n)
		}
		for i := range inputs {
			inputs[i] = normals[T](n)
		}
		return n, func() { f(outputs, inputs) }
	}
}

// normals repeats 4,096 values of the standard normal distribution.
func normals[T Float](n int) []T {
	r := rand.New(rand.NewPCG(1, 2))
	values := make([]T, n)
	for i := range values {
		if i < 4096 {
			values[i] = kernels.Rounded[T](r.NormFloat64())
		} else {
			values[i] = values[i-4096]
		}
	}
	return values
}
