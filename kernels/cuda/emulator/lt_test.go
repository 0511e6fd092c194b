package emulator

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

// ltTypesOf are compute type, type of the operands and type of C, as cuBLASLt numbers them, and 1, 0 and -1
// in the operands' type.
var ltTypesOf = map[kernels.Precision]struct {
	compute, in, out uint64
	values           [3]uint32
}{
	kernels.FP32FP32:  {68, 0, 0, [3]uint32{0x3f800000, 0, 0xbf800000}},
	kernels.TF32FP32:  {77, 0, 0, [3]uint32{0x3f800000, 0, 0xbf800000}},
	kernels.FP16FP32:  {68, 2, 2, [3]uint32{0x3c00, 0, 0xbc00}},
	kernels.FP16FP16:  {64, 2, 2, [3]uint32{0x3c00, 0, 0xbc00}},
	kernels.BF16FP32:  {68, 14, 14, [3]uint32{0x3f80, 0, 0xbf80}},
	kernels.INT8INT32: {72, 3, 10, [3]uint32{1, 0, 0xff}},
}

// description is how the worker describes C = A·B: column-major, with A and B exchanged.
func description(p kernels.Precision, m, n, k uint64) []uint64 {
	t := ltTypesOf[p]
	w := []uint64{t.compute, 0, 0, 0, t.in, n, k, n, t.in, k, m, k, t.out, n, m, n, ctx0}
	if p == kernels.INT8INT32 {
		w[2] = 1
		w[5], w[6], w[7] = k, n, k
	}
	return w
}

// ones is n elements, of which each is 1, 0 or -1.
func ones(p kernels.Precision, n int, seed uint64) []byte {
	var b []byte
	for i := range n {
		v := ltTypesOf[p].values[uint64(made("ones", uint64(i), seed))%3]
		b = append(b, binary.LittleEndian.AppendUint32(nil, v)[:p.Bytes()]...)
	}
	return b
}

// The library must compute what the own kernel computes: of integers, the same bits.
func TestLibraryMultipliesAsTheOwnKernelDoes(t *testing.T) {
	const m, n, k = 24, 40, 48
	shape := kernels.Shape{M: m, N: n, K: k}
	l := start(t, "a100").driver(t)
	module := l.load(80)
	for p := range ltTypesOf {
		e, err := cuda.Pick(kernels.GEMM, p, "", shape, 80)
		if err != nil {
			t.Fatal(err)
		}
		a, b, own, lib := l.alloc(4*m*k), l.alloc(4*k*n), l.alloc(4*m*n), l.alloc(4*m*n)
		l.must(opUpload, ones(p, m*k, 1), ctx0, a)
		l.must(opUpload, ones(p, k*n, 2), ctx0, b)
		launch, err := e.Launch(shape, 108, []cuda.Ptr{cuda.Ptr(own), cuda.Ptr(a), cuda.Ptr(b)})
		if err != nil {
			t.Fatal(err)
		}
		l.launch(module, launch)
		l.send(opLtMatmul, nil, append(description(p, m, n, k), b, a, lib)...)
		size := uint64(m * n * p.Bytes())
		if p == kernels.INT8INT32 {
			size = 4 * m * n
		}
		want, got := l.must(opDownload, nil, ctx0, own, size), l.must(opDownload, nil, ctx0, lib, size)
		if !bytes.Equal(got, want) || bytes.Count(got, []byte{0}) == len(got) {
			t.Errorf("%s: the library's product is not the kernel's", p)
		}
	}
}

func TestLibraryRefusesWhatItDoesNotEmulate(t *testing.T) {
	good := description(kernels.FP16FP32, 64, 32, 16)
	a100, v100 := find1(t, "a100"), find1(t, "v100")
	if p, ok := ltProduct(a100, good); !ok || p.shape != (kernels.Shape{M: 64, N: 32, K: 16}) {
		t.Fatalf("a good description gives %+v, %v", p, ok)
	}
	for i := range 16 { // every word but the scale type matters
		bad := append([]uint64(nil), good...)
		bad[i] += 3
		if _, ok := ltProduct(a100, bad); ok && i != 1 {
			t.Errorf("taken with word %d as %d", i, bad[i])
		}
	}
	if _, ok := ltProduct(a100, good[:5]); ok {
		t.Error("a description of 5 words was taken")
	}
	for p, want := range map[kernels.Precision]bool{kernels.FP16FP32: true, kernels.BF16FP32: false, kernels.INT8INT32: false} {
		if _, ok := ltProduct(v100, description(p, 64, 64, 64)); ok != want {
			t.Errorf("v100, %s: %v, want %v", p, ok, want)
		}
	}
	if _, ok := ltProduct(a100, description(kernels.INT8INT32, 64, 63, 64)); ok {
		t.Error("an integer product of odd width was taken")
	}
}

// A large product runs at the rate of the unit, one with a single row at that of memory.
func TestLibraryIsAsFastAsTheCardAllows(t *testing.T) {
	for _, name := range []string{"a100", "h100", "rtx4090"} {
		c := find1(t, name)
		p, ok := ltProduct(c, description(kernels.FP16FP32, 8192, 8192, 8192))
		if !ok {
			t.Fatal("not taken")
		}
		_, w := p.best(c)
		want := math.Pow(8192, 3) / (c.PerClock.Library[kernels.FP16FP32] * float64(c.SMs) * c.ClockHz * c.Efficiency.Library)
		if got := c.Time(w, c.ClockHz).Seconds(); got < want || got > 1.1*want {
			t.Errorf("%s: 8192x8192x8192 takes %.4g s, want %.4g and at most a tenth more", name, got, want)
		}
	}
	l := start(t, "a100").driver(t)
	const n = 8192 // 128 MiB of B, of which the L2 cache keeps nothing
	a, b, out := l.alloc(2*n), l.alloc(2*n*n), l.alloc(2*n)
	got := l.seconds(func() { l.send(opLtMatmul, nil, append(description(kernels.FP16FP32, 1, n, n), b, a, out)...) })
	if want := 2.5e-6 + 2*n*n/(2.039e12*0.91); !near(got, want, 0.05) {
		t.Errorf("1x8192x8192 takes %.4g s, want %.4g", got, want)
	}
}
