package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// What prepares rows of x takes, in DI, a prepareArgs: where to, from where, how many elements, a
// multiple of 128 and not 0, and a number.
const (
	prepareTo    = 0
	prepareFrom  = 8
	prepareCount = 16
	prepareExtra = 24
)

var (
	to    = reg.RSI
	from  = reg.RDX
	left  = reg.RCX
	extra = reg.R8
)

// preparers emits them all and names them.
func preparers() []string {
	var names []string
	begin := func(name string) {
		gen.Routine(name)
		MOVQ(Mem{Base: args, Disp: prepareTo}, to)
		MOVQ(Mem{Base: args, Disp: prepareFrom}, from)
		MOVQ(Mem{Base: args, Disp: prepareCount}, left)
		MOVQ(Mem{Base: args, Disp: prepareExtra}, extra)
		names = append(names, name)
	}
	for _, v := range []gen.Vectors{gen.AVX512, gen.AVX2} {
		begin("linear" + v.Name + "WidenBF16")
		each(v, 4, 2, func(m Mem, r reg.VecPhysical) {
			VPMOVZXWD(m, r)
			VPSLLD(U8(16), r, r)
		})
		begin("linear" + v.Name + "WidenFP16")
		each(v, 4, 2, func(m Mem, r reg.VecPhysical) { VCVTPH2PS(m, r) })
		begin("linear" + v.Name + "WidenINT8")
		each(v, 2, 1, func(m Mem, r reg.VecPhysical) { VPMOVSXBW(m, r) })
		begin("linear" + v.Name + "Quantise")
		quantise(v)
	}
	begin("linearAVX2SumINT8")
	sumINT8()
	return names
}

// each emits a loop over elements of which in bytes become out bytes.
func each(v gen.Vectors, out, in int, widen func(Mem, reg.VecPhysical)) {
	const unroll = 4
	Label("loop")
	for i, r := range v.Reg[:unroll] {
		widen(Mem{Base: from, Disp: i * v.Bytes * in / out}, r)
		if v.Bytes == 64 {
			VMOVDQU32(r, Mem{Base: to, Disp: i * v.Bytes})
		} else {
			VMOVDQU(r, Mem{Base: to, Disp: i * v.Bytes})
		}
	}
	advance(from, unroll*v.Bytes*in/out)
	advance(to, unroll*v.Bytes)
	SUBQ(U32(unroll*v.Bytes/out), left)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// reduce leaves f of all lanes in the first.
func reduce(v gen.Vectors, r, temporary reg.VecPhysical, f func(a, b, c Op)) {
	if v.Bytes == 64 {
		VEXTRACTI64X4(U8(1), r, temporary.AsY())
		f(temporary.AsY(), r.AsY(), r.AsY())
	}
	VEXTRACTI128(U8(1), r.AsY(), temporary.AsX())
	f(temporary.AsX(), r.AsX(), r.AsX())
	for _, shuffle := range []uint8{0x4e, 0xb1} {
		VPSHUFD(U8(shuffle), r.AsX(), temporary.AsX())
		f(temporary.AsX(), r.AsX(), r.AsX())
	}
}

// quantise emits, for 128 elements after the other:
//
//	scale := max |x| / 127, or NaN where an element is not finite, or 0 where all are below 2^-120
//	q[i] = round to nearest even (x[i] · 127 / max |x|)
//	of each group: start = -extra · Σ q
func quantise(v gen.Vectors) {
	const tiny = 0x03800000 // 2^-120; 127 divided by what is below 2^-121 is not finite
	r := v.Reg
	largest, temporary, magnitude, order8 := r[8], r[9], r[10], r[11]
	ones(v, magnitude)
	VPSRLD(U8(1), magnitude, magnitude)
	if v.Bytes == 32 {
		order := GLOBL("linearOrder", NOPTR|RODATA) // of dwords after packing each 128 bits by themselves
		for i, from := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
			DATA(4*i, U32(from))
		}
		VMOVDQU(order, order8)
	}
	Label("record")
	for i := range groups * group * 4 / v.Bytes {
		m := Mem{Base: from, Disp: i * v.Bytes}
		t := temporary
		if i == 0 {
			t = largest
		}
		if v.Bytes == 64 {
			VPANDD(m, magnitude, t)
		} else {
			VPAND(m, magnitude, t)
		}
		if i > 0 {
			VPMAXUD(temporary, largest, largest) // as integers: a NaN is more than all else
		}
	}
	reduce(v, largest, temporary, func(a, b, c Op) { VPMAXUD(a, b, c) })
	scaleOfRecord(tiny, largest.AsX(), r[12:])
	factor := r[14]
	VBROADCASTSS(r[13].AsX(), factor)
	for g := range groups {
		n := group * 4 / v.Bytes
		for i, x := range r[:n] {
			VMULPS(Mem{Base: from, Disp: g*group*4 + i*v.Bytes}, factor, x)
			VCVTPS2DQ(x, x)
		}
		sum := r[7]
		VPADDD(r[0], r[1], sum)
		for _, x := range r[2:n] {
			VPADDD(x, sum, sum)
		}
		at := Mem{Base: to, Disp: g * groupX}
		if v.Bytes == 64 {
			VPMOVSDB(r[0], at)
			VPMOVSDB(r[1], at.Offset(16))
		} else {
			VPACKSSDW(r[1], r[0], r[0])
			VPACKSSDW(r[3], r[2], r[2])
			VPACKSSWB(r[2], r[0], r[0])
			VPERMD(r[0], order8, r[0])
			VMOVDQU(r[0], at)
		}
		reduce(v, sum, temporary, func(a, b, c Op) { VPADDD(a, b, c) })
		VMOVD(sum.AsX(), reg.EAX)
		IMULL(reg.R8L, reg.EAX)
		NEGL(reg.EAX)
		MOVL(reg.EAX, at.Offset(group))
	}
	advance(from, groups*group*4)
	advance(to, recordX)
	SUBQ(U32(groups*group), left)
	JNZ(LabelRef("record"))
	VZEROUPPER()
	RET()
}

