package cpu

import (
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

func init() {
	register(
		linearImpl(kernels.FP32FP32, Go, &Linear[float32, float32]{
			deep: 1, bytes: 64, chunk: 512, round: 1, stride: 512 * 4, pack: packRows[float32],
			prepare: func(row []byte, x []float32) { convertRow(row, x, func(v float32) float32 { return v }) },
			kernels: linearGo(64, denseGo(func(v float32) float32 { return v })),
		}),
		linearImpl(kernels.BF16FP32, Go, &Linear[kernels.BFloat16, float32]{
			deep: 1, bytes: 32, chunk: 512, round: 1, stride: 512 * 4, pack: packRows[kernels.BFloat16],
			prepare: func(row []byte, x []kernels.BFloat16) { convertRow(row, x, kernels.BFloat16.Float32) },
			kernels: linearGo(32, denseGo(kernels.BFloat16.Float32)),
		}),
		linearImpl(kernels.FP16FP32, Go, &Linear[kernels.Float16, float32]{
			deep: 1, bytes: 32, chunk: 512, round: 1, stride: 512 * 4, pack: packRows[kernels.Float16],
			prepare: func(row []byte, x []kernels.Float16) { convertRow(row, x, kernels.Float16.Float32) },
			kernels: linearGo(32, denseGo(kernels.Float16.Float32)),
		}),
		linearImpl(kernels.INT8INT32, Go, &Linear[int8, int32]{
			deep: 1, bytes: 16, chunk: 512, round: 1, stride: 512 * 4, pack: packRows[int8],
			prepare: func(row []byte, x []int8) { convertRow(row, x, func(v int8) int32 { return int32(v) }) },
			kernels: linearGo(16, denseGo(func(v int8) int32 { return int32(v) })),
		}),
		linearImpl(kernels.INT8FP32, Go, &Linear[float32, float32]{
			deep: linearDeep, bytes: linearScales + linearDeep*linearPanel, chunk: 4, round: 1, stride: 4 * linearDeep * 4,
			pack:    packQuantised(quantised8, kernels.QuantGroup*linearPanel, putRows8),
			prepare: func(row []byte, x []float32) { convertRow(row, x, func(v float32) float32 { return v }) },
			kernels: linearGo(linearScales+linearDeep*linearPanel, groupedGo(kernels.QuantGroup*linearPanel, func(group []byte, e, j int) float32 { return float32(int8(group[e*linearPanel+j])) })),
		}),
		linearImpl(kernels.INT4FP32, Go, &Linear[float32, float32]{
			deep: linearDeep, bytes: linearScales + linearDeep*linearPanel/2, chunk: 4, round: 1, stride: 4 * linearDeep * 4,
			pack:    packQuantised(quantised4, kernels.QuantGroup*linearPanel/2, putRows4),
			prepare: func(row []byte, x []float32) { convertRow(row, x, func(v float32) float32 { return v }) },
			kernels: linearGo(linearScales+linearDeep*linearPanel/2, groupedGo(kernels.QuantGroup*linearPanel/2, func(group []byte, e, j int) float32 {
				return float32(int8(group[e%16*linearPanel+j]>>(e/16*4)&15) - 8)
			})),
		}),
	)
}

// linearImpl is an implementation whose arithmetic is multiply-adds in fp32, as is all that the twin does.
func linearImpl[T LinearElement, Y LinearSum](p kernels.Precision, engine string, l *Linear[T, Y]) Impl {
	return Impl{Kernel: kernels.Linear, Precision: p, Engine: engine, Func: l, Limit: kernels.FP32FP32}
}

// convertRow converts elements; zeros follow.
func convertRow[T LinearElement, Y LinearSum](row []byte, x []T, convert func(T) Y) {
	out := elements[Y](row)
	for i, v := range x {
		out[i] = convert(v)
	}
	clear(out[len(x):])
}

func linearGo(bytes int, run func(*linearArgs)) []linearKernel {
	return []linearKernel{{1, func(a *linearArgs) {
		for ; a.panels > 0; a.panels-- {
			run(a)
			a.w, a.y = unsafe.Add(a.w, a.deep*bytes), unsafe.Add(a.y, linearPanel*4)
		}
	}}}
}

// denseGo is the reference of the kernels of weights that are not quantised, for one row:
//
//	for j := range 16 {
//		for p := range k {
//			y[j] += x[p] * w[p*16+j]
//		}
//	}
func denseGo[T LinearElement, Y LinearSum](convert func(T) Y) func(*linearArgs) {
	return func(a *linearArgs) {
		x, w := unsafe.Slice((*Y)(a.x), a.deep), unsafe.Slice((*T)(a.w), a.deep*linearPanel)
		var sum [linearPanel]Y
		for p, v := range x {
			for j, e := range (*[linearPanel]T)(w[p*linearPanel:]) {
				sum[j] += v * convert(e)
			}
		}
		storeSums(a, &sum)
	}
}

// groupedGo is the reference of those of quantised ones:
//
//	for j := range 16 {
//		for g := range k / 32 {
//			for e := range 32 {
//				y[j] += scale[g*16+j] * (x[g*32+e] * q[(g*32+e)*16+j])
//			}
//		}
//	}
func groupedGo(groupBytes int, weight func(group []byte, e, j int) float32) func(*linearArgs) {
	return func(a *linearArgs) {
		x := unsafe.Slice((*float32)(a.x), a.deep*linearDeep)
		bytes := linearScales + linearGroups*groupBytes
		w := unsafe.Slice((*byte)(a.w), a.deep*bytes)
		var sum [linearPanel]float32
		for g := range a.deep * linearGroups {
			record := w[g/linearGroups*bytes:][:bytes]
			scales := elements[kernels.Float16](record[g%linearGroups*linearPanel*2:][:linearPanel*2])
			group := record[linearScales+g%linearGroups*groupBytes:][:groupBytes]
			for j := range sum {
				part := float32(0)
				for e, v := range x[g*kernels.QuantGroup:][:kernels.QuantGroup] {
					part += v * weight(group, e, j)
				}
				sum[j] += part * scales[j].Float32()
			}
		}
		storeSums(a, &sum)
	}
}

func storeSums[Y LinearSum](a *linearArgs, sum *[linearPanel]Y) {
	y := (*[linearPanel]Y)(a.y)
	for j, v := range sum {
		if a.add != 0 {
			v += y[j]
		}
		y[j] = v
	}
}
