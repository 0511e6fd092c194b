package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// Rows of x are prepared for a chunk of the weights, of chunkSteps records of 64 bytes: of 4 bytes a step,
// or 8 where a step's two elements are widened. A line more keeps rows that are read together
// out of the same set of the cache, and holds what the integer products must be corrected by.
const (
	chunkSteps = 512
	stride4    = chunkSteps*4 + 64
	stride8    = chunkSteps*8 + 64
)

var (
	heights512 = []int{1, 2, 3, 4, 6, 8, 12, 16}
	heights256 = []int{1, 2, 3, 4, 6}
)

// multiplier adds a product to sums: of a vector of weights with one element (or pair, or quad) of x.
type multiplier func(k kernel, weights reg.VecPhysical, element Mem, sum reg.VecPhysical, temporary []reg.VecPhysical)

// product is the weights of the next elements of x, and where those are.
type product struct {
	weights []reg.VecPhysical // a vector for each part
	disp    int
}

func dense() []family {
	of := func(name string, v gen.Vectors, heights []int, stride int, integer bool, cycles float64, d denseForm) family {
		return family{name, v, heights, stride, cycles, integer, d.kernel}
	}
	return []family{
		of("AVX512FP32", gen.AVX512, heights512, stride4, false, 1, denseForm{xBytes: 4, step: loadStep, multiply: fma}),
		of("AVX512BF16", gen.AVX512, heights512, stride8, false, 2.2, denseForm{xBytes: 8, step: widenBF16, multiply: fma, constant: upperHalves}),
		of("AVX512FP16", gen.AVX512, heights512, stride8, false, 2.2, denseForm{xBytes: 8, step: widenFP16, multiply: fma}),
		of("AVX512INT8", gen.AVX512, heights512, stride8, true, 2.2, denseForm{xBytes: 8, step: widenINT8, multiply: pairs}),
		of("AVX512BF16Dot", gen.AVX512, heights512, stride4, false, 1, denseForm{xBytes: 4, step: loadStep, multiply: dotBF16}),
		of("AVX512VNNIDot", gen.AVX512, heights512, stride4, true, 1, denseForm{xBytes: 4, step: loadStep, multiply: dotINT8, corrected: true}),
		of("AVX2FP32", gen.AVX2, heights256, stride4, false, 1, denseForm{xBytes: 4, step: loadStep, multiply: fma}),
		of("AVX2BF16", gen.AVX2, heights256[:4], stride8, false, 2.2, denseForm{xBytes: 8, step: widenBF16, multiply: fma, constant: upperHalves}),
		of("AVX2FP16", gen.AVX2, heights256[:4], stride8, false, 2.2, denseForm{xBytes: 8, step: widenFP16, multiply: fma}),
		of("AVX2INT8", gen.AVX2, heights256[:4], stride8, true, 2.2, denseForm{xBytes: 8, step: widenINT8, multiply: pairs}),
		of("AVXVNNIDot", gen.AVX2, heights256, stride4, true, 1, denseForm{xBytes: 4, step: loadStep, multiply: dotINT8, corrected: true}),
	}
}

// denseForm is a packed form in which a step along k takes 64 bytes of weights.
type denseForm struct {
	xBytes    int // of a row of x in a step
	step      func(k kernel, s int, free []reg.VecPhysical) []product
	multiply  multiplier
	corrected bool // sums start from what is stored behind the row of x
	constant  func(k kernel, v reg.VecPhysical)
}

// phasesOf is how many chains a row gets: together at least 8, as far as registers go.
func (k kernel) phasesOf(spare int) int {
	vectors := k.rows * k.parts
	return max(1, min((7+vectors)/vectors, (len(k.free)-spare)/vectors))
}

func (d denseForm) kernel(k kernel) {
	k.load()
	s := k.sums(k.phasesOf(8))
	s.clear()
	if d.corrected {
		for row := range k.rows {
			for part := range k.parts {
				VPBROADCASTD(k.row(row, chunkSteps*d.xBytes), s.at(row, 0, part))
			}
		}
	}
	temporary := k.take(1)
	if d.constant != nil {
		k.constants = k.take(1)
		d.constant(k, k.constants[0])
	}
	unroll := 4
	if k.rows <= 4 {
		unroll = 8
	}
	SHRQ(U8(map[int]uint8{4: 2, 8: 3}[unroll]), steps)
	gen.Align(64)
	Label("loop")
	n := 0
	for step := range unroll {
		k.prefetch(w, 64*step, 1)
		for _, p := range d.step(k, step, k.free) {
			for row := range k.rows {
				for part, weights := range p.weights {
					d.multiply(k, weights, k.row(row, p.disp), s.at(row, n%s.phases, part), temporary)
				}
			}
			n++
		}
	}
	advance(w, 64*unroll)
	advance(x, d.xBytes*unroll)
	DECQ(steps)
	JNZ(LabelRef("loop"))
	s.reduce()
	k.store(func(row, part int) reg.VecPhysical { return s.at(row, 0, part) })
}

