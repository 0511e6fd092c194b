package cpu

import (
	"math/bits"
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

// The routines of _asm/gemm, by address: tiles by vectors and rows, and then the fused ones by vectors; packers as
// packArgs says. A tile is
//
//	for i := range rows {
//		for j := range columns {
//			var sum float32 // or float64
//			for p := range k {
//				sum += a[p*MR+i] * float32(b[p*ldb+j])
//			}
//			if add {
//				sum += c[i*ldc+j]
//			}
//			c[i*ldc+j] = sum
//		}
//	}

func gemmAVX512FP64Tiles(table *[27]uintptr)
func gemmAVX512FP32Tiles(table *[27]uintptr)
func gemmAVX512FP16Tiles(table *[27]uintptr)
func gemmAVX512BF16Tiles(table *[27]uintptr)
func gemmAVX2FP64Tiles(table *[14]uintptr)
func gemmAVX2FP32Tiles(table *[14]uintptr)
func gemmAVX2FP16Tiles(table *[14]uintptr)
func gemmAVX2BF16Tiles(table *[14]uintptr)

func gemmAVX512FP64Packers(table *[6]uintptr)
func gemmAVX512FP32Packers(table *[7]uintptr)
func gemmAVX512FP16Packers(table *[7]uintptr)
func gemmAVX512BF16Packers(table *[7]uintptr)
func gemmAVX2FP64Packers(table *[5]uintptr)
func gemmAVX2FP32Packers(table *[5]uintptr)
func gemmAVX2FP16Packers(table *[5]uintptr)
func gemmAVX2BF16Packers(table *[5]uintptr)

func init() {
	fp32AVX512, fp32AVX2 := addresses(gemmAVX512FP32Tiles), addresses(gemmAVX2FP32Tiles)
	for _, engine := range []struct {
		name                   string
		needs                  []string
		rows, vecs, bytes      int
		fp64, fp32, fp16, bf16 routines
	}{
		{
			GoAVX512, needsAVX512, 8, 3, 64,
			routines{addresses(gemmAVX512FP64Tiles), nil, addresses(gemmAVX512FP64Packers)},
			routines{fp32AVX512, nil, addresses(gemmAVX512FP32Packers)},
			routines{fp32AVX512, addresses(gemmAVX512FP16Tiles), addresses(gemmAVX512FP16Packers)},
			routines{fp32AVX512, addresses(gemmAVX512BF16Tiles), addresses(gemmAVX512BF16Packers)},
		},
		{
			GoAVX2, needsAVX2, 6, 2, 32,
			routines{addresses(gemmAVX2FP64Tiles), nil, addresses(gemmAVX2FP64Packers)},
			routines{fp32AVX2, nil, addresses(gemmAVX2FP32Packers)},
			routines{fp32AVX2, addresses(gemmAVX2FP16Tiles), addresses(gemmAVX2FP16Packers)},
			routines{fp32AVX2, addresses(gemmAVX2BF16Tiles), addresses(gemmAVX2BF16Packers)},
		},
	} {
		v := vectors{engine.rows, engine.vecs, engine.bytes}
		impl := Impl{Engine: engine.name, Needs: engine.needs, Precision: kernels.FP64FP64, Limit: kernels.FP64FP64}
		registerGEMM(newGEMM[float64, float64](generated(v, engine.fp64, unchanged[float64])), impl)
		impl.Precision, impl.Limit = kernels.FP32FP32, kernels.FP32FP32
		registerGEMM(newGEMM[float32, float32](generated(v, engine.fp32, unchanged[float32])), impl)
		impl.Precision = kernels.FP16FP32
		registerGEMM(newGEMM[kernels.Float16, float32](generated(v, engine.fp16, widener(kernels.Float16.Float32))), impl)
		impl.Precision = kernels.BF16FP32
		registerGEMM(newGEMM[kernels.BFloat16, float32](generated(v, engine.bf16, widener(kernels.BFloat16.Float32))), impl)
	}
}

// routines are the addresses of a family's.
type routines struct {
	packed []uintptr // tiles of packed panels
	direct []uintptr // tiles of B as it is stored; nil if it is stored as it is packed
	pack   []uintptr
}

// vectors are how many rows and vectors the largest tile has, and the bytes of a vector.
type vectors struct{ rows, vecs, bytes int }

// addresses are those that the generated function fills a table with.
func addresses[Table any](fill func(*Table)) []uintptr {
	table := new(Table)
	fill(table)
	return unsafe.Slice((*uintptr)(unsafe.Pointer(table)), unsafe.Sizeof(*table)/unsafe.Sizeof(uintptr(0)))
}

// generated is the family of routines that _asm/gemm made of elements T, packed as P.
func generated[T, P any](v vectors, r routines, widen func(dst []P, src []T)) *tiles {
	packed := int(unsafe.Sizeof(*new(P)))
	lanes := v.bytes / packed
	f := &tiles{MR: v.rows, NR: v.vecs * lanes, Lanes: lanes, KStep: 1, PackedBytes: packed}
	f.Tile = tileAt(r.packed, v.rows, lanes)
	direct := r.direct
	if direct == nil {
		direct = r.packed
	}
	f.Direct = tileAt(direct, v.rows, lanes)
	fused := direct[v.vecs*v.rows:]
	f.Fused = func(t *tileArgs, columns int) { call(fused[columns/lanes-1], unsafe.Pointer(t)) }
	p := packersAt{r.pack, v.rows, v.vecs, lanes, int(unsafe.Sizeof(*new(T))), packed}
	if v.bytes == 64 {
		p.masked(f)
	} else {
		twins := packInGo(&tiles{MR: f.MR, NR: f.NR, Lanes: lanes, KStep: 1}, widen)
		p.unmasked(f, twins)
	}
	return f
}

// tileAt calls the tile for a number of rows and columns.
func tileAt(table []uintptr, mr, lanes int) func(t *tileArgs, rows, columns int) {
	shift := bits.TrailingZeros(uint(lanes))
	return func(t *tileArgs, rows, columns int) {
		call(table[(columns-1)>>shift*mr+rows-1], unsafe.Pointer(t))
	}
}
