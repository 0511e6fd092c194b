// Command elementwise generates the amd64 assembly of the elementwise and bandwidth
// kernels, kernels/cpu/elementwise_amd64.s, and its Go declarations. Each kernel is a
// function on one vector register; this file puts the loop, the loads and stores and the
// tail around it, once for AVX2 and once for AVX-512.
package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// unroll is how many vectors an iteration of the main loop handles.
const unroll = 4

// A kernel computes dst from its sources, element by element.
type kernel struct {
	name   string
	format format
	args   []string // pointers in the order of the signature; the first is dst
	scalar string   // a scalar parameter, or ""
	doc    []string // what the kernel promises; then follows the loop
	loop   []string // the loop that the kernel is, in Go

	// setup emits what is loaded once, and returns the function that emits one vector: it
	// gets a vector of each source and returns that of dst.
	setup func(s isa) func(src []vector) vector
}

type vector = reg.VecVirtual

func main() {
	ConstraintExpr("amd64")
	for _, k := range []kernel{
		relu(fp32), relu(fp16), sigmoid(fp32), sigmoid(fp16),
	} {
		for _, s := range []isa{avx2, avx512} {
			generate(k, s)
		}
	}
	Generate()
}

// generate emits k for s: a loop over blocks of unroll vectors, a loop over single
// vectors, and a tail of less than a vector that touches no byte outside the operands.
func generate(k kernel, s isa) {
	function := k.name + s.suffix
	TEXT(function, NOSPLIT, k.signature())
	Pragma("noescape")
	Doc(k.comment(function)...)

	pointers := make([]reg.Register, len(k.args))
	for i, name := range k.args {
		pointers[i] = Load(Param(name), GP64())
	}
	n := Load(Param("n"), GP64())
	emit := k.setup(s)
	lanes := k.format.lanes(s)
	step := lanes * k.format.bytes

	at := func(pointer, vectors int) Mem {
		return Mem{Base: pointers[pointer], Disp: vectors * step}
	}
	// body computes one vector that lies the given count of vectors behind the pointers.
	body := func(vectors int, load func(Mem) vector, store func(vector, Mem)) {
		src := make([]vector, len(k.args)-1)
		for i := range src {
			src[i] = load(at(i+1, vectors))
		}
		store(emit(src), at(0, vectors))
	}
	full := func(vectors int) {
		body(vectors, func(m Mem) vector { return k.format.load(s, m) }, func(v vector, m Mem) { k.format.store(s, v, m) })
	}
	advance := func(bytes int) {
		for _, p := range pointers {
			ADDQ(I32(int32(bytes)), p)
		}
	}

	SUBQ(I32(int32(unroll*lanes)), n)
	JL(LabelRef("singles"))
	align(32)
	Label("blocks")
	for v := range unroll {
		full(v)
	}
	advance(unroll * step)
	SUBQ(I32(int32(unroll*lanes)), n)
	JGE(LabelRef("blocks"))

	Label("singles")
	ADDQ(I32(int32((unroll-1)*lanes)), n)
	JL(LabelRef("tail"))
	Label("single")
	full(0)
	advance(step)
	SUBQ(I32(int32(lanes)), n)
	JGE(LabelRef("single"))

	Label("tail")
	ADDQ(I32(int32(lanes)), n)
	JZ(LabelRef("done"))
	if s.masks {
		mask := lowest(n)
		body(0, func(m Mem) vector { return k.format.loadMasked(m, mask) }, func(v vector, m Mem) { k.format.storeMasked(v, m, mask) })
	} else {
		Label("element")
		body(0, k.format.loadElement, k.format.storeElement)
		advance(k.format.bytes)
		DECQ(n)
		JNZ(LabelRef("element"))
	}
	Label("done")
	VZEROUPPER()
	RET()
}

// lowest is a mask of the n lowest lanes; n is below 64.
func lowest(n reg.Register) reg.Register {
	Comment("mask = 1<<n - 1")
	MOVQ(n, reg.RCX)
	bits := GP64()
	MOVQ(U32(1), bits)
	SHLQ(reg.CL, bits)
	DECQ(bits)
	mask := K()
	KMOVW(bits.As32(), mask)
	return mask
}

// align pads the code so that what follows starts at a multiple of n bytes.
func align(n uint64) {
	Instruction(&ir.Instruction{Opcode: "PCALIGN", Operands: []Op{Imm(n)}})
}

func (k kernel) signature() string {
	scalar := ""
	if k.scalar != "" {
		scalar = fmt.Sprintf(", %s %s", k.scalar, k.format.goType)
	}
	return fmt.Sprintf("func(%s *%s, n int%s)", strings.Join(k.args, ", "), k.format.goType, scalar)
}

func (k kernel) comment(function string) []string {
	lines := append([]string{function + " " + k.doc[0]}, k.doc[1:]...)
	lines = append(lines, "")
	for _, l := range k.loop {
		lines = append(lines, "\t"+l)
	}
	return lines
}
