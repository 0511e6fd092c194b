// Command dot generates the microkernels and packing loops of products whose packed elements are multiplied several
// at a time: 32 bits of a packed operand hold 2 bf16, 2 fp16, 2 int16 or 4 int8, neighbours along k, which one
// instruction multiplies and adds to one lane of C, or in fp16 to two halves of it.
package main

import (
	"flag"
	"fmt"
	"os"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// family is a set of routines for one packed form.
type family struct {
	gen.Vectors
	name       string // in names of routines, behind that of the vectors
	rows, vecs int    // of the largest tile, vecs in vectors

	// dot adds to the lanes of acc the products of b, packed elements of B, and a, of A.
	dot         func(b, a, acc, temporary reg.VecPhysical)
	temporaries int // registers that dot needs beside
	// add adds a vector of C.
	add func(m Op, y, x Op)

	step   int // elements along k in 32 bits
	stored int // bytes of an element as it is stored
	// load reads a vector's worth of elements of a row of A, or of a column of B, as they are packed.
	load func(m Mem, x reg.VecPhysical)
	// biased says that elements of A are packed as unsigned bytes, 128 more than they are, for which the tile
	// subtracts 128·Σb: the tail of a panel of B.
	biased bool
	// half says that C is fp16, and a lane of acc two fp16 sums.
	half bool
	// packed names the family, if not this one, whose packers are the same.
	packed string
	// loadB reads one vector's worth of columns of step rows of B, interleaved; masked by K1 if ragged.
	loadB func(c constants, row func(int) Mem, x reg.VecPhysical, ragged bool)
}

func (f family) routine(what string) string { return "dot" + f.Name + f.name + what }

// lanes are the columns of a vector of C.
func (f family) lanes() int { return f.Bytes / 4 }

var families = map[string][]family{
	"bf16": {
		{
			Vectors: gen.AVX512, name: "BF16", rows: 8, vecs: 3, step: 2, stored: 2, add: addPS,
			dot:  func(b, a, acc, _ reg.VecPhysical) { gen.VDPBF16PS.Emit([]Op{b, a, acc}) },
			load: plain, loadB: words512,
		},
	},
	"fp16": {
		{
			Vectors: gen.AVX512, name: "FP16", rows: 8, vecs: 3, step: 2, stored: 2, half: true, packed: "bf16",
			add: func(m, y, x Op) { addPH.Emit([]Op{m, y, x}) },
			dot: func(b, a, acc, _ reg.VecPhysical) { fmadd231PH.Emit([]Op{b, a, acc}) },
		},
	},
	"int8": {
		{
			Vectors: gen.AVX512, name: "VNNI", rows: 8, vecs: 3, step: 4, stored: 1, add: addD, biased: true,
			dot:  func(b, a, acc, _ reg.VecPhysical) { VPDPBUSD(b, a, acc) },
			load: plain, loadB: bytes512,
		},
		{
			Vectors: gen.AVX2, name: "VNNI", rows: 6, vecs: 2, step: 4, stored: 1, add: addD, biased: true,
			dot:  func(b, a, acc, _ reg.VecPhysical) { gen.VPDPBUSD.Emit([]Op{b, a, acc}) },
			load: plain, loadB: bytes256,
		},
		{
			Vectors: gen.AVX512, name: "INT16", rows: 8, vecs: 3, step: 2, stored: 1, add: addD,
			dot: int16s, temporaries: 2, load: widened, loadB: widened512,
		},
		{
			Vectors: gen.AVX2, name: "INT16", rows: 6, vecs: 2, step: 2, stored: 1, add: addD,
			dot: int16s, temporaries: 1, load: widened, loadB: widened256,
		},
	},
}

func int16s(b, a, acc, temporary reg.VecPhysical) {
	VPMADDWD(b, a, temporary)
	VPADDD(temporary, acc, acc)
}

func addPS(m, y, x Op) { VADDPS(m, y, x) }

func addD(m, y, x Op) { VPADDD(m, y, x) }

func plain(m Mem, x reg.VecPhysical) { VMOVUPS(m, x) }

func widened(m Mem, x reg.VecPhysical) { VPMOVSXBW(m, x) }

func main() {
	which := flag.String("family", "", "bf16, fp16 or int8")
	flag.Parse()
	fs, ok := families[*which]
	if !ok {
		fmt.Fprintf(os.Stderr, "dot: family %q is none of bf16, fp16 and int8\n", *which)
		os.Exit(2)
	}
	for _, f := range fs {
		var c constants
		if f.packed == "" {
			c = newConstants(f)
		}
		var tiles []string
		for vecs := 1; vecs <= f.vecs; vecs++ {
			for rows := 1; rows <= f.rows; rows++ {
				tiles = append(tiles, f.tile(c, rows, vecs))
			}
		}
		if f.packed != "" {
			gen.Table(f.routine("Tiles"), tiles)
			gen.Table(f.routine("Loop"), []string{f.loop()})
			continue
		}
		var packs []string
		for vecs := 1; vecs <= f.vecs; vecs++ {
			packs = append(packs, f.packB(c, vecs, false))
		}
		if f.Bytes == 64 {
			for vecs := 1; vecs <= f.vecs; vecs++ {
				packs = append(packs, f.packB(c, vecs, true))
			}
		}
		if f.wide() {
			packs = append(packs, f.packATWide(c))
		}
		packs = append(packs, f.packA(c), f.packBT(c), f.packAT(c))
		gen.Table(f.routine("Tiles"), tiles)
		gen.Table(f.routine("Packers"), packs)
	}
	Generate()
}
