package bochs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unsafe"
)

// from and to are the addresses as a routine has them.
func (r Region) from() uint64 { return uint64(uintptr(r.Start)) }
func (r Region) to() uint64   { return r.from() + uint64(r.Bytes) }

// Call runs the routine at routine with argument in DI, as kernels/cpu calls its assembly, and returns when the routine does.
// It sees the regions at their addresses here, by whole pages, and of this program what cannot be written; what
// it wrote is then in the regions. An exception, a write beside the regions, or a stack or frame pointer that was not
// restored is an error, and the regions are as they were.
func (m *Machine) Call(routine uintptr, argument unsafe.Pointer, regions ...Region) error {
	for {
		err := m.try(routine, argument, regions)
		// Constants and code are found by the touch of them; nothing has been written back by then.
		var e *Exception
		if !errors.As(err, &e) || e.Vector != pageFault || m.program[pageOf(e.Address)] || !m.constant(e.Address) {
			return err
		}
		m.program[pageOf(e.Address)] = true
	}
}

func (m *Machine) try(routine uintptr, argument unsafe.Pointer, regions []Region) error {
	if m.failed != nil {
		return m.failed
	}
	bits, err := m.wanted(uint64(routine), regions)
	if err != nil {
		return err
	}
	if !m.memory.room(len(bits)) {
		m.memory = newMemory(memoryStart)
	}
	if err := m.copyIn(bits); err != nil {
		return err
	}
	m.memory.show(bits)
	var stored []uint64
	for at, b := range bits {
		if b&writable != 0 {
			stored = append(stored, at)
		}
	}
	slices.Sort(stored)
	m.calls++
	c := command{
		number: m.calls, routine: uint64(routine), argument: uint64(uintptr(argument)), tables: m.memory.table(3, 0).physical,
		xcr0: m.XCR0, loads: m.memory.unloaded(bits),
	}
	for _, at := range stored {
		c.stores = append(c.stores, m.memory.page(at))
	}
	r, after, err := m.do(c)
	if err == nil {
		err = r.err(uint64(routine), regions)
	}
	if err != nil {
		m.memory = newMemory(m.memory.next) // what the machine has now is not known
		return err
	}
	return m.copyOut(stored, after, regions)
}

// wanted are the pages that a routine sees, and the bits that they have in the page tables.
func (m *Machine) wanted(routine uint64, regions []Region) (map[uint64]uint64, error) {
	bits := map[uint64]uint64{pageOf(routine): present}
	for at := range m.program {
		bits[at] = present
	}
	for _, r := range regions {
		if r.Bytes < 0 {
			return nil, fmt.Errorf("a region of %d bytes", r.Bytes)
		}
		for at := pageOf(r.from()); at < r.to(); at += pageBytes {
			bits[at] |= present
			if r.Write {
				bits[at] |= writable
			}
		}
	}
	if len(bits) > maxPages {
		return nil, fmt.Errorf("the regions have %d pages, at most %d can be", len(bits), maxPages)
	}
	return bits, nil
}

func pageOf(at uint64) uint64 { return at &^ (pageBytes - 1) }

// copyIn brings the machine's copies of pages up to date.
func (m *Machine) copyIn(pages map[uint64]uint64) error {
	var now [pageBytes]byte
	for at := range pages {
		if _, err := m.self.ReadAt(now[:], int64(at)); err != nil {
			return fmt.Errorf("memory at %#x: %w", at, err)
		}
		if p := m.memory.page(at); !bytes.Equal(p.content, now[:]) {
			copy(p.content, now[:])
			p.load = true
		}
	}
	return nil
}

// copyOut takes over what the routine wrote into the writable regions of the pages stored, and reports what it wrote beside them.
func (m *Machine) copyOut(stored []uint64, after []byte, regions []Region) error {
	regions = slices.DeleteFunc(slices.Clone(regions), func(r Region) bool { return !r.Write })
	slices.SortFunc(regions, func(a, b Region) int { return cmp.Compare(a.from(), b.from()) })
	for i, at := range stored {
		p, now := m.memory.page(at), after[i*pageBytes:][:pageBytes]
		if bytes.Equal(p.content, now) {
			continue
		}
		beside := bytes.Clone(p.content)
		for _, r := range regions {
			from, to := max(r.from(), at), min(r.to(), at+pageBytes)
			if from >= to {
				continue
			}
			part := now[from-at : to-at]
			copy(beside[from-at:], part)
			if _, err := m.self.WriteAt(part, int64(from)); err != nil {
				return fmt.Errorf("memory at %#x: %w", from, err)
			}
		}
		if j := differ(beside, now); j < pageBytes {
			p.load = true
			return fmt.Errorf("the routine wrote at %#x, %s", at+uint64(j), nearest(at+uint64(j), regions))
		}
		copy(p.content, now)
	}
	return nil
}

// differ is the first index at which a and b do, or their length.
func differ(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

// nearest says where an address lies beside the regions.
func nearest(at uint64, regions []Region) string {
	best, text := ^uint64(0), "and no region was named"
	for i, r := range regions {
		switch {
		case at < r.from() && r.from()-at < best:
			best = r.from() - at
			text = fmt.Sprintf("%d bytes before region %d of %d bytes", best, i, r.Bytes)
		case at >= r.to() && at-r.to() < best:
			best = at - r.to()
			text = fmt.Sprintf("%d bytes behind region %d of %d bytes", best, i, r.Bytes)
		case at >= r.from() && at < r.to():
			return fmt.Sprintf("within region %d of %d bytes", i, r.Bytes)
		}
	}
	return text
}