// scaleOfRecord stores max |x| / 127 and leaves 127 / max |x| in the second of its registers.
func scaleOfRecord(tiny uint32, largest reg.Register, r []reg.VecPhysical) {
	scale, inverse, t := r[0].AsX(), r[1].AsX(), r[2].AsX()
	constant := func(bits uint32) {
		MOVL(U32(bits), reg.EBX)
		VMOVD(reg.EBX, t)
	}
	VMOVD(largest, reg.EAX)
	constant(0x3c010204) // 1/127
	VMULSS(largest, t, scale)
	VXORPS(t, t, t)
	VMULSS(largest, t, t) // 0, or NaN
	VADDSS(t, scale, scale)
	constant(0x42fe0000) // 127
	VDIVSS(largest, t, inverse)
	CMPL(reg.EAX, U32(tiny))
	JAE(LabelRef("normal"))
	VXORPS(scale, scale, scale)
	VXORPS(inverse, inverse, inverse)
	Label("normal")
	VMOVSS(scale, Mem{Base: to, Disp: groups * groupX})
}

// sumINT8 emits a copy of bytes that takes 128 times their sum from the int32 at extra.
func sumINT8() {
	r := gen.AVX2.Reg
	sum, ones16 := r[0], r[1]
	gen.AVX2.Zero(sum)
	VPCMPEQW(ones16, ones16, ones16)
	VPSRLW(U8(15), ones16, ones16)
	Label("loop")
	for i := range 4 {
		VMOVDQU(Mem{Base: from, Disp: 32 * i}, r[2])
		VMOVDQU(r[2], Mem{Base: to, Disp: 32 * i})
		for h := range 2 {
			VPMOVSXBW(Mem{Base: from, Disp: 32*i + 16*h}, r[3+h])
			VPMADDWD(ones16, r[3+h], r[3+h])
			VPADDD(r[3+h], sum, sum)
		}
	}
	advance(from, 128)
	advance(to, 128)
	SUBQ(U32(128), left)
	JNZ(LabelRef("loop"))
	reduce(gen.AVX2, sum, r[2], func(a, b, c Op) { VPADDD(a, b, c) })
	VMOVD(sum.AsX(), reg.EAX)
	SHLL(U8(7), reg.EAX)
	SUBL(reg.EAX, Mem{Base: extra})
	VZEROUPPER()
	RET()
}
