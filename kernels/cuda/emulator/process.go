package emulator

import (
	"bytes"
	"fmt"
	"io"

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
	tilings   map[string]tiling // of the library's products

	sticky  int  // what every call answers from now on
	pending int  // what the next answered call tells, once
	hung    bool // whatever waits for the device waits for ever
}

func newProcess(c *session, d *device) *process {
	return &process{
		session: c, dev: d, retained: 1,
		space: newSpace(ptxvm.NewMemory(hostBudget)), sizes: map[uint64]int64{}, pins: map[uint64]*pin{},
		images: map[uint64]*image{}, functions: map[uint64]*function{}, events: map[uint64]*float64{},
		next: 1, tilings: map[string]tiling{}, l2: residency{capacity: d.L2Bytes},
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

func piece(addr, n uint64) extent { return extent{addr, addr + n} }

// upload takes the data of the request, over the bus.
func (p *process) upload(q request) answer {
	e := piece(q.word(1), uint64(q.data.N))
	b, err := p.space.bytes(e)
	if err != nil {
		return p.refuse("upload", err)
	}
	p.space.wrote(e, 0)
	if _, err := io.ReadFull(q.data, b); err != nil {
		return code(errUnknown)
	}
	p.dev.copies(e.bytes())
	return answer{}
}

func (p *process) download(q request) answer {
	b, err := p.space.bytes(piece(q.word(1), q.word(2)))
	if err != nil {
		return p.refuse("download", err)
	}
	p.dev.copies(int64(len(b)))
	return answer{data: b}
}

func (p *process) copyWithin(q request) answer {
	to, from := piece(q.word(1), q.word(3)), piece(q.word(2), q.word(3))
	dst, err := p.space.bytes(to)
	if err != nil {
		return p.refuse("copy", err)
	}
	src, err := p.space.bytes(from)
	if err != nil {
		return p.refuse("copy", err)
	}
	p.space.wrote(to, 0)
	copy(dst, src)
	p.dev.launch(Work{Blocks: p.dev.SMs, MemoryBytes: float64(p.l2.touch(from) + p.l2.touch(to))})
	return answer{}
}

func (p *process) memset(q request) answer {
	v, n, size := q.word(2), q.word(3), q.word(4)
	if size != 1 && size != 2 && size != 4 || n > 1<<40 {
		return code(errInvalidValue)
	}
	e := piece(q.word(1), n*size)
	b, err := p.space.bytes(e)
	if err != nil {
		return p.refuse("memset", err)
	}
	p.space.wrote(e, 0)
	for i := 0; i < len(b) && i < int(size); i++ {
		b[i] = byte(v >> (8 * i))
	}
	for done := int(size); done < len(b); done *= 2 {
		copy(b[done:], b[:done])
	}
	p.dev.launch(Work{Blocks: p.dev.SMs, MemoryBytes: float64(p.l2.touch(e))})
	return answer{}
}

// refuse is for a piece of memory that the process does not have.
func (p *process) refuse(what string, err error) answer {
	p.logf("device %d: %s: %v", p.dev.index, what, err)
	return code(errInvalidValue)
}

func (p *process) pin(q request) answer {
	n := int64(min(q.word(1), 1<<40))
	if n == 0 {
		return code(errInvalidValue)
	}
	if !p.takeHost(n) {
		return code(errOutOfMemory)
	}
	m, err := newPin(n)
	if err != nil {
		p.takeHost(-n)
		p.logf("page-locked memory of %d bytes: %v", n, err)
		return code(errOutOfMemory)
	}
	id := p.handle()
	p.pins[id] = m
	return value(id, m.pid, m.fd)
}

func (p *process) unpin(q request) answer {
	m := p.pins[q.word(1)]
	if m == nil {
		return code(errInvalidValue)
	}
	delete(p.pins, q.word(1))
	p.takeHost(-int64(len(m.data)))
	m.close()
	return answer{}
}

// pinned is the pieces of memory, of the device and of the host, that a copy is about.
func (p *process) pinned(q request) (e extent, dev, host []byte, err error) {
	m, offset, n := p.pins[q.word(2)], q.word(3), q.word(4)
	if m == nil || n > uint64(len(m.data)) || offset > uint64(len(m.data))-n {
		return e, nil, nil, fmt.Errorf("%d bytes at %d of page-locked memory %d, which is not there", n, offset, q.word(2))
	}
	e = piece(q.word(1), n)
	dev, err = p.space.bytes(e)
	return e, dev, m.data[offset:][:n], err
}

func (p *process) uploadPinned(q request) answer {
	e, dev, host, err := p.pinned(q)
	if err != nil {
		return p.refuse("upload", err)
	}
	if !bytes.Equal(dev, host) { // so that what is known of the memory stays known
		p.space.wrote(e, 0)
		copy(dev, host)
	}
	p.dev.copies(e.bytes())
	return answer{}
}

func (p *process) downloadPinned(q request) answer {
	e, dev, host, err := p.pinned(q)
	if err != nil {
		return p.refuse("download", err)
	}
	copy(host, dev)
	p.dev.copies(e.bytes())
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
