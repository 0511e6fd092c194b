package ptxvm

import "math"

func init() {
	opcode(decodeSetp, "setp")
	opcode(decodeSet, "set")
	opcode(decodeSelp, "selp")
	opcode(decodeSlct, "slct")
}

// order is how two values compare, as bits of which a comparison accepts some.
const (
	isLess      = 1
	isEqual     = 2
	isGreater   = 4
	isUnordered = 8
)

var comparisons = map[string]uint8{
	".eq": isEqual, ".ne": isLess | isGreater, ".lt": isLess, ".le": isLess | isEqual, ".gt": isGreater, ".ge": isGreater | isEqual,
	".lo": isLess, ".ls": isLess | isEqual, ".hi": isGreater, ".hs": isGreater | isEqual,
	".equ": isEqual | isUnordered, ".neu": isLess | isGreater | isUnordered, ".ltu": isLess | isUnordered,
	".leu": isLess | isEqual | isUnordered, ".gtu": isGreater | isUnordered, ".geu": isGreater | isEqual | isUnordered,
	".num": isLess | isEqual | isGreater, ".nan": isUnordered,
}

func compare[T uint32 | uint64 | int32 | int64 | float64](a, b T) uint8 {
	switch {
	case a < b:
		return isLess
	case a > b:
		return isGreater
	case a == b:
		return isEqual
	}
	return isUnordered
}

// comparer compares the operands of one lane.
type comparer func(w *warp, lane int) uint8

// comparison consumes the comparison and the operands from args i on of type t.
func (d *decoder) comparison(t valueType, ftz bool, i int) comparer {
	a, b := d.source(d.arg(i), t), d.source(d.arg(i+1), t)
	switch {
	case t.width == 64 && t.kind == 'f':
		return func(w *warp, l int) uint8 {
			return compare(math.Float64frombits(w.src64(a)[l]), math.Float64frombits(w.src64(b)[l]))
		}
	case t.width == 64 && t.kind == 's':
		return func(w *warp, l int) uint8 { return compare(int64(w.src64(a)[l]), int64(w.src64(b)[l])) }
	case t.width == 64:
		return func(w *warp, l int) uint8 { return compare(w.src64(a)[l], w.src64(b)[l]) }
	case t.kind == 'f' && t.width == 32 && !t.pair:
		return func(w *warp, l int) uint8 {
			x, y := w.src32(a)[l], w.src32(b)[l]
			if ftz {
				x, y = flush(x), flush(y)
			}
			return compare(float64(math.Float32frombits(x)), float64(math.Float32frombits(y)))
		}
	case t.kind == 'f' || t.kind == 'h':
		f := formatOf(t)
		return func(w *warp, l int) uint8 {
			x, y := w.src32(a)[l], w.src32(b)[l]
			if ftz {
				x, y = f.flush(x), f.flush(y)
			}
			return compare(f.value(x), f.value(y))
		}
	case t.kind == 's' && t.width == 16:
		return func(w *warp, l int) uint8 { return compare(int32(signed(w.src32(a)[l])), int32(signed(w.src32(b)[l]))) }
	case t.kind == 's':
		return func(w *warp, l int) uint8 { return compare(int32(w.src32(a)[l]), int32(w.src32(b)[l])) }
	}
	return func(w *warp, l int) uint8 { return compare(w.src32(a)[l], w.src32(b)[l]) }
}

// accepts takes the comparison's name off the modifiers.
func (d *decoder) accepts() uint8 {
	for i, m := range d.mods {
		if c, ok := comparisons[m]; ok {
			d.mods = append(d.mods[:i:i], d.mods[i+1:]...)
			return c
		}
	}
	d.fail("no comparison")
	return 0
}

