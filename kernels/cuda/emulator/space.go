package emulator

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/realflops/realflops/kernels/cuda/ptxvm"
)

// content stands for the bytes of a piece of memory: equal contents are equal bytes. It is a hash of
// the bytes, or of how they were made.
type content uint64

var contentSeed = maphash.MakeSeed()

// space is the device memory of one process. It knows what its pieces hold, so that a launch
// that would write what is there already, or elsewhere, need not be carried out again.
type space struct {
	*ptxvm.Memory
	pieces map[extent]content
	where  map[content]extent // of pieces; one that is gone may linger

	writes uint64 // how often something was written, or freed
}

func newSpace(m *ptxvm.Memory) *space {
	return &space{Memory: m, pieces: map[extent]content{}, where: map[content]extent{}}
}

// view is the memory as package twin takes it.
type view struct{ *ptxvm.Memory }

func (v view) Bytes(addr uint64, n int) ([]byte, error) { return v.Memory.Bytes(addr, int64(n)) }

// bytes is the memory of e.
func (s *space) bytes(e extent) ([]byte, error) { return s.Bytes(e.lo, e.bytes()) }

// content is what e holds.
func (s *space) content(e extent) (content, error) {
	if id, ok := s.pieces[e]; ok {
		return id, nil
	}
	b, err := s.bytes(e)
	if err != nil {
		return 0, err
	}
	id := content(maphash.Bytes(contentSeed, b))
	s.pieces[e], s.where[id] = id, e
	return id, nil
}

// holds reports whether e is known to hold id.
func (s *space) holds(e extent, id content) bool {
	have, ok := s.pieces[e]
	return ok && have == id
}

// wrote notes that e was written, and that it holds id now; 0 is unknown.
func (s *space) wrote(e extent, id content) {
	s.writes++
	for o, was := range s.pieces {
		if o.overlaps(e) {
			delete(s.pieces, o)
			if s.where[was] == o {
				delete(s.where, was)
			}
		}
	}
	if id != 0 {
		s.pieces[e], s.where[id] = id, e
	}
}

// find is a piece that holds id.
func (s *space) find(id content) (extent, bool) {
	e, ok := s.where[id]
	return e, ok && s.holds(e, id)
}

// forget gives up all that is known.
func (s *space) forget() {
	s.writes++
	clear(s.pieces)
	clear(s.where)
}

// made is the content of what is made in the same way of the same things.
func made(how string, words ...uint64) content {
	var h maphash.Hash
	h.SetSeed(contentSeed)
	_, _ = h.WriteString(how)
	var b [8]byte
	for _, w := range words {
		binary.LittleEndian.PutUint64(b[:], w)
		_, _ = h.Write(b[:])
	}
	return content(max(h.Sum64(), 1))
}
