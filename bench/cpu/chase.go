package cpu

import (
	"fmt"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels/cpu"
)

// chaseLoads is how many loads a thread makes before it asks whether to stop: a tenth of a second in memory.
const chaseLoads = 1 << 20

// walker is one thread on the cycle.
type walker struct {
	start, end *cpu.Line
	_          [112]byte // the others' lie on other pairs of cache lines
}

// bindChase: in a pass each thread walks the whole cycle, from a line of its own to that line again; an element of
// the shape is a line. With several threads the figure is the latency while all of them load.
func bindChase(w *workload, c bench.Case, pool *cpu.Pool, f *cpu.Chase) error {
	n := c.Shape.N
	cycle := f.Cycle
	if w.node != nil {
		cycle = func(n int, seed uint64) ([]cpu.Line, func(), error) { return f.CycleOn(*w.node, n, seed) }
	}
	lines, free, err := cycle(n, c.Seed)
	if err != nil {
		return err
	}
	w.frees = append(w.frees, free)
	walkers := make([]walker, pool.Threads())
	for i := range walkers {
		at, _ := cpu.Split(n, 1, pool.Threads(), i)
		walkers[i].start = &lines[min(at, n-1)]
	}
	w.run = func(passes int) {
		pool.Run(func(tid int) {
			at := walkers[tid].start
			for range passes {
				for left := n; left > 0; left -= chaseLoads {
					if pool.Stopped() {
						return
					}
					at = f.Walk(at, min(left, chaseLoads))
				}
			}
			walkers[tid].end = at
		})
	}
	w.poison = func() {
		for i := range walkers {
			walkers[i].end = nil
		}
	}
	w.verify = func() error {
		for i, x := range walkers {
			if x.end != x.start {
				return fmt.Errorf("thread %d: %d loads from line %d on end at another line: the cycle was not walked to its end", i, n, cpu.LineIndex(lines, x.start))
			}
		}
		if length := cpu.CycleLength(lines); length != n {
			return fmt.Errorf("the cycle has %d lines, want %d", length, n)
		}
		return nil
	}
	w.checksum = func() uint64 {
		h := uint64(hashBasis)
		for i, x := range walkers {
			if x.end != x.start {
				h = hashWord(h, uint64(i+1))
			}
		}
		return h
	}
	return nil
}
