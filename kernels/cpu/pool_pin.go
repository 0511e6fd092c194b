package cpu

import (
	"fmt"
	"sync/atomic"
)

// seat is where a thread of a pool is. The thread alone reads and writes the first four.
type seat struct {
	pinned bool
	cpu    int
	home   affinity // before it was pinned
	err    error

	thread atomic.Int64 // the system's number of a worker's thread; 0 until it has begun
	_      cacheLine
}

// Pin puts thread i of the pool on cpus[i] until [Pool.Unpin], and tells why it cannot. Thread 0 is the
// caller's: its goroutine must be locked to it (runtime.LockOSThread), start no process (a child inherits the CPUs of
// the thread that starts it) and call Unpin before it unlocks it.
//
// While the pool is contended and there are more CPUs than threads, the threads are let go: one bound to a CPU that
// another program runs on would wait while others idle. Where every CPU has its thread, they stay: beside a
// program that is bound to one of two CPUs, a GEMM in [Chunks] had 0.91 (n = 1024) and 0.97 (2048) of the speed of one
// and a half cores with pinned threads and 0.71 and 0.84 with others, which Linux puts on the same CPU for milliseconds at
// a time (Zen 4, Linux 6.18).
func (p *Pool) Pin(cpus []int) error {
	if err := p.Hold(cpus); err != nil {
		return err
	}
	p.elsewhere = len(p.seats[0].home.cpus()) > p.threads
	return nil
}

// Hold is Pin for threads that are to run there or nowhere: they stay however contended the pool is, because what is
// measured is those CPUs.
func (p *Pool) Hold(cpus []int) error {
	if len(cpus) < p.threads {
		return fmt.Errorf("cannot pin %d threads to %d CPUs: each takes one", p.threads, len(cpus))
	}
	p.place = cpus
	p.elsewhere = false
	p.Run(func(int) {})
	for t := range p.seats {
		if err := p.seats[t].err; err != nil {
			p.Unpin()
			return fmt.Errorf("thread %d: %w", t, err)
		}
	}
	p.watch.anew()
	return nil
}

// Unpin lets every thread run where it could before Pin.
func (p *Pool) Unpin() {
	if p.place == nil {
		return
	}
	p.place = nil
	if p.Stopped() { // no thread will come: the workers end with the pool
		p.settle(0)
		return
	}
	p.Run(func(int) {})
}

// settle moves the calling thread to where it should be.
func (p *Pool) settle(tid int) {
	s := &p.seats[tid]
	if p.place == nil || p.watch.contended && p.elsewhere {
		if s.pinned {
			s.err, s.pinned = s.home.apply(), false
		}
		return
	}
	if cpu := p.place[tid]; !s.pinned || s.cpu != cpu {
		s.err = s.move(cpu)
	}
}

func (s *seat) move(cpu int) error {
	if !s.pinned {
		home, err := threadAffinity()
		if err != nil {
			return err
		}
		s.home = home
	}
	if err := only(cpu).apply(); err != nil {
		return err
	}
	s.pinned, s.cpu = true, cpu
	return nil
}
