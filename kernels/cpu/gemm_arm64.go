package cpu

import (
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

func init() {
	fp32, fp64, fp16 := gemmNEONFP32(), gemmNEONFP64(), gemmNEONFP16()
	widened, dot, bf16, i8mm := gemmNEONINT8(), gemmNEONDot(), gemmNEONBF16(), gemmNEONI8MM()
	copied := packRowsNEON8()[:]

	registerGEMM(newGEMM[float64, float64](neonTiles(tiles{NR: 6, Lanes: 2, KStep: 1}, fp64[:], fp64[:],
		neonPack[float64, float64]{rows: copied, columns: packColumnsNEON64()[0]}, unchanged[float64],
	)), Impl{Precision: kernels.FP64FP64, Engine: GoNEON, Needs: needsNEON, Limit: kernels.FP64FP64})
	registerGEMM(newGEMM[float32, float32](neonTiles(tiles{NR: 12, Lanes: 4, KStep: 1}, fp32[:], fp32[:],
		neonPack[float32, float32]{rows: copied, columns: packColumnsNEON32()[0]}, unchanged[float32],
	)), Impl{Precision: kernels.FP32FP32, Engine: GoNEON, Needs: needsNEON, Limit: kernels.FP32FP32})
	registerGEMM(newGEMM[kernels.Float16, float32](neonTiles(tiles{NR: 12, Lanes: 4, KStep: 1}, fp32[:], gemmNEONFP32DirectFP16()[:],
		neonPack[kernels.Float16, float32]{rows: packRowsNEONFP16()[:], columns: packColumnsNEONFP16()[0]}, widener(kernels.Float16.Float32),
	)), Impl{Precision: kernels.FP16FP32, Engine: GoNEON, Needs: needsNEON, Limit: kernels.FP32FP32})
	registerGEMM(newGEMM[kernels.BFloat16, float32](neonTiles(tiles{NR: 12, Lanes: 4, KStep: 1}, fp32[:], gemmNEONFP32DirectBF16()[:],
		neonPack[kernels.BFloat16, float32]{rows: packRowsNEONBF16()[:], columns: packColumnsNEONBF16()[0]}, widener(kernels.BFloat16.Float32),
	)), Impl{Precision: kernels.BF16FP32, Engine: GoNEON, Needs: needsNEON, Limit: kernels.FP32FP32})
	registerGEMM(newGEMM[int8, int32](neonTiles(tiles{NR: 8, Lanes: 8, KStep: 1}, widened[:], nil,
		neonPack[int8, int16]{rows: packRowsNEONINT8()[:], columns: packColumnsNEONINT8()[0]}, widener(func(x int8) int16 { return int16(x) }),
	)), Impl{Precision: kernels.INT8INT32, Engine: GoNEON, Needs: needsNEON, Limit: kernels.INT8INT32})

	registerGEMM(newGEMM[kernels.Float16, kernels.Float16](neonTiles(tiles{NR: 24, Lanes: 8, KStep: 1}, fp16[:], fp16[:],
		neonPack[kernels.Float16, kernels.Float16]{rows: copied, columns: packColumnsNEON16()[0]}, unchanged[kernels.Float16],
	)), Impl{Precision: kernels.FP16FP16, Engine: GoNEONFP16, Needs: needsNEONFP16, Limit: kernels.FP16FP16})
	registerGEMM(newGEMM[int8, int32](neonTiles(tiles{NR: 12, Lanes: 4, KStep: 4}, dot[:], nil,
		neonPack[int8, int8]{steps: packStepsNEONDot()[:], columns: packColumnsNEON32()[0]}, unchanged[int8],
	)), Impl{Precision: kernels.INT8INT32, Engine: GoNEONDot, Needs: needsNEONDot, Limit: kernels.INT8INT32})
	registerGEMM(newGEMM[kernels.BFloat16, float32](neonTiles(tiles{NR: 12, Lanes: 4, KStep: 4}, bf16[:], nil,
		neonPack[kernels.BFloat16, kernels.BFloat16]{steps: packStepsNEONBF16()[:], columns: packColumnsNEON64()[0]}, unchanged[kernels.BFloat16],
	)), Impl{Precision: kernels.BF16FP32, Engine: GoNEONBF16, Needs: needsNEONBF16, Limit: kernels.BF16FP32})
	registerGEMM(newGEMM[int8, int32](neonTiles(tiles{NR: 12, Lanes: 4, KStep: 8}, i8mm[:], nil,
		neonPack[int8, int8]{steps: packStepsNEONI8MM()[:], columns: packColumnsNEON64()[0]}, unchanged[int8],
	)), Impl{Precision: kernels.INT8INT32, Engine: GoNEONI8MM, Needs: needsNEONI8MM, Limit: kernels.INT8INT32})
}

// neonRows are the rows of every tile: with three vectors of columns that is 24 accumulators, which leaves
// registers for what they are summed from and hides the latency of the multiply-add on four pipes.
const neonRows = 8

// neonTiles completes a family of which f says the columns and the steps. packed holds its microkernels by width and
// rows, direct those that take B as it is stored, nil if there are none.
func neonTiles[T Stored, P any](f tiles, packed, direct []uintptr, pack neonPack[T, P], widen func(dst []P, src []T)) *tiles {
	f.MR, f.PackedBytes = neonRows, int(unsafe.Sizeof(*new(P)))
	of := func(table []uintptr) func(t *tileArgs, rows, columns int) {
		return func(t *tileArgs, rows, columns int) {
			call(table[(columns/f.Lanes-1)*neonRows+rows-1], unsafe.Pointer(t))
		}
	}
	whole := of(packed)
	f.Tile = func(t *tileArgs, rows, columns int) {
		t.mask = uint64(rows) // the pairwise microkernels store the second row of the last pair or do not
		f.throughEdge(t, rows, columns, whole)
	}
	if direct != nil {
		f.Direct = of(direct)
	}
	a, b := pack, pack
	a.packing = packing[T, P]{width: neonRows, kstep: f.KStep, widen: widen}
	b.packing = packing[T, P]{lanes: f.Lanes, kstep: f.KStep, widen: widen}
	f.PackA, f.PackAT, f.PackB, f.PackBT = a.along, a.across, b.across, b.along
	return &f
}
