// Command linear generates the kernels of products with packed weights, and what prepares rows of x for
// them.
//
// A kernel takes a panel of 16 columns of the weights, a vector of 32-bit sums for each row of x, and
// reads it from end to end. Its argument, in DI, is a linearArgs.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// panel is how many columns a kernel computes.
const panel = 16

// Offsets in linearArgs.
const (
	argW     = 0
	argX     = 8
	argY     = 16
	argLDY   = 24
	argRows  = 32
	argSteps = 40
	argAdd   = 48
	argTile  = 56
	argCount = 64
)

// The registers of every kernel. What is not named here is free.
var (
	args  = reg.RDI
	w     = reg.RSI // weights
	x     = reg.RDX // prepared rows of x
	steps = reg.RCX
	y     = reg.R8
	ldy   = reg.R9
	rows  = reg.R10
	tile  = reg.R11
	scale = reg.R12 // scales of groups
	count = reg.R13
)

// family is a set of kernels for one packed form, one for each of some numbers of rows.
type family struct {
	name string
	gen.Vectors
	heights []int
	stride  int // bytes between prepared rows of x

	lineCycles float64 // of arithmetic for a row and 64 bytes of weights

	integer bool
	emit    func(k kernel)
}

// kernel is one of them.
type kernel struct {
	family
	rows  int
	parts int // vectors of a row's sums
	free  []reg.VecPhysical

	constants []reg.VecPhysical // of a form that has some
}

// take reserves n vector registers.
func (k *kernel) take(n int) []reg.VecPhysical {
	if n > len(k.free) {
		panic(fmt.Sprintf("%s, %d rows: %d registers are missing", k.name, k.rows, n-len(k.free)))
	}
	taken := k.free[:n:n]
	k.free = k.free[n:]
	return taken
}

// sums are accumulators: of each row, phases x parts. Products go to the phases in turn, so that few
// rows still have as many chains in flight as the latency of an addition asks for.
type sums struct {
	k      kernel
	phases int
	reg    []reg.VecPhysical
}

func (k *kernel) sums(phases int) sums {
	return sums{*k, phases, k.take(k.rows * phases * k.parts)}
}

func (s sums) at(row, phase, part int) reg.VecPhysical {
	return s.reg[(row*s.phases+phase)*s.k.parts+part]
}

// clear sets all to 0.
func (s sums) clear() { s.k.Zero(s.reg...) }

// reduce adds all phases to the first.
func (s sums) reduce() {
	for phase := s.phases - 1; phase > 0; phase-- {
		for row := range s.k.rows {
			for part := range s.k.parts {
				s.k.add(s.at(row, phase, part), s.at(row, 0, part))
			}
		}
	}
}

// add adds sums.
func (k kernel) add(from Op, to reg.VecPhysical) {
	if k.integer {
		VPADDD(from, to, to)
	} else {
		VADDPS(from, to, to)
	}
}

// load reads the arguments that every kernel needs at its start, and begins the loop over panels.
func (k kernel) load() {
	MOVQ(Mem{Base: args, Disp: argW}, w)
	gen.Align(64)
	Label("panel")
	MOVQ(Mem{Base: args, Disp: argX}, x)
	MOVQ(Mem{Base: args, Disp: argSteps}, steps)
	k.prefetchY()
}

// row is the address of x for a row, disp bytes on.
func (k kernel) row(i, disp int) Mem { return Mem{Base: x, Disp: i*k.stride + disp} }

// prefetch asks for lines of the weights, from disp bytes behind base on.
//
// A thread's weights are one stream from memory. Where memory is slower than arithmetic, the hardware's own prefetchers
// are all but fast enough: they stop at each page, and one line in four, asked for far ahead, starts them at the next one (Zen 4,
// 1 row of fp32: 35 GB/s a thread, 30 without, 23 if every line is asked for, since there is room for 24 such lines under
// way). Where arithmetic is slower, they fall behind, and every line is asked for (8 rows: 27 GB/s and 20). Between
// the two it is best to ask for all of them, into L1 (4 rows of quantised int8: 26 GB/s, 20 and 22.5 in the other ways).
func (k kernel) prefetch(base reg.Register, disp, lines int) {
	ask, ahead, every := PREFETCHT1, 16384, 4
	switch cycles := float64(k.rows) * k.lineCycles; {
	case cycles >= arithmeticBound:
		ask, ahead, every = PREFETCHT1, 8192, 1
	case cycles > memoryBound:
		ask, ahead, every = PREFETCHT0, 4096, 1
	}
	for i := range lines {
		if (disp/64+i)%every == 0 {
			ask(Mem{Base: base, Disp: disp + ahead + 64*i})
		}
	}
}

// Cycles of arithmetic for a line of 64 bytes, which comes from memory in about 7: up to, and from which on, that is of one kind.
const memoryBound, arithmeticBound = 4.3, 6.0

// prefetchY asks for the lines of y, which no prefetcher of the hardware foresees, a row of y being far from the
// next: by the time that they are read or written, they are there.
func (k kernel) prefetchY() {
	MOVQ(Mem{Base: args, Disp: argY}, y)
	MOVQ(Mem{Base: args, Disp: argLDY}, ldy)
	for row := range k.rows {
		if row > 0 {
			ADDQ(ldy, y)
		}
		PREFETCHT0(Mem{Base: y})
	}
}

// store writes the rows that there are to y, or adds them to it.
func (k kernel) store(sum func(row, part int) reg.VecPhysical) {
	at := func(part int) Mem { return Mem{Base: y, Disp: part * k.Bytes} }
	each := func(end string, f func(row, part int)) {
		MOVQ(Mem{Base: args, Disp: argY}, y)
		for row := range k.rows {
			if row > 0 {
				CMPQ(rows, U8(row))
				JLE(LabelRef(end))
				ADDQ(ldy, y)
			}
			for part := range k.parts {
				f(row, part)
			}
		}
	}
	MOVQ(Mem{Base: args, Disp: argRows}, rows)
	CMPQ(Mem{Base: args, Disp: argAdd}, U8(0))
	JE(LabelRef("store"))
	each("store", func(row, part int) { k.add(at(part), sum(row, part)) })
	Label("store")
	each("stored", func(row, part int) { VMOVUPS(sum(row, part), at(part)) })
	Label("stored")
	ADDQ(U8(panel*4), Mem{Base: args, Disp: argY})
	DECQ(Mem{Base: args, Disp: argCount})
	JNZ(LabelRef("panel"))
	VZEROUPPER()
	RET()
}

// advance adds to a pointer.
func advance(r reg.Register, bytes int) { ADDQ(U32(bytes), r) }

func main() {
	var names []string
	for _, f := range append(append(dense(), grouped()...), vnni()...) {
		for _, rows := range f.heights {
			name := fmt.Sprintf("linear%sr%d", f.name, rows)
			gen.Routine(name)
			f.emit(kernel{family: f, rows: rows, parts: panel * 4 / f.Bytes, free: f.Reg})
			names = append(names, name)
		}
	}
	names = append(names, preparers()...)

	gen.Table("linearTable", names)
	Generate()
}
