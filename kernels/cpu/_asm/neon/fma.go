package main

import "fmt"

// chains is how many accumulators a register-only loop keeps in flight: with four pipes and a latency
// of four cycles, the most that a core is known to have, 16 hide the latency.
const chains = 24

// chain is the instruction of a register-only loop.
type chain struct {
	name    string
	mla     []vector // by turns
	ones    string   // arrangement of the ones that it multiplies
	one     uint64   // a one as it is stored
	element string   // Go's type of a sum
	lanes   int      // sums in an accumulator
	terms   int      // products that an instruction adds to each sum
}

var fmaLoops = []chain{
	{"FP32", []vector{fmlaS}, "4s", 0x3f800000, "float32", 4, 1},
	{"FP64", []vector{fmlaD}, "2d", 0x3ff0000000000000, "float64", 2, 1},
	{"INT8", []vector{smlal, smlal2}, "8h", 1, "int32", 4, 1},
	{"Dot", []vector{sdot}, "16b", 1, "int32", 4, 4},
	{"BF16", []vector{bfmmla}, "8h", 0x3f80, "float32", 4, 4},
	{"I8MM", []vector{smmla}, "16b", 1, "int32", 4, 8},
}

const (
	fmaUnroll = 4
	fp16Exact = 2048 // ones add up exactly to this many in fp16, whose mantissa has 11 bits
)

func fmaFile(asm, stubs *text) {
	for _, c := range fmaLoops {
		c.loop(asm, stubs)
	}
	fmaFP16(asm, stubs)
}

// loop emits the register-only loop of c.
func (c chain) loop(asm, stubs *text) {
	name, sums := "fmaNEON"+c.name, chains*c.lanes
	signature := fmt.Sprintf("%s(rounds int, sums *[%d]%s)", name, sums, c.element)
	fmt.Fprintf(stubs, "\n// %s performs %d multiply-adds of ones for each of %d sums, rounds times, a multiple of %d:\n", name, c.terms, sums, fmaUnroll)
	stubs.WriteString("//\n//\tclear(sums[:])\n//\tfor range rounds {\n//\t\tfor i := range sums {\n")
	if c.terms == 1 {
		stubs.WriteString("//\t\t\tsums[i] += 1 * 1\n//\t\t}\n//\t}\n")
	} else {
		fmt.Fprintf(stubs, "//\t\t\tfor range %d {\n//\t\t\t\tsums[i] += 1 * 1\n//\t\t\t}\n//\t\t}\n//\t}\n", c.terms)
	}
	fmt.Fprintf(stubs, "//\n//go:noescape\nfunc %s\n", signature)

	asm.function(signature, name, 16)
	asm.op("MOVD rounds+0(FP), R0")
	asm.op("MOVD sums+8(FP), R1")
	asm.op("MOVD $%#x, R2", c.one)
	asm.word(repeat(chains, c.ones, 2))
	for i := range chains {
		asm.word(zero(i))
	}
	asm.op("CBZ R0, done")
	asm.op("PCALIGN $64")
	asm.label("loop")
	c.rounds(asm)
	asm.op("SUB $%d, R0", fmaUnroll)
	asm.op("CBNZ R0, loop")
	asm.label("done")
	asm.storeQ("R1", 0, upTo(0, chains)...)
	asm.op("RET")
}

func (c chain) rounds(asm *text) {
	for range fmaUnroll {
		for i := range chains {
			asm.word(c.mla[i%len(c.mla)].op(i, chains, chains))
		}
	}
}

// fmaFP16 emits the loop of fp16, which empties its sums into fp32 before they stop being exact.
func fmaFP16(asm, stubs *text) {
	const (
		name      = "fmaNEONFP16"
		wide      = chains + 1 // and the next
		temporary = chains + 3
	)
	signature := name + "(rounds int, sums *[8]float32)"
	fmt.Fprintf(stubs, `
// %s performs a multiply-add of ones for each of %d sums in fp16, rounds times, a multiple of %d, and
// adds them up in fp32 as often as fp16 demands, whose whole numbers end at %d:
//
//	clear(sums[:])
//	for ; rounds > 0; rounds -= min(rounds, %d) {
//		var narrow [%d]float16
//		for range min(rounds, %d) {
//			for i := range narrow {
//				narrow[i] += 1 * 1
//			}
//		}
//		for i, x := range narrow {
//			sums[i%%8] += float32(x)
//		}
//	}
//
//go:noescape
func %s
`, name, chains*8, fmaUnroll, fp16Exact, fp16Exact, chains*8, fp16Exact, signature)

	asm.function(signature, name, 16)
	asm.op("MOVD rounds+0(FP), R0")
	asm.op("MOVD sums+8(FP), R1")
	asm.op("MOVD $0x3c00, R2")
	asm.word(repeat(chains, "8h", 2))
	asm.word(zero(wide))
	asm.word(zero(wide + 1))
	asm.op("MOVD $%d, R3", fp16Exact)
	asm.label("more")
	asm.op("CBZ R0, done")
	for i := range chains {
		asm.word(zero(i))
	}
	asm.op("CMP R3, R0")
	asm.op("CSEL LO, R0, R3, R4")
	asm.op("SUB R4, R0")
	asm.op("PCALIGN $64")
	asm.label("loop")
	chain{mla: []vector{fmlaH}}.rounds(asm)
	asm.op("SUB $%d, R4", fmaUnroll)
	asm.op("CBNZ R4, loop")
	for i := range chains {
		asm.word(fcvtl.op(temporary, i, 0))
		asm.word(fcvtl2.op(temporary+1, i, 0))
		asm.word(faddS.op(wide, wide, temporary))
		asm.word(faddS.op(wide+1, wide+1, temporary+1))
	}
	asm.op("B more")
	asm.label("done")
	asm.storeQ("R1", 0, wide, wide+1)
	asm.op("RET")
}
