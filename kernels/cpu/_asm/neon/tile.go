package main

import "fmt"

// Where a microkernel keeps what (R0 is the address of its arguments).
const (
	regA, regB, regC, regNext, regK, regLDC    = "R1", "R2", "R3", "R4", "R5", "R6"
	regAdd, regRow, regBlocks, regRows, regLDB = "R7", "R8", "R9", "R10", "R11"
)

// Offsets of the arguments: tileArgs in package cpu.
const (
	argA, argB, argC, argNext, argK, argLDB, argLDC, argAdd, argMask = 0, 8, 16, 24, 32, 40, 48, 56, 64
)

const (
	tileRows   = 8 // of every microkernel's tile, and of a panel of A
	tileUnroll = 4 // steps of a pass of the main loop, and a cache line of next
)

// family is the microkernels of one packed form. Panels lie in steps, of KStep along k: in a step of A a
// unit of KStep elements for each of tileRows rows, in one of B the same for each column.
type family struct {
	name   string
	vecs   int        // vectors of C, across, of the largest tile
	unit   int        // bytes
	add    vector     // c + a·b, in the accumulators' type
	direct bool       // B may be as it is stored: steps are ldb apart
	stored conversion // of B, where it is not as packed; then B can only be as it is stored, and its loads are what takes the time

	// rowwise's: what multiplies a vector of B by elements of A, in as many parts as it takes; the vectors of C are
	// a part each.
	by []element
	// pairwise's: what multiplies two rows of A by two columns of B, in place of by.
	pair vector
}

var families = []family{
	{name: "FP32", vecs: 3, unit: 4, add: faddS, direct: true, by: []element{fmlaByS}},
	{name: "FP32DirectFP16", vecs: 3, unit: 4, add: faddS, direct: true, stored: fromFP16, by: []element{fmlaByS}},
	{name: "FP32DirectBF16", vecs: 3, unit: 4, add: faddS, direct: true, stored: fromBF16, by: []element{fmlaByS}},
	{name: "FP64", vecs: 3, unit: 8, add: faddD, direct: true, by: []element{fmlaByD}},
	{name: "FP16", vecs: 3, unit: 2, add: faddH, direct: true, by: []element{fmlaByH}},
	{name: "INT8", vecs: 2, unit: 2, add: addS, by: []element{smlalByH, smlal2ByH}},
	{name: "Dot", vecs: 3, unit: 4, add: addS, by: []element{sdotBy4B}},
	{name: "BF16", vecs: 3, unit: 8, add: faddS, pair: bfmmla},
	{name: "I8MM", vecs: 3, unit: 8, add: addS, pair: smmla},
}

func gemmFile(asm, stubs *text) {
	for _, f := range families {
		parts := max(1, len(f.by))
		accessor := "gemmNEON" + f.name
		var routines []string
		for vecs := parts; vecs <= f.vecs; vecs += parts {
			for rows := 1; rows <= tileRows; rows++ {
				name := fmt.Sprintf("%sr%dv%d", accessor, rows, vecs)
				switch {
				case len(f.by) > 0:
					f.rowwise(asm, name, rows, vecs)
				case rows%2 == 0:
					f.pairwise(asm, name, rows/2, vecs)
				default: // of an odd number of rows, the last pair's second row is not stored
					name = fmt.Sprintf("%sr%dv%d", accessor, rows+1, vecs)
				}
				routines = append(routines, name)
			}
		}
		asm.table(accessor, routines)
		f.stub(stubs, accessor, len(routines))
	}
}

// stub tells what the microkernels of a family compute.
func (f family) stub(stubs *text, accessor string, routines int) {
	fmt.Fprintf(stubs, `
// %s are the microkernels with %s, those of 1 to %d rows for each width, the narrowest first:
//
//	for i := range rows {
//		for j := range columns {
//			sum := 0
//			for p := range k * KStep {
//				sum += a[p/KStep][i][p%%KStep] * b[p/KStep][j][p%%KStep]
//			}
//			if add {
//				sum += c[i][j]
//			}
//			c[i][j] = sum
//		}
//	}
func %s() *[%d]uintptr
`, accessor, f.instruction(), tileRows, accessor, routines)
}

func (f family) instruction() string {
	if f.by == nil {
		return f.pair.name
	}
	return f.by[0].name + " by element"
}

// begin loads the arguments, asks for C, which is needed when the loop is over, and clears the
// accumulators.
func (f family) begin(asm *text, name string, rows, vecs int, acc []int) {
	asm.routine(name)
	for _, load := range []struct {
		register string
		offset   int
	}{{regA, argA}, {regB, argB}, {regC, argC}, {regNext, argNext}, {regK, argK}, {regLDC, argLDC}, {regAdd, argAdd}} {
		asm.op("MOVD %d(R0), %s", load.offset, load.register)
	}
	if f.direct {
		asm.op("MOVD %d(R0), %s", argLDB, regLDB)
	}
	asm.op("MOVD %s, %s", regC, regRow)
	for i := range rows {
		asm.op("PRFM (%s), PSTL1KEEP", regRow)
		if i < rows-1 {
			asm.op("ADD %s, %s", regLDC, regRow)
		}
	}
	for _, x := range acc {
		asm.word(zero(x))
	}
}

// loop emits the steps along k: tileUnroll at a time with a cache line of next where the tile is whole, then one by
// one. Narrower tiles are at the edge of C.
// step(u) is step u of a pass, which moves B on itself in the direct form; a and b are the bytes of a step.
func (f family) loop(asm *text, vecs, a, b int, step func(u int)) {
	if f.stored.widen == nil && vecs == f.vecs {
		f.unrolled(asm, a, b, step)
	}
	asm.op("CBZ %s, done", regK)
	asm.label("one")
	step(0)
	asm.op("ADD $%d, %s", a, regA)
	if !f.direct {
		asm.op("ADD $%d, %s", b, regB)
	}
	asm.op("SUB $1, %s", regK)
	asm.op("CBNZ %s, one", regK)
	asm.label("done")
}

