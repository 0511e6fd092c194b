package ptxvm

import (
	"sync"
	"sync/atomic"
)

// owners tells which block stored to each byte of an allocation: its number plus 1, or 0.
type owners struct {
	once   sync.Once
	blocks []atomic.Uint32
}

// watchStores gives each allocation owners, in a list of the launch's own.
func watchStores(live []allocation) []allocation {
	watched := make([]allocation, len(live))
	for i, a := range live {
		a.owners = new(owners)
		watched[i] = a
	}
	return watched
}

// own makes the block the owner of n bytes that it stores to, and faults if another block is.
func (w *warp) own(a *allocation, addr uint64, n, lane int) {
	o := a.owners
	o.once.Do(func() { o.blocks = make([]atomic.Uint32, len(a.data)) })
	me := uint32(w.block.index) + 1
	at := addr - a.base
	for i := at; i < at+uint64(n); i++ {
		if owner := &o.blocks[i]; !owner.CompareAndSwap(0, me) && owner.Load() != me {
			w.fail(FaultGlobalRace, lane, "global address %#x is stored to, as block %d did", a.base+i, owner.Load()-1)
		}
	}
}
