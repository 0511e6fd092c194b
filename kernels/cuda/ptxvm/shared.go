package ptxvm

// sharedMemory is a block's shared memory and what is known of each of its bytes.
//
// A phase is the time between two barriers. Two accesses to one byte in one phase by different
// warps, of which one is a write, are a race. A barrier of a part of the block ends the
// phase for all of it: a race across such a barrier is not found, but none is
// reported that is not there.
//
// Within a warp a lane may read what another wrote once bar.warp.sync, or a barrier, stands between; that lanes
// run in lockstep is the interpreter's doing, and no promise of a GPU.
type sharedMemory struct {
	data  []byte
	words []shadow
	phase uint32
}

// shadow is what is known of four bytes. Writers and readers are warp numbers plus 1, a byte each,
// and count in the phase given only; manyReaders stands for several.
type shadow struct {
	phase   uint32
	writers uint32
	readers uint32
	written uint8 // a bit a byte
	pending uint8 // a bit a byte that a cp.async will land on

	// Lanes that wrote the bytes whose writer is a warp in its own phase warpPhase: numbers plus 1, a byte each.
	lanes     uint32
	warpPhase uint32
}

const manyReaders = 0xff

func (s *sharedMemory) reset(n int) {
	if len(s.data) != n {
		s.data = make([]byte, n)
		s.words = make([]shadow, (n+3)/4)
	} else {
		clear(s.words)
	}
	s.phase = 1
}

// sharedAt checks that n bytes at addr, which must be a multiple of align, lie in shared memory.
func (w *warp) sharedAt(addr uint64, n, align int, lane int) int {
	if addr&uint64(align-1) != 0 {
		w.fail(FaultMisaligned, lane, "shared address %#x, not a multiple of %d", addr, align)
	}
	if size := uint64(len(w.block.shared.data)); addr > size || uint64(n) > size-addr {
		w.fail(FaultShared, lane, "%d bytes at shared address %#x, of %d bytes", n, addr, size)
	}
	return int(addr)
}

// readShared checks and notes a read of n bytes by a lane; the bytes are not to be written.
func (w *warp) readShared(addr uint64, n, align int, lane int) []byte {
	at := w.sharedAt(addr, n, align, lane)
	me := uint32(w.id + 1)
	for i := at &^ 3; i < at+n; i += 4 {
		s, used := w.block.shared.word(i, at, n)
		if s.pending&used != 0 {
			w.fail(FaultPending, lane, "shared address %#x is read before its cp.async was waited for", i)
		}
		if s.written&used != used {
			w.fail(FaultUnwritten, lane, "shared address %#x is read, and nothing was written there", i)
		}
		spread := spreadBytes[used]
		if other := s.writers & spread; other != 0 && other != me*0x01010101&spread {
			if o := otherWarp(other, me); o >= 0 {
				w.fail(FaultRace, lane, "shared address %#x is read, and written by warp %d since the last barrier", i, o)
			}
		}
		if s.writers&spread != 0 && s.warpPhase == w.phase {
			w.checkLanes(s, spread, i, lane)
		}
		if have := s.readers & spread; have != me*0x01010101&spread {
			s.readers = addReader(s.readers, have, spread, me)
		}
	}
	return w.block.shared.data[at : at+n]
}

// writeShared checks and notes a write of n bytes by a lane; the bytes are to be written to.
func (w *warp) writeShared(addr uint64, n, align int, lane int) []byte {
	at := w.sharedAt(addr, n, align, lane)
	for i := at &^ 3; i < at+n; i += 4 {
		s, used := w.block.shared.word(i, at, n)
		if s.pending&used != 0 {
			w.fail(FaultPending, lane, "shared address %#x is written before its cp.async was waited for", i)
		}
		w.noteWrite(s, used, i, lane)
		s.written |= used
	}
	return w.block.shared.data[at : at+n]
}

// noteWrite makes the warp the writer of the bytes used of a word, if no other warp is in the way.
func (w *warp) noteWrite(s *shadow, used uint8, at, lane int) {
	me := uint32(w.id + 1)
	spread := spreadBytes[used]
	mine := me * 0x01010101 & spread
	for _, others := range [2]uint32{s.writers & spread, s.readers & spread} {
		for rest := others; rest != 0; rest >>= 8 {
			if b := rest & 0xff; b != 0 && b != me {
				w.raceWrite(at, lane, b)
			}
		}
	}
	s.writers = s.writers&^spread | mine
	if s.warpPhase != w.phase {
		s.warpPhase, s.lanes = w.phase, 0
	}
	s.lanes = s.lanes&^spread | uint32(lane+1)*0x01010101&spread
}

// checkLanes faults if another lane of the warp wrote one of the bytes and nothing has ordered the two since.
func (w *warp) checkLanes(s *shadow, spread uint32, at, lane int) {
	for b := 0; b < 32; b += 8 {
		writer, by := s.writers&spread>>b&0xff, s.lanes>>b&0xff
		if writer == uint32(w.id+1) && by != 0 && by != uint32(lane+1) {
			w.fail(FaultRace, lane, "shared address %#x is read, and written by lane %d of the same warp since the last bar.warp.sync", at, by-1)
		}
	}
}

func (w *warp) raceWrite(at, lane int, other uint32) {
	if other == manyReaders {
		w.fail(FaultRace, lane, "shared address %#x is written, and used by several warps since the last barrier", at)
	}
	w.fail(FaultRace, lane, "shared address %#x is written, and used by warp %d since the last barrier", at, other-1)
}

// word is the shadow of the word at byte i, in the present phase, and the bits of its bytes
// that an access of n bytes at byte at uses.
func (s *sharedMemory) word(i, at, n int) (*shadow, uint8) {
	w := &s.words[i>>2]
	if w.phase != s.phase {
		w.phase, w.writers, w.readers = s.phase, 0, 0
	}
	if i >= at && i+4 <= at+n {
		return w, 0xf
	}
	used := uint8(0xf)
	if i < at {
		used &= 0xf << (at - i)
	}
	if over := i + 4 - (at + n); over > 0 {
		used &= 0xf >> over
	}
	return w, used
}

// spreadBytes turns a bit a byte into 8.
var spreadBytes = func() (t [16]uint32) {
	for i := range t {
		for b := range 4 {
			if i>>b&1 != 0 {
				t[i] |= 0xff << (8 * b)
			}
		}
	}
	return t
}()

// addReader notes a reader in the bytes of spread.
func addReader(readers, have, spread, me uint32) uint32 {
	if have == 0 {
		return readers | me*0x01010101&spread
	}
	for b := 0; b < 32; b += 8 {
		if spread>>b&0xff == 0 {
			continue
		}
		switch readers >> b & 0xff {
		case 0:
			readers |= me << b
		case me:
		default:
			readers |= manyReaders << b
		}
	}
	return readers
}

// otherWarp is the number of a warp among writers that is not me.
func otherWarp(writers, me uint32) int {
	for ; writers != 0; writers >>= 8 {
		if b := writers & 0xff; b != 0 && b != me {
			return int(b) - 1
		}
	}
	return -1
}
