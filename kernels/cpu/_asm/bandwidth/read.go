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

// read emits the sum of what lies one behind the other.
func read(s gen.Vectors) {
	declare("readFP64"+s.Name, signature, readDoc, readLoop...)
	src := Load(Param("src"), GP64()).(reg.GPVirtual)
	n := Load(Param("n"), GP64()).(reg.GPVirtual)
	sums := zeroed(s)
	lanes := s.Bytes / elementBytes
	SUBQ(operand.U32(uint64(readSums*lanes)), n)
	JL(operand.LabelRef("single"))
	gen.Align(32)
	Label("block")
	for i, sum := range sums {
		VPADDQ(mem(src, i*s.Bytes), sum, sum)
	}
	ADDQ(operand.U32(uint64(readSums*s.Bytes)), src)
	SUBQ(operand.U32(uint64(readSums*lanes)), n)
	JGE(operand.LabelRef("block"))
	Label("single")
	ADDQ(operand.U32(uint64(readSums*lanes)), n)
	finishRead(s, src, n, sums)
}

// streams is how many places a read of memory follows at once. The prefetchers of a core follow
// each of them: 4 made a Zen 4 read 1.1 times as fast with one thread and 1.4 times with two.
const (
	streams = 4
	pair    = 2 * line // what a quarter is a multiple of
)

// readFar emits the sum of what the caches do not hold: of quarters at the same time.
func readFar(s gen.Vectors) {
	declare("readFP64Far"+s.Name, signature,
		readDoc+" It reads from four places at once, for operands in memory.", readLoop...)
	src := Load(Param("src"), GP64()).(reg.GPVirtual)
	n := Load(Param("n"), GP64()).(reg.GPVirtual)
	sums := zeroed(s)
	step := readSums / streams * s.Bytes // bytes of each quarter in an iteration

	pairs, quarter := GP64(), GP64()
	MOVQ(n, pairs)
	SHRQ(operand.U8(log2(streams*pair/elementBytes)), pairs)
	MOVQ(pairs, quarter)
	SHLQ(operand.U8(log2(pair)), quarter)
	TESTQ(pairs, pairs)
	JZ(operand.LabelRef("apart"))
	// A quarter is a whole number of pairs; what four of them leave is read at the end.
	pointers := []reg.GPVirtual{src, GP64(), GP64(), GP64()}
	for i := 1; i < streams; i++ {
		LEAQ(operand.Mem{Base: pointers[i-1], Index: quarter, Scale: 1}, pointers[i])
	}
	SHLQ(operand.U8(log2(pair/step)), pairs)
	gen.Align(32)
	Label("block")
	for i, p := range pointers {
		for v := range readSums / streams {
			sum := sums[i*readSums/streams+v]
			VPADDQ(mem(p, v*s.Bytes), sum, sum)
		}
	}
	for _, p := range pointers {
		ADDQ(operand.U32(uint64(step)), p)
	}
	DECQ(pairs)
	JNZ(operand.LabelRef("block"))
	MOVQ(pointers[streams-1], src)
	Label("apart")
	ANDQ(operand.U32(streams*pair/elementBytes-1), n)
	finishRead(s, src, n, sums)
}

func log2(n int) (bits uint8) {
	for ; n > 1; n >>= 1 {
		bits++
	}
	return bits
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
