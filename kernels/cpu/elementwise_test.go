package cpu

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/kerneltest"
)

// TestHalfKernelsConvertAsFloat16Does holds the conversions of each engine, F16C's on
// amd64, to those of package kernels, over all halves: the sigmoid of a half must be that of the same
// float32, rounded.
func TestHalfKernelsConvertAsFloat16Does(t *testing.T) {
	src, widened := make([]kernels.Float16, 1<<16), make([]float32, 1<<16)
	for i := range src {
		src[i] = kernels.Float16(i)
		widened[i] = src[i].Float32()
	}
	for _, impl := range All() {
		half, ok := impl.Func.(UnaryFunc[kernels.Float16])
		if !ok {
			continue
		}
		t.Run(string(impl.Kernel)+"/"+impl.Engine, func(t *testing.T) {
			needs(t, impl)
			single := implOf(t, impl.Kernel, kernels.FP32, impl.Engine).Func.(UnaryFunc[float32])
			dst, wide := make([]kernels.Float16, len(src)), make([]float32, len(src))
			half(dst, src)
			single(wide, widened)
			for i, got := range dst {
				if want := kernels.ToFloat16(wide[i]); got != want {
					t.Fatalf("of %#04x it makes %#04x; of the same float32 %g, which rounds to %#04x", i, uint16(got), wide[i], uint16(want))
				}
			}
		})
	}
}

func implOf(t testing.TB, k kernels.Kernel, p kernels.Precision, engine string) Impl {
	t.Helper()
	for _, impl := range All() {
		if impl.Kernel == k && impl.Precision == p && impl.Engine == engine {
			return impl
		}
	}
	t.Fatalf("engine %s has no %s at %s", engine, k, p)
	return Impl{}
}

func TestOperandsShorterThanOthersPanic(t *testing.T) {
	panics := func(impl Impl, f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s %s by %s went past the end of an operand", impl.Kernel, impl.Precision, impl.Engine)
			}
		}()
		f()
	}
	const n = 100
	for _, impl := range All() {
		if len(impl.Missing()) > 0 {
			continue // TestConformance names them
		}
		switch f := impl.Func.(type) {
		case UnaryFunc[float32]:
			panics(impl, func() { f(make([]float32, n-1, n), make([]float32, n)) })
		case UnaryFunc[kernels.Float16]:
			panics(impl, func() { f(make([]kernels.Float16, n-1, n), make([]kernels.Float16, n)) })
		}
	}
}

func FuzzReLU(f *testing.F) {
	fuzzUnary(f, kernels.ReLU, func(t *testing.T, _ Impl, x, got, want float32) {
		if math.Float32bits(got) != math.Float32bits(want) {
			t.Fatalf("relu(%g) is %#08x, and the twin's is %#08x", x, math.Float32bits(got), math.Float32bits(want))
		}
	})
}

func FuzzSigmoid(f *testing.F) {
	fuzzUnary(f, kernels.Sigmoid, func(t *testing.T, impl Impl, x, got, want float32) {
		if got != got || want != want {
			if got == got || want == want {
				t.Fatalf("sigmoid(%g) is %g, and the twin's is %g", x, got, want)
			}
			return
		}
		// The twin errs by half an ulp, or one where a half was rounded twice.
		off, allowed := kerneltest.ULP32(got, float64(want)), kerneltest.SigmoidULP32+0.5
		if impl.Precision == kernels.FP16 {
			off, allowed = kerneltest.ULP16(kernels.ToFloat16(got), float64(want)), 1
		}
		if off > allowed {
			t.Fatalf("sigmoid(%g) is %g, and the twin's is %g: %g ulp apart", x, got, want, off)
		}
	})
}

// fuzzUnary reads the input as float32 and as halves and holds every implementation of k
// that this CPU can run to the plain Go twin, element by element. Halves are compared
// as the float32 that they are.
func fuzzUnary(f *testing.F, k kernels.Kernel, compare func(t *testing.T, impl Impl, x, got, want float32)) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0xc0, 0x7f, 0, 0, 0x80, 0xff, 0, 0, 0, 0x80, 1, 0, 0, 0}) // NaN, -Inf, -0, a subnormal
	f.Add(binary.LittleEndian.AppendUint32(make([]byte, 4*37), math.Float32bits(-90)))
	f.Fuzz(func(t *testing.T, input []byte) {
		singles, halves := make([]float32, len(input)/4), make([]kernels.Float16, len(input)/2)
		for i := range singles {
			singles[i] = math.Float32frombits(binary.LittleEndian.Uint32(input[4*i:]))
		}
		for i := range halves {
			halves[i] = kernels.Float16(binary.LittleEndian.Uint16(input[2*i:]))
		}
		twins := map[kernels.Precision]Impl{kernels.FP32: implOf(t, k, kernels.FP32, Go), kernels.FP16: implOf(t, k, kernels.FP16, Go)}
		for _, impl := range All() {
			if impl.Kernel != k || impl.Engine == Go || len(impl.Missing()) > 0 {
				continue
			}
			switch run := impl.Func.(type) {
			case UnaryFunc[float32]:
				got, want := make([]float32, len(singles)), make([]float32, len(singles))
				run(got, singles)
				twins[kernels.FP32].Func.(UnaryFunc[float32])(want, singles)
				for i, x := range singles {
					compare(t, impl, x, got[i], want[i])
				}
			case UnaryFunc[kernels.Float16]:
				got, want := make([]kernels.Float16, len(halves)), make([]kernels.Float16, len(halves))
				run(got, halves)
				twins[kernels.FP16].Func.(UnaryFunc[kernels.Float16])(want, halves)
				for i, x := range halves {
					compare(t, impl, x.Float32(), got[i].Float32(), want[i].Float32())
				}
			}
		}
	})
}
