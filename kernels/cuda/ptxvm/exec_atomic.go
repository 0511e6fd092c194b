package ptxvm

import (
	"math"
	"math/bits"
)

func init() { opcode(decodeAtomic, "atom", "red") }

// atomicOp makes the function that an atomic operation of a type applies to the old value and
// its operand; nil if the type is not taken.
type atomicOp struct {
	op func(t valueType) func(old, v uint64) uint64
}

func intOnly(f func(old, v uint64) uint64) atomicOp {
	return atomicOp{func(t valueType) func(old, v uint64) uint64 {
		if isFloat(t) {
			return nil
		}
		return f
	}}
}

var atomicOps = map[string]atomicOp{
	".and":  intOnly(func(old, v uint64) uint64 { return old & v }),
	".or":   intOnly(func(old, v uint64) uint64 { return old | v }),
	".xor":  intOnly(func(old, v uint64) uint64 { return old ^ v }),
	".exch": intOnly(func(_, v uint64) uint64 { return v }),
	".inc": intOnly(func(old, v uint64) uint64 {
		if old >= v {
			return 0
		}
		return old + 1
	}),
	".dec": intOnly(func(old, v uint64) uint64 {
		if old == 0 || old > v {
			return v
		}
		return old - 1
	}),
	".add": {func(t valueType) func(old, v uint64) uint64 {
		switch {
		case t.kind == 'f' && t.width == 64:
			return func(old, v uint64) uint64 {
				return math.Float64bits(math.Float64frombits(old) + math.Float64frombits(v))
			}
		case t.kind == 'f' && t.width == 32 && !t.pair:
			return func(old, v uint64) uint64 {
				return uint64(bitsOf(math.Float32frombits(uint32(old)) + math.Float32frombits(uint32(v))))
			}
		case isFloat(t):
			f := pairs2(t, halfBinary(formatOf(t), addOdd, false, false, false))
			return func(old, v uint64) uint64 { return uint64(f(uint32(old), uint32(v))) }
		}
		return func(old, v uint64) uint64 { return old + v }
	}},
	".min": {func(t valueType) func(old, v uint64) uint64 { return extreme(t, true) }},
	".max": {func(t valueType) func(old, v uint64) uint64 { return extreme(t, false) }},
}

func extreme(t valueType, least bool) func(old, v uint64) uint64 {
	if isFloat(t) {
		return nil
	}
	return func(old, v uint64) uint64 {
		less := extend(v, t) < extend(old, t)
		if t.kind == 's' {
			less = int64(extend(v, t)) < int64(extend(old, t))
		}
		if less == least {
			return v
		}
		return old
	}
}

// decodeAtomic decodes atom (with the old value as its result) and red. Lanes take turns in their
// order; an atomic of shared memory is no part of a race.
func decodeAtomic(d *decoder) execute {
	d.in.class = ClassAtomic
	result := d.base == "atom"
	d.dropHints()
	d.take(".acq_rel")
	d.dropHints()
	d.has(".noftz")
	s := d.takeSpace()
	name := d.take(".add", ".min", ".max", ".and", ".or", ".xor", ".exch", ".inc", ".dec", ".cas")
	d.has(".noftz")
	t := d.typ()
	if t.width < 16 || s == spaceParam || s == spaceLocal {
		return nil
	}
	at := 0
	to := int32(-1)
	if result {
		at = 1
		if d.arg(0).kind != operandSink {
			to = d.dest(d.arg(0), t)
		}
	}
	where, a := d.target(d.arg(at), s), d.source(d.arg(at+1), t)
	b := operandIndex(0)
	var f func(old, v uint64) uint64
	if name == ".cas" {
		d.args(at + 3)
		b = d.source(d.arg(at+2), t)
	} else {
		d.args(at + 2)
		op, ok := atomicOps[name]
		if !ok {
			return nil
		}
		if f = op.op(t); f == nil {
			return nil
		}
	}
	d.classifyAtomic(s, t.width/8)
	x := &atomicAccess{target: where, element: transfer{size: t.width / 8, mask: ^uint64(0)}, wide: t.width == 64, to: to, a: a, b: b, f: f}
	return x.execute
}

// atomicAccess is a decoded atom or red.
type atomicAccess struct {
	target
	element transfer
	wide    bool  // 64 bits
	to      int32 // where the old value goes, or -1
	a, b    operandIndex
	f       func(old, v uint64) uint64 // nil: compare with a, and swap in b
}

func (x *atomicAccess) read(w *warp, o operandIndex, lane int) uint64 {
	if x.wide {
		return w.src64(o)[lane]
	}
	return uint64(w.src32(o)[lane])
}

// next is what an atomic leaves where old was.
func (x *atomicAccess) next(w *warp, old uint64, lane int) uint64 {
	v := x.read(w, x.a, lane)
	switch {
	case x.f != nil:
		return x.f(old, v)
	case old == v:
		return x.read(w, x.b, lane)
	}
	return old
}

func (x *atomicAccess) execute(w *warp, m uint32) {
	var addr [32]uint64
	x.addresses(w, &addr)
	s := x.resolve(w, &addr, m)
	if s == spaceGlobal {
		w.block.runner.atomic.Lock()
		defer w.block.runner.atomic.Unlock()
	}
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		p := w.atomicBytes(s, addr[i], x.element.size, x.slot, i)
		old := x.element.element(p)
		put(p, x.element.size, x.next(w, old, i))
		switch {
		case x.to < 0:
		case x.wide:
			w.r64[x.to][i] = old
		default:
			w.r32[x.to][i] = uint32(old)
		}
	}
}

func (d *decoder) classifyAtomic(s space, n int) {
	if s == spaceShared {
		d.in.sharedBytes = n
		return
	}
	d.in.loadBytes, d.in.storeBytes = n, n
}

// atomicBytes is the memory that an atomic works on; of shared memory it must have been written.
func (w *warp) atomicBytes(s space, addr uint64, n, slot, lane int) []byte {
	if s != spaceShared {
		return w.reach(s, addr, n, slot, lane, true)
	}
	at := w.sharedAt(addr, n, n, lane)
	for i := at &^ 3; i < at+n; i += 4 {
		sh, used := w.block.shared.word(i, at, n)
		if sh.written&used != used || sh.pending&used != 0 {
			w.fail(FaultUnwritten, lane, "an atomic of shared address %#x, where nothing was written", i)
		}
	}
	return w.block.shared.data[at : at+n]
}
