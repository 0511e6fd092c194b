package driver

import (
	"errors"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda/work"
)

// TestColumnMajorProductIsTheRowMajorOne carries out what cuBLASLt is asked for, as a
// column-major library reads it, on integers.
func TestColumnMajorProductIsTheRowMajorOne(t *testing.T) {
	const m, n, k = 3, 5, 7
	for _, p := range ltPrecisions {
		r, note, err := ltProduct(kernels.Spec{Kernel: kernels.GEMM, Precision: p.precision, Shape: kernels.Shape{M: m, N: n, K: k}}, 90)
		if err != nil {
			t.Fatal(err)
		}
		a, b, c := make([]int, m*k), make([]int, k*n), make([]int, m*n)
		for i := range a {
			a[i] = i*i%11 - 5
		}
		for i := range b {
			b[i] = i*7%13 - 6
		}
		if r.out.rows != n || r.out.columns != m || r.first.ld < r.first.rows || r.second.ld < r.second.rows || r.out.ld < r.out.rows {
			t.Fatalf("%s: %+v", p.precision, r)
		}
		for i := range r.out.rows {
			for j := range r.out.columns {
				for x := range r.second.rows {
					at := i + x*r.first.ld
					if r.transpose {
						at = x + i*r.first.ld
					}
					c[i+j*r.out.ld] += b[at] * a[x+j*r.second.ld]
				}
			}
		}
		for i := range m {
			for j := range n {
				want := 0
				for x := range k {
					bxj := b[x*n+j]
					if p.precision == kernels.INT8INT32 {
						bxj = b[j*k+x]
					}
					want += a[i*k+x] * bxj
				}
				if c[i*n+j] != want {
					t.Fatalf("%s: C[%d][%d] is %d, want %d", p.precision, i, j, c[i*n+j], want)
				}
			}
		}
		if ops := map[bool]string{false: "(NN)", true: "(TN)"}[p.transpose]; !strings.Contains(note, ops) || !strings.Contains(note, p.name) {
			t.Errorf("note %q, want %s and %s in it", note, ops, p.name)
		}
	}
}

func TestLTPrecisionsNeedTheirArchitecture(t *testing.T) {
	spec := kernels.Spec{Kernel: kernels.GEMM, Precision: kernels.BF16FP32, Shape: kernels.Shape{M: 8, N: 8, K: 8}}
	if _, _, err := ltProduct(spec, 75); !errors.Is(err, work.ErrUnsupported) {
		t.Errorf("bf16 on 7.5: error %v, want ErrUnsupported", err)
	}
	if _, _, err := ltProduct(spec, 80); err != nil {
		t.Errorf("bf16 on 8.0: %v", err)
	}
}

func TestLTVersion(t *testing.T) {
	for v, want := range map[int64]string{120804: "12.8.4", 130100: "13.1.0", 12103: "11.11.3", 11401: "11.4.1"} {
		if got := ltVersion(v); got != want {
			t.Errorf("%d is %s, want %s", v, got, want)
		}
	}
}
