package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// How long a thread watches for work before it parks, in pauses of 10 to 140 cycles: at
// most a millisecond, so that back to back Runs do not park and an idle pool does.
const idleSpins = 20_000

// How long a thread waits for the others, see await. Threads that all run arrive within some
// 100 µs of each other; letting go of the CPU sooner costs more than it gives.
const (
	barrierSpins  = 10_000
	barrierYields = 100
	barrierNap    = 20 * time.Microsecond
)

// Pool is a fixed set of threads that run one function together. The caller of [Pool.Run] is
// thread 0; the others are goroutines locked to operating-system threads of their own. They are
// woken by a word in memory that they watch, since waking a locked goroutine through a channel takes
// about 50 µs, as long as a whole small GEMM; after a short idle time they park.
//
// Threads run where the system puts them, or where [Pool.Pin] does, and a Pool notices when others
// take their CPUs: see [Pool.Contended].
//
// A Pool is used by one goroutine at a time, but for [Pool.Stop] and [Pool.Stopped], which any may call.
type Pool struct {
	threads int
	workers []*worker // of threads 1, 2, ...
	ended   sync.WaitGroup
	closed  bool // published by round

	seats []seat // of all threads; see Pin
	place []int  // the CPU of each, or nil; published by round

	elsewhere bool // there are more CPUs than threads; published by round
	watch     watch

	f     func(tid int) // of the Run in progress, published by round
	_     cacheLine
	round atomic.Uint64 // counts Runs: a worker starts when it moves
	_     cacheLine
	busy  atomic.Int64 // workers that have not finished this round
	_     cacheLine

	arrived atomic.Int64  // threads now waiting at the barrier
	phase   atomic.Uint64 // counts barriers passed
	_       cacheLine
	stopped atomic.Bool
}

// cacheLine keeps words that different threads write apart (two lines, because adjacent
// lines are fetched in pairs).
type cacheLine [128]byte

type worker struct {
	parked atomic.Bool
	wake   chan struct{}
}

// NewPool starts a pool of the given number of threads, at least 1. Close ends it.
func NewPool(threads int) *Pool {
	p := &Pool{threads: max(1, threads)}
	p.seats = make([]seat, p.threads)
	p.watch = newWatch(p.threads, p.waited)
	for tid := 1; tid < p.threads; tid++ {
		w := &worker{wake: make(chan struct{}, 1)}
		p.workers = append(p.workers, w)
		p.ended.Add(1)
		go p.serve(w, tid)
	}
	return p
}

// Threads is the number of threads, the caller of Run among them.
func (p *Pool) Threads() int { return p.threads }

// Run calls f(0) ... f(Threads()-1), each on a thread of its own, and returns when all have
// returned. On a stopped pool it returns at once and calls nothing.
func (p *Pool) Run(f func(tid int)) {
	if p.stopped.Load() {
		return
	}
	p.watch.starts()
	defer p.watch.ran(p.threads)
	if p.threads == 1 {
		p.settle(0)
		f(0)
		return
	}
	p.f = f
	p.busy.Store(int64(len(p.workers)))
	p.start()
	p.settle(0)
	f(0)
	await(func() bool { return p.busy.Load() == 0 })
	p.f = nil
}

// Barrier, called within Run by every thread, returns true once all of them have called it.
// It returns false, perhaps without waiting for them, once the pool is stopped: then f is to return.
func (p *Pool) Barrier() bool {
	if p.threads > 1 {
		phase := p.phase.Load()
		if p.arrived.Add(1) == int64(p.threads) {
			p.arrived.Store(0)
			p.phase.Add(1)
		} else {
			await(func() bool { return p.phase.Load() != phase || p.stopped.Load() })
		}
	}
	return !p.stopped.Load()
}

// Stop makes a Run in progress leave at its next check and every later one return at once. It
// may be called from any goroutine, more than once. What a stopped Run wrote is incomplete.
func (p *Pool) Stop() { p.stopped.Store(true) }

// Stopped reports whether Stop was called. What runs on the pool asks every few milliseconds.
func (p *Pool) Stopped() bool { return p.stopped.Load() }

// Close ends the workers and waits for them. It must not be called within Run.
func (p *Pool) Close() {
	if p.closed {
		return
	}
	p.closed = true
	p.start()
	p.ended.Wait()
}

func (p *Pool) start() {
	p.round.Add(1)
	for _, w := range p.workers {
		if w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
}

// serve is the life of a worker. Its thread is never unlocked, so that it ends with it.
func (p *Pool) serve(w *worker, tid int) {
	defer p.ended.Done()
	runtime.LockOSThread()
	p.seats[tid].thread.Store(int64(threadID()))
	for round := uint64(1); ; round++ {
		for i := 0; p.round.Load() < round; i++ {
			if i < idleSpins {
				pause()
				continue
			}
			w.parked.Store(true)
			// A Run that started before the store has not seen us parked: whoever takes the
			// flag back decides whether a wake-up is on its way.
			if p.round.Load() < round || !w.parked.CompareAndSwap(true, false) {
				<-w.wake
			}
		}
		if p.closed {
			return
		}
		p.settle(tid)
		p.f(tid)
		p.busy.Add(-1)
	}
}

// await returns once ready does. It spins for a bounded while, so that a barrier takes well under
// a microsecond when all threads run; then yields, for the case that a thread of this
// program waits for its turn; then sleeps in short naps, because a thread that is missing for that long
// has been preempted, and whoever only yields competes with it for its CPU.
func await(ready func() bool) {
	for i := 0; !ready(); i++ {
		switch {
		case i < barrierSpins:
			pause()
		case i < barrierSpins+barrierYields:
			runtime.Gosched()
		default:
			time.Sleep(barrierNap)
		}
	}
}
