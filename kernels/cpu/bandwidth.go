package cpu

import (
	"math"
	"runtime"

	"github.com/realflops/realflops/kernels"
)

type (
	// ReadFunc returns the sum of the bits of all elements of src, each as a 64-bit integer, modulo
	// 2^64: no element can be left out, and the order does not matter.
	ReadFunc func(src []float64) uint64

	// WriteFunc sets every element of dst to s.
	WriteFunc func(dst []float64, s float64)

	// ScaleFunc computes dst[i] = s·src[i]; the lengths are equal.
	ScaleFunc func(dst, src []float64, s float64)

	// AddFunc computes dst[i] = a[i] + b[i]; the lengths are equal.
	AddFunc func(dst, a, b []float64)
)

func init() {
	register(
		Impl{Kernel: kernels.Read, Precision: kernels.FP64, Engine: Go, Func: ReadFunc(readFP64)},
		Impl{Kernel: kernels.Write, Precision: kernels.FP64, Engine: Go, Func: WriteFunc(writeFP64)},
		Impl{Kernel: kernels.Copy, Precision: kernels.FP64, Engine: Go, Func: CopyFunc(copyFP64)},
		Impl{Kernel: kernels.Scale, Precision: kernels.FP64, Engine: Go, Func: ScaleFunc(scaleFP64)},
		Impl{Kernel: kernels.Add, Precision: kernels.FP64, Engine: Go, Func: AddFunc(addFP64)},
		Impl{Kernel: kernels.Triad, Precision: kernels.FP64, Engine: Go, Func: TriadFunc(triadFP64)},
	)
}

func readFP64(src []float64) uint64 {
	var sum uint64
	for _, x := range src {
		sum += math.Float64bits(x)
	}
	return sum
}

func writeFP64(dst []float64, s float64) {
	for i := range dst {
		dst[i] = s
	}
}

// copyFP64 is the runtime's memmove.
func copyFP64(dst, src []float64) { copy(dst, src) }

func scaleFP64(dst, src []float64, s float64) {
	for i := range dst {
		dst[i] = s * src[i]
	}
}

func addFP64(dst, a, b []float64) {
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

// triadFP64 rounds once an element, as the fused multiply-add of every engine does.
func triadFP64(dst, a, b []float64, s float64) {
	for i := range dst {
		dst[i] = math.FMA(s, b[i], a[i])
	}
}

// memmoveBypasses is from how many bytes on the runtime's memmove writes past the caches on amd64: by
// non-temporal stores, and on Intel from 2 KiB on by REP MOVSQ (runtime/memmove_amd64.s of Go 1.26).
const memmoveBypasses = 1 << 20

// Traffic is how many bytes a pass of s by the named engine moves between the caches and the memory
// behind them, where its operands lie in memory and not in a cache: beside what [kernels.Spec.Bytes] counts,
// a store that goes through the caches reads the line that it overwrites first, so that each
// written operand counts twice (J. D. McCalpin, STREAM's "Counting Bytes and FLOPS",
// www.cs.virginia.edu/stream/ref.html). Non-temporal stores and the string instructions do not.
// It is an upper bound where a CPU notices that whole lines are overwritten. Kernels
// of other classes than bandwidth have no such count; it is then that of Spec.Bytes.
func Traffic(s kernels.Spec, engine string) float64 {
	d, err := kernels.Lookup(string(s.Kernel))
	if err != nil || d.Class != kernels.Bandwidth || bypasses(s, engine) {
		return s.Bytes()
	}
	return s.Bytes() + float64(d.Writes*s.Precision.Bytes()*s.Shape.N)
}

// bypasses reports whether the stores of s do not read the lines they write.
func bypasses(s kernels.Spec, engine string) bool {
	switch engine {
	case GoAVX2NT, GoAVX512NT, GoString:
		return true
	case Go:
		return s.Kernel == kernels.Copy && runtime.GOARCH == "amd64" && s.Shape.N*s.Precision.Bytes() >= memmoveBypasses
	}
	return false
}
