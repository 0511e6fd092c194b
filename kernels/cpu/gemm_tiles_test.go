package cpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

func (f *tiles) family() *tiles { return f }

// TestEveryTileOfEveryFamily computes a tile of each size that there is, few enough steps deep to be exact in every precision,
// from operands in both orientations, and for what can take it from B as it is stored. What is beyond the tile in C must keep
// what it holds.
func TestEveryTileOfEveryFamily(t *testing.T) {
	for _, impl := range All() {
		g, ok := impl.Func.(interface{ family() *tiles })
		if !ok || impl.Kernel != kernels.GEMM || len(impl.Missing()) > 0 {
			continue
		}
		t.Run(fmt.Sprintf("%s/%s", impl.Precision, impl.Engine), func(t *testing.T) {
			f := g.family()
			c := tileCase{f: f, precision: impl.Precision}
			for c.rows = 1; c.rows <= f.MR; c.rows++ {
				for c.columns = 1; c.columns <= f.NR; c.columns++ {
					for _, c.k = range []int{1, 5, 37} {
						c.turns++
						c.run(t)
					}
				}
			}
		})
	}
}

type tileCase struct {
	f                      *tiles
	precision              kernels.Precision
	rows, columns, k       int
	turns                  int
	transA, transB, direct bool
}

// run goes through both orientations, and the direct form, from case to case.
func (c tileCase) run(t *testing.T) {
	t.Helper()
	c.transA, c.transB = c.turns%2 == 0, c.turns%3 == 0
	forms := []bool{false}
	if c.f.Direct != nil && c.columns%c.f.Lanes == 0 {
		forms = append(forms, true)
	}
	for _, c.direct = range forms {
		for add := range 2 {
			c.tile(t, add)
		}
	}
}

func (c tileCase) a(i, p int) int { return (7*i+3*p+i*p)%7 - 3 }
func (c tileCase) b(p, j int) int { return (5*p+2*j+p*j)%5 - 2 }

// matrix stores rows x columns of element, or its transpose.
func (c tileCase) matrix(rows, columns int, trans bool, element func(i, j int) int) (data []byte, ld int) {
	if trans {
		return c.matrix(columns, rows, false, func(i, j int) int { return element(j, i) })
	}
	for i := range rows {
		for j := range columns {
			data = storeNumber(data, c.precision.Storage(), element(i, j))
		}
	}
	return data, columns
}

func (c tileCase) tile(t *testing.T, add int) {
	t.Helper()
	const beyond, held = 3, 2 // rows and columns of C behind the tile, and what all of C holds
	f, address := c.f, func(x []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }
	storedA, lda := c.matrix(c.rows, c.k, c.transA, c.a)
	storedB, ldb := c.matrix(c.k, c.columns, c.transB && !c.direct, c.b)
	sums := kernels.Precision(string(c.precision)[len(c.precision.Storage())+1:])
	var out []byte
	for range (c.rows + beyond) * (c.columns + beyond) {
		out = storeNumber(out, sums, held)
	}
	panelA, panelB := make([]byte, f.panelA(c.k)+64), make([]byte, f.panelB(c.columns, c.k)+64)
	packA, packB, tile := f.PackA, f.PackB, f.Tile
	if c.transA {
		packA = f.PackAT
	}
	if c.transB {
		packB = f.PackBT
	}
	args := tileArgs{
		a: address(panelA), b: address(panelB), c: address(out), next: address(panelA), k: roundUp(c.k, f.KStep) / f.KStep,
		ldb: roundUp(c.columns, f.Lanes) * f.KStep * f.PackedBytes, ldc: (c.columns + beyond) * f.OutBytes,
		add: add, mask: columnMask(c.columns), edge: address(make([]byte, f.MR*roundUp(f.NR, f.Lanes)*f.OutBytes)),
	}
	packA(args.a, address(storedA), lda, c.rows, c.k)
	if c.direct {
		tile, args.b, args.ldb = f.Direct, address(storedB), ldb*f.StoredBytes
	} else {
		packB(args.b, address(storedB), ldb, c.columns, c.k)
	}
	tile(&args, c.rows, c.columns)
	for i := range c.rows + beyond {
		for j := range c.columns + beyond {
			want := held
			if i < c.rows && j < c.columns {
				want = held * add
				for p := range c.k {
					want += c.a(i, p) * c.b(p, j)
				}
			}
			at := i*args.ldc + j*f.OutBytes
			if got := out[at : at+f.OutBytes]; string(got) != string(storeNumber(nil, sums, want)) {
				t.Fatalf("%d x %d, k = %d, A transposed: %v, B transposed: %v, direct: %v, add: %d: element %d,%d is % x, not %d",
					c.rows, c.columns, c.k, c.transA, c.transB, c.direct, add, i, j, got, want)
			}
		}
	}
}

// storeNumber appends a whole number as it is stored.
func storeNumber(to []byte, as kernels.Precision, x int) []byte {
	switch as {
	case kernels.FP64:
		return binary.NativeEndian.AppendUint64(to, math.Float64bits(float64(x)))
	case kernels.FP32:
		return binary.NativeEndian.AppendUint32(to, math.Float32bits(float32(x)))
	case kernels.FP16:
		return binary.NativeEndian.AppendUint16(to, uint16(kernels.ToFloat16(float32(x))))
	case kernels.BF16:
		return binary.NativeEndian.AppendUint16(to, uint16(kernels.ToBFloat16(float32(x))))
	case kernels.INT8:
		return append(to, byte(x))
	}
	return binary.NativeEndian.AppendUint32(to, uint32(int32(x))) // int32
}