func (f family) unrolled(asm *text, a, b int, step func(u int)) {
	asm.op("LSR $2, %s, %s", regK, regBlocks)
	asm.op("AND $%d, %s", tileUnroll-1, regK)
	asm.op("CBZ %s, tail", regBlocks)
	asm.op("PCALIGN $64")
	asm.label("loop")
	asm.op("PRFM (%s), PLDL2KEEP", regNext)
	for u := range tileUnroll {
		step(u)
	}
	asm.op("ADD $%d, %s", a*tileUnroll, regA)
	if !f.direct {
		asm.op("ADD $%d, %s", b*tileUnroll, regB)
	}
	asm.op("ADD $64, %s", regNext)
	asm.op("SUB $1, %s", regBlocks)
	asm.op("CBNZ %s, loop", regBlocks)
	asm.label("tail")
}

// rowwise emits a microkernel whose accumulators are vectors of rows of C. Elements of A come from the
// lowest registers, since an element of halves can be of no other.
func (f family) rowwise(asm *text, name string, rows, vecs int) {
	perVector := 16 / f.unit
	a := upTo(0, (rows+perVector-1)/perVector)
	b := upTo(len(a), vecs/len(f.by))
	acc := upTo(len(a)+len(b), rows*vecs)
	f.begin(asm, name, rows, vecs, acc)
	sizeA, sizeB := tileRows*f.unit, 16*len(b)
	f.loop(asm, vecs, sizeA, sizeB, func(u int) {
		switch {
		case f.stored.widen != nil:
			for j, y := range b {
				f.stored.load(asm, regB, j*16*f.stored.stored/f.stored.unit, y)
			}
			asm.op("ADD %s, %s", regLDB, regB)
		case f.direct:
			asm.loadQ(regB, 0, b...)
			asm.op("ADD %s, %s", regLDB, regB)
		default:
			asm.loadQ(regB, u*sizeB, b...)
		}
		asm.loadQ(regA, u*sizeA, a...)
		for i := range rows {
			for j, y := range b {
				for part, mla := range f.by {
					asm.word(mla.op(acc[i*vecs+j*len(f.by)+part], y, a[i/perVector], i%perVector))
				}
			}
		}
	})
	c := upTo(0, vecs) // A and B, at least as many, are done with
	asm.op("CBZ %s, store", regAdd)
	asm.op("MOVD %s, %s", regC, regRow)
	for i := range rows {
		asm.loadQ(regRow, 0, c...)
		for j, x := range acc[i*vecs:][:vecs] {
			asm.word(f.add.op(x, x, c[j]))
		}
		if i < rows-1 {
			asm.op("ADD %s, %s", regLDC, regRow)
		}
	}
	asm.label("store")
	for i := range rows {
		asm.storeQ(regC, 0, acc[i*vecs:][:vecs]...)
		if i < rows-1 {
			asm.op("ADD %s, %s", regLDC, regC)
		}
	}
	asm.op("RET")
}

// pairwise emits a microkernel whose accumulators are 2 x 2 elements of C, four in a step of two vectors of
// B at a time.
func (f family) pairwise(asm *text, name string, pairs, vecs int) {
	a, b := upTo(0, pairs), upTo(4, 4)
	acc := upTo(8, pairs*2*vecs)
	f.begin(asm, name, 2*pairs-1, vecs, acc)
	sizeA, sizeB := tileRows*f.unit, 32*vecs
	f.loop(asm, vecs, sizeA, sizeB, func(u int) {
		asm.loadQ(regA, u*sizeA, a...)
		for j := range vecs {
			columns := b[2*((u*vecs+j)%2):][:2]
			asm.loadQ(regB, u*sizeB+32*j, columns...)
			for i := range pairs {
				for half, y := range columns {
					asm.word(f.pair.op(acc[(i*vecs+j)*2+half], a[i], y))
				}
			}
		}
	})
	asm.op("MOVD %d(R0), %s", argMask, regRows)
	asm.op("CBZ %s, store", regAdd)
	f.storePairs(asm, pairs, vecs, acc, "end", true)
	asm.label("store")
	f.storePairs(asm, pairs, vecs, acc, "end", false)
	asm.label("end")
	asm.op("RET")
}

// storePairs emits the rows of C: of the two halves of a row's vector the first elements are the first row's.
// Where the number of rows is odd the last row is left out.
func (f family) storePairs(asm *text, pairs, vecs int, acc []int, end string, add bool) {
	out, c := upTo(0, vecs), upTo(vecs, vecs)
	for i := range 2 * pairs {
		if i == 2*pairs-1 {
			asm.op("TBNZ $0, %s, %s", regRows, end)
		}
		zip := zip1[8]
		if i%2 == 1 {
			zip = zip2[8]
		}
		for j, x := range out {
			at := (i/2*vecs + j) * 2
			asm.word(zip.op(x, acc[at], acc[at+1]))
		}
		if add {
			asm.loadQ(regC, 0, c...)
			for j, x := range out {
				asm.word(f.add.op(x, x, c[j]))
			}
		}
		asm.storeQ(regC, 0, out...)
		if i < 2*pairs-1 {
			asm.op("ADD %s, %s", regLDC, regC)
		}
	}
	if add {
		asm.op("B %s", end)
	}
}
