package ptxvm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// DefaultBudget is how many warp instructions a block may run where a [Launch] sets no bound.
const DefaultBudget = 1 << 28

// maxBlocks is the largest grid in x.
const maxBlocks = 1<<31 - 1

// Launch is one kernel launch.
type Launch struct {
	Function  *Function
	Grid      int    // blocks, in x
	Block     int    // threads a block, in x
	Shared    int    // bytes of dynamic shared memory
	Params    []byte // the parameter block: Function.ParamBytes of it are read
	Blocks    []int  // those to run; nil: all
	Seed      uint64 // of the order in which blocks and warps run
	Exclusive bool   // two blocks that store to one byte are a fault; atomics are free to
	Budget    int64  // warp instructions a block; 0: DefaultBudget
	SMs       int    // for %smid and %nsmid; 0: 1
}

func (l *Launch) budget() int64 {
	if l.Budget > 0 {
		return l.Budget
	}
	return DefaultBudget
}

func (l *Launch) check() error {
	fault := func(format string, args ...any) error {
		return &Fault{Kind: FaultLaunch, Function: l.Function.Name, Text: fmt.Sprintf(format, args...)}
	}
	f := l.Function
	switch {
	case l.Grid < 1 || l.Grid > maxBlocks:
		return fault("a grid of %d blocks, not within 1 to %d", l.Grid, maxBlocks)
	case l.Block < 1 || l.Block > 1024:
		return fault("a block of %d threads, not within 1 to 1024", l.Block)
	case f.MaxThreads > 0 && l.Block > f.MaxThreads:
		return fault("a block of %d threads; the function is compiled for at most %d", l.Block, f.MaxThreads)
	case l.Shared < 0 || l.Shared+f.sharedTop > maxVariable:
		return fault("%d bytes of dynamic shared memory", l.Shared)
	case len(l.Params) < f.ParamBytes:
		return fault("%d bytes of parameters, where the function takes %d", len(l.Params), f.ParamBytes)
	}
	for _, b := range l.Blocks {
		if b < 0 || b >= l.Grid {
			return fault("block %d of a grid of %d", b, l.Grid)
		}
	}
	return nil
}

// runner is one launch while it runs.
type runner struct {
	launch *Launch
	memory []allocation
	atomic sync.Mutex // held by atom and red on global memory
	stop   atomic.Bool
}

// Run runs the blocks of a launch, several at a time where GOMAXPROCS allows, and counts what they
// did. A misuse by the kernel ends it with a [*Fault], which of several one is not
// determined; the memory then holds what had been written. Allocations made or
// freed while it runs are not seen.
func Run(ctx context.Context, mem *Memory, l Launch) (Counts, error) {
	if err := l.check(); err != nil {
		return Counts{}, err
	}
	if err := context.Cause(ctx); err != nil {
		return Counts{}, err
	}
	r := &runner{launch: &l, memory: mem.snapshot()}
	if len(l.Function.module.data) > 0 {
		// A clone: append must not write behind a list that others hold.
		r.memory = append([]allocation{{base: moduleBase, data: l.Function.module.data}}, r.memory...)
	}
	if l.Exclusive {
		r.memory = watchStores(r.memory)
	}
	stop := context.AfterFunc(ctx, func() { r.stop.Store(true) })
	defer stop()

	total := l.Grid
	if l.Blocks != nil {
		total = len(l.Blocks)
	}
	order := newOrder(total, l.Seed)
	workers := min(runtime.GOMAXPROCS(0), total)
	results := make([]result, workers)
	var next atomic.Int64
	var group sync.WaitGroup
	for i := range results {
		group.Add(1)
		go func() {
			defer group.Done()
			results[i] = r.work(&next, order)
		}()
	}
	group.Wait()
	var counts Counts
	var fault error
	for _, res := range results {
		counts.Add(res.counts)
		if fault == nil && res.err != nil && res.err != errStopped {
			fault = res.err
		}
	}
	if fault == nil {
		fault = context.Cause(ctx)
		if fault != nil && !r.stop.Load() {
			fault = nil // it ended in time
		}
	}
	return counts, fault
}

type result struct {
	counts Counts
	err    error
}

// work runs blocks until none is left, or one fails anywhere.
func (r *runner) work(next *atomic.Int64, order order) (res result) {
	f := r.launch.Function
	b := newBlock(r)
	for res.err == nil {
		i := next.Add(1) - 1
		if i >= int64(order.total) {
			break
		}
		if r.stop.Load() {
			res.err = errStopped
			break
		}
		index := order.at(int(i))
		if r.launch.Blocks != nil {
			index = r.launch.Blocks[index]
		}
		res.err = b.run(index)
	}
	if res.err != nil {
		r.stop.Store(true)
	}
	res.counts = b.tally.counts(f)
	return res
}

// order is a permutation of 0..total-1 that takes no memory: a step prime to total.
type order struct{ total, start, step int }

func newOrder(total int, seed uint64) order {
	rng := rand.New(rand.NewPCG(seed, 1))
	o := order{total: total, start: rng.IntN(total), step: 1}
	for range 64 {
		if step := 1 + rng.IntN(total); gcd(step, total) == 1 {
			o.step = step
			break
		}
	}
	return o
}

func (o order) at(i int) int {
	return int((uint64(o.start) + uint64(i)*uint64(o.step)) % uint64(o.total))
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
