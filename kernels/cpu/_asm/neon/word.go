package main

import "fmt"

// word is an instruction that Go's assembler does not know, as its code and as objdump writes it.
// Codes are those of the Arm Architecture Reference Manual for A-profile (DDI 0487), section C7.2.
type word struct {
	code uint32
	text string
}

// vector is an instruction on whole vectors, with the arrangement of each operand; m is "" where
// there is no third operand.
type vector struct {
	name    string
	code    uint32
	d, n, m string
}

func (v vector) op(d, n, m int) word {
	code := v.code | uint32(n)<<5 | uint32(d)
	text := fmt.Sprintf("%s v%d.%s, v%d.%s", v.name, d, v.d, n, v.n)
	if v.m == "" {
		return word{code, text}
	}
	return word{code | uint32(m)<<16, text + fmt.Sprintf(", v%d.%s", m, v.m)}
}

// element is an instruction on a vector and one element of another; in is what that element is
// written as: h, s, d, or 4b for four bytes.
type element struct {
	name string
	code uint32
	d, n string
	in   string
}

// op places the index i of the element of register m, whose bits are H, L and M in that order
// of weight; an index of halves takes all three, and leaves four bits to the register.
func (e element) op(d, n, m, i int) word {
	const (
		bitH = 11
		bitL = 21
		bitM = 20
	)
	code, index := e.code|uint32(m)<<16|uint32(n)<<5|uint32(d), uint32(i)
	switch e.in {
	case "d":
		code |= index << bitH
	case "s", "4b":
		code |= index>>1<<bitH | index&1<<bitL
	case "h":
		if m > 15 {
			panic(fmt.Sprintf("%s: elements of halves are of v0 to v15, not of v%d", e.name, m))
		}
		code |= index>>2<<bitH | index>>1&1<<bitL | index&1<<bitM
	}
	return word{code, fmt.Sprintf("%s v%d.%s, v%d.%s, v%d.%s[%d]", e.name, d, e.d, n, e.n, m, e.in, i)}
}

// The multiply-adds.
var (
	fmlaS  = vector{"fmla", 0x4e20cc00, "4s", "4s", "4s"}
	fmlaD  = vector{"fmla", 0x4e60cc00, "2d", "2d", "2d"}
	fmlaH  = vector{"fmla", 0x4e400c00, "8h", "8h", "8h"}
	smlal  = vector{"smlal", 0x0e608000, "4s", "4h", "4h"}
	smlal2 = vector{"smlal2", 0x4e608000, "4s", "8h", "8h"}
	sdot   = vector{"sdot", 0x4e809400, "4s", "16b", "16b"}
	bfmmla = vector{"bfmmla", 0x6e40ec00, "4s", "8h", "8h"}
	smmla  = vector{"smmla", 0x4e80a400, "4s", "16b", "16b"}

	fmlaByS   = element{"fmla", 0x4f801000, "4s", "4s", "s"}
	fmlaByD   = element{"fmla", 0x4fc01000, "2d", "2d", "d"}
	fmlaByH   = element{"fmla", 0x4f001000, "8h", "8h", "h"}
	smlalByH  = element{"smlal", 0x0f402000, "4s", "4h", "h"}
	smlal2ByH = element{"smlal2", 0x4f402000, "4s", "8h", "h"}
	sdotBy4B  = element{"sdot", 0x4f80e000, "4s", "16b", "4b"}
)

// What sums, converts and permutes.
var (
	faddS = vector{"fadd", 0x4e20d400, "4s", "4s", "4s"}
	faddD = vector{"fadd", 0x4e60d400, "2d", "2d", "2d"}
	faddH = vector{"fadd", 0x4e401400, "8h", "8h", "8h"}
	addS  = vector{"add", 0x4ea08400, "4s", "4s", "4s"}

	fcvtl  = vector{"fcvtl", 0x0e217800, "4s", "4h", ""}
	fcvtl2 = vector{"fcvtl2", 0x4e217800, "4s", "8h", ""}
	sxtl   = vector{"sxtl", 0x0f08a400, "8h", "8b", ""}

	zip1 = map[int]vector{
		1: {"zip1", 0x4e003800, "16b", "16b", "16b"}, 2: {"zip1", 0x4e403800, "8h", "8h", "8h"},
		4: {"zip1", 0x4e803800, "4s", "4s", "4s"}, 8: {"zip1", 0x4ec03800, "2d", "2d", "2d"},
	}
	zip2 = map[int]vector{
		1: {"zip2", 0x4e007800, "16b", "16b", "16b"}, 2: {"zip2", 0x4e407800, "8h", "8h", "8h"},
		4: {"zip2", 0x4e807800, "4s", "4s", "4s"}, 8: {"zip2", 0x4ec07800, "2d", "2d", "2d"},
	}
)

// shll16 widens bfloat16 to fp32, whose upper half it is.
func shll16(d, n int) word {
	w := vector{"shll", 0x2e613800, "4s", "4h", ""}.op(d, n, 0)
	return word{w.code, w.text + ", #16"}
}

func zero(d int) word {
	return word{0x6f00e400 | uint32(d), fmt.Sprintf("movi v%d.2d, #0x0", d)}
}

// repeat fills a vector with the low bits of a general register.
func repeat(d int, arrangement string, n int) word {
	code, register := map[string]uint32{"16b": 1, "8h": 2, "4s": 4, "2d": 8}[arrangement], "w"
	if arrangement == "2d" {
		register = "x"
	}
	return word{0x4e000c00 | code<<16 | uint32(n)<<5 | uint32(d), fmt.Sprintf("dup v%d.%s, %s%d", d, arrangement, register, n)}
}
