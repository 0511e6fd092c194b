package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set to generate for.
type isa struct {
	suffix string // of the function names
	bytes  int    // of a vector register
	masks  bool   // has mask registers, and twice as many vector registers
}

var (
	avx2   = isa{suffix: "AVX2", bytes: 32}
	avx512 = isa{suffix: "AVX512", bytes: 64, masks: true}
)

// vector is a fresh register of s's full width.
func (s isa) vector() vector {
	if s.masks {
		return ZMM()
	}
	return YMM()
}

// format is how elements lie in memory. Halves are widened to float32 when they are
// loaded and rounded to nearest even when they are stored.
type format struct {
	suffix string // of the function names
	goType string // of an element in a Go signature
	bytes  int    // of an element in memory
	lane   int    // bytes of an element in a register
}

var (
	fp64 = format{"FP64", "float64", 8, 8}
	fp32 = format{"FP32", "float32", 4, 4}
	fp16 = format{"FP16", "uint16", 2, 4}
)

// nearestEven is VCVTPS2PH's rounding, whatever MXCSR holds.
const nearestEven = U8(0)

// each is the Go loop that computes y from x for every element, body doing so for one.
func (f format) each(body ...string) []string {
	from, to := "x := src[i]", "dst[i] = y"
	if f == fp16 {
		from, to = "x := src[i].Float32()", "dst[i] = ToFloat16(y)"
	}
	loop := []string{"for i := range n {", "\t" + from}
	for _, l := range body {
		loop = append(loop, "\t"+l)
	}
	return append(loop, "\t"+to, "}")
}

func (f format) lanes(s isa) int { return s.bytes / f.lane }

func (f format) load(s isa, m Mem) vector {
	v := s.vector()
	switch f {
	case fp64:
		VMOVUPD(m, v)
	case fp32:
		VMOVUPS(m, v)
	case fp16:
		VCVTPH2PS(m, v)
	}
	return v
}

func (f format) store(_ isa, v vector, m Mem) {
	switch f {
	case fp64:
		VMOVUPD(v, m)
	case fp32:
		VMOVUPS(v, m)
	case fp16:
		VCVTPS2PH(nearestEven, v, m)
	}
}

// loadMasked loads the lanes of mask and zeroes the others; masked-off bytes are not
// touched, so that they cannot fault.
func (f format) loadMasked(m Mem, mask reg.Register) vector {
	v := ZMM()
	switch f {
	case fp64:
		VMOVUPD_Z(m, mask, v)
	case fp32:
		VMOVUPS_Z(m, mask, v)
	case fp16:
		VCVTPH2PS_Z(m, mask, v)
	}
	return v
}

func (f format) storeMasked(v vector, m Mem, mask reg.Register) {
	switch f {
	case fp64:
		VMOVUPD(v, mask, m)
	case fp32:
		VMOVUPS(v, mask, m)
	case fp16:
		VCVTPS2PH(nearestEven, v, mask, m)
	}
}

// loadElement loads one element into the lowest lane of an AVX2 register, for the tail
// of an instruction set without masks (VMASKMOV knows no 16-bit lanes).
func (f format) loadElement(m Mem) vector {
	x := XMM()
	switch f {
	case fp64:
		VMOVSD(m, x)
	case fp32:
		VMOVSS(m, x)
	case fp16:
		bits := GP32()
		MOVWLZX(m, bits)
		VMOVD(bits, x)
		VCVTPH2PS(x, x)
	}
	return x.AsY().(vector)
}

func (f format) storeElement(v vector, m Mem) {
	x := v.AsX()
	switch f {
	case fp64:
		VMOVSD(x, m)
	case fp32:
		VMOVSS(x, m)
	case fp16:
		VCVTPS2PH(nearestEven, x, x)
		VPEXTRW(U8(0), x, m)
	}
}
