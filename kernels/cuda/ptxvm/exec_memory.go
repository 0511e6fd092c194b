package ptxvm

import (
	"encoding/binary"
	"math/bits"
)

func init() {
	opcode(decodeLd, "ld", "ldu")
	opcode(decodeSt, "st")
	opcode(decodePrefetch, "prefetch", "prefetchu", "applypriority", "discard")
}

// cacheHints are modifiers of ld and st that change no value.
var cacheHints = []string{
	".ca", ".cg", ".cs", ".lu", ".cv", ".wb", ".wt", ".nc", ".volatile", ".relaxed", ".weak",
	".cta", ".gpu", ".sys", ".cluster", ".L1::evict_normal", ".L1::evict_unchanged", ".L1::evict_first", ".L1::evict_last",
	".L1::no_allocate", ".L2::64B", ".L2::128B", ".L2::256B", ".L2::cache_hint", ".acquire", ".release",
	".L2::evict_normal", ".L2::evict_first", ".L2::evict_last",
}

func (d *decoder) dropHints() {
	for d.take(cacheHints...) != "" {
	}
}

// transfer is what ld and st move: n elements of size bytes to or from registers.
type transfer struct {
	target
	size, bytes int // of an element, of all
	signed      bool
	wide        bool // registers of 64 bits
	mask        uint64
	registers   []operandIndex // -1: none
}

func decodeLd(d *decoder) execute {
	d.dropHints()
	s := d.takeSpace()
	n := d.vector()
	t := d.typ()
	if t.pair || t.kind == 'p' {
		d.fail("type %v", t)
		return nil
	}
	d.hintOperand(2)
	x := &transfer{size: t.width / 8, bytes: n * t.width / 8, signed: t.kind == 's'}
	d.dataRegisters(x, d.arg(0), n, func(o operand) (int32, int) { return d.looseDest(o, t) })
	x.target = d.target(d.arg(1), s)
	d.classify(s, x.bytes, true)
	if s == spaceParam {
		return d.loadParam(x)
	}
	return x.load
}

func decodeSt(d *decoder) execute {
	d.dropHints()
	s := d.takeSpace()
	n := d.vector()
	t := d.typ()
	if t.pair || t.kind == 'p' {
		d.fail("type %v", t)
		return nil
	}
	d.hintOperand(2)
	x := &transfer{size: t.width / 8, bytes: n * t.width / 8}
	x.target = d.target(d.arg(0), s)
	d.dataRegisters(x, d.arg(1), n, func(o operand) (int32, int) { return d.looseSource(o, t) })
	for _, r := range d.arg(1).list {
		if r.kind == operandSink {
			d.fail("\"_\" where a value should stand")
		}
	}
	d.classify(s, x.bytes, false)
	if s == spaceParam {
		return nil
	}
	return x.store
}

// hintOperand drops the cache policy that may follow n operands.
func (d *decoder) hintOperand(n int) {
	if len(d.s.args) == n+1 && d.s.args[n].kind == operandRegister && d.s.args[n].reg.width == 64 {
		d.reading(d.s.args[n].reg)
		return
	}
	d.args(n)
}

func (d *decoder) vector() int {
	switch d.take(".v2", ".v4") {
	case ".v2":
		return 2
	case ".v4":
		return 4
	}
	return 1
}

func (d *decoder) dataRegisters(x *transfer, o operand, n int, register func(operand) (int32, int)) {
	list := []operand{o}
	if n > 1 {
		list = o.list
	}
	if len(list) != n || x.bytes > 16 {
		d.fail("a vector of %d, where %d should stand", len(list), n)
		return
	}
	met := false
	for _, e := range list {
		if e.kind == operandSink {
			x.registers = append(x.registers, -1)
			continue
		}
		r, width := register(e)
		wide := width == 64
		if met && wide != x.wide {
			d.fail("registers of different widths in a vector")
		}
		met, x.wide, x.mask = true, wide, ^uint64(0)>>(64-width)
		x.registers = append(x.registers, r)
	}
}

