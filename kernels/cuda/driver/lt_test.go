//go:build worker

package driver

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/work"
)

func openLTDouble(t *testing.T, d *Device) *LT {
	t.Helper()
	lt, err := openLT(only(map[string]string{ltLibrary.env: compile(t, "cublaslt.c")}), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lt.Close(); err != nil { // the double tells of descriptors that are left
			t.Error(err)
		}
	})
	return lt
}

// encode writes an integer as an element of the given type.
func encode(kind dataType, v int) []byte {
	switch kind {
	case type32F:
		return binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(v)))
	case type16F:
		return binary.LittleEndian.AppendUint16(nil, uint16(kernels.ToFloat16(float32(v))))
	case type16BF:
		return binary.LittleEndian.AppendUint16(nil, uint16(math.Float32bits(float32(v))>>16))
	case type32I:
		return binary.LittleEndian.AppendUint32(nil, uint32(int32(v)))
	}
	return []byte{byte(int8(v))}
}

// TestLTComputesTheRowMajorProduct holds each precision to C = A·B on small integers, which every
// type holds exactly.
func TestLTComputesTheRowMajorProduct(t *testing.T) {
	d := openDouble(t)
	lt := openLTDouble(t, d)
	const m, n, k = 3, 5, 8
	av := func(i, x int) int { return (i*5+x*3)%7 - 3 }
	bv := func(x, j int) int { return (x*2+j*11)%5 - 2 }
	for _, p := range ltPrecisions {
		t.Run(string(p.precision), func(t *testing.T) {
			var a, b, want []byte
			for i := range m * k {
				a = append(a, encode(p.in, av(i/k, i%k))...)
			}
			for i := range k * n {
				x, j := i/n, i%n
				if p.transpose {
					x, j = i%k, i/k
				}
				b = append(b, encode(p.in, bv(x, j))...)
			}
			for i := range m * n {
				sum := 0
				for x := range k {
					sum += av(i/n, x) * bv(x, i%n)
				}
				want = append(want, encode(p.out, sum)...)
			}
			ap, bp, cp := alloc(t, d, int64(len(a))), alloc(t, d, int64(len(b))), alloc(t, d, int64(len(want)))
			spec := kernels.Spec{Kernel: kernels.GEMM, Precision: p.precision, Shape: kernels.Shape{M: m, N: n, K: k}}
			run, note, err := lt.Plan(spec, ap, bp, cp)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(want))
			err = errors.Join(d.Upload(ap, a), d.Upload(bp, b), d.Memset(cp, 0xff, int64(len(want))), run(), d.Synchronize(), d.Download(got, cp))
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%v; C is\n%x, want\n%x", err, got, want)
			}
			for _, w := range []string{p.name, "algorithm 6, tile 20, stages 11, split-k 1, 33554432 bytes of workspace, 0.75 waves", "row-major"} {
				if !strings.Contains(note, w) {
					t.Errorf("note %q, want %q in it", note, w)
				}
			}
		})
	}
}

func TestLTSaysWhatItCannotDo(t *testing.T) {
	d := openDouble(t)
	lt := openLTDouble(t, d)
	if lt.Version() != "12.8.4" || lt.Engine() != cuda.CuBLASLt || len(lt.Precisions()) != len(ltPrecisions) {
		t.Errorf("%s %s with %v", lt.Engine(), lt.Version(), lt.Precisions())
	}
	p := alloc(t, d, 1024)
	for _, spec := range []kernels.Spec{
		{Kernel: kernels.GEMM, Precision: kernels.INT8INT32, Shape: kernels.Shape{M: 3, N: 5, K: 7}}, // the double wants k%4 == 0
		{Kernel: kernels.GEMM, Precision: kernels.FP64FP64, Shape: kernels.Shape{M: 4, N: 4, K: 4}},
		{Kernel: kernels.ReLU, Precision: kernels.FP32, Shape: kernels.Shape{N: 4}},
	} {
		if _, _, err := lt.Plan(spec, p, p, p); !errors.Is(err, work.ErrUnsupported) {
			t.Errorf("%s: error %v, want ErrUnsupported", spec, err)
		}
	}
}

func TestNoLTIsASentence(t *testing.T) {
	d := openDouble(t)
	before, err := d.FreeBytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ library, want string }{
		{"/nonexistent/libcublasLt.so.12", "no such file"},
		{compile(t, "cublaslt.c", "-DNO_MATMUL"), "lacks cublasLtMatmul"},
		{compile(t, "cublaslt.c", "-DCREATE=1"), "could not be initialized"},
		{compile(t, "cublaslt.c", "-DCREATE=3"), cuda.ErrMemory.Error()},
	} {
		if _, err := openLT(only(map[string]string{ltLibrary.env: c.library}), d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	if _, err := openLT(only(nil), d); err == nil || !strings.Contains(err.Error(), "no cuBLASLt: libcublasLt.so.13 or") {
		t.Errorf("error %v, want that there is no library", err)
	}
	if after, err := d.FreeBytes(); err != nil || after != before {
		t.Errorf("%d bytes free and %v, want %d as before", after, err, before)
	}
}
