package bochs

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
)

// The disk is what the machine and the host share: see machine.gas, which has the same figures.
const (
	sector       = 512
	atCommand    = 0
	atReply      = 8
	atLoadList   = 16
	atStoreList  = 144
	atPages      = 272
	diskBytes    = 132 * 16 * 63 * sector
	maxPages     = 4096 // that a routine sees; with their tables no more than twice as many are loaded
	pageBytes    = 4096
	replyBytes   = 5 * 8
	commandBytes = 7 * 8
)

// command is what the machine is to do; fields are as in machine.gas.
type command struct {
	number, routine, argument, tables, xcr0 uint64
	loads, stores                           []*page
}

// reply is what came of it.
type reply struct {
	Number, Outcome, ErrorCode, IP, Address uint64
}

func (m *Machine) openDisk() error {
	f, err := os.Create(filepath.Join(m.dir, "disk"))
	if err != nil {
		return err
	}
	m.disk = f
	return f.Truncate(diskBytes)
}

// do has the machine carry out c, and fills the pages that it stores into after, one behind the other.
func (m *Machine) do(c command) (r reply, after []byte, err error) {
	if len(c.loads) > 2*maxPages {
		return r, nil, fmt.Errorf("%d pages and tables to load, at most %d can be", len(c.loads), 2*maxPages)
	}
	data := make([]byte, 0, len(c.loads)*pageBytes)
	for _, p := range c.loads {
		data = append(data, p.content...)
	}
	words := []uint64{c.number, c.routine, c.argument, c.tables, c.xcr0, uint64(len(c.loads)), uint64(len(c.stores))}
	// The number last: the machine starts when it has changed.
	for _, w := range []struct {
		at   int64
		data []byte
	}{
		{atPages * sector, data},
		{atLoadList * sector, addresses(c.loads)},
		{atStoreList * sector, addresses(c.stores)},
		{atCommand*sector + 8, littleEndian(words[1:])},
		{atCommand * sector, littleEndian(words[:1])},
	} {
		if _, err := m.disk.WriteAt(w.data, w.at); err != nil {
			return r, nil, err
		}
	}
	if err := m.await(answered); err != nil {
		return r, nil, err
	}
	var answer [replyBytes]byte
	if _, err := m.disk.ReadAt(answer[:], atReply*sector); err != nil {
		return r, nil, err
	}
	after = make([]byte, len(c.stores)*pageBytes)
	if _, err := m.disk.ReadAt(after, atPages*sector); err != nil {
		return r, nil, err
	}
	if _, err := binary.Decode(answer[:], binary.LittleEndian, &r); err != nil {
		return r, nil, err
	}
	if r.Number != c.number {
		return r, nil, fmt.Errorf("the machine answered call %d, not %d", r.Number, c.number)
	}
	return r, after, nil
}

// addresses is a list of pages as the machine reads it: where in its memory they are.
func addresses(pages []*page) []byte {
	words := make([]uint64, len(pages))
	for i, p := range pages {
		words[i] = p.physical
	}
	return littleEndian(words)
}

func littleEndian(words []uint64) []byte {
	b := make([]byte, 0, 8*len(words))
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}
