package ptxvm

import (
	"errors"
	"math/bits"
	"math/rand/v2"
	"strings"
)

// errStopped says that a block was not run to its end because another failed or the context ended.
var errStopped = errors.New("stopped")

// block is one block while it runs; it is used again for the next.
type block struct {
	runner   *runner
	launch   *Launch
	function *Function
	index    int
	warps    []*warp
	order    []*warp
	shared   sharedMemory
	tally    *tally
	met      []allocation // by memory instruction: the allocation it met last
	budget   int64
	rng      *rand.PCG
}

func newBlock(r *runner) *block {
	f := r.launch.Function
	b := &block{
		runner: r, launch: r.launch, function: f,
		tally: &tally{issued: make([]int64, len(f.code)), masked: make([]int64, len(f.code))},
		met:   make([]allocation, f.slots),
		rng:   rand.NewPCG(0, 0),
	}
	b.shared.reset(f.sharedTop + r.launch.Shared)
	for first := 0; first < r.launch.Block; first += 32 {
		w := &warp{
			block: b, id: first / 32,
			r32: make([]lanes32, f.registers[class32]),
			r64: make([]lanes64, f.registers[class64]),
			p:   make([]uint32, f.registers[classPred]),
			c32: f.constants.pool32, c64: f.constants.pool64,
			exists: everyLane,
			local:  make([]byte, 32*f.localBytes),
		}
		if n := r.launch.Block - first; n < 32 {
			w.exists = 1<<n - 1
		}
		for class := range w.written {
			w.written[class] = make([]uint32, f.registers[class])
		}
		b.warps = append(b.warps, w)
	}
	b.order = append(b.order, b.warps...)
	return b
}

// run runs block index from its start to its end.
func (b *block) run(index int) (err error) {
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case *Fault:
			err = fault
			if b.runner.stop.Load() && fault.Kind == FaultBudget {
				err = errStopped
			}
		default:
			panic(fault)
		}
	}()
	b.index, b.budget = index, b.launch.budget()
	b.rng.Seed(b.launch.Seed, uint64(index))
	b.shared.reset(len(b.shared.data))
	for _, w := range b.warps {
		w.start()
	}
	for {
		rand.New(b.rng).Shuffle(len(b.order), func(i, j int) { b.order[i], b.order[j] = b.order[j], b.order[i] })
		ran, done := false, true
		for _, w := range b.order {
			if w.state == warpReady {
				ran = true
				b.step(w)
			}
			done = done && w.state == warpDone
		}
		if done {
			b.tally.blocks++
			return nil
		}
		if released := b.release(); !released && !ran {
			b.stuck()
		}
	}
}

// step runs a warp; a fault of it learns here where it happened.
func (b *block) step(w *warp) {
	defer func() {
		if fault, ok := recover().(*Fault); ok {
			panic(b.locate(w, fault))
		}
	}()
	w.run()
}

func (b *block) locate(w *warp, fault *Fault) *Fault {
	f := b.function
	fault.Function, fault.Block = f.Name, b.index
	if pc := int(w.current.pc); pc < len(f.code) {
		fault.Line = f.code[pc].line
		fault.Source = lineOf(f.text, fault.Line)
	}
	return fault
}

func (b *block) stopped() bool { return b.runner.stop.Load() }

// start puts the warp at the function's first instruction.
func (w *warp) start() {
	w.current, w.others = group{0, w.exists}, w.others[:0]
	w.live, w.state = w.exists, warpReady
	w.async.reset()
	fill(w.local, Poison)
	for _, class := range w.written {
		clear(class)
	}
	for _, s := range w.block.function.specials {
		s.fill(w)
	}
}

// release lets warps go on whose barrier all have reached; false if there is none.
func (b *block) release() bool {
	var arrived, expected [16]uint32
	var alive uint32
	for _, w := range b.warps {
		if w.state != warpDone {
			alive += 32
		}
		if w.state == warpWaiting {
			arrived[w.barrier] += 32
			if w.count != 0 {
				expected[w.barrier] = w.count
			}
		}
	}
	released := false
	for id := range arrived {
		if expected[id] == 0 {
			expected[id] = alive
		}
		if arrived[id] == 0 || arrived[id] < expected[id] {
			continue
		}
		released = true
		b.shared.phase++ // a barrier of a part of the block counts as one of all: see shared.go
		for _, w := range b.warps {
			if w.state == warpWaiting && w.barrier == uint32(id) {
				w.state = warpReady
			}
		}
	}
	return released
}

// stuck faults at a warp that waits for ever.
func (b *block) stuck() {
	for _, w := range b.warps {
		if w.state == warpWaiting {
			w.current.pc-- // the barrier itself
			panic(b.locate(w, &Fault{
				Kind: FaultBarrier, Thread: w.id * 32, Text: "the other warps never reach this barrier",
			}))
		}
	}
}

func firstLane(m uint32) int { return bits.TrailingZeros32(m) & 31 }

// lineOf is line n of a text, counted from 1, without the space around it.
func lineOf(text string, n int) string {
	for line := range strings.Lines(text) {
		if n--; n == 0 {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
