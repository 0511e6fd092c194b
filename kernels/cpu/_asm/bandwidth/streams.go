package main

import (
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// place addresses where a stream is in an operand, whose pointer is where the first one is.
type place func(pointer reg.Register) operand.Mem

func first(pointer reg.Register) operand.Mem { return operand.Mem{Base: pointer} }

// step is how many bytes of a stream an iteration handles.
func (v variant) step() int { return v.lines * line }

// split says where the streams are in n elements: one behind the other, as long as each other, and at most four. It leaves n
// lessened by the elements of an iteration, as loop takes it, or goes to none where there are fewer.
func (v variant) split(n reg.GPVirtual, none string) []place {
	at := []place{first}
	if v.streams > 1 {
		at = v.places(n)
	}
	SUBQ(operand.U32(v.elements()), n)
	JL(operand.LabelRef(none))
	return at
}

// elements is how many an iteration handles.
func (v variant) elements() uint64 { return uint64(v.streams * v.step() / elementBytes) }

// places are those of several streams.
func (v variant) places(n reg.GPVirtual) []place {
	behind := func(index reg.Register, scale uint8) place {
		return func(pointer reg.Register) operand.Mem {
			return operand.Mem{Base: pointer, Index: index, Scale: scale}
		}
	}
	length := GP64()
	MOVQ(n, length)
	SHRQ(operand.U8(uint8(bits.TrailingZeros64(v.elements()))), length)
	SHLQ(operand.U8(uint8(bits.TrailingZeros(uint(v.step())))), length)
	at := []place{first, behind(length, 1), behind(length, 2)}
	if v.streams > 3 {
		three := GP64()
		LEAQ(operand.Mem{Base: length, Index: length, Scale: 2}, three)
		at = append(at, behind(three, 1))
	}
	return at[:v.streams]
}

// loop repeats what body does of each stream in an iteration. It leaves the pointers behind the last stream, and at the
// label none, in n how many elements are left.
func (v variant) loop(n reg.GPVirtual, none string, at []place, pointers []reg.Register, body func(stream place)) {
	gen.Align(32)
	Label("block")
	for _, stream := range at {
		body(stream)
	}
	for _, p := range pointers {
		ADDQ(operand.U32(uint64(v.step())), p)
	}
	SUBQ(operand.U32(v.elements()), n)
	JGE(operand.LabelRef("block"))
	if v.streams > 1 { // the first ends where the second begins
		for _, p := range pointers {
			LEAQ(at[v.streams-1](p), p)
		}
	}
	Label(none)
	ADDQ(operand.U32(v.elements()), n)
}

// prefetch asks for lines of an iteration ahead of m.
func (v variant) prefetch(m operand.Mem) {
	for l := 0; v.ahead != 0 && l < v.lines; l += v.every {
		PREFETCHT1(m.Offset(v.ahead + l*line))
	}
}
