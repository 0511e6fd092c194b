package cpu

import (
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

func init() {
	registerGEMM(newGEMM[float64, float64](goTiles(float64s, unchanged[float64])), Impl{Precision: kernels.FP64FP64, Engine: Go, Limit: kernels.FP64FP64})
	registerGEMM(newGEMM[float32, float32](goTiles(float32s, unchanged[float32])), Impl{Precision: kernels.FP32FP32, Engine: Go, Limit: kernels.FP32FP32})
	registerGEMM(newGEMM[kernels.Float16, float32](goTiles(float32s, widener(kernels.Float16.Float32))), Impl{Precision: kernels.FP16FP32, Engine: Go, Limit: kernels.FP32FP32})
	registerGEMM(newGEMM[kernels.BFloat16, float32](goTiles(float32s, widener(kernels.BFloat16.Float32))), Impl{Precision: kernels.BF16FP32, Engine: Go, Limit: kernels.FP32FP32})
	registerGEMM(newGEMM[kernels.Float16, kernels.Float16](goTiles(float16s, widener(kernels.Float16.Float32))), Impl{Precision: kernels.FP16FP16, Engine: Go, Limit: kernels.FP32FP32})
	registerGEMM(newGEMM[int8, int32](goTiles(int32s, widener(func(x int8) int32 { return int32(x) }))), Impl{Precision: kernels.INT8INT32, Engine: Go, Limit: kernels.INT8INT32})
}

// registerGEMM registers g under the name of each kernel that it runs.
func registerGEMM[T Stored, C Summed](g *GEMM[T, C], i Impl) {
	for _, k := range []kernels.Kernel{kernels.GEMM, kernels.GEMMNT, kernels.GEMMTN, kernels.GEMMTT, kernels.Batched} {
		i.Kernel, i.Func = k, g
		register(i)
	}
}

const goRows, goColumns = 4, 4

// goFamily is the tile of 4 x 4 of one type of sum.
type goFamily struct {
	packedBytes  int
	tile, direct func(t *tileArgs, rows, columns int)
}

var (
	float64s = goFamily{8, goTile[float64], goDirect[float64]}
	float32s = goFamily{4, goTile[float32], goDirect[float32]}
	int32s   = goFamily{4, goTile[int32], nil}
	float16s = goFamily{4, goTileFP16, nil}
)

// goTiles is the family whose operands are widened to P as they are packed; where that changes nothing, it
// also takes B as it is stored.
func goTiles[T Stored, P any](g goFamily, widen func(dst []P, src []T)) *tiles {
	f := &tiles{MR: goRows, NR: goColumns, Lanes: goColumns, KStep: 1, PackedBytes: g.packedBytes, Tile: g.tile}
	if _, same := any(*new(T)).(P); same {
		f.Direct = g.direct
	}
	return packInGo(f, widen)
}

type goNumber interface{ float64 | float32 | int32 }

// goTile computes a tile from packed panels.
func goTile[E goNumber](t *tileArgs, rows, columns int) {
	a, b := unsafe.Slice((*E)(t.a), goRows*t.k), unsafe.Slice((*E)(t.b), goColumns*t.k)
	var sums [goRows][goColumns]E
	if rows == goRows {
		goSums4(&sums, a, b, goColumns)
	} else {
		goSums(sums[:rows], a, b, goColumns)
	}
	goStore(t, &sums, rows, columns)
}

// goDirect is the same with B as it is stored, four columns.
func goDirect[E goNumber](t *tileArgs, rows, columns int) {
	var e E
	ldb := t.ldb / int(unsafe.Sizeof(e))
	a, b := unsafe.Slice((*E)(t.a), goRows*t.k), unsafe.Slice((*E)(t.b), (t.k-1)*ldb+goColumns)
	var sums [goRows][goColumns]E
	if rows == goRows {
		goSums4(&sums, a, b, ldb)
	} else {
		goSums(sums[:rows], a, b, ldb)
	}
	goStore(t, &sums, rows, columns)
}

// goSums4 is a tile of 4 x 4, whose sums the compiler keeps in registers.
func goSums4[E goNumber](sums *[goRows][goColumns]E, a, b []E, ldb int) {
	var c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33 E
	for p := range len(a) / goRows {
		x, y := (*[4]E)(a[4*p:]), (*[4]E)(b[p*ldb:])
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
	*sums = [goRows][goColumns]E{{c00, c01, c02, c03}, {c10, c11, c12, c13}, {c20, c21, c22, c23}, {c30, c31, c32, c33}}
}

// goSums is a tile of fewer rows, one after the other.
func goSums[E goNumber](sums [][goColumns]E, a, b []E, ldb int) {
	for i := range sums {
		var c0, c1, c2, c3 E
		for p := range len(a) / goRows {
			x, y := a[4*p+i], (*[4]E)(b[p*ldb:])
			c0 += x * y[0]
			c1 += x * y[1]
			c2 += x * y[2]
			c3 += x * y[3]
		}
		sums[i] = [goColumns]E{c0, c1, c2, c3}
	}
}

func goStore[E goNumber](t *tileArgs, sums *[goRows][goColumns]E, rows, columns int) {
	for i := range rows {
		c := unsafe.Slice((*E)(unsafe.Add(t.c, i*t.ldc)), columns)
		for j := range c {
			if t.add != 0 {
				c[j] += sums[i][j]
			} else {
				c[j] = sums[i][j]
			}
		}
	}
}

// goTileFP16 rounds each sum to fp16 after each step, as instructions on fp16 do: the product is exact in fp32,
// and the sum is rounded to fp32 first, which in rare cases ends one unit away.
func goTileFP16(t *tileArgs, rows, columns int) {
	a, b := unsafe.Slice((*float32)(t.a), goRows*t.k), unsafe.Slice((*float32)(t.b), goColumns*t.k)
	for i := range rows {
		c := unsafe.Slice((*kernels.Float16)(unsafe.Add(t.c, i*t.ldc)), columns)
		for j := range c {
			sum := float32(0)
			for p := range t.k {
				sum = kernels.ToFloat16(sum + float32(a[goRows*p+i]*b[goColumns*p+j])).Float32()
			}
			if t.add != 0 {
				sum += c[j].Float32()
			}
			c[j] = kernels.ToFloat16(sum)
		}
	}
}
