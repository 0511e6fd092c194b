package cpu

import "sync/atomic"

// Chunks hands out the numbers from 0 to n-1 to the threads of a pool, each exactly once. A thread
// takes those of its own share, front to back, as [Split] would have given them, and once that is empty the last of
// the largest share that is left: where all threads run, each works where it always does; where one is kept
// from running, the others do its work.
type Chunks struct{ shares []chunkShare }

// chunkShare is what is left of a thread's share: [lo, hi), in the upper and the lower half of a word.
type chunkShare struct {
	left atomic.Uint64
	_    [120]byte // others' shares lie on other pairs of cache lines
}

// Reset begins anew with n chunks, below 2^32, for so many threads. No thread may be in Next.
func (c *Chunks) Reset(n, threads int) {
	if len(c.shares) != threads {
		c.shares = make([]chunkShare, threads)
	}
	for t := range c.shares {
		lo, hi := Split(n, 1, threads, t)
		c.shares[t].left.Store(uint64(lo)<<32 | uint64(hi))
	}
}

// Next is a chunk for thread tid that nobody else gets, or not ok if none is left.
func (c *Chunks) Next(tid int) (chunk int, ok bool) {
	if chunk, ok := c.shares[tid].first(); ok {
		return chunk, true
	}
	for {
		most, victim := uint32(0), (*chunkShare)(nil)
		for t := range c.shares {
			if n := c.shares[t].count(); n > most {
				most, victim = n, &c.shares[t]
			}
		}
		if victim == nil {
			return 0, false
		}
		if chunk, ok := victim.last(); ok {
			return chunk, true
		}
	}
}

func bounds(left uint64) (lo, hi uint32) { return uint32(left >> 32), uint32(left) }

func (s *chunkShare) count() uint32 {
	lo, hi := bounds(s.left.Load())
	return hi - lo
}

func (s *chunkShare) first() (int, bool) {
	for {
		left := s.left.Load()
		lo, hi := bounds(left)
		if lo == hi {
			return 0, false
		}
		if s.left.CompareAndSwap(left, uint64(lo+1)<<32|uint64(hi)) {
			return int(lo), true
		}
	}
}

func (s *chunkShare) last() (int, bool) {
	for {
		left := s.left.Load()
		lo, hi := bounds(left)
		if lo == hi {
			return 0, false
		}
		if s.left.CompareAndSwap(left, uint64(lo)<<32|uint64(hi-1)) {
			return int(hi - 1), true
		}
	}
}
