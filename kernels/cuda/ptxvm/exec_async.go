package ptxvm

import "math/bits"

func init() { opcode(decodeAsync, "cp") }

// asyncCopies are the cp.async of a warp that have not landed. Groups are counted a warp: all threads of a warp
// must commit and wait together.
type asyncCopies struct {
	copies    []*asyncCopy
	spare     []*asyncCopy // landed ones, to be used again
	committed int
}

// asyncCopy is one cp.async of a warp: the source is read when it is issued, the destination is written when it
// is waited for.
type asyncCopy struct {
	group int
	mask  uint32
	bytes int
	to    [32]uint64
	data  [32][16]byte
}

func (a *asyncCopies) reset() {
	a.spare = append(a.spare, a.copies...)
	a.copies, a.committed = a.copies[:0], 0
}

// add is a new copy of the group that is not committed yet.
func (a *asyncCopies) add() *asyncCopy {
	var c *asyncCopy
	if n := len(a.spare); n > 0 {
		c, a.spare = a.spare[n-1], a.spare[:n-1]
	} else {
		c = new(asyncCopy)
	}
	c.group = a.committed
	a.copies = append(a.copies, c)
	return c
}

// decodeAsync decodes cp.async.{ca,cg}.shared.global [to], [from], 16{, size} and its groups.
func decodeAsync(d *decoder) execute {
	d.in.class = ClassBarrier
	if !d.has(".async") {
		return nil
	}
	switch d.take(".commit_group", ".wait_group", ".wait_all") {
	case ".commit_group":
		d.args(0)
		return func(w *warp, m uint32) {
			w.together(m, "cp.async.commit_group")
			w.async.committed++
		}
	case ".wait_all":
		d.args(0)
		return func(w *warp, m uint32) {
			w.together(m, "cp.async.wait_all")
			w.land(w.async.committed + 1)
		}
	case ".wait_group":
		d.args(1)
		n := d.arg(0)
		if n.kind != operandLiteral || n.bits > 1<<20 {
			d.fail("a count of groups that is no small number")
			return nil
		}
		return func(w *warp, m uint32) {
			w.together(m, "cp.async.wait_group")
			w.land(w.async.committed - int(n.bits))
		}
	}
	return d.asyncCopy()
}

// together faults unless all threads of the warp that live run the instruction: the interpreter counts
// groups a warp, where hardware counts them a thread.
func (w *warp) together(m uint32, name string) {
	if m != w.live {
		w.fail(FaultUnsupported, firstLane(w.live&^m), "%s by lanes %#08x of %#08x", name, m, w.live)
	}
}

func (d *decoder) asyncCopy() execute {
	cached := d.take(".ca", ".cg")
	shared, global := d.take(".shared", ".shared::cta") != "", d.has(".global")
	d.dropHints()
	n := d.arg(2)
	sized := n.kind == operandLiteral && (n.bits == 16 || cached == ".ca" && (n.bits == 4 || n.bits == 8))
	if !shared || !global || !sized {
		d.fail("a copy that is not of 4, 8 or 16 bytes (.cg: 16) from global to shared memory")
		return nil
	}
	size := int(n.bits)
	to, from := d.target(d.arg(0), spaceShared), d.target(d.arg(1), spaceGlobal)
	d.in.class, d.in.sharedBytes, d.in.loadBytes = ClassAsync, size, size
	given := d.constant(n.bits, 32)
	ignore, not := int32(-1), uint32(0)
	for _, o := range d.s.args[min(len(d.s.args), 3):] {
		switch {
		case o.kind == operandRegister && o.reg.width == 1:
			ignore, not = d.pred(o)
		case o.kind == operandRegister && o.reg.width == 64:
			d.reading(o.reg) // a cache policy
		default:
			given = d.source(o, bits32)
		}
	}
	return func(w *warp, m uint32) {
		var source, dest [32]uint64
		from.addresses(w, &source)
		to.addresses(w, &dest)
		w.block.tally.conflicts += conflicts(&dest, size, m)
		c := w.async.add()
		c.mask, c.bytes, c.to = m, size, dest
		var reads uint32
		for l := m; l != 0; l &= l - 1 {
			i := bits.TrailingZeros32(l) & 31
			n := w.src32(given)[i]
			if ignore >= 0 && (w.p[ignore]^not)>>uint(i)&1 != 0 {
				n = 0
			}
			if n > uint32(size) {
				w.fail(FaultMisaligned, i, "cp.async of %d bytes, of which %d are to be read", size, n)
			}
			w.issue(dest[i], size, i)
			if source[i]&uint64(size-1) != 0 {
				w.fail(FaultMisaligned, i, "global address %#x, not a multiple of %d", source[i], size)
			}
			c.data[i] = [16]byte{}
			if n > 0 {
				reads |= 1 << uint(i)
				copy(c.data[i][:n], w.globalBytes(source[i], int(n), from.slot, i))
			}
		}
		w.block.tally.loads += sectors(&source, 0, size, reads)
	}
}

// issue marks the destination of a copy: nobody may touch it until it has landed.
func (w *warp) issue(addr uint64, n, lane int) {
	at := w.sharedAt(addr, n, n, lane)
	for i := at; i < at+n; i += 4 {
		s, used := w.block.shared.word(i, at, n)
		if s.pending&used != 0 {
			w.fail(FaultPending, lane, "shared address %#x is the destination of two cp.async at once", i)
		}
		w.noteWrite(s, used, i, lane)
		s.pending |= used
	}
}

// land writes the copies of the groups before the given one.
func (w *warp) land(before int) {
	kept := w.async.copies[:0]
	for _, c := range w.async.copies {
		if c.group >= before {
			kept = append(kept, c)
			continue
		}
		for l := c.mask; l != 0; l &= l - 1 {
			lane := bits.TrailingZeros32(l) & 31
			at := int(c.to[lane])
			for j := at; j < at+c.bytes; j += 4 {
				s, used := w.block.shared.word(j, at, c.bytes)
				s.pending &^= used
				w.noteWrite(s, used, j, lane)
				s.written |= used
			}
			copy(w.block.shared.data[at:at+c.bytes], c.data[lane][:])
		}
		w.async.spare = append(w.async.spare, c)
	}
	w.async.copies = kept
}

// globalBytes is n bytes of global memory that need not be aligned.
func (w *warp) globalBytes(addr uint64, n, slot, lane int) []byte {
	a := &w.block.met[slot]
	at := addr - a.base
	if size := uint64(len(a.data)); at >= size || uint64(n) > size-at {
		*a = w.find(addr, n, lane)
		at = addr - a.base
	}
	return a.data[at : at+uint64(n)]
}
