// Command gemm generates the microkernels and the packing loops of GEMM.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// tile is the shape of a microkernel's block of C: rows x vecs vectors. It takes rows·vecs
// accumulators, vecs registers for a row of B, and rotates through the rest for elements of A.
type tile struct {
	gen.Vectors
	rows, vecs int
	packA      func(load loader, rows, lanes int)
}

var tiles = []tile{
	{gen.AVX512, 8, 3, packA8},
	{gen.AVX2, 6, 2, packA6},
}

// loader reads a vector's worth of stored elements as fp32.
type loader struct {
	suffix, element string
	shift           uint8 // log2 of an element's bytes
	load            func(m Mem, x reg.VecPhysical)
}

var loaders = []loader{
	{"FP32", "float32", 2, func(m Mem, x reg.VecPhysical) { VMOVUPS(m, x) }},
	{"FP16", "uint16", 1, func(m Mem, x reg.VecPhysical) { VCVTPH2PS(m, x) }},
}

func main() {
	for _, t := range tiles {
		for _, l := range loaders {
			for vecs := 1; vecs <= t.vecs; vecs++ {
				for rows := 1; rows <= t.rows; rows++ {
					t.kernel(l, rows, vecs)
				}
				t.packB(l, vecs)
			}
			t.packPanelA(l)
		}
	}
	Generate()
}

func pointer(name string) reg.GPVirtual {
	return Load(Param(name).Base(), GP64()).(reg.GPVirtual)
}

func integer(name string) reg.GPVirtual {
	return Load(Param(name), GP64()).(reg.GPVirtual)
}