// decodeSetp decodes setp.lt.and.f32 p|q, a, b, !r.
func decodeSetp(d *decoder) execute {
	accept := d.accepts()
	combine := predicateOps[d.take(".and", ".or", ".xor")]
	ftz := d.has(".ftz")
	t := d.typ()
	if t.pair || t.width < 16 || t.kind == 'p' {
		d.fail("type %v", t)
		return nil
	}
	first := d.arg(0)
	second := first.second
	first.second = nil
	to, other := int32(-1), int32(-1)
	if first.kind != operandSink {
		to = d.destPred(first)
	}
	if second != nil && second.kind != operandSink {
		other = d.destPred(*second)
	}
	test := d.comparison(t, ftz, 1)
	with, not := int32(-1), uint32(0)
	if combine != nil {
		d.args(4)
		with, not = d.pred(d.arg(3))
	} else {
		d.args(3)
	}
	return func(w *warp, m uint32) {
		var r uint32
		for i := range 32 {
			if m>>uint(i)&1 != 0 && test(w, i)&accept != 0 {
				r |= 1 << uint(i)
			}
		}
		s := ^r
		if with >= 0 {
			c := w.p[with] ^ not
			r, s = combine(r, c), combine(s, c)
		}
		if to >= 0 {
			w.setPred(to, m, r)
		}
		if other >= 0 {
			w.setPred(other, m, s)
		}
	}
}

// decodeSet decodes set.lt.u32.f32: all ones, or 1.0, where the comparison holds.
func decodeSet(d *decoder) execute {
	accept := d.accepts()
	ftz := d.has(".ftz")
	to, t := d.typ(), d.typ()
	if to.width != 32 || to.pair || t.pair || t.width < 16 {
		return nil
	}
	d.args(3)
	dest := d.dest(d.arg(0), to)
	test := d.comparison(t, ftz, 1)
	yes := ^uint32(0)
	if to.kind == 'f' {
		yes = math.Float32bits(1)
	}
	return func(w *warp, m uint32) {
		for i := range 32 {
			if m>>uint(i)&1 == 0 {
				continue
			}
			w.r32[dest][i] = 0
			if test(w, i)&accept != 0 {
				w.r32[dest][i] = yes
			}
		}
	}
}

func decodeSelp(d *decoder) execute {
	t := d.typ()
	if t.width < 16 || t.pair {
		d.fail("type %v", t)
		return nil
	}
	d.args(4)
	to, a, b := d.dest(d.arg(0), t), d.source(d.arg(1), t), d.source(d.arg(2), t)
	p, not := d.pred(d.arg(3))
	if t.width == 64 {
		return func(w *warp, m uint32) { choose(&w.r64[to], w.src64(a), w.src64(b), w.p[p]^not, m) }
	}
	return func(w *warp, m uint32) { choose(&w.r32[to], w.src32(a), w.src32(b), w.p[p]^not, m) }
}

// choose takes a where first is set, b elsewhere.
func choose[T uint32 | uint64](to, a, b *[32]T, first, m uint32) {
	for i := range to {
		if m>>uint(i)&1 == 0 {
			continue
		}
		v := b[i]
		if first>>uint(i)&1 != 0 {
			v = a[i]
		}
		to[i] = v
	}
}

// decodeSlct decodes slct.T.s32 d, a, b, c: a where c is not negative.
func decodeSlct(d *decoder) execute {
	ftz := d.has(".ftz")
	t, by := d.typ(), d.typ()
	if by.width != 32 || by.kind != 's' && by.kind != 'f' || t.width < 16 {
		return nil
	}
	d.args(4)
	to, a, b, c := d.dest(d.arg(0), t), d.source(d.arg(1), t), d.source(d.arg(2), t), d.source(d.arg(3), by)
	return func(w *warp, m uint32) {
		var first uint32
		for i, v := range w.src32(c) {
			if ftz {
				v = flush(v)
			}
			if by.kind == 's' && int32(v) >= 0 || by.kind == 'f' && math.Float32frombits(v) >= 0 {
				first |= 1 << uint(i)
			}
		}
		if t.width == 64 {
			choose(&w.r64[to], w.src64(a), w.src64(b), first, m)
		} else {
			choose(&w.r32[to], w.src32(a), w.src32(b), first, m)
		}
	}
}
