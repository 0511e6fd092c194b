package main

import (
	"fmt"
	"math"

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
	groupFP32    = group * 4 // bytes of x
	groupBiased  = groupFP32 + 4
)

// What kernels have in memory.
var (
	eights     Mem    // 8 int32 of 8
	int4Values Mem    // the 16 values of a weight of 4 bits, as fp32
	evenBytes  [2]Mem // what brings byte 0 or 2 of each 32 bits to the lowest, with zeros above
)

// lay lays down 32 bits after 32 bits.
func lay(name string, words ...uint32) Mem {
	m := GLOBL(name, NOPTR|RODATA)
	for i, word := range words {
		DATA(4*i, U32(word))
	}
	return m
}

func layConstants() {
	eights = lay("linearEights", 8, 8, 8, 8, 8, 8, 8, 8)
	values := make([]uint32, 16)
	for i := range values {
		values[i] = math.Float32bits(float32(i - 8))
	}
	int4Values = lay("linearInt4Values", values...)
	for i := range evenBytes {
		var order [4]uint32
		for j := range order {
			order[j] = uint32(4*j+2*i) | 0x80808000
		}
		evenBytes[i] = lay(fmt.Sprintf("linearByte%d", 2*i), order[:]...)
	}
}

// grouped are the kernels that make fp32 of quantised weights.
func grouped() []family {
	layConstants()
	of := func(name string, v gen.Vectors, heights []int, g groupedForm) family {
		return family{name, v, heights, chunkRecords*groups*g.x + 64, 8 * 512 / float64(g.bytes), false, g.kernel}
	}
	return []family{
		of("AVX512Group8", gen.AVX512, heights512[:7], groupedForm{bytes: group * panel, x: groupBiased, each: bytesAndFields, constants: shufflesAndField}),
		of("AVX512Group4", gen.AVX512, heights512[:7], groupedForm{bytes: group * panel / 2, x: groupBiased, each: nibblesByTable, constants: valuesAndField}),
		of("AVX2Group8", gen.AVX2, heights256[:4], groupedForm{bytes: group * panel, x: groupFP32, each: bytesOfGroup}),
		of("AVX2Group4", gen.AVX2, heights256[:4], groupedForm{bytes: group * panel / 2, x: groupFP32, each: nibblesByShift, constants: func(k *kernel) {
			v := k.take(1)
			VPCMPEQD(v[0], v[0], v[0])
			VPSRLD(U8(28), v[0], v[0])
			k.constants = v
		}}),
	}
}

// groupedForm is a packed form of quantised weights whose kernels make fp32 of them.
type groupedForm struct {
	bytes     int // of a group's weights
	x         int // of a group of x, in bytes: with 4 more, sums start from what is stored there
	each      func(k kernel, use func(weights []reg.VecPhysical, element int))
	constants func(k *kernel)
}

// kernel: with few rows, a group's products are summed and the sum scaled; with many, for which
// two sets of sums would not fit into registers, the weights are scaled.
func (g groupedForm) kernel(k kernel) {
	k.load()
	inSums := k.Bytes == 64 || k.rows <= 2
	total := k.sums(k.totalPhases(inSums))
	total.clear()
	part := total
	if inSums {
		part = k.sums(k.groupPhases())
	}
	scales := k.take(k.parts)
	if g.constants != nil {
		g.constants(&k)
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
	if g.x == groupBiased {
		for row := range k.rows {
			VBROADCASTSS(k.row(row, groupFP32), part.at(row, 0, 0))
		}
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
	advance(x, g.x)
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

// shufflesAndField: those of bytes 0 and 2, and a field of byte 1.
func shufflesAndField(k *kernel) {
	k.constants = k.take(4)
	for i, bytes := range evenBytes {
		VBROADCASTI32X4(bytes, k.constants[i])
	}
	newField(8, 8, k.constants[2:])
}

// andOr is the truth table of x & mask | base.
const andOr = 0xea

// newField is where so many bits, from low on, lie in the mantissa of an fp32 whose lowest bit among them counts 1: a mask for
// them and, that base added, the exponent, which stands for 2^(23-low). So a weight w becomes base + w by one logical operation.
func newField(low uint8, bits int, maskAndBase []reg.VecPhysical) {
	for i, pattern := range []uint32{(1<<bits - 1) << low, math.Float32bits(float32(math.Ldexp(1, 23-int(low))))} {
		MOVL(U32(pattern), reg.EAX)
		VPBROADCASTD(reg.EAX, maskAndBase[i])
	}
}

// bytesAndFields: 32 bits hold four weights of a column, with 128 added. Bytes 0 and 2 become integers that are converted;
// bytes 1 and 3 fields. Converting takes two cycles, and with it alone a row takes longer than memory (Zen 4: 28 GB/s).
// What is added, 128 and 2^15, is taken off where sums start: it costs a five hundredth of a step of the weights.
func bytesAndFields(k kernel, use func([]reg.VecPhysical, int)) {
	mask, base := k.constants[2], k.constants[3]
	v, q := k.free[0], k.free[1:]
	n := 0
	for line := range group / 4 {
		k.prefetch(w, 64*line, 1)
		VMOVDQU32(Mem{Base: w, Disp: 64 * line}, v)
		for half := range 2 {
			low, high := q[n%len(q)], q[(n+1)%len(q)]
			VPSHUFB(k.constants[half], v, low)
			if half == 0 {
				VMOVDQU32(Mem{Base: w, Disp: 64 * line}, high)
			} else {
				VPSRLD(U8(16), v, high)
			}
			VCVTDQ2PS(low, low)
			VPTERNLOGD(U8(andOr), base, mask, high)
			use([]reg.VecPhysical{low}, 4*line+2*half)
			use([]reg.VecPhysical{high}, 4*line+2*half+1)
			n += 2
		}
	}
}

// valuesAndField: those of a weight, and a field of nibble 4.
func valuesAndField(k *kernel) {
	k.constants = k.take(3)
	VMOVUPS(int4Values, k.constants[0])
	newField(16, 4, k.constants[1:])
}

// nibblesByTable: vector j of a group holds, in byte b of a column's four, elements 4j+b and, in
// the upper nibble, 16+4j+b, with 8 added. A permutation of the 16 values looks at the low four bits of a lane alone; four bits further up are a field, and what
// is added, 128 and 8, is taken off where sums start. There can be one permutation or shift a cycle, and with these alone
// a row takes longer than memory, too (Zen 4: 18 GB/s).
func nibblesByTable(k kernel, use func([]reg.VecPhysical, int)) {
	values, mask, base := k.constants[0], k.constants[1], k.constants[2]
	v, q := k.free[0], k.free[1:]
	q = q[:min(6, len(q))]
	n := 0
	for j := range 4 {
		k.prefetch(w, 64*j, 1)
		for nibble := range 4 {
			low, whole := q[n%len(q)], q[(n+1)%len(q)]
			if nibble == 0 {
				VMOVDQU32(Mem{Base: w, Disp: 64 * j}, v)
				VMOVDQU32(Mem{Base: w, Disp: 64 * j}, whole)
				VPERMPS(values, v, low)
			} else {
				VPSRLD(U8(4*nibble), v, whole)
				VPERMPS(values, whole, low)
			}
			VPTERNLOGD(U8(andOr), base, mask, whole)
			n += 2
			element := 4*j + nibble/2 + 16*(nibble%2)
			use([]reg.VecPhysical{low}, element)
			use([]reg.VecPhysical{whole}, element+2)
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
			VPAND(low[p], k.constants[0], low[p])
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
