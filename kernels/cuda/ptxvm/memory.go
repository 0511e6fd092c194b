package ptxvm

import (
	"fmt"
	"slices"
	"sort"
	"sync"
)

// Poison is what every byte of fresh memory holds, so that a read of what nobody wrote
// gives the same wrong answer each time: an fp16 NaN, and -4.2e37 as fp32.
const Poison = 0xfd

const (
	memoryBase  = uint64(0x7f) << 40
	memoryAlign = 256
	memoryGuard = 4096 // bytes between allocations that belong to none
)

// allocation is one piece of memory; data never moves.
type allocation struct {
	base   uint64
	data   []byte
	owners *owners // where a launch asks for it; otherwise nil
}

// Memory is a device's memory: allocations at addresses that are never used twice, so that
// a stale pointer is found. It is safe for concurrent use; the bytes themselves are not guarded.
type Memory struct {
	mu    sync.Mutex
	limit int64
	used  int64
	next  uint64
	live  []allocation // by base
}

// NewMemory makes a memory of limit bytes.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit, next: memoryBase} }

// Alloc reserves n bytes, aligned to 256 and filled with [Poison]; n = 0 takes one byte's place.
// The error wraps cuda.ErrMemory if they do not fit.
func (m *Memory) Alloc(n int64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n < 0 || n > m.limit-m.used {
		return 0, &OutOfMemoryError{Asked: n, Free: m.limit - m.used}
	}
	data := make([]byte, n)
	fill(data, Poison)
	a := allocation{base: m.next, data: data}
	m.next += (uint64(n)+memoryAlign-1)&^(memoryAlign-1) + memoryGuard
	m.used += n
	m.live = append(m.live, a)
	return a.base, nil
}

// fill sets every byte of to.
func fill(to []byte, value byte) {
	if len(to) == 0 {
		return
	}
	to[0] = value
	for n := 1; n < len(to); n *= 2 {
		copy(to[n:], to[:n])
	}
}

// Free gives back an allocation by its address; address 0 is none, and no error.
func (m *Memory) Free(addr uint64) error {
	if addr == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i := find(m.live, addr)
	if i < 0 || m.live[i].base != addr {
		return fmt.Errorf("free of %#x, which is the start of no allocation", addr)
	}
	m.used -= int64(len(m.live[i].data))
	m.live = slices.Delete(slices.Clone(m.live), i, i+1) // a launch may still hold the old list
	return nil
}

// FreeBytes is how many bytes can be allocated.
func (m *Memory) FreeBytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.limit - m.used
}

// Bytes is the memory from addr on, n bytes of it, which must lie in one allocation. Writing
// to it writes the memory.
func (m *Memory) Bytes(addr uint64, n int64) ([]byte, error) {
	live := m.snapshot()
	i := find(live, addr)
	if i < 0 {
		return nil, fmt.Errorf("address %#x, which is in no allocation", addr)
	}
	a := live[i]
	at := addr - a.base
	if n < 0 || uint64(n) > uint64(len(a.data))-at {
		return nil, fmt.Errorf("%d bytes at %#x, byte %d of an allocation of %d", n, addr, at, len(a.data))
	}
	return a.data[at : at+uint64(n) : at+uint64(n)], nil
}

// Allocation is the allocation that addr lies in: its first address and its bytes.
func (m *Memory) Allocation(addr uint64) (base uint64, data []byte, ok bool) {
	live := m.snapshot()
	i := find(live, addr)
	if i < 0 {
		return 0, nil, false
	}
	return live[i].base, live[i].data, true
}

func (m *Memory) snapshot() []allocation {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.live
}

// find is the index of the allocation that addr lies in (or just behind the end of), or -1.
func find(live []allocation, addr uint64) int {
	i := sort.Search(len(live), func(i int) bool { return live[i].base > addr }) - 1
	if i < 0 || addr-live[i].base > uint64(len(live[i].data)) {
		return -1
	}
	return i
}

// OutOfMemoryError says that an allocation does not fit.
type OutOfMemoryError struct{ Asked, Free int64 }

func (e *OutOfMemoryError) Error() string {
	return fmt.Sprintf("%d bytes asked for, %d free", e.Asked, e.Free)
}
