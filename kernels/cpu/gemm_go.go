package cpu

import (
	"github.com/klauspost/cpuid/v2"

	"github.com/realflops/realflops/kernels"
)

func init() {
	l1, l2 := cpuid.CPU.Cache.L1D, cpuid.CPU.Cache.L2
	fp32 := &GEMM[float32]{MR: 4, Lanes: 4, packed: tilesGo, direct: tilesGo, widen: copyFP32}
	fp16 := &GEMM[kernels.Float16]{MR: 4, Lanes: 4, packed: tilesGo, widen: widenFP16}
	register(
		Impl{Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Engine: Go, Needs: nil, Func: fp32.blocked(l1, l2)},
		Impl{Kernel: kernels.GEMM, Precision: kernels.FP16FP32, Engine: Go, Needs: nil, Func: fp16.blocked(l1, l2)},
	)
}

var tilesGo = [][]microkernel[float32]{{rowsGo(1), rowsGo(2), rowsGo(3), tileGo4}}

// tileGo4 is a tile of 4 x 4, whose sums the compiler keeps in registers.
func tileGo4(k int, a, b []float32, ldb int, c []float32, ldc int, add bool, _ []float32) {
	var c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33 float32
	for p := range k {
		x, y := (*[4]float32)(a[4*p:]), (*[4]float32)(b[p*ldb:])
		y0, y1, y2, y3 := y[0], y[1], y[2], y[3]
		x0 := x[0]
		c00 += x0 * y0
		c01 += x0 * y1
		c02 += x0 * y2
		c03 += x0 * y3
		x1 := x[1]
		c10 += x1 * y0
		c11 += x1 * y1
		c12 += x1 * y2
		c13 += x1 * y3
		x2 := x[2]
		c20 += x2 * y0
		c21 += x2 * y1
		c22 += x2 * y2
		c23 += x2 * y3
		x3 := x[3]
		c30 += x3 * y0
		c31 += x3 * y1
		c32 += x3 * y2
		c33 += x3 * y3
	}
	storeRow(c, add, c00, c01, c02, c03)
	storeRow(c[ldc:], add, c10, c11, c12, c13)
	storeRow(c[2*ldc:], add, c20, c21, c22, c23)
	storeRow(c[3*ldc:], add, c30, c31, c32, c33)
}

// rowsGo is a tile of fewer rows, one after the other.
func rowsGo(rows int) microkernel[float32] {
	return func(k int, a, b []float32, ldb int, c []float32, ldc int, add bool, _ []float32) {
		for i := range rows {
			var c0, c1, c2, c3 float32
			for p := range k {
				x, y := a[4*p+i], (*[4]float32)(b[p*ldb:])
				c0 += x * y[0]
				c1 += x * y[1]
				c2 += x * y[2]
				c3 += x * y[3]
			}
			storeRow(c[i*ldc:], add, c0, c1, c2, c3)
		}
	}
}

func storeRow(c []float32, add bool, c0, c1, c2, c3 float32) {
	row := (*[4]float32)(c)
	if add {
		c0, c1, c2, c3 = c0+row[0], c1+row[1], c2+row[2], c3+row[3]
	}
	*row = [4]float32{c0, c1, c2, c3}
}
