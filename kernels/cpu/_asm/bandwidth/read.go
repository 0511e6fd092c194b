package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// Sums are of integers: an add takes one cycle, so that eight sums keep up with two loads a cycle, and the
// order of the elements does not matter.
const (
	readSums  = 8
	signature = "func(src *float64, n int) uint64"
	readDoc   = "is the sum of all elements' bits, modulo 2^64."
)

var readLoop = each("sum += math.Float64bits(src[i])")

// read emits the sum: of blocks of lines, and then of what is left.
func read(s gen.Vectors, v variant) {
	declare("readFP64"+v.suffix+s.Name, signature, readDoc+" "+v.doc, readLoop...)
	src := Load(Param("src"), GP64()).(reg.GPVirtual)
	n := Load(Param("n"), GP64()).(reg.GPVirtual)
	sums := zeroed(s)
	next := 0
	at := v.split(n, "rest")
	v.loop(n, "rest", at, []reg.Register{src}, func(stream place) {
		v.prefetch(stream(src))
		for offset := 0; offset < v.step(); offset += s.Bytes {
			sum := sums[next%len(sums)]
			VPADDQ(stream(src).Offset(offset), sum, sum)
			next++
		}
	})
	finishRead(s, src, n, sums)
}

func zeroed(s gen.Vectors) []reg.VecVirtual {
	sums := make([]reg.VecVirtual, readSums)
	for i := range sums {
		sums[i] = vector(s)
		if s.Bytes == 64 {
			VPXORQ(sums[i], sums[i], sums[i])
		} else {
			VPXOR(sums[i], sums[i], sums[i])
		}
	}
	return sums
}

// finishRead adds n more elements from src, and returns the sum of all lanes.
func finishRead(s gen.Vectors, src, n reg.GPVirtual, sums []reg.VecVirtual) {
	lanes := s.Bytes / elementBytes
	SUBQ(operand.U8(uint8(lanes)), n)
	JL(operand.LabelRef("last"))
	Label("vector")
	VPADDQ(mem(src, 0), sums[0], sums[0])
	ADDQ(operand.U8(uint8(s.Bytes)), src)
	SUBQ(operand.U8(uint8(lanes)), n)
	JGE(operand.LabelRef("vector"))
	Label("last")
	ADDQ(operand.U8(uint8(lanes)), n)

	for half := len(sums) / 2; half > 0; half /= 2 {
		for i := range half {
			VPADDQ(sums[i+half], sums[i], sums[i])
		}
	}
	if s.Bytes == 64 {
		upper := YMM()
		VEXTRACTI64X4(operand.U8(1), sums[0], upper)
		VPADDQ(upper, sums[0].AsY(), sums[0].AsY())
	}
	upper, sum, other := XMM(), GP64(), GP64()
	VEXTRACTI128(operand.U8(1), sums[0].AsY(), upper)
	VPADDQ(upper, sums[0].AsX(), sums[0].AsX())
	VMOVQ(sums[0].AsX(), sum)
	VPEXTRQ(operand.U8(1), sums[0].AsX(), other)
	ADDQ(other, sum)
	TESTQ(n, n)
	JZ(operand.LabelRef("done"))
	Label("element")
	ADDQ(mem(src, 0), sum)
	ADDQ(operand.U8(elementBytes), src)
	DECQ(n)
	JNZ(operand.LabelRef("element"))
	Label("done")
	VZEROUPPER()
	Store(sum, ReturnIndex(0))
	RET()
}

// repeat emits a string instruction with the prefix that repeats it CX times.
func repeat(opcode string) {
	Instruction(&ir.Instruction{
		Opcode: "REP",
		Inputs: []operand.Op{reg.RDI, reg.RSI, reg.RCX, reg.RAX}, Outputs: []operand.Op{reg.RDI, reg.RSI, reg.RCX},
	})
	Instruction(&ir.Instruction{Opcode: opcode})
}
