package main

import (
	"fmt"
	"math/bits"
)

// Where a packer keeps what, and the offsets of its arguments: packArgs in package cpu.
const (
	packDst, packSrc, packLD, packStride, packK = "R1", "R2", "R3", "R4", "R5"
	packAhead                                   = "R6"
)

// conversion is how an element changes on its way into a panel.
type conversion struct {
	name         string
	stored, unit int // bytes of an element before and after
	widen        func(d, n int) word
}

var (
	fromFP16 = conversion{"FP16", 2, 4, func(d, n int) word { return fcvtl.op(d, n, 0) }}
	fromBF16 = conversion{"BF16", 2, 4, shll16}
	fromINT8 = conversion{"INT8", 1, 2, func(d, n int) word { return sxtl.op(d, n, 0) }}
)

// as is the copy of elements of a size.
func as(bytes int) conversion {
	return conversion{name: fmt.Sprintf("%d", 8*bytes), stored: bytes, unit: bytes}
}

// load fills a vector of the unit's with elements at an offset from base.
func (c conversion) load(asm *text, base string, offset, vector int) {
	if c.widen == nil {
		asm.op("FMOVQ %d(%s), F%d", offset, base, vector)
		return
	}
	asm.op("FMOVD %d(%s), F%d", offset, base, vector)
	asm.word(c.widen(vector, vector))
}

func packFile(asm, stubs *text) {
	for _, c := range []conversion{as(1), fromFP16, fromBF16, fromINT8} {
		var routines []string
		for vecs := 1; vecs <= 4; vecs++ {
			routines = append(routines, c.rows(asm, vecs))
		}
		name := "packRowsNEON" + c.name
		asm.table(name, routines)
		fmt.Fprintf(stubs, `
// %s copy k pieces of rows that lie ld bytes apart, of 1 to 4 vectors as packed, to where they are contiguous:
//
//	for p := range k {
//		for j := range columns {
//			dst[p*columns+j] = src[p][j]
//		}
//	}
func %s() *[%d]uintptr
`, name, name, len(routines))
	}
	for _, c := range []conversion{as(2), as(4), as(8), fromFP16, fromBF16, fromINT8} {
		name := "packColumnsNEON" + c.name
		asm.table(name, []string{c.columns(asm)})
		rows := 16 / c.unit
		fmt.Fprintf(stubs, `
// %s transposes %d rows that lie ld bytes apart, k a positive multiple of %d; columns come to lie stride bytes apart:
//
//	for p := range k {
//		for i := range %d {
//			dst[p][i] = src[i][p]
//		}
//	}
func %s() *[1]uintptr
`, name, rows, rows, rows, name)
	}
	for _, w := range interleaves {
		var routines []string
		for vecs := 1; vecs <= 3; vecs++ {
			routines = append(routines, w.emit(asm, vecs))
		}
		name := "packStepsNEON" + w.name
		asm.table(name, routines)
		fmt.Fprintf(stubs, `
// %s pack k steps of %d rows that lie ld bytes apart, of 4, 8 or 12 columns, so that a column's elements of a
// step are contiguous:
//
//	for s := range k {
//		for j := range columns {
//			for p := range %d {
//				dst[(s*columns+j)*%d+p] = src[s*%d+p][j]
//			}
//		}
//	}
func %s() *[%d]uintptr
`, name, w.step, w.step, w.step, w.step, name, len(routines))
	}
}

func (c conversion) begin(asm *text, name string) {
	asm.routine(name)
	for i, register := range []string{packDst, packSrc, packLD, packStride, packK} {
		asm.op("MOVD %d(R0), %s", 8*i, register)
	}
}

// rows emits the copy of pieces of rows. Rows are far apart, and no prefetcher of the CPU follows
// them: it asks for the row that comes eight later.
func (c conversion) rows(asm *text, vecs int) string {
	name := fmt.Sprintf("packRowsNEON%sv%d", c.name, vecs)
	c.begin(asm, name)
	asm.op("ADD %s<<3, %s, %s", packLD, packSrc, packAhead)
	asm.label("loop")
	asm.op("PRFM (%s), PLDL1KEEP", packAhead)
	for j := range vecs {
		c.load(asm, packSrc, 16*j*c.stored/c.unit, j)
	}
	asm.storeQ(packDst, 0, upTo(0, vecs)...)
	asm.op("ADD %s, %s", packLD, packSrc)
	asm.op("ADD %s, %s", packLD, packAhead)
	asm.op("ADD $%d, %s", 16*vecs, packDst)
	asm.op("SUB $1, %s", packK)
	asm.op("CBNZ %s, loop", packK)
	asm.op("RET")
	return name
}

