package cpu

import (
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

// linearTable fills in the addresses of the generated routines, in the order in which the generator emits them.
//
//go:noescape
func linearTable(table *[linearRoutines]uintptr)

// How many rows the kernels of a family compute at once.
var (
	heights16 = []int{1, 2, 3, 4, 6, 8, 12, 16}
	heights12 = heights16[:7]
	heights6  = []int{1, 2, 3, 4, 6}
	heights4  = heights6[:4]
	heights3  = heights6[:3]
)

// linearRoutines is how many there are.
const linearRoutines = 8*8 + 2*7 + 2*5 + 5*4 + 2*3 + 9

// bytes8 and bytes4 are those of a group's weights.
const bytes8, bytes4 = kernels.QuantGroup * linearPanel, kernels.QuantGroup * linearPanel / 2

// What the generator fixes: the records of a chunk, and the bytes of a row that is prepared for
// them.
const (
	denseChunk, groupChunk = 512, 16

	strideOf4      = denseChunk*4 + linearLine
	strideOf8      = denseChunk*8 + linearLine
	strideOfGroup  = groupChunk*linearDeep*4 + linearLine
	biasedGroup    = kernels.QuantGroup + 1 // fp32
	strideOfBiased = groupChunk*linearGroups*biasedGroup*4 + linearLine
	quantRecord    = linearGroups*(kernels.QuantGroup+4) + 16
	strideOfQuant  = groupChunk*quantRecord + linearLine
)

// linearAddresses hands out the addresses of the table, in order.
type linearAddresses struct{ rest []uintptr }

func (r *linearAddresses) kernels(heights []int) []linearKernel {
	var out []linearKernel
	for _, rows := range heights {
		fn := r.one()
		out = append(out, linearKernel{rows, func(a *linearArgs) { call(fn, unsafe.Pointer(a)) }})
	}
	return out
}

func (r *linearAddresses) one() uintptr {
	fn := r.rest[0]
	r.rest = r.rest[1:]
	return fn
}

// prepareArgs is what a routine that prepares rows gets. The generator knows its layout.
type prepareArgs struct {
	to, from unsafe.Pointer
	count    int // elements, a multiple of linearDeep
	extra    uintptr
}

func init() {
	r := &linearAddresses{addresses(linearTable)}
	avx512 := denseKernels(r, heights16, heights16)
	avx512.bf16Dot, avx512.int8Dot = r.kernels(heights16), r.kernels(heights16)
	avx2 := denseKernels(r, heights6, heights4)
	avx2.int8Dot = r.kernels(heights6)
	avx512.group8, avx512.group4 = r.kernels(heights12), r.kernels(heights12)
	avx2.group8, avx2.group4 = r.kernels(heights4), r.kernels(heights4)
	avx512.quant8, avx512.quant4 = r.kernels(heights16), r.kernels(heights16)
	avx2.quant8, avx2.quant4 = r.kernels(heights3), r.kernels(heights3)
	for _, s := range []*linearSet{&avx512, &avx2} {
		s.widenBF16, s.widenFP16, s.widenINT8, s.quantise = r.one(), r.one(), r.one(), r.one()
	}
	sum := r.one()
	avx512.sumINT8, avx2.sumINT8 = sum, sum

	register(avx512.floats(GoAVX512, needsAVX512)...)
	register(avx512.grouped(GoAVX512, needsAVX512, putQuads8, putQuads4, strideOfBiased, biasedRow(128, 1<<15+128, 128, 1<<15+128), biasedRow(0, 0, 136, 136))...)
	register(avx2.floats(GoAVX2, needsAVX2)...)
	register(avx2.grouped(GoAVX2, needsAVX2, putRows8, putRows4, strideOfGroup, copyRow[float32], copyRow[float32])...)
	register(avx512.integers(GoAVX512VNNI, needsAVX512VNNI)...)
	register(avx2.integers(GoAVXVNNI, needsAVXVNNI)...)
	// VDPBF16PS takes subnormals for 0, of its operands and of its sums.
	register(linearNeeds(kernels.BF16FP32, GoAVX512BF16, needsAVX512BF16, kernels.BF16FP32, &Linear[kernels.BFloat16, float32]{
		deep: 2, bytes: 64, chunk: denseChunk, round: 8, stride: strideOf4,
		pack: packTuples[kernels.BFloat16](2, 0), prepare: convertBF16, kernels: avx512.bf16Dot,
	}))
}

// linearSet are the routines for one width of vectors.
type linearSet struct {
	fp32, bf16, fp16, int8, bf16Dot, int8Dot, group8, group4, quant8, quant4 []linearKernel

	widenBF16, widenFP16, widenINT8, quantise, sumINT8 uintptr
}

func denseKernels(r *linearAddresses, fp32, widened []int) linearSet {
	return linearSet{fp32: r.kernels(fp32), bf16: r.kernels(widened), fp16: r.kernels(widened), int8: r.kernels(widened)}
}

func linearNeeds[T LinearElement, Y LinearSum](p kernels.Precision, engine string, needs []string, limit kernels.Precision, l *Linear[T, Y]) Impl {
	return Impl{Kernel: kernels.Linear, Precision: p, Engine: engine, Needs: needs, Func: l, Limit: limit}
}

// floats are the implementations that multiply in fp32, and int8/int32 as pairs of int16.
func (s *linearSet) floats(engine string, needs []string) []Impl {
	return []Impl{
		linearNeeds(kernels.FP32FP32, engine, needs, kernels.FP32FP32, &Linear[float32, float32]{
			deep: 1, bytes: 64, chunk: denseChunk, round: 8, stride: strideOf4,
			pack: packRows[float32], prepare: copyRow[float32], kernels: s.fp32,
		}),
		linearNeeds(kernels.BF16FP32, engine, needs, kernels.FP32FP32, &Linear[kernels.BFloat16, float32]{
			deep: 2, bytes: 64, chunk: denseChunk, round: 8, stride: strideOf8,
			pack: packTuples[kernels.BFloat16](2, 0), prepare: preparer[kernels.BFloat16](s.widenBF16, 4*linearDeep, 0), kernels: s.bf16,
		}),
		linearNeeds(kernels.FP16FP32, engine, needs, kernels.FP32FP32, &Linear[kernels.Float16, float32]{
			deep: 2, bytes: 64, chunk: denseChunk, round: 8, stride: strideOf8,
			pack: packRows[kernels.Float16], prepare: preparer[kernels.Float16](s.widenFP16, 4*linearDeep, 0), kernels: s.fp16,
		}),
		linearNeeds(kernels.INT8INT32, engine, needs, kernels.INT8INT32, &Linear[int8, int32]{
			deep: 4, bytes: 64, chunk: denseChunk, round: 8, stride: strideOf8,
			pack: packTuples[int8](2, 0), prepare: preparer[int8](s.widenINT8, 2*linearDeep, 0), kernels: s.int8,
		}),
	}
}

// grouped are those of quantised weights, which put8 and put4 place, that multiply in fp32.
func (s *linearSet) grouped(engine string, needs []string, put8, put4 func([]byte, int, int, int8), stride int, prepare8, prepare4 func([]byte, []float32)) []Impl {
	return []Impl{
		linearNeeds(kernels.INT8FP32, engine, needs, kernels.FP32FP32, &Linear[float32, float32]{
			deep: linearDeep, bytes: linearScales + linearGroups*bytes8, chunk: groupChunk, round: 1, stride: stride,
			pack: packQuantised(quantised8, bytes8, put8), prepare: prepare8, kernels: s.group8,
		}),
		linearNeeds(kernels.INT4FP32, engine, needs, kernels.FP32FP32, &Linear[float32, float32]{
			deep: linearDeep, bytes: linearScales + linearGroups*bytes4, chunk: groupChunk, round: 1, stride: stride,
			pack: packQuantised(quantised4, bytes4, put4), prepare: prepare4, kernels: s.group4,
		}),
	}
}

// integers are the implementations that multiply by VPDPBUSD. Where the weights are quantised they quantise
// x too, 128 elements along k with a scale of their own: q = x · 127 / max |x| rounded to the nearest. A row in which
// an element is not finite becomes NaN.
func (s *linearSet) integers(engine string, needs []string) []Impl {
	return []Impl{
		linearNeeds(kernels.INT8INT32, engine, needs, kernels.INT8INT32, &Linear[int8, int32]{
			deep: 4, bytes: 64, chunk: denseChunk, round: 8, stride: strideOf4,
			pack: packTuples[int8](4, -0x80), prepare: correctedRow(s.sumINT8), kernels: s.int8Dot,
		}),
		linearNeeds(kernels.INT8FP32, engine, needs, kernels.INT8INT32, &Linear[float32, float32]{
			deep: linearDeep, bytes: linearScales + linearGroups*bytes8, chunk: groupChunk, round: 1, stride: strideOfQuant,
			pack: packQuantised(quantised8, bytes8, putQuads8), prepare: preparer[float32](s.quantise, quantRecord, 0x80), kernels: s.quant8,
		}),
		linearNeeds(kernels.INT4FP32, engine, needs, kernels.INT8INT32, &Linear[float32, float32]{
			deep: linearDeep, bytes: linearScales + linearGroups*bytes4, chunk: groupChunk, round: 1, stride: strideOfQuant,
			pack: packQuantised(quantised4, bytes4, putQuads4), prepare: preparer[float32](s.quantise, quantRecord, 8), kernels: s.quant4,
		}),
	}
}

// copyRow prepares rows that kernels read as they are.
func copyRow[T LinearElement](row []byte, x []T) {
	out := elements[T](row)
	clear(out[copy(out, x):])
}

// biasedRow prepares rows for weights that kernels add something to, a number for each of four that follow each
// other: behind each group it notes what the sums start from, so that this is off again. A row in which an element is not
// finite becomes NaN.
func biasedRow(biases ...float32) func(row []byte, x []float32) {
	return func(row []byte, x []float32) {
		for out := elements[float32](row[:len(row)-linearLine]); len(out) > 0; out = out[biasedGroup:] {
			group := out[:kernels.QuantGroup]
			n := copy(group, x)
			clear(group[n:])
			x = x[n:]
			var sum [4]float32
			for e := 0; e < len(group); e += len(sum) {
				for i := range sum {
					sum[i] += group[e+i]
				}
			}
			start := float32(0)
			for i, bias := range biases {
				start -= bias * sum[i]
			}
			out[kernels.QuantGroup] = start
		}
	}
}

func convertBF16(row []byte, x []kernels.BFloat16) { copyRow(row, x) }

// preparer prepares rows by the routine at fn, which makes bytes of 128 elements. What lies behind the
// last 128 is not written, and not read.
func preparer[T LinearElement](fn uintptr, bytes int, extra uintptr) func(row []byte, x []T) {
	return func(row []byte, x []T) {
		a := prepareArgs{extra: extra}
		if whole := len(x) / linearDeep * linearDeep; whole > 0 {
			a.to, a.from, a.count = unsafe.Pointer(&row[0]), unsafe.Pointer(&x[0]), whole
			call(fn, unsafe.Pointer(&a))
			row, x = row[whole/linearDeep*bytes:], x[whole:]
		}
		if len(x) > 0 {
			var last [linearDeep]T
			copy(last[:], x)
			a.to, a.from, a.count = unsafe.Pointer(&row[0]), unsafe.Pointer(&last[0]), linearDeep
			call(fn, unsafe.Pointer(&a))
		}
	}
}

// correctedRow prepares int8 for weights to which 128 was added: behind the row it notes, as an int32,
// -128 · Σ x, which the sums start from.
func correctedRow(fn uintptr) func(row []byte, x []int8) {
	return func(row []byte, x []int8) {
		correction := (*int32)(unsafe.Pointer(&row[4*denseChunk]))
		*correction = 0
		preparer[int8](fn, linearDeep, uintptr(unsafe.Pointer(correction)))(row, x)
	}
}
