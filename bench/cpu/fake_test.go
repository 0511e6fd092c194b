package cpu

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// fakeClock moves only when a fake kernel works, or by tick with each reading.
type fakeClock struct {
	ns   atomic.Int64
	tick time.Duration
}

func (c *fakeClock) now() time.Time {
	return time.Unix(0, c.ns.Add(int64(c.tick)))
}

func (c *fakeClock) work(d time.Duration) { c.ns.Add(int64(d)) }

// newFake is a Runner whose registry holds one implementation, on a clock that moves by
// its hand, with a core clock of 3 GHz and the CPU to itself.
func newFake(t *testing.T, clock *fakeClock, f any) *Runner {
	t.Helper()
	r, err := New(Machine{
		ID: "host-1", Model: "Fake 1", Threads: 2, MemoryBytes: 1 << 30,
		Caches: []Cache{{Level: 1, Bytes: 32 << 10, SharedBy: 1}, {Level: 2, Bytes: 1 << 20, SharedBy: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	r.pick = func(k kernels.Kernel, p kernels.Precision, engine string) (cpu.Impl, error) {
		return cpu.Impl{Kernel: k, Precision: p, Engine: "fake", Func: f}, nil
	}
	r.now = clock.now
	r.clockHz = func(*cpu.Pool) (float64, bool) { return 3e9, true }
	r.processUsage = func() (cpu.Usage, bool) { return cpu.Usage{CPU: time.Duration(clock.ns.Load())}, true }
	return r
}

func caseOf(k kernels.Kernel, p kernels.Precision, s kernels.Shape, threads int) bench.Case {
	return bench.Case{Spec: kernels.Spec{Kernel: k, Precision: p, Shape: s}, Threads: threads, Data: bench.Randn, Seed: 7, MinS: 0.1, MaxS: 0.14}
}

func run(t *testing.T, r *Runner, c bench.Case) bench.Result {
	t.Helper()
	res, err := r.Run(context.Background(), c)
	if err != nil {
		t.Fatalf("%v: %v", c.Spec, err)
	}
	return res
}

func n(elements int) kernels.Shape { return kernels.Shape{N: elements} }

// unary is an elementwise kernel of one input and one output.
func unary[T cpu.Float](f func(dst, src []T)) cpu.ElementwiseFunc[T] {
	return func(outputs, inputs [][]T) { f(outputs[0], inputs[0]) }
}

// goRelu is a right relu that takes d a call.
func goRelu(clock *fakeClock, d time.Duration) func(dst, src []float32) {
	return func(dst, src []float32) {
		for i, x := range src {
			dst[i] = max(x, 0)
		}
		clock.work(d)
	}
}

// goGEMM is a right product that takes d.
type goGEMM struct {
	m, n, k int
	after   func(c []float32)
}

func (g goGEMM) Run(c, a, b []float32) {
	for i := range g.m {
		for j := range g.n {
			sum := float32(0)
			for p := range g.k {
				sum += a[i*g.k+p] * b[p*g.n+j]
			}
			c[i*g.n+j] = sum
		}
	}
	g.after(c)
}

func (g goGEMM) Close() {}

func planGEMM(after func(c []float32)) planFunc[float32, float32] {
	return func(_ *cpu.Pool, s cpu.Product) (product[float32, float32], error) {
		return goGEMM{s.M, s.N, s.K, after}, nil
	}
}
