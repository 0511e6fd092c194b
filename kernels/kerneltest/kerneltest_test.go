package kerneltest

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

func TestGuardBandsTellOnWhichSideSomethingWasWritten(t *testing.T) {
	for offset := 0; offset < line; offset += 4 {
		for _, n := range []int{0, 1, 17, longest} {
			g := newGuarded[float32](longest)
			s := g.place(offset, n)
			if len(s) != n {
				t.Fatalf("got %d elements, want %d", len(s), n)
			}
			for i := range s {
				s[i] = 1
			}
			if text := g.broken(); text != "" {
				t.Fatalf("offset %d, %d elements: nothing was written outside, but: %s", offset, n, text)
			}
			g.room[g.start-1] ^= 1
			if got, want := g.broken(), "wrote in front of the first element"; got != want {
				t.Errorf("offset %d, %d elements: %q, want %q", offset, n, got, want)
			}
			g.place(offset, n)
			g.room[g.end] ^= 1
			if got, want := g.broken(), "wrote behind the last element"; got != want {
				t.Errorf("offset %d, %d elements: %q, want %q", offset, n, got, want)
			}
		}
	}
}

func TestPagesFaultOnBothSides(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skipf("skip: guard pages are made on Linux alone, not on %s", runtime.GOOS)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	faults := func(b *byte) (faulted bool) {
		defer func() { faulted = recover() != nil }()
		*b++
		return false
	}
	for _, n := range []int{1, 3, 1024, 4096} {
		end, start := raw(PageEnd[uint16](t, n)), raw(PageStart[uint16](t, n))
		for _, s := range [][]byte{end, start} {
			if len(s) != 2*n {
				t.Fatalf("got %d bytes, want %d", len(s), 2*n)
			}
			if faults(&s[0]) || faults(&s[len(s)-1]) {
				t.Errorf("%d elements: one of them cannot be touched", n)
			}
		}
		if !faults(beyond(end, len(end))) {
			t.Errorf("%d elements: the byte behind them can be touched", n)
		}
		if !faults(beyond(start, -1)) {
			t.Errorf("%d elements: the byte in front of them can be touched", n)
		}
	}
}

// beyond is the address i bytes from the first of s, which need not be one of s.
func beyond(s []byte, i int) *byte {
	return (*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), i))
}

func TestULPCountsUnitsOfTheLastPlace(t *testing.T) {
	for _, c := range []struct {
		got  float32
		want float64
		ulp  float64
	}{
		{1, 1, 0},
		{1, 1 + 0x1p-23, 1},
		{1, 1 - 0x1p-24, 1}, // below 1 the floats lie twice as near
		{1.5, 1.5 + 0x1p-25, 0.25},
		{0, math.SmallestNonzeroFloat32, 1},
		{math.SmallestNonzeroFloat32, 0, 1},
		{0x1p-126, 0x1p-126 + 0x1p-148, 2},
		{float32(math.Inf(-1)), math.Inf(-1), 0},
		{float32(math.Inf(1)), 1, math.Inf(1)},
	} {
		if got := ULP32(c.got, c.want); got != c.ulp {
			t.Errorf("%g is %g ulp from %g, want %g", c.got, got, c.want, c.ulp)
		}
	}
	for _, c := range []struct {
		got  kernels.Float16
		want float64
		ulp  float64
	}{
		{0x3c00, 1, 0},
		{0x3c00, 1 + 0x1p-10, 1},
		{0x0001, 0, 1},
		{0x0400, 0x1p-14 + 0x1p-24, 1},
		{0x0000, 0x1p-26, 0.25},
	} {
		if got := ULP16(c.got, c.want); got != c.ulp {
			t.Errorf("%#04x is %g ulp from %g, want %g", uint16(c.got), got, c.want, c.ulp)
		}
	}
}

func TestFusedRoundsOnce(t *testing.T) {
	const x = 1 + 0x1p-30
	// x² = 1 + 2^-29 + 2^-60; rounding the product first loses the last term.
	if got, want := fused(x, x, -(1+0x1p-29)), 0x1p-60; got != want {
		t.Errorf("got %g, want %g", got, want)
	}
	if got := fused(3, math.MaxFloat64, math.Inf(-1)); got != math.Inf(-1) {
		t.Errorf("a finite product moved infinity: %g", got)
	}
	if got := fused(0, math.Inf(1), 1); !math.IsNaN(got) {
		t.Errorf("0·Inf is %g, want NaN", got)
	}
}
