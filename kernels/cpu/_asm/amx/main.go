// Command amx generates the products of tiles (AMX): microkernels, packing loops and the loops that do
// nothing but multiply.
//
// A tile is 16 rows of 64 bytes. One of A holds 16 rows, 32 bf16 or 64 int8 of each; one of B as many elements along k of 16
// columns: a row holds, for each column, 2 bf16 or 4 int8 that are neighbours along k; one of C 16 rows and columns of 4 bytes.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

const (
	rowBytes  = 64
	tileRows  = 16
	tileBytes = tileRows * rowBytes
)

// family is the routines for one type of elements.
type family struct {
	name     string
	multiply gen.Form
	stored   int // bytes of an element
}

// step is how many neighbours along k a row of a tile of B holds of a column.
func (f family) step() int { return 4 / f.stored }

var families = []family{
	{"BF16", gen.TDPBF16PS, 2},
	{"INT8", gen.TDPBSSD, 1},
}

func main() {
	var shared []string
	for _, emit := range []func() string{configure, release, gather, transpose} {
		shared = append(shared, emit())
	}
	gen.Table("amxRoutines", shared)
	for _, f := range families {
		gen.Table("amx"+f.name+"Routines", []string{
			f.tile(1, 1), f.tile(1, 2), f.tile(2, 1), f.tile(2, 2), f.interleave(), f.loop(),
		})
	}
	Generate()
}

// arg is a word of a routine's arguments.
func arg(word int) Mem { return gen.Field(8 * word) }

func configure() string {
	const name = "amxConfigure"
	gen.Routine(name, "sets the shapes of the tiles")
	gen.LDTILECFG.Emit([]Op{Mem{Base: reg.RDI}})
	RET()
	return name
}

func release() string {
	const name = "amxRelease"
	gen.Routine(name, "gives the tiles up")
	gen.TILERELEASE.Emit(nil)
	RET()
	return name
}

// Words of tileArgs.
const (
	tileA = iota
	tileB
	tileC
	_ // next: the panels are read in a straight line, which the CPU's prefetchers follow
	tileK
	tileLDB
	tileLDC
	tileAdd
)

// tile emits the product of a panel of A, of which it takes rows tiles of two, and one of B of columns tiles:
//
//	for s := range k {
//		for i := range rows {
//			for j := range columns {
//				c[i][j] += a[s][i] * b[s][j]
//			}
//		}
//	}
//
// With 2 x 2 tiles each of the four that a step loads serves twice: 4 loads of 8 cycles beside 4 products of 16 (Intel 64 and
// IA-32 Architectures Optimization Reference Manual, chapter 20).
func (f family) tile(rows, columns int) string {
	name := fmt.Sprintf("amx%sr%dc%d", f.name, rows, columns)
	gen.Routine(name, fmt.Sprintf("c = a·b or c += a·b for %d x %d tiles", rows, columns))
	a, b, c, k, ldb, ldc, lower, width := reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.R8, reg.R9, reg.R10, reg.R11
	MOVQ(arg(tileA), a)
	MOVQ(arg(tileB), b)
	MOVQ(arg(tileC), c)
	MOVQ(arg(tileK), k)
	MOVQ(arg(tileLDB), ldb)
	MOVQ(arg(tileLDC), ldc)
	MOVQ(U32(rowBytes), width)
	if rows == 2 {
		MOVQ(ldc, lower)
		SHLQ(U8(4), lower)
		ADDQ(c, lower)
	}
	acc := func(i, j int) gen.Tile { return gen.Tile(2*i + j) }
	tileOfA := func(i int) gen.Tile { return gen.Tile(4 + i) }
	tileOfB := func(j int) gen.Tile { return gen.Tile(6 + j) }
	each := func(do func(x gen.Tile, m Mem)) {
		for i := range rows {
			for j := range columns {
				do(acc(i, j), Mem{Base: []reg.GPPhysical{c, lower}[i], Index: ldc, Scale: 1, Disp: j * rowBytes})
			}
		}
	}

	CMPQ(arg(tileAdd), U8(0))
	JNE(LabelRef("add"))
	each(func(x gen.Tile, _ Mem) { gen.TILEZERO.Emit([]Op{x}) })
	JMP(LabelRef("loop"))
	Label("add")
	each(func(x gen.Tile, m Mem) { gen.TILELOADD.Emit([]Op{m, x}) })
	gen.Align(32)
	Label("loop")
	load := func(base reg.GPPhysical, i int, x gen.Tile) {
		gen.TILELOADD.Emit([]Op{Mem{Base: base, Index: width, Scale: 1, Disp: i * tileBytes}, x})
	}
	for j := range columns {
		load(b, j, tileOfB(j))
	}
	for i := range rows {
		load(a, i, tileOfA(i))
		for j := range columns {
			f.multiply.Emit([]Op{tileOfB(j), tileOfA(i), acc(i, j)})
		}
	}
	ADDQ(U32(2*tileBytes), a)
	ADDQ(ldb, b)
	DECQ(k)
	JNZ(LabelRef("loop"))
	each(func(x gen.Tile, m Mem) { gen.TILESTORED.Emit([]Op{x, m}) })
	RET()
	return name
}

// Words of the arguments of loop.
const (
	loopRounds = iota
	loopConfiguration
	loopOnes // a row of ones
	loopSums // a tile of each chain
)

// loopChains is how many products are in flight: each takes 52 cycles and one begins every 16 (the manual above).
const loopChains = 6

// loop emits products of tiles of ones: each adds to every element of C as many ones as a row of A has elements.
func (f family) loop() string {
	name := "amx" + f.name + "Loop"
	gen.Routine(name, fmt.Sprintf("multiplies tiles of ones, %d a round", loopChains))
	rounds, at, stride := reg.RAX, reg.RBX, reg.RCX
	MOVQ(arg(loopConfiguration), at)
	gen.LDTILECFG.Emit([]Op{Mem{Base: at}})
	MOVQ(arg(loopOnes), at)
	XORQ(stride, stride)
	for _, x := range []gen.Tile{6, 7} {
		gen.TILELOADD.Emit([]Op{Mem{Base: at, Index: stride, Scale: 1}, x})
	}
	for x := range gen.Tile(loopChains) {
		gen.TILEZERO.Emit([]Op{x})
	}
	MOVQ(arg(loopRounds), rounds)
	TESTQ(rounds, rounds)
	JZ(LabelRef("done"))
	gen.Align(64)
	Label("loop")
	for x := range gen.Tile(loopChains) {
		f.multiply.Emit([]Op{gen.Tile(7), gen.Tile(6), x})
	}
	DECQ(rounds)
	JNZ(LabelRef("loop"))
	Label("done")
	MOVQ(arg(loopSums), at)
	MOVQ(U32(rowBytes), stride)
	for x := range gen.Tile(loopChains) {
		gen.TILESTORED.Emit([]Op{x, Mem{Base: at, Index: stride, Scale: 1, Disp: int(x) * tileBytes}})
	}
	gen.TILERELEASE.Emit(nil)
	RET()
	return name
}
