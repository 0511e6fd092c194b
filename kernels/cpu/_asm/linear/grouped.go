package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// A record of quantised weights holds four groups of 32 along k: first their scales, 16 fp16 a group, then
// their weights, group by group.
const (
	group        = 32
	groups       = 4
	scaleBytes   = panel * 2
	chunkRecords = 16
	strideFP32   = chunkRecords*groups*group*4 + 64
)

// eights are 8 int32 of 8, in memory.
var eights Mem

// grouped are the kernels that make fp32 of quantised weights.
func grouped() []family {
	values := GLOBL("linearInt4Values", NOPTR|RODATA)
	for i := range 16 {
		DATA(4*i, F32(float32(i-8)))
	}
	eights = GLOBL("linearEights", NOPTR|RODATA)
	for i := range 8 {
		DATA(4*i, U32(8))
	}
	of := func(name string, v gen.Vectors, heights []int, g groupedForm) family {
		return family{name, v, heights, strideFP32, 8 * 512 / float64(g.bytes), false, g.kernel}
	}
	return []family{
		of("AVX512Group8", gen.AVX512, heights512, groupedForm{bytes: group * panel, each: bytesOfGroup}),
		of("AVX512Group4", gen.AVX512, heights512, groupedForm{bytes: group * panel / 2, each: nibblesByTable, constant: func(_ kernel, v reg.VecPhysical) {
			VMOVUPS(values, v)
		}}),
		of("AVX2Group8", gen.AVX2, heights256[:4], groupedForm{bytes: group * panel, each: bytesOfGroup}),
		of("AVX2Group4", gen.AVX2, heights256[:4], groupedForm{bytes: group * panel / 2, each: nibblesByShift, constant: func(_ kernel, v reg.VecPhysical) {
			VPCMPEQD(v, v, v)
			VPSRLD(U8(28), v, v)
		}}),
	}
}

// groupedForm is a packed form of quantised weights whose kernels make fp32 of them.
type groupedForm struct {
	bytes    int // of a group's weights
	each     func(k kernel, use func(weights []reg.VecPhysical, element int))
	constant func(k kernel, v reg.VecPhysical)
}

// kernel: with few rows, a group's products are summed and the sum scaled; with many, for which
// two sets of sums would not fit into registers, the weights are scaled.
func (g groupedForm) kernel(k kernel) {
	k.load()
	inSums := k.rows <= 12 && k.Bytes == 64 || k.rows <= 2
	total := k.sums(k.totalPhases(inSums))
	total.clear()
	part := total
	if inSums {
		part = k.sums(k.groupPhases())
	}
	scales := k.take(k.parts)
	if g.constant != nil {
		k.constant = k.take(1)[0]
		g.constant(k, k.constant)
	}
	var temporary []reg.VecPhysical
	if k.Bytes == 32 {
		temporary = k.take(1)
	}
	gen.Align(64)
	Label("record")
	k.prefetch(w, 0, groups*scaleBytes/64)
	MOVQ(w, scale)
	advance(w, groups*scaleBytes)
	MOVQ(U32(groups), count)
	gen.Align(64)
	Label("group")
	for p := range k.parts {
		VCVTPH2PS(Mem{Base: scale, Disp: p * k.Bytes / 2}, scales[p])
	}
	if inSums {
		part.clear()
	}
	n := 0
	g.each(k, func(weights []reg.VecPhysical, element int) {
		for p, v := range weights {
			if !inSums {
				VMULPS(scales[p], v, v)
			}
			for row := range k.rows {
				fma(k, v, k.row(row, 4*element), part.at(row, n%part.phases, p), temporary)
			}
		}
		n++
	})
	if inSums {
		part.reduce()
		for row := range k.rows {
			for p := range k.parts {
				VFMADD231PS(scales[p], part.at(row, 0, p), total.at(row, 0, p))
			}
		}
	}
	advance(scale, scaleBytes)
	advance(w, g.bytes)
	advance(x, group*4)
	DECQ(count)
	JNZ(LabelRef("group"))
	DECQ(steps)
	JNZ(LabelRef("record"))
	total.reduce()
	k.store(func(row, p int) reg.VecPhysical { return total.at(row, 0, p) })
}

// totalPhases: sums of scaled weights need as many chains as those of a dense form; sums of groups take one
// addition in 32.
func (k kernel) totalPhases(inSums bool) int {
	if inSums {
		return 1
	}
	return k.phasesOf(8)
}

// groupPhases: of a few rows, enough for 6 to 8 chains; each phase more is an addition more for each group.
func (k kernel) groupPhases() int { return max(1, min(4/k.parts, 8/(k.rows*k.parts*k.parts))) }

// bytesOfGroup: rows of 16 signed bytes.
func bytesOfGroup(k kernel, use func([]reg.VecPhysical, int)) {
	sets := min(4, len(k.free)/k.parts)
	for e := range group {
		if e%4 == 0 {
			k.prefetch(w, panel*e, 1)
		}
		v := k.free[e%sets*k.parts:][:k.parts]
		for p := range v {
			VPMOVSXBD(Mem{Base: w, Disp: panel*e + p*k.Bytes/4}, v[p])
			VCVTDQ2PS(v[p], v[p])
		}
		use(v, e)
	}
}

// nibblesByTable: vector j of a group holds, in byte b of a column's four, elements 4j+b and, in
// the upper nibble, 16+4j+b. A permutation of the 16 values looks at the low four bits of a lane alone, to which the
// others are shifted; half of the way by reading the vector from two bytes further on.
func nibblesByTable(k kernel, use func([]reg.VecPhysical, int)) {
	whole, nibbles := k.free[:2], k.free[2:]
	nibbles = nibbles[:min(4, len(nibbles))]
	n := 0
	for j := range 4 {
		k.prefetch(w, 64*j, 1)
		for half, v := range whole {
			VMOVDQU32(Mem{Base: w, Disp: 64*j + 2*half}, v)
			for nibble := range 4 {
				q := nibbles[n%len(nibbles)]
				n++
				if nibble == 0 {
					VPERMPS(k.constant, v, q)
				} else {
					VPSRLD(U8(4*nibble), v, q)
					VPERMPS(k.constant, q, q)
				}
				use([]reg.VecPhysical{q}, 4*j+2*half+nibble/2+16*(nibble%2))
			}
		}
	}
}

// nibblesByShift: rows of 16 bytes, each of element e and, in the upper nibble, 16+e. They are stored
// with 8 added.
func nibblesByShift(k kernel, use func([]reg.VecPhysical, int)) {
	low, high := k.free[:k.parts], k.free[k.parts:2*k.parts]
	for e := range group / 2 {
		if e%4 == 0 {
			k.prefetch(w, panel*e, 1)
		}
		for p := range k.parts {
			VPMOVZXBD(Mem{Base: w, Disp: panel*e + p*k.Bytes/4}, low[p])
			VPSRLD(U8(4), low[p], high[p])
			VPAND(low[p], k.constant, low[p])
		}
		for i, v := range [][]reg.VecPhysical{low, high} {
			for p := range v {
				VPSUBD(eights, v[p], v[p])
				VCVTDQ2PS(v[p], v[p])
			}
			use(v, e+16*i)
		}
	}
}
