package cpu

import (
	"runtime"
	"testing"

	"github.com/realflops/realflops/kernels"
)

func TestBandwidthOperandsShorterThanOthersPanic(t *testing.T) {
	panics := func(impl Impl, f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s by %s went past the end of an operand", impl.Kernel, impl.Engine)
			}
		}()
		f()
	}
	const n = 100
	whole, short := make([]float64, n), make([]float64, n-1, n)
	for _, impl := range All() {
		if len(impl.Missing()) > 0 {
			continue // TestConformance names them
		}
		switch f := impl.Func.(type) {
		case ScaleFunc:
			panics(impl, func() { f(whole, short, 3) })
		case AddFunc:
			panics(impl, func() { f(whole, short, whole) })
			panics(impl, func() { f(whole, whole, short) })
		case TriadFunc:
			panics(impl, func() { f(whole, short, whole, 3) })
			panics(impl, func() { f(whole, whole, short, 3) })
		}
	}
}

// TestTrafficCountsTheLinesThatStoresRead: 8 bytes an element and operand, and again for what ordinary
// stores overwrite.
func TestTrafficCountsTheLinesThatStoresRead(t *testing.T) {
	for _, c := range []struct {
		kernel       kernels.Kernel
		engine       string
		bytesElement float64
	}{
		{kernels.Read, GoAVX512, 8},
		{kernels.Write, GoAVX512, 16},
		{kernels.Write, GoAVX512NT, 8},
		{kernels.Write, GoString, 8},
		{kernels.Copy, GoAVX2, 24},
		{kernels.Copy, GoAVX2NT, 16},
		{kernels.Scale, Go, 24},
		{kernels.Triad, GoAVX512, 32},
		{kernels.Triad, GoAVX512NT, 24},
		{kernels.Add, GoNEON, 32},
		{kernels.Chase, Go, 64},
		{"no-such-kernel", Go, 0},
	} {
		const n = 1 << 20
		s := kernels.Spec{Kernel: c.kernel, Precision: kernels.FP64, Shape: kernels.Shape{N: n}}
		if got := Traffic(s, c.engine) / n; got != c.bytesElement {
			t.Errorf("%s by %s moves %v bytes an element, want %v", c.kernel, c.engine, got, c.bytesElement)
		}
	}
	if runtime.GOARCH == "amd64" {
		s := kernels.Spec{Kernel: kernels.Copy, Precision: kernels.FP64, Shape: kernels.Shape{N: memmoveBypasses / 8}}
		if got, want := Traffic(s, Go), s.Bytes(); got != want {
			t.Errorf("memmove of %d bytes moves %v, want %v", memmoveBypasses, got, want)
		}
		s.Shape.N--
		if got, want := Traffic(s, Go), 1.5*s.Bytes(); got != want {
			t.Errorf("memmove of fewer than %d bytes moves %v, want %v", memmoveBypasses, got, want)
		}
	}
}
