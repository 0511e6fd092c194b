package emulator

import (
	"github.com/realflops/realflops/kernels/cuda/ptxvm"
)

// process is what one process has on one device: its primary context.
type process struct {
	*session
	dev      *device
	retained int

	space     *space
	sizes     map[uint64]int64 // allocations by address
	pins      map[uint64]*pin
	images    map[uint64]*image
	functions map[uint64]*function
	events    map[uint64]*float64 // when, by the device's clock; nil until recorded
	next      uint64              // handle
	l2        residency
	repeats   map[content]*repeat

	sticky  int  // what every call answers from now on
	pending int  // what the next answered call tells, once
	hung    bool // whatever waits for the device waits for ever
}

func newProcess(c *session, d *device) *process {
	return &process{
		session: c, dev: d, retained: 1,
		space: newSpace(ptxvm.NewMemory(hostBudget)), sizes: map[uint64]int64{}, pins: map[uint64]*pin{},
		images: map[uint64]*image{}, functions: map[uint64]*function{}, events: map[uint64]*float64{},
		next: firstHandle, repeats: map[content]*repeat{}, l2: residency{capacity: d.L2Bytes},
	}
}

// end gives back what the process holds.
func (p *process) end() {
	for _, n := range p.sizes {
		p.dev.take(-n)
		p.takeHost(-n)
	}
	for _, pin := range p.pins {
		p.takeHost(-int64(len(pin.data)))
		pin.close()
	}
	p.dev.close()
}

// firstHandle keeps handles, which callers hold as pointers, above what a runtime takes for no pointer
// (Go ends a program that has one below 4096 on a stack) and below where any has its heap.
const firstHandle = 1 << 20

// handle is a number that was not given before.
func (p *process) handle() uint64 {
	p.next++
	return p.next
}

// waits are the calls that return once the device has done all it was given.
var waits = map[op]bool{opSynchronize: true, opUpload: true, opDownload: true, opFree: true, opPin: true, opUnpin: true}

// processHandlers answer the calls that need a context.
var processHandlers = map[op]func(*process, request) answer{
	opMemoryInfo:     (*process).memoryInfo,
	opAlloc:          (*process).alloc,
	opFree:           (*process).free,
	opUpload:         (*process).upload,
	opUploadAsync:    (*process).upload,
	opDownload:       (*process).download,
	opCopy:           (*process).copyWithin,
	opMemset:         (*process).memset,
	opPin:            (*process).pin,
	opUnpin:          (*process).unpin,
	opUploadPinned:   (*process).uploadPinned,
	opDownloadPinned: (*process).downloadPinned,

	opLoad:                 (*process).load,
	opUnload:               func(p *process, q request) answer { delete(p.images, q.word(1)); return answer{} },
	opFunction:             (*process).function,
	opFunctionAttribute:    (*process).functionAttribute,
	opSetFunctionAttribute: (*process).setFunctionAttribute,
	opOccupancy:            (*process).occupancy,
	opLaunch:               (*process).launch,
	opLtMatmul:             (*process).ltMatmul,

	opSynchronize:  func(*process, request) answer { return answer{} },
	opEventCreate:  (*process).eventCreate,
	opEventDestroy: func(p *process, q request) answer { delete(p.events, q.word(1)); return answer{} },
	opEventRecord:  (*process).eventRecord,
	opEventElapsed: (*process).eventElapsed,
}

// contextWord is which word of a request is the context.
func contextWord(o op) int {
	if o == opLtMatmul {
		return ltWords - 1
	}
	return 0
}

// answer carries a request out as CUDA does: what went wrong in the background is told by
// the next call that is answered, and some of it by all from then on.
func (p *process) answer(q request, h func(*process, request) answer) answer {
	p.dev.mu.Lock()
	lost := p.dev.lost
	p.dev.mu.Unlock()
	switch {
	case lost:
		p.ended = true
		return answer{}
	case p.hung && waits[q.op]:
		p.hang()
		return answer{}
	case p.sticky != 0:
		return code(p.sticky)
	case p.pending != 0 && !unanswered[q.op]:
		a := code(p.pending)
		p.pending = 0
		return a
	}
	a := h(p, q)
	if a.code != 0 && unanswered[q.op] {
		p.pending = a.code
	}
	return a
}

func (p *process) memoryInfo(request) answer {
	p.dev.mu.Lock()
	defer p.dev.mu.Unlock()
	return value(uint64(p.dev.freeBytes()), uint64(p.dev.MemoryBytes))
}

func (p *process) alloc(q request) answer {
	n := int64(min(q.word(1), 1<<62))
	if n == 0 {
		return code(errInvalidValue)
	}
	if !p.dev.take(n) {
		return code(errOutOfMemory)
	}
	if !p.takeHost(n) {
		p.dev.take(-n)
		return code(errOutOfMemory)
	}
	addr, err := p.space.Alloc(n)
	if err != nil {
		p.dev.take(-n)
		p.takeHost(-n)
		return code(errOutOfMemory)
	}
	p.sizes[addr] = n
	return value(addr)
}

func (p *process) free(q request) answer {
	addr := q.word(1)
	n, ok := p.sizes[addr]
	if !ok {
		if addr == 0 {
			return answer{}
		}
		return code(errInvalidValue)
	}
	if err := p.space.Free(addr); err != nil {
		return code(errInvalidValue)
	}
	delete(p.sizes, addr)
	p.space.wrote(extent{addr, addr + uint64(n)}, 0)
	p.dev.take(-n)
	p.takeHost(-n)
	return answer{}
}

func (p *process) eventCreate(request) answer {
	id := p.handle()
	p.events[id] = nil
	return value(id)
}

func (p *process) eventRecord(q request) answer {
	if _, ok := p.events[q.word(1)]; !ok {
		return code(errInvalidHandle)
	}
	now := p.dev.now()
	p.events[q.word(1)] = &now
	return answer{}
}

func (p *process) eventElapsed(q request) answer {
	from, to := p.events[q.word(1)], p.events[q.word(2)]
	if from == nil || to == nil {
		return code(errInvalidHandle)
	}
	return value(float32((*to - *from) * 1000))
}
