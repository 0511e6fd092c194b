package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// Instructions of AVX512-FP16, which Go's assembler lacks.
var (
	addPH      = gen.Form{Name: "VADDPH", ISA: "AVX512_FP16", Map: 5, Opcode: 0x58, Element: 2}
	fmadd231PH = gen.Form{Name: "VFMADD231PH", ISA: "AVX512_FP16", Map: 6, Prefix: 0x66, Opcode: 0xb8, Element: 2}
	fmadd213PH = gen.Form{Name: "VFMADD213PH", ISA: "AVX512_FP16", Map: 6, Prefix: 0x66, Opcode: 0xa8, Element: 2}
	widenPH    = gen.Form{Name: "VCVTPH2PSX", ISA: "AVX512_FP16", Map: 6, Prefix: 0x66, Opcode: 0x13, Element: 2, Part: 2}
)

// A broadcast of one fp16 takes a cycle of the port that also multiplies; one of two, as 32 bits, does not. So
// a lane of 32 bits sums the products of even and of odd k apart, and the two meet at the end.

// addPairs adds the two fp16 sums of each lane of x, and moves the sums of all lanes to the lower half of the register.
func (f family) addPairs(x []reg.VecPhysical, t reg.VecPhysical) {
	for _, x := range x {
		VPSRLD(U8(16), x, t)
		addPH.Emit([]Op{t, x, x})
		VPMOVDW(x, gen.Y(x))
	}
}

// bytesC are the bytes of a vector of C, and vectorC is the part of a register that holds it.
func (f family) bytesC() int {
	if f.half {
		return f.Bytes / 2
	}
	return f.Bytes
}

func (f family) vectorC(x reg.VecPhysical) reg.VecPhysical {
	if f.half {
		return gen.Y(x)
	}
	return x
}

// Offsets of the arguments of loop.
const (
	loopRounds = 8 * iota
	loopSums   // 32 fp32
)

// loopExact is the largest whole number up to which fp16 counts by ones.
const loopExact = 2048

// loop emits multiply-adds x = x·1 + 1 in 24 registers of fp16, rounds times:
//
//	for range rounds {
//		for i := range 24 {
//			for j := range 32 {
//				x[i][j] = x[i][j]*1 + 1
//			}
//		}
//	}
//	for i := range 24 {
//		for j := range 32 {
//			sums[j] += float32(x[i][j])
//		}
//	}
//
// x is added to the sums and cleared every 2048 rounds, since fp16 counts no further.
func (f family) loop() string {
	name := f.routine("Count")
	gen.Routine(name, "multiply-adds in registers")
	rounds, n, sums := reg.RAX, reg.RBX, reg.RCX
	x, one, total, t := f.Reg[:24], f.Reg[24], f.Reg[25:27], f.Reg[27]
	MOVQ(gen.Field(loopRounds), rounds)
	MOVQ(gen.Field(loopSums), sums)
	MOVL(U32(0x3c003c00), reg.EDX)
	VPBROADCASTD(reg.EDX, one)
	f.Zero(total...)
	Label("empty")
	f.Zero(x...)
	MOVQ(U32(loopExact), n)
	CMPQ(rounds, n)
	CMOVQLT(rounds, n)
	SUBQ(n, rounds)
	TESTQ(n, n)
	JZ(LabelRef("done"))
	gen.Align(64)
	Label("loop")
	for _, x := range x {
		fmadd213PH.Emit([]Op{one, one, x})
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	for _, x := range x {
		widenPH.Emit([]Op{gen.Y(x), t})
		VADDPS(t, total[0], total[0])
		VEXTRACTI64X4(U8(1), x, gen.Y(x))
		widenPH.Emit([]Op{gen.Y(x), t})
		VADDPS(t, total[1], total[1])
	}
	JMP(LabelRef("empty"))
	Label("done")
	for i, x := range total {
		VMOVUPS(x, Mem{Base: sums, Disp: i * f.Bytes})
	}
	VZEROUPPER()
	RET()
	return name
}
