package ptxvm

import "math/bits"

const everyLane = ^uint32(0)

// group is lanes of a warp that stand at one instruction.
type group struct {
	pc   int32
	mask uint32
}

type warpState byte

const (
	warpReady warpState = iota
	warpWaiting
	warpDone
)

// warp is 32 threads in lockstep. Where they part, the group at the lowest instruction runs
// first, and groups that meet run on as one.
type warp struct {
	block *block
	id    int

	r32 []lanes32
	r64 []lanes64
	p   []uint32 // predicates: a bit a lane
	c32 []lanes32
	c64 []lanes64

	written [3][]uint32 // lanes that wrote each register, by class

	current group
	others  []group
	exists  uint32 // lanes with a thread
	live    uint32 // those that have not exited

	state   warpState
	barrier uint32
	count   uint32 // threads that the barrier waits for; 0: all

	phase uint32 // times that bar.warp.sync ordered its lanes
	async asyncCopies
	local []byte // of 32 lanes
}

// run runs the warp until it waits at a barrier or all its threads have exited.
func (w *warp) run() {
	code := w.block.function.code
	t := w.block.tally
	limit := w.limit()
	budget := w.block.budget
	for {
		if w.current.pc >= limit || w.current.mask == 0 {
			if !w.regroup() {
				w.state = warpDone
				break
			}
			limit = w.limit()
		}
		in := &code[w.current.pc]
		m := w.guarded(in, w.current.mask)
		t.issued[w.current.pc]++
		if m != everyLane {
			t.masked[w.current.pc] += int64(32 - bits.OnesCount32(m))
		}
		if budget--; budget < 0 {
			w.fail(FaultBudget, -1, "a block runs more than %d warp instructions", w.block.launch.budget())
		}
		switch in.flow {
		case flowNext:
			if m != 0 {
				if in.checked {
					w.checkReads(in, m)
				}
				in.exec(w, m)
				if in.marked {
					w.markWrites(in, m)
				}
			}
			w.current.pc++
		case flowBranch:
			if w.block.stopped() {
				w.fail(FaultBudget, -1, "ended from outside")
			}
			w.branch(in.target, m)
			limit = w.limit()
		case flowExit:
			w.live &^= m
			w.current.mask &^= m
			w.current.pc++
		case flowBarrier:
			if m == 0 {
				w.current.pc++
				continue
			}
			w.checkReads(in, m)
			w.arrive(in, m)
			w.current.pc++
			w.block.budget = budget
			return
		}
	}
	w.block.budget = budget
}

// limit is the lowest instruction at which another group waits.
func (w *warp) limit() int32 {
	limit := int32(1<<31 - 1)
	for _, g := range w.others {
		limit = min(limit, g.pc)
	}
	return limit
}

// regroup makes the lowest group the current one, with all that wait at its instruction;
// false if no lane is left.
func (w *warp) regroup() bool {
	if w.current.mask != 0 {
		w.others = append(w.others, w.current)
	}
	w.current = group{pc: w.limit()}
	kept := w.others[:0]
	for _, g := range w.others {
		if g.pc == w.current.pc {
			w.current.mask |= g.mask
		} else {
			kept = append(kept, g)
		}
	}
	w.others = kept
	return w.current.mask != 0
}

func (w *warp) branch(target int32, taken uint32) {
	switch taken {
	case 0:
		w.current.pc++
	case w.current.mask:
		w.current.pc = target
	default:
		w.others = append(w.others, group{target, taken})
		w.current.mask &^= taken
		w.current.pc++
	}
}

// arrive takes the warp to a barrier, at which it waits.
func (w *warp) arrive(in *instruction, m uint32) {
	if m != w.exists {
		missing := bits.TrailingZeros32(w.exists &^ m)
		w.fail(FaultBarrier, missing, "a barrier reached by lanes %#08x of a warp of %#08x", m, w.exists)
	}
	w.state = warpWaiting
	w.barrier, w.count = w.src32(in.barrier)[0], 0
	if in.counted {
		w.count = w.src32(in.count)[0]
		if w.count == 0 || w.count%32 != 0 {
			w.fail(FaultBarrier, -1, "a barrier for %d threads, not a multiple of 32", w.count)
		}
	}
	if w.barrier >= 16 {
		w.fail(FaultBarrier, -1, "barrier %d, not within 0 to 15", w.barrier)
	}
}

// guarded are the lanes of m that the guard lets through.
func (w *warp) guarded(in *instruction, m uint32) uint32 {
	if in.guard < 0 {
		return m
	}
	if in.guardChecked {
		if missing := m &^ w.written[classPred][in.guard]; missing != 0 {
			w.unwritten(missing)
		}
	}
	if in.not {
		return m &^ w.p[in.guard]
	}
	return m & w.p[in.guard]
}

// checkReads faults if the instruction reads a register that some lane of m never wrote.
func (w *warp) checkReads(in *instruction, m uint32) {
	for class := range in.reads {
		for _, r := range in.reads[class] {
			if missing := m &^ w.written[class][r]; missing != 0 {
				w.unwritten(missing)
			}
		}
	}
}

func (w *warp) unwritten(lanes uint32) {
	w.fail(FaultRegister, bits.TrailingZeros32(lanes), "a register is read that was never written")
}

func (w *warp) markWrites(in *instruction, m uint32) {
	for class := range in.writes {
		for _, r := range in.writes[class] {
			w.written[class][r] |= m
		}
	}
}

// whole faults unless all 32 lanes run a collective together.
func (w *warp) whole(m uint32, name string) {
	if m != everyLane {
		w.fail(FaultCollective, bits.TrailingZeros32(^m), "%s by lanes %#08x: all 32 must run it together", name, m)
	}
}

// members faults unless the lanes that run a collective are those that its mask names.
func (w *warp) members(m uint32, named *lanes32, name string) {
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l)
		if named[i] != m {
			w.fail(FaultCollective, i, "%s for lanes %#08x, run by lanes %#08x", name, named[i], m)
		}
	}
}
