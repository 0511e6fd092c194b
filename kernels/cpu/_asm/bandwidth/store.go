package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// storing is a kernel with a dst as it is being generated.
type storing struct {
	kernel
	variant
	s        gen.Vectors
	pointers []reg.Register // dst, then the sources
	n        reg.GPVirtual
	scalar   reg.VecVirtual
}

// store emits k: up to a line of single elements, so that the stores that follow are aligned
// (a store that crosses a line takes two, and one that bypasses the caches must be aligned); blocks of
// lines; single vectors; and the rest, less than a vector.
func store(k kernel, s gen.Vectors, v variant) {
	function := k.name + v.suffix + s.Name
	declare(function, k.signature(), k.doc+" "+v.doc, each(k.body)...)
	g := storing{kernel: k, variant: v, s: s}
	for _, name := range append([]string{"dst"}, k.sources...) {
		g.pointers = append(g.pointers, Load(Param(name), GP64()))
	}
	g.n = Load(Param("n"), GP64()).(reg.GPVirtual)
	if k.scalar {
		g.scalar = vector(s)
		VBROADCASTSD(operand.NewParamAddr("s", 8*(len(g.pointers)+1)), g.scalar)
	}
	g.align()
	g.blocks()
	g.singles()
	g.part(g.n, "rest")
	if v.nt {
		SFENCE()
	}
	VZEROUPPER()
	RET()
}

// align handles the elements in front of dst's first line that begins in it, or all n if there is none.
func (g storing) align() {
	head := GP64()
	MOVQ(g.pointers[0], head)
	NEGQ(head)
	ANDQ(operand.U32(line-1), head)
	SHRQ(operand.U8(3), head)
	CMPQ(g.n, head)
	CMOVQLT(g.n, head)
	SUBQ(head, g.n)
	g.part(head, "head")
}

func (g storing) blocks() {
	at := g.split(g.n, "single")
	g.loop(g.n, "single", at, g.pointers, func(stream place) {
		for _, p := range g.pointers[1:] {
			g.prefetch(stream(p))
		}
		for offset := 0; offset < g.step(); offset += g.s.Bytes {
			g.vector(stream, offset)
		}
	})
}

func (g storing) singles() {
	lanes := g.s.Bytes / elementBytes
	SUBQ(operand.U8(uint8(lanes)), g.n)
	JL(operand.LabelRef("last"))
	Label("vector")
	g.vector(first, 0)
	g.advance(operand.U8(uint8(g.s.Bytes)))
	SUBQ(operand.U8(uint8(lanes)), g.n)
	JGE(operand.LabelRef("vector"))
	Label("last")
	ADDQ(operand.U8(uint8(lanes)), g.n)
}

// vector computes a whole vector, offset bytes behind where a stream is.
func (g storing) vector(stream place, offset int) {
	src := make([]reg.VecVirtual, len(g.sources))
	for i := range src {
		src[i] = load(g.s, stream(g.pointers[i+1]).Offset(offset))
	}
	g.write(g.combine(src, g.scalar), stream(g.pointers[0]).Offset(offset))
}

// part computes count elements, fewer than a line holds, and moves the pointers behind them. It touches no
// byte outside them.
func (g storing) part(count reg.GPVirtual, label string) {
	TESTQ(count, count)
	JZ(operand.LabelRef(label + "Done"))
	if g.s.Bytes == 64 {
		g.masked(count)
		for _, p := range g.pointers {
			LEAQ(operand.Mem{Base: p, Index: count, Scale: elementBytes}, p)
		}
	} else {
		Label(label)
		g.element()
		g.advance(operand.U8(elementBytes))
		DECQ(count)
		JNZ(operand.LabelRef(label))
	}
	Label(label + "Done")
}

func (g storing) masked(count reg.GPVirtual) {
	mask := gen.LowestLanes(count)
	src := make([]reg.VecVirtual, len(g.sources))
	for i := range src {
		src[i] = ZMM()
		VMOVUPD_Z(mem(g.pointers[i+1], 0), mask, src[i])
	}
	VMOVUPD(g.combine(src, g.scalar), mask, mem(g.pointers[0], 0))
}

func (g storing) element() {
	src := make([]reg.VecVirtual, len(g.sources))
	for i := range src {
		x := XMM()
		VMOVSD(mem(g.pointers[i+1], 0), x)
		src[i] = x.AsY().(reg.VecVirtual)
	}
	VMOVSD(g.combine(src, g.scalar).AsX(), mem(g.pointers[0], 0))
}

func (g storing) advance(bytes operand.Op) {
	for _, p := range g.pointers {
		ADDQ(bytes, p)
	}
}

// The string instructions know that they overwrite whole lines, and do not read them first.

func copyString() {
	declare("copyFP64String", "func(dst, src *float64, n int)", "copies bits by REP MOVSQ.", each("dst[i] = src[i]")...)
	Load(Param("dst"), reg.RDI)
	Load(Param("src"), reg.RSI)
	Load(Param("n"), reg.RCX)
	repeat("MOVSQ")
	RET()
}

func writeString() {
	declare("writeFP64String", "func(dst *float64, n int, s float64)", "fills dst by REP STOSQ.", each("dst[i] = s")...)
	Load(Param("dst"), reg.RDI)
	Load(Param("n"), reg.RCX)
	MOVQ(operand.NewParamAddr("s", 16), reg.RAX)
	repeat("STOSQ")
	RET()
}
