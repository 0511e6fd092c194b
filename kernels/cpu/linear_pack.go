package cpu

import (
	"math"
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

// Quantised weights lie in records of linearGroups groups: the scales of 16 columns, fp16, group by group, and
// behind them the weights, group by group.
const (
	linearGroups = 4
	linearDeep   = linearGroups * kernels.QuantGroup
	linearScales = linearGroups * linearPanel * 2
)

// packRows packs elements of the given size, column by column of a row, row by row.
func packRows[T LinearElement](record []byte, w []T, ld, ks, columns int) {
	out := elements[T](record)
	clear(out)
	for p := range ks {
		copy(out[p*linearPanel:], w[p*ld:][:columns])
	}
}

// packTuples packs, column by column, count elements that follow each other along k; as many tuples deep as the
// record has room for. Each is changed by xor.
func packTuples[T kernels.BFloat16 | int8](count int, xor T) func(record []byte, w []T, ld, ks, columns int) {
	return func(record []byte, w []T, ld, ks, columns int) {
		out := elements[T](record)
		for i := range out {
			out[i] = xor
		}
		for p := range ks {
			for j, e := range w[p*ld:][:columns] {
				out[(p/count*linearPanel+j)*count+p%count] = e ^ xor
			}
		}
	}
}

// elements is b as elements of type T.
func elements[T any](b []byte) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(*new(T))))
}

// quantisation says what whole numbers weights become.
type quantisation struct {
	least, most float64
	scale       func(extreme float32) float32 // of a group whose weight of largest magnitude is extreme
}

// Weights of 8 bits are symmetric. Of those of 4 bits the largest becomes -8, with a scale that may be negative: so
// all 16 values are used, as by the format Q4_0 of GGUF files.
var (
	quantised8 = quantisation{-127, 127, func(extreme float32) float32 { return max(extreme, -extreme) / 127 }}
	quantised4 = quantisation{-8, 7, func(extreme float32) float32 { return extreme / -8 }}
)

// packQuantised packs records of quantised weights; put places weight q of element e of a group, 0 <= e < 32, in column j.
func packQuantised(z quantisation, groupBytes int, put func(group []byte, e, j int, q int8)) func(record []byte, w []float32, ld, ks, columns int) {
	return func(record []byte, w []float32, ld, ks, columns int) {
		scales := elements[kernels.Float16](record[:linearScales])
		clear(record)
		var column [kernels.QuantGroup]float32
		for g := range linearGroups {
			group := record[linearScales+g*groupBytes:][:groupBytes]
			for j := range linearPanel {
				clear(column[:])
				if j < columns {
					for e := range min(kernels.QuantGroup, ks-g*kernels.QuantGroup) {
						column[e] = w[(g*kernels.QuantGroup+e)*ld+j]
					}
				}
				scale := z.groupScale(column[:])
				scales[g*linearPanel+j] = scale
				for e, v := range column {
					put(group, e, j, z.of(v, scale.Float32()))
				}
			}
		}
	}
}

// groupScale is the scale of a group, as an fp16. A group that holds a NaN or an infinity has none, and so NaN; the
// largest is 65504, and weights that it does not reach are cut off.
func (z quantisation) groupScale(group []float32) kernels.Float16 {
	extreme := float32(0)
	for _, v := range group {
		if v-v != 0 { // NaN or infinite
			return kernels.ToFloat16(float32(math.NaN()))
		}
		if max(v, -v) > max(extreme, -extreme) {
			extreme = v
		}
	}
	return kernels.ToFloat16(max(-65504, min(z.scale(extreme), 65504)))
}

// of is the whole number that is nearest to v / scale.
func (z quantisation) of(v, scale float32) int8 {
	if scale == 0 || scale != scale {
		return 0
	}
	return int8(max(z.least, min(z.most, math.RoundToEven(float64(v)/float64(scale)))))
}

// The forms of a group's weights.
func putRows8(group []byte, e, j int, q int8)  { group[e*linearPanel+j] = byte(q) }
func putQuads8(group []byte, e, j int, q int8) { group[(e/4*linearPanel+j)*4+e%4] = byte(q) ^ 0x80 }

// putRows4 puts elements e and 16+e into a byte, with 8 added.
func putRows4(group []byte, e, j int, q int8) {
	group[e%16*linearPanel+j] |= byte(q+8) << (e / 16 * 4)
}

// putQuads4 so too, four bytes of a column together.
func putQuads4(group []byte, e, j int, q int8) {
	group[(e%16/4*linearPanel+j)*4+e%4] |= byte(q+8) << (e / 16 * 4)
}
