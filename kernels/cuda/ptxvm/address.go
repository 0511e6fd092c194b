package ptxvm

// takeSpace takes the state space off the modifiers.
func (d *decoder) takeSpace() space {
	switch d.take(".global", ".const", ".shared", ".shared::cta", ".local", ".param", ".param::entry") {
	case ".global", ".const":
		return spaceGlobal
	case ".shared", ".shared::cta":
		return spaceShared
	case ".local":
		return spaceLocal
	case ".param", ".param::entry":
		return spaceParam
	}
	return spaceGeneric
}

// target is an address operand, decoded.
type target struct {
	space  space
	base   operandIndex // of 64-bit registers, or of 32-bit ones if narrow
	narrow bool
	offset uint64
	slot   int
}

// target decodes operand o as an address in space s.
func (d *decoder) target(o operand, s space) target {
	if o.kind != operandAddress {
		d.fail("an operand that is no address")
		return target{}
	}
	t := target{space: s, offset: uint64(o.offset), slot: d.slots}
	d.slots++
	switch {
	case o.hasReg:
		t.narrow, t.base = o.reg.width == 32, d.reading(o.reg)
		if o.reg.width == 16 {
			d.fail("an address in a register of 16 bits")
		}
	case o.variable != nil:
		v := o.variable
		if s != v.space && !(s == spaceGeneric && v.space == spaceGlobal) {
			d.fail("variable %s, which is of another state space", v.name)
		}
		t.offset += d.address(v)
		t.base = d.constant(0, 64)
	default:
		t.base = d.constant(0, 64)
	}
	if o.param != (s == spaceParam) {
		d.fail("a parameter where the state space is another")
	}
	return t
}

// addresses fills to with the address of each lane.
func (t *target) addresses(w *warp, to *[32]uint64) {
	if t.narrow {
		for i, a := range w.src32(t.base) {
			to[i] = uint64(uint32(uint64(a) + t.offset))
		}
		return
	}
	for i, a := range w.src64(t.base) {
		to[i] = a + t.offset
	}
}

// resolve turns generic addresses into those of the window they lie in, which must be one.
func (t *target) resolve(w *warp, addr *[32]uint64, m uint32) space {
	if t.space != spaceGeneric {
		return t.space
	}
	base, s := uint64(0), spaceGlobal
	switch first := addr[firstLane(m)]; {
	case first-sharedBase < windowSize:
		base, s = sharedBase, spaceShared
	case first-localBase < windowSize:
		base, s = localBase, spaceLocal
	default:
		return spaceGlobal
	}
	for i := range addr {
		addr[i] -= base
		if m>>uint(i)&1 != 0 && addr[i] >= windowSize {
			w.fail(FaultUnsupported, i, "generic addresses of different state spaces in one warp")
		}
	}
	return s
}

// reach is the n bytes at an address of a lane, checked.
func (w *warp) reach(s space, addr uint64, n, slot, lane int, write bool) []byte {
	switch {
	case s == spaceGlobal:
		return w.global(addr, n, slot, lane)
	case s == spaceShared && write:
		return w.writeShared(addr, n, n, lane)
	case s == spaceShared:
		return w.readShared(addr, n, n, lane)
	}
	size := uint64(w.block.function.localBytes)
	if addr > size || uint64(n) > size-addr {
		w.fail(FaultLocal, lane, "%d bytes at local address %#x, of %d bytes", n, addr, size)
	}
	if addr&uint64(n-1) != 0 {
		w.fail(FaultMisaligned, lane, "local address %#x, not a multiple of %d", addr, n)
	}
	at := uint64(lane)*size + addr
	return w.local[at : at+uint64(n)]
}

// global is n bytes of global memory; slot names the cache of the instruction that asks.
func (w *warp) global(addr uint64, n, slot, lane int) []byte {
	if addr&uint64(n-1) != 0 {
		w.fail(FaultMisaligned, lane, "global address %#x, not a multiple of %d", addr, n)
	}
	a := &w.block.met[slot]
	at := addr - a.base
	if size := uint64(len(a.data)); at >= size || uint64(n) > size-at {
		*a = w.find(addr, n, lane)
		at = addr - a.base
	}
	return a.data[at : at+uint64(n)]
}

func (w *warp) find(addr uint64, n, lane int) allocation {
	live := w.block.runner.memory
	i := find(live, addr)
	if i < 0 {
		w.fail(FaultGlobal, lane, "%d bytes at global address %#x, which is in no allocation", n, addr)
	}
	a := live[i]
	if at := addr - a.base; uint64(n) > uint64(len(a.data))-at {
		w.fail(FaultGlobal, lane, "%d bytes at global address %#x, byte %d of an allocation of %d", n, addr, at, len(a.data))
	}
	return a
}
