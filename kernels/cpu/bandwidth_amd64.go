package cpu

import (
	"slices"

	"github.com/klauspost/cpuid/v2"

	"github.com/realflops/realflops/kernels"
)

// needsString is what makes REP MOVSQ and REP STOSQ worth their start (Enhanced REP MOVSB and STOSB).
var needsString = []string{"erms"}

// needsBoth is what the engines of AVX-512 need: for memory they have the kernels of AVX2, which are as fast there or faster.
var needsBoth = slices.Concat(needsAVX512, needsAVX2)

func init() {
	registerBandwidth(GoAVX2, needsAVX2, bandwidthAVX2)
	registerBandwidth(GoAVX512, needsBoth, bandwidthAVX512)
	registerBandwidth(GoAVX2NT, needsAVX2, bandwidthAVX2NT)
	registerBandwidth(GoAVX512NT, needsBoth, bandwidthAVX512NT)
	register(
		Impl{Kernel: kernels.Copy, Precision: kernels.FP64, Engine: GoString, Needs: needsString, Func: copies(always(copyFP64String))},
		Impl{Kernel: kernels.Write, Precision: kernels.FP64, Engine: GoString, Needs: needsString, Func: writes(writeFP64String)},
	)
}

// bandwidth is an engine's implementations by kernel.
type bandwidth map[kernels.Kernel]any

func registerBandwidth(engine string, needs []string, all bandwidth) {
	for kernel, f := range all {
		register(Impl{Kernel: kernel, Precision: kernels.FP64, Engine: engine, Needs: needs, Func: f})
	}
}

var (
	bandwidthAVX2 = bandwidth{
		kernels.Read:  reads(distance[reading]{readFP64AVX2, readFP64FarAVX2}),
		kernels.Write: writes(writeFP64AVX2),
		kernels.Copy:  copies(distance[copying]{copyFP64AVX2, copyFP64FarAVX2}),
		kernels.Scale: scales(distance[scaling]{scaleFP64AVX2, scaleFP64FarAVX2}),
		kernels.Add:   adds(distance[adding]{addFP64AVX2, addFP64FarAVX2}),
		kernels.Triad: triads(distance[combining]{triadFP64AVX2, triadFP64FarAVX2}),
	}
	bandwidthAVX512 = bandwidth{
		kernels.Read:  reads(distance[reading]{readFP64AVX512, readFP64FarAVX2}),
		kernels.Write: writes(writeFP64AVX512),
		kernels.Copy:  copies(distance[copying]{copyFP64AVX512, copyFP64FarAVX2}),
		kernels.Scale: scales(distance[scaling]{scaleFP64AVX512, scaleFP64FarAVX2}),
		kernels.Add:   adds(distance[adding]{addFP64AVX512, addFP64FarAVX2}),
		kernels.Triad: triads(distance[combining]{triadFP64AVX512, triadFP64FarAVX2}),
	}
	bandwidthAVX2NT = bandwidth{
		kernels.Write: writes(writeFP64NTAVX2),
		kernels.Copy:  copies(distance[copying]{copyFP64NTAVX2, copyFP64FarNTAVX2}),
		kernels.Scale: scales(distance[scaling]{scaleFP64NTAVX2, scaleFP64FarNTAVX2}),
		kernels.Add:   adds(distance[adding]{addFP64NTAVX2, addFP64FarNTAVX2}),
		kernels.Triad: triads(distance[combining]{triadFP64NTAVX2, triadFP64FarNTAVX2}),
	}
	bandwidthAVX512NT = bandwidth{
		kernels.Write: writes(writeFP64NTAVX512),
		kernels.Copy:  copies(distance[copying]{copyFP64NTAVX512, copyFP64FarNTAVX2}),
		kernels.Scale: scales(distance[scaling]{scaleFP64NTAVX512, scaleFP64FarNTAVX2}),
		kernels.Add:   adds(distance[adding]{addFP64NTAVX512, addFP64FarNTAVX2}),
		kernels.Triad: triads(distance[combining]{triadFP64NTAVX512, triadFP64FarNTAVX2}),
	}
)

// The signatures of the assembly.
type (
	reading   = func(src *float64, n int) uint64
	writing   = func(dst *float64, n int, s float64)
	copying   = func(dst, src *float64, n int)
	scaling   = func(dst, src *float64, n int, s float64)
	adding    = func(dst, a, b *float64, n int)
	combining = func(dst, a, b *float64, n int, s float64)
)

// distance is a kernel for operands that lie in a cache, and one for those in memory.
type distance[F any] struct{ near, far F }

func always[F any](f F) distance[F] { return distance[F]{f, f} }

// nearBytes is how many bytes of operands one thread has in its caches at most: those of L2, or a quarter of L3. Beyond 8 MiB
// they are a thread's share of what lies in memory on a machine of many threads.
var nearBytes = max(cpuid.CPU.Cache.L2, min(cpuid.CPU.Cache.L3/4, 8<<20), 256<<10)

// of is the kernel for so many elements of all operands together.
func (d distance[F]) of(elements int) F {
	if elements > nearBytes/8 {
		return d.far
	}
	return d.near
}

// These give the assembly slices, and panic, as the twins do, where one is shorter than that which says n.

func reads(d distance[reading]) ReadFunc {
	return func(src []float64) uint64 {
		if len(src) == 0 {
			return 0
		}
		return d.of(len(src))(&src[0], len(src))
	}
}

func writes(f writing) WriteFunc {
	return func(dst []float64, s float64) {
		if len(dst) > 0 {
			f(&dst[0], len(dst), s)
		}
	}
}

func copies(d distance[copying]) CopyFunc {
	return func(dst, src []float64) {
		if n := len(src); n > 0 {
			_ = dst[n-1]
			d.of(2*n)(&dst[0], &src[0], n)
		}
	}
}

func scales(d distance[scaling]) ScaleFunc {
	return func(dst, src []float64, s float64) {
		if n := len(dst); n > 0 {
			_ = src[n-1]
			d.of(2*n)(&dst[0], &src[0], n, s)
		}
	}
}

func adds(d distance[adding]) AddFunc {
	return func(dst, a, b []float64) {
		if n := len(dst); n > 0 {
			_, _ = a[n-1], b[n-1]
			d.of(3*n)(&dst[0], &a[0], &b[0], n)
		}
	}
}

func triads(d distance[combining]) TriadFunc {
	return func(dst, a, b []float64, s float64) {
		if n := len(dst); n > 0 {
			_, _ = a[n-1], b[n-1]
			d.of(3*n)(&dst[0], &a[0], &b[0], n, s)
		}
	}
}
