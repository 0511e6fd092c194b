package cpu

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/realflops/realflops/kernels"
)

// linearSets is how many bytes of weights a benchmark goes through before it comes back to the first, so that they
// come from memory, as those of a model do from token to token.
const linearSets = 256 << 20

// BenchmarkLinear reports, of each implementation, the share of the roofline that it reaches: the smaller of the
// issue limit of its instruction and of what a loop allows that only reads the same bytes. The three take turns, and
// shares are medians of turns: -bench 'Linear/int4.*/go-avx512-vnni/4096x4096/t1/m1$' -benchtime 15x. With
// cached weights (hot) there is one set.
func BenchmarkLinear(b *testing.B) {
	for _, impl := range All() {
		if impl.Kernel != kernels.Linear || len(impl.Missing()) > 0 {
			continue
		}
		for _, nk := range [][2]int{{4096, 4096}, {11008, 4096}, {128, 4096}} {
			for _, sets := range []int{linearSets, 0} {
				for _, threads := range []int{1, 2} {
					name := fmt.Sprintf("%s/%s/%dx%d/t%d", impl.Precision, impl.Engine, nk[1], nk[0], threads)
					if sets == 0 {
						name += "/hot"
					}
					switch l := impl.Func.(type) {
					case *Linear[float32, float32]:
						benchmarkLinear(b, name, impl, l, nk, threads, sets)
					case *Linear[kernels.BFloat16, float32]:
						benchmarkLinear(b, name, impl, l, nk, threads, sets)
					case *Linear[kernels.Float16, float32]:
						benchmarkLinear(b, name, impl, l, nk, threads, sets)
					case *Linear[int8, int32]:
						benchmarkLinear(b, name, impl, l, nk, threads, sets)
					}
				}
			}
		}
	}
}

func benchmarkLinear[T LinearElement, Y LinearSum](b *testing.B, name string, impl Impl, l *Linear[T, Y], nk [2]int, threads, setBytes int) {
	b.Run(name, func(b *testing.B) {
		n, k := nk[0], nk[1]
		p := NewPool(threads)
		defer p.Close()
		sets := linearCopies(b, p, l, n, k, setBytes)
		reader, err := Pick(kernels.Read, kernels.FP64, "")
		if err != nil {
			b.Fatal(err)
		}
		f := reader.Func.(ReadFunc)
		read := func() {
			p.Run(func(tid int) {
				for _, ws := range sets {
					bytes := ws.threads[tid].packed
					f(elements[float64](bytes[:len(bytes)/8*8]))
				}
			})
		}
		var limit func()
		engine := impl.LimitEngine
		if engine == "" {
			engine = impl.Engine
		}
		const adds = kernels.FMAQuantum * 256
		if fma, err := Pick(kernels.FMA, impl.Limit, engine); err == nil {
			limit = func() { p.Run(func(int) { fma.Func.(FMAFunc)(adds) }) }
		}
		for _, m := range []int{1, 2, 4, 8, 16, 32} {
			b.Run(fmt.Sprintf("m%d", m), func(b *testing.B) {
				x, y := make([]T, m*k), make([]Y, m*n)
				for i := range x {
					x[i] = linearSmall[T](i)
				}
				var reads, limits, runs []float64
				passes := max(1, 64/len(sets)/m)
				if setBytes != 0 {
					passes = 1
				}
				for b.Loop() {
					reads = append(reads, seconds(func() {
						for range passes {
							read()
						}
					}))
					if limit != nil {
						limits = append(limits, seconds(limit))
					}
					runs = append(runs, seconds(func() {
						for range passes {
							for _, ws := range sets {
								ws.Run(y, x, m)
							}
						}
					}))
				}
				bytes := float64(passes*len(sets)) * float64(sets[0].Bytes())
				flop := float64(passes*len(sets)) * 2 * float64(m) * float64(n) * float64(k)
				share := make([]float64, len(runs))
				for i := range runs {
					roof := flop / reads[i]
					if limit != nil {
						roof = min(roof, 2*adds*float64(threads)/limits[i])
					}
					share[i] = flop / runs[i] / roof
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(100*median(share), "%roof")
				b.ReportMetric(bytes/median(runs)/1e9, "GB/s")
				b.ReportMetric(bytes/median(reads)/1e9, "read-GB/s")
				b.ReportMetric(flop/median(runs)/1e9, "GFLOP/s")
				if limit != nil {
					b.ReportMetric(2*adds*float64(threads)/median(limits)/1e9, "limit-GFLOP/s")
				}
			})
		}
	})
}

// linearCopies packs weights and copies them until they are as many bytes as asked for.
func linearCopies[T LinearElement, Y LinearSum](b *testing.B, p *Pool, l *Linear[T, Y], n, k, bytes int) []*Weights[T, Y] {
	b.Helper()
	w := make([]T, k*n)
	for i := range w {
		w[i] = linearSmall[T](i * 7)
	}
	first, err := l.Pack(p, w, n, k)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(first.Close)
	sets := []*Weights[T, Y]{first}
	for len(sets)*first.Bytes() < bytes {
		ws, err := first.Copy()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(ws.Close)
		sets = append(sets, ws)
	}
	return sets
}

// linearSmall is a small number.
func linearSmall[T LinearElement](i int) T {
	var v T
	f := float32(i*31%17) - 8
	switch v := any(&v).(type) {
	case *float32:
		*v = f
	case *kernels.BFloat16:
		*v = kernels.ToBFloat16(f)
	case *kernels.Float16:
		*v = kernels.ToFloat16(f)
	case *int8:
		*v = int8(f)
	}
	return v
}

func seconds(f func()) float64 {
	start := time.Now()
	f()
	return time.Since(start).Seconds()
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}