// classify sets what the instruction counts as.
func (d *decoder) classify(s space, bytes int, load bool) {
	switch {
	case s == spaceShared:
		d.in.class, d.in.sharedBytes = ClassShared, bytes
	case s == spaceParam:
		d.in.class = ClassMove
	case s == spaceLocal:
		d.in.class = ClassGlobal
	case load:
		d.in.class, d.in.loadBytes = ClassGlobal, bytes
	default:
		d.in.class, d.in.storeBytes = ClassGlobal, bytes
	}
}

// loadParam reads the parameter block, at an address that is known when the instruction is decoded.
func (d *decoder) loadParam(x *transfer) execute {
	if d.arg(1).hasReg || x.offset+uint64(x.bytes) > uint64(d.f.ParamBytes) || x.offset%uint64(x.bytes) != 0 {
		d.fail("an address outside the parameters")
		return nil
	}
	return func(w *warp, m uint32) {
		from := w.block.launch.Params[x.offset:]
		for j, r := range x.registers {
			if r < 0 {
				continue
			}
			v := x.element(from[j*x.size:])
			for i := range 32 {
				if m>>uint(i)&1 == 0 {
					continue
				}
				if x.wide {
					w.r64[r][i] = v
				} else {
					w.r32[r][i] = uint32(v)
				}
			}
		}
	}
}

// element reads one element and widens it to its register.
func (x *transfer) element(from []byte) uint64 {
	switch x.size {
	case 1:
		if x.signed {
			return uint64(int64(int8(from[0]))) & x.mask
		}
		return uint64(from[0])
	case 2:
		v := binary.LittleEndian.Uint16(from)
		if x.signed {
			return uint64(int64(int16(v))) & x.mask
		}
		return uint64(v)
	case 4:
		v := binary.LittleEndian.Uint32(from)
		if x.signed {
			return uint64(int64(int32(v))) & x.mask
		}
		return uint64(v)
	}
	return binary.LittleEndian.Uint64(from)
}

// load is the execute of ld.
func (x *transfer) load(w *warp, m uint32) {
	var addr [32]uint64
	x.addresses(w, &addr)
	s := x.resolve(w, &addr, m)
	x.count(w, s, &addr, m, &w.block.tally.loads)
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		from := w.reach(s, addr[i], x.bytes, x.slot, i, false)
		if x.size == 4 && !x.wide {
			for j, r := range x.registers {
				if r >= 0 {
					w.r32[r][i] = binary.LittleEndian.Uint32(from[4*j:])
				}
			}
			continue
		}
		for j, r := range x.registers {
			switch {
			case r < 0:
			case x.wide:
				w.r64[r][i] = x.element(from[j*x.size:])
			default:
				w.r32[r][i] = uint32(x.element(from[j*x.size:]))
			}
		}
	}
}

// store is the execute of st.
func (x *transfer) store(w *warp, m uint32) {
	var addr [32]uint64
	x.addresses(w, &addr)
	s := x.resolve(w, &addr, m)
	x.count(w, s, &addr, m, &w.block.tally.stores)
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		to := w.reach(s, addr[i], x.bytes, x.slot, i, true)
		if w.block.launch.Exclusive && s == spaceGlobal {
			w.own(&w.block.met[x.slot], addr[i], x.bytes, i)
		}
		for j, r := range x.registers {
			var v uint64
			if x.wide {
				v = w.src64(r)[i]
			} else {
				v = uint64(w.src32(r)[i])
			}
			put(to[j*x.size:], x.size, v)
		}
	}
}

func put(to []byte, size int, v uint64) {
	switch size {
	case 1:
		to[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(to, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(to, uint32(v))
	default:
		binary.LittleEndian.PutUint64(to, v)
	}
}

// count counts sectors or bank conflicts of one access.
func (x *transfer) count(w *warp, s space, addr *[32]uint64, m uint32, to *int64) {
	switch s {
	case spaceShared:
		w.block.tally.conflicts += conflicts(addr, x.bytes, m)
	case spaceGlobal:
		*to += sectors(addr, 0, x.bytes, m)
	}
}

// decodePrefetch passes over hints to the caches.
func decodePrefetch(d *decoder) execute {
	d.mods, d.in.class = nil, ClassGlobal
	return func(*warp, uint32) {}
}