// rowRegisters point to rows that are read side by side.
var rowRegisters = []string{"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}

// pointRows makes the first n of rowRegisters point to rows from packSrc on.
func pointRows(asm *text, n int) []string {
	asm.op("MOVD %s, %s", packSrc, rowRegisters[0])
	for i := 1; i < n; i++ {
		asm.op("ADD %s, %s, %s", packLD, rowRegisters[i-1], rowRegisters[i])
	}
	return rowRegisters[:n]
}

// columns emits the transposition of as many rows as a vector has elements, as many columns at a time.
func (c conversion) columns(asm *text) string {
	name := "packColumnsNEON" + c.name + "x"
	n := 16 / c.unit
	c.begin(asm, name)
	rows := pointRows(asm, n)
	asm.label("loop")
	for i, row := range rows {
		c.load(asm, row, 0, i)
	}
	for _, row := range rows {
		asm.op("ADD $%d, %s", n*c.stored, row)
	}
	for _, x := range shuffle(asm, c.unit, 16, upTo(0, n), upTo(n, n)) {
		asm.op("FMOVQ F%d, (%s)", x, packDst)
		asm.op("ADD %s, %s", packStride, packDst)
	}
	asm.op("SUBS $%d, %s", n, packK)
	asm.op("BNE loop")
	asm.op("RET")
	return name
}

// interleave is the packing of steps of several rows.
type interleave struct {
	name        string
	bytes, step int // of an element; rows of a step
}

var interleaves = []interleave{{"Dot", 1, 4}, {"I8MM", 1, 8}, {"BF16", 2, 4}}

func (w interleave) emit(asm *text, vecs int) string {
	name := fmt.Sprintf("packStepsNEON%sv%d", w.name, vecs)
	as(w.bytes).begin(asm, name)
	rows := pointRows(asm, w.step)
	asm.op("LSL $%d, %s", bits.TrailingZeros(uint(w.step)), packLD) // to the next step
	asm.label("loop")
	for group := range vecs {
		load := map[int]string{4: "FMOVS", 8: "FMOVD"}[4*w.bytes]
		for i, row := range rows {
			asm.op("%s %d(%s), F%d", load, 4*w.bytes*group, row, i)
		}
		packed := shuffle(asm, w.bytes, 4*w.bytes, upTo(0, w.step), upTo(w.step, w.step))
		asm.storeQ(packDst, 16*len(packed)*group, packed...)
	}
	for _, row := range rows {
		asm.op("ADD %s, %s", packLD, row)
	}
	asm.op("ADD $%d, %s", 4*w.bytes*w.step*vecs, packDst)
	asm.op("SUB $1, %s", packK)
	asm.op("CBNZ %s, loop", packK)
	asm.op("RET")
	return name
}

// shuffle emits what brings the elements of a column together, of vectors of which each holds a row, valid
// bytes of it, and returns the vectors that then hold the columns, one after the other. It is the perfect shuffle of all the elements, once
// for each halving of the rows (H. Stone, "Parallel processing with the perfect shuffle", IEEE Trans. Computers C-20(2),
// 1971), which for as many rows as columns is the transposition. spare are as many registers to work in.
func shuffle(asm *text, element, valid int, rows, spare []int) []int {
	for rounds := len(rows); rounds > 1; rounds /= 2 {
		half := len(rows) / 2
		var out []int
		for i := range half {
			x := spare[len(out)]
			asm.word(zip1[element].op(x, rows[i], rows[i+half]))
			out = append(out, x)
			if valid == 16 {
				x := spare[len(out)]
				asm.word(zip2[element].op(x, rows[i], rows[i+half]))
				out = append(out, x)
			}
		}
		rows, spare, valid = out, rows, min(16, 2*valid)
	}
	return rows
}
