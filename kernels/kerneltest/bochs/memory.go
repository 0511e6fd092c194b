package bochs

import "encoding/binary"

// The bits of an entry of a page table (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3, section 4.5).
const (
	present  = 1
	writable = 2
)

// Where the machine's memory that the ROM leaves to us begins and ends, and the entry of the topmost table that is the ROM's.
const (
	memoryStart = 1 << 20
	memoryEnd   = 128 << 20
	romEntry    = 511
	romTable    = 0x3000 | present | writable
)

// page is a page of the machine's memory.
type page struct {
	physical uint64
	content  []byte // as the machine has it, or will have when it is loaded
	load     bool   // the machine does not have it yet
}

// memory is the machine's: pages by the virtual address whose content they hold, and the tables that show them.
type memory struct {
	next   uint64 // the first free physical address
	data   map[uint64]*page
	tables map[table]*page
	shown  map[uint64]uint64 // the bits with which a page is in its table, by virtual address
}

// table is a page table: the level (0: of pages) and the first address that it translates.
type table struct {
	level int
	first uint64
}

// newMemory begins at a physical address. The emulator may go on with instructions that it has decoded where another page's lie
// by now: memory that is given up is left alone as long as there is more.
func newMemory(next uint64) memory {
	m := memory{next: next, data: map[uint64]*page{}, tables: map[table]*page{}, shown: map[uint64]uint64{}}
	m.set(m.table(3, 0), romEntry, romTable)
	return m
}

func (m *memory) allocate() *page {
	p := &page{physical: m.next, content: make([]byte, pageBytes), load: true}
	m.next += pageBytes
	return p
}

// room reports whether n more pages, and the tables for them, fit into the machine.
func (m *memory) room(n int) bool { return m.next+uint64(4*n+8)*pageBytes < memoryEnd }

// page is that of the virtual address at, the start of a page.
func (m *memory) page(at uint64) *page {
	p, ok := m.data[at]
	if !ok {
		p = m.allocate()
		m.data[at] = p
	}
	return p
}

// table is the page table of a level that translates the address at.
func (m *memory) table(level int, at uint64) *page {
	first := at >> (21 + 9*level) << (21 + 9*level)
	t, ok := m.tables[table{level, first}]
	if !ok {
		t = m.allocate()
		m.tables[table{level, first}] = t
	}
	return t
}

// set changes an entry of a table.
func (m *memory) set(t *page, entry int, to uint64) {
	at := t.content[8*entry:]
	if binary.LittleEndian.Uint64(at) != to {
		binary.LittleEndian.PutUint64(at, to)
		t.load = true
	}
}

// show makes the page tables translate the given pages, with the bits given for each, and no others.
func (m *memory) show(pages map[uint64]uint64) {
	for at := range m.shown {
		if pages[at] != m.shown[at] {
			m.set(m.table(0, at), entryOf(0, at), 0)
		}
	}
	for at, bits := range pages {
		if m.shown[at] == bits {
			continue
		}
		m.set(m.table(0, at), entryOf(0, at), m.page(at).physical|bits)
		for level := 1; level <= 3; level++ {
			m.set(m.table(level, at), entryOf(level, at), m.table(level-1, at).physical|present|writable)
		}
	}
	m.shown = pages
}

func entryOf(level int, at uint64) int { return int(at >> (12 + 9*level) & 511) }

// unloaded are the pages that the machine does not have yet, tables among them; they count as loaded now.
func (m *memory) unloaded(data map[uint64]uint64) []*page {
	var pages []*page
	take := func(p *page) {
		if p.load {
			p.load = false
			pages = append(pages, p)
		}
	}
	for _, p := range m.tables {
		take(p)
	}
	for at := range data {
		take(m.data[at])
	}
	return pages
}
