package ptxvm

// lanes32 is one register of a warp: a value a lane. 16-bit values have their upper half zero.
type lanes32 = [32]uint32

// lanes64 is a 64-bit register of a warp.
type lanes64 = [32]uint64

// execute runs one instruction for the lanes of m, which is not 0.
type execute func(w *warp, m uint32)

type flow byte

const (
	flowNext flow = iota // run exec, go on
	flowBranch
	flowExit
	flowBarrier
)

type tallyKind byte

const (
	tallyNone tallyKind = iota
	tallyFMA32
	tallyFMA64
	tallyHFMA2
	tallyMMA
)

// instruction is one decoded instruction.
type instruction struct {
	exec         execute
	flow         flow
	not          bool  // the guard is negated
	guard        int32 // predicate register, or -1
	guardChecked bool  // it may not have been written
	target       int32 // flowBranch: index of an instruction

	barrier operandIndex // flowBarrier: its number
	count   operandIndex // flowBarrier: threads that take part
	counted bool         // count is given

	// Registers by class that must have been written, and those whose writes such a check asks for.
	reads, writes   [3][]int32
	checked, marked bool // there are some

	line  int
	name  string
	class Class
	tally tallyKind
	macs  int // multiply-adds a warp

	loadBytes, storeBytes, sharedBytes int // a thread
}

// operandIndex says where a source operand is: a register from 0 on, a constant of the
// function below (see [constants]).
type operandIndex = int32

// constants are the immediate operands of a function, spread over the lanes so that they
// read like registers. Index i of a pool is operand ^i.
type constants struct {
	pool32 []lanes32
	pool64 []lanes64
	at32   map[uint32]operandIndex
	at64   map[uint64]operandIndex
}

func (c *constants) of32(v uint32) operandIndex {
	if i, ok := c.at32[v]; ok {
		return i
	}
	if c.at32 == nil {
		c.at32 = map[uint32]operandIndex{}
	}
	var l lanes32
	for i := range l {
		l[i] = v
	}
	i := ^operandIndex(len(c.pool32))
	c.pool32, c.at32[v] = append(c.pool32, l), i
	return i
}

func (c *constants) of64(v uint64) operandIndex {
	if i, ok := c.at64[v]; ok {
		return i
	}
	if c.at64 == nil {
		c.at64 = map[uint64]operandIndex{}
	}
	var l lanes64
	for i := range l {
		l[i] = v
	}
	i := ^operandIndex(len(c.pool64))
	c.pool64, c.at64[v] = append(c.pool64, l), i
	return i
}

// src32 and src64 are where the source operand i of a warp lies.
func (w *warp) src32(i operandIndex) *lanes32 {
	if i >= 0 {
		return &w.r32[i]
	}
	return &w.c32[^i]
}

func (w *warp) src64(i operandIndex) *lanes64 {
	if i >= 0 {
		return &w.r64[i]
	}
	return &w.c64[^i]
}
