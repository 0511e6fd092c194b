package emulator

import (
	"bytes"
	"fmt"
	"io"
)

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
	pattern := make([]byte, size)
	for i := range pattern {
		pattern[i] = byte(v >> (8 * i))
	}
	repeatBytes(b, pattern)
	p.dev.launch(Work{Blocks: p.dev.SMs, MemoryBytes: float64(p.l2.touch(e))})
	return answer{}
}

// repeatBytes fills to with the pattern.
func repeatBytes(to, pattern []byte) {
	for done := copy(to, pattern); done < len(to); done *= 2 {
		copy(to[done:], to[:done])
	}
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