// kernel emits the product of a packed panel of A, t.rows wide, and k rows of B.
func (t tile) kernel(l loader, rows, vecs int) {
	const unroll = 4
	name := fmt.Sprintf("gemm%s%sr%dv%d", t.Name, l.suffix, rows, vecs)
	columns := vecs * t.Bytes / 4
	TEXT(name, NOSPLIT, fmt.Sprintf("func(k int, a []float32, b []%s, ldb int, c []float32, ldc int, add bool, next []float32)", l.element))
	Pragma("noescape")
	Doc(
		name+" computes a tile of C and prefetches k/4 cache lines of next:",
		"",
		fmt.Sprintf("\tfor i := range %d {", rows),
		fmt.Sprintf("\t\tfor j := range %d {", columns),
		"\t\t\tvar sum float32",
		"\t\t\tfor p := range k {",
		fmt.Sprintf("\t\t\t\tsum += a[p*%d+i] * b[p*ldb+j]", t.rows),
		"\t\t\t}",
		"\t\t\tif add {",
		"\t\t\t\tsum += c[i*ldc+j]",
		"\t\t\t}",
		"\t\t\tc[i*ldc+j] = sum",
		"\t\t}",
		"\t}",
	)
	acc := func(i, j int) reg.VecPhysical { return t.Reg[i*vecs+j] }
	rowB := t.Reg[rows*vecs : rows*vecs+vecs]
	broadcast := t.Reg[rows*vecs+vecs:]

	k, a, b, c, next := integer("k"), pointer("a"), pointer("b"), pointer("c"), pointer("next")
	ldb, ldc := integer("ldb"), integer("ldc")
	SHLQ(U8(l.shift), ldb)
	SHLQ(U8(2), ldc)

	// C is needed when the loop is over: ask for it now.
	row := GP64()
	MOVQ(c, row)
	for i := range rows {
		for at := 0; at < vecs*t.Bytes; at += 64 {
			PREFETCHT0(Mem{Base: row, Disp: at})
		}
		if i < rows-1 {
			ADDQ(ldc, row)
		}
	}
	t.Zero(t.Reg[:rows*vecs]...)

	step := func(u int) {
		for j, x := range rowB {
			l.load(Mem{Base: b, Disp: j * t.Bytes >> 2 << l.shift}, x)
		}
		ADDQ(ldb, b)
		for i := range rows {
			x := broadcast[i%len(broadcast)]
			VBROADCASTSS(Mem{Base: a, Disp: 4 * (u*t.rows + i)}, x)
			for j, y := range rowB {
				VFMADD231PS(y, x, acc(i, j))
			}
		}
	}
	blocks := GP64()
	MOVQ(k, blocks)
	SHRQ(U8(2), blocks)
	JZ(LabelRef("tail"))
	gen.Align(64)
	Label("loop")
	for u := range unroll {
		step(u)
		if u == 1 {
			PREFETCHT1(Mem{Base: next})
			ADDQ(U8(64), next)
		}
	}
	ADDQ(U32(4*t.rows*unroll), a)
	DECQ(blocks)
	JNZ(LabelRef("loop"))
	Label("tail")
	ANDQ(U8(unroll-1), k)
	JZ(LabelRef("done"))
	Label("one")
	step(0)
	ADDQ(U8(4*t.rows), a)
	DECQ(k)
	JNZ(LabelRef("one"))

	Label("done")
	add := Load(Param("add"), GP8())
	TESTB(add, add)
	JZ(LabelRef("store"))
	MOVQ(c, row)
	for i := range rows {
		for j := range vecs {
			VADDPS(Mem{Base: row, Disp: j * t.Bytes}, acc(i, j), acc(i, j))
		}
		if i < rows-1 {
			ADDQ(ldc, row)
		}
	}
	Label("store")
	for i := range rows {
		for j := range vecs {
			VMOVUPS(acc(i, j), Mem{Base: c, Disp: j * t.Bytes})
		}
		if i < rows-1 {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}

// packB emits the copy of k pieces of rows of B to where they are contiguous.
func (t tile) packB(l loader, vecs int) {
	name := fmt.Sprintf("packB%s%sv%d", t.Name, l.suffix, vecs)
	columns := vecs * t.Bytes / 4
	TEXT(name, NOSPLIT, fmt.Sprintf("func(dst []float32, src []%s, ld, k int)", l.element))
	Pragma("noescape")
	Doc(
		name+" packs k rows of B, k at least 1:",
		"",
		"\tfor p := range k {",
		fmt.Sprintf("\t\tfor j := range %d {", columns),
		fmt.Sprintf("\t\t\tdst[p*%d+j] = float32(src[p*ld+j])", columns),
		"\t\t}",
		"\t}",
	)
	dst, src, ld, k := pointer("dst"), pointer("src"), integer("ld"), integer("k")
	SHLQ(U8(l.shift), ld)
	ahead := GP64() // rows are far apart: no hardware prefetcher follows them
	LEAQ(Mem{Base: src, Index: ld, Scale: 8}, ahead)
	Label("loop")
	bytes := vecs * t.Bytes >> 2 << l.shift
	for at := 0; at < bytes; at += 64 {
		PREFETCHT0(Mem{Base: ahead, Disp: at})
	}
	for j, x := range t.Reg[:vecs] {
		l.load(Mem{Base: src, Disp: j * t.Bytes >> 2 << l.shift}, x)
	}
	for j, x := range t.Reg[:vecs] {
		VMOVUPS(x, Mem{Base: dst, Disp: j * t.Bytes})
	}
	ADDQ(ld, src)
	ADDQ(ld, ahead)
	ADDQ(U32(columns*4), dst)
	DECQ(k)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// packPanelA emits the transposition of t.rows rows of A, a vector of columns at a time.
func (t tile) packPanelA(l loader) {
	name := fmt.Sprintf("packA%s%s", t.Name, l.suffix)
	lanes := t.Bytes / 4
	TEXT(name, NOSPLIT, fmt.Sprintf("func(dst []float32, src []%s, ld, k int)", l.element))
	Pragma("noescape")
	Doc(
		fmt.Sprintf("%s packs k columns of %d rows of A, k a positive multiple of %d:", name, t.rows, lanes),
		"",
		"\tfor p := range k {",
		fmt.Sprintf("\t\tfor i := range %d {", t.rows),
		fmt.Sprintf("\t\t\tdst[p*%d+i] = float32(src[i*ld+p])", t.rows),
		"\t\t}",
		"\t}",
	)
	t.packA(l, t.rows, lanes)
}
