package cpu

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/klauspost/cpuid/v2"
)

// BenchmarkBandwidth times every implementation of the bandwidth kernels on 1 and 2 threads, with the operands
// that a thread has together in half of L1, in half of L2, in an eighth of L3 and, 128 MiB, in memory.
func BenchmarkBandwidth(b *testing.B) {
	caches := cpuid.CPU.Cache
	for _, level := range []struct {
		name  string
		bytes int
	}{{"L1", caches.L1D / 2}, {"L2", caches.L2 / 2}, {"L3", caches.L3 / 8}, {"memory", 128 << 20}} {
		for _, impl := range All() {
			for _, threads := range []int{1, 2} {
				pass, operands := bandwidthPass(impl)
				if pass == nil || level.bytes <= 0 {
					continue
				}
				b.Run(fmt.Sprintf("%s/%s/%s/t%d", level.name, impl.Kernel, impl.Engine, threads), func(b *testing.B) {
					if missing := impl.Missing(); len(missing) > 0 {
						b.Skipf("skip: engine %s needs %s", impl.Engine, missing[0])
					}
					benchmarkBandwidth(b, pass, operands, level.bytes/8/operands/64*64, threads)
				})
			}
		}
	}
}

func benchmarkBandwidth(b *testing.B, pass func(x [][]float64), operands, n, threads int) {
	p := NewPool(threads)
	defer p.Close()
	x := make([][][]float64, threads)
	for t := range x {
		for range operands {
			data, free, err := Alloc[float64](n)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(free)
			x[t] = append(x[t], data)
		}
	}
	p.Run(func(tid int) {
		for _, data := range x[tid] { // pages that nobody wrote to are all the same one
			writeFP64(data, 1)
		}
		pass(x[tid])
	})
	// A dispatch takes as long as many a pass in L1.
	passes := max(1, 1<<22/n/operands)
	b.SetBytes(int64(threads * passes * 8 * operands * n))
	for b.Loop() {
		p.Run(func(tid int) {
			for range passes {
				pass(x[tid])
			}
		})
	}
}

// bandwidthPass is nil for a kernel of another class; otherwise it is one pass of impl over
// so many operands, dst first.
func bandwidthPass(impl Impl) (pass func(x [][]float64), operands int) {
	switch f := impl.Func.(type) {
	case ReadFunc:
		return func(x [][]float64) { runtime.KeepAlive(f(x[0])) }, 1
	case WriteFunc:
		return func(x [][]float64) { f(x[0], 3) }, 1
	case CopyFunc:
		return func(x [][]float64) { f(x[0], x[1]) }, 2
	case ScaleFunc:
		return func(x [][]float64) { f(x[0], x[1], 3) }, 2
	case AddFunc:
		return func(x [][]float64) { f(x[0], x[1], x[2]) }, 3
	case TriadFunc:
		return func(x [][]float64) { f(x[0], x[1], x[2], 3) }, 3
	}
	return nil, 0
}