// loadStep: the weights of a step are a vector as they lie in memory.
func loadStep(k kernel, s int, free []reg.VecPhysical) []product {
	v := free[s%(len(free)/k.parts)*k.parts:][:k.parts]
	if len(v) == 0 {
		panic("no register for weights")
	}
	for part := range v {
		VMOVUPS(Mem{Base: w, Disp: 64*s + part*k.Bytes}, v[part])
	}
	return []product{{v, 4 * s}}
}

// widenBF16: pairs along k, each the upper half of an fp32.
func widenBF16(k kernel, s int, free []reg.VecPhysical) []product {
	even, odd := free[:k.parts], free[k.parts:2*k.parts]
	for part := range k.parts {
		m := Mem{Base: w, Disp: 64*s + part*k.Bytes}
		if k.Bytes == 64 {
			VMOVDQU32(m, odd[part])
		} else {
			VMOVDQU(m, odd[part])
		}
		VPSLLD(U8(16), odd[part], even[part])
		if k.Bytes == 64 {
			VPANDD(odd[part], k.constants[0], odd[part])
		} else {
			VPAND(odd[part], k.constants[0], odd[part])
		}
	}
	return []product{{even, 8 * s}, {odd, 8*s + 4}}
}

func upperHalves(k kernel, v reg.VecPhysical) {
	ones(k.Vectors, v)
	VPSLLD(U8(16), v, v)
}

// ones sets all bits.
func ones(of gen.Vectors, v reg.VecPhysical) {
	if of.Bytes == 64 {
		VPTERNLOGD(U8(0xff), v, v, v)
	} else {
		VPCMPEQD(v, v, v)
	}
}

// widenFP16: two rows of the weights.
func widenFP16(k kernel, s int, free []reg.VecPhysical) []product {
	var products []product
	for e := range 2 {
		v := free[e*k.parts : (e+1)*k.parts]
		for part := range v {
			VCVTPH2PS(Mem{Base: w, Disp: 64*s + 32*e + part*k.Bytes/2}, v[part])
		}
		products = append(products, product{v, 8*s + 4*e})
	}
	return products
}

// widenINT8: two times pairs along k, bytes made words.
func widenINT8(k kernel, s int, free []reg.VecPhysical) []product {
	var products []product
	for e := range 2 {
		v := free[e*k.parts%(len(free)/k.parts*k.parts):][:k.parts]
		for part := range v {
			VPMOVSXBW(Mem{Base: w, Disp: 64*s + 32*e + part*k.Bytes/2}, v[part])
		}
		products = append(products, product{v, 8*s + 4*e})
	}
	return products
}

func fma(k kernel, weights reg.VecPhysical, element Mem, sum reg.VecPhysical, temporary []reg.VecPhysical) {
	if k.Bytes == 64 {
		VFMADD231PS_BCST(element, weights, sum)
		return
	}
	VBROADCASTSS(element, temporary[0])
	VFMADD231PS(temporary[0], weights, sum)
}

func dotBF16(_ kernel, weights reg.VecPhysical, element Mem, sum reg.VecPhysical, _ []reg.VecPhysical) {
	gen.VDPBF16PS.Emit([]Op{element, weights, sum}, gen.Broadcast())
}

// dotINT8: the weights are the unsigned side.
func dotINT8(k kernel, weights reg.VecPhysical, element Mem, sum reg.VecPhysical, temporary []reg.VecPhysical) {
	if k.Bytes == 64 {
		VPDPBUSD_BCST(element, weights, sum)
		return
	}
	VPBROADCASTD(element, temporary[0])
	gen.VPDPBUSD.Emit([]Op{temporary[0], weights, sum})
}

func pairs(_ kernel, weights reg.VecPhysical, element Mem, sum reg.VecPhysical, temporary []reg.VecPhysical) {
	VPBROADCASTD(element, temporary[0])
	VPMADDWD(temporary[0], weights, temporary[0])
	VPADDD(temporary[0], sum, sum)
}
