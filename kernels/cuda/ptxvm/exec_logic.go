package ptxvm

import "math/bits"

func init() {
	opcode(decodeLogic, "and", "or", "xor", "not")
	opcode(decodeShift, "shl", "shr")
	opcode(decodeLop3, "lop3")
	opcode(decodeFunnel, "shf")
	opcode(decodePrmt, "prmt")
	opcode(decodeBitField, "bfe", "bfi", "bfind", "popc", "clz", "brev")
	opcode(decodeDot, "dp4a")
}

func decodeLogic(d *decoder) execute {
	name := d.base
	t := d.typ()
	if t.kind == 'p' {
		return d.logicPred(name)
	}
	if t.kind != 'b' || t.width < 16 {
		d.fail("type %v", t)
		return nil
	}
	mask := uint32(0xffffffff)
	if t.width == 16 {
		mask = 0xffff
	}
	switch {
	case name == "not" && t.width == 64:
		return d.unary64(t, func(a uint64) uint64 { return ^a })
	case name == "not":
		return d.unary32(t, func(a uint32) uint32 { return ^a & mask })
	case t.width == 64:
		return d.binary64(t, map[string]func(a, b uint64) uint64{
			"and": func(a, b uint64) uint64 { return a & b },
			"or":  func(a, b uint64) uint64 { return a | b },
			"xor": func(a, b uint64) uint64 { return a ^ b },
		}[name])
	}
	return d.binary32(t, map[string]func(a, b uint32) uint32{
		"and": func(a, b uint32) uint32 { return a & b },
		"or":  func(a, b uint32) uint32 { return a | b },
		"xor": func(a, b uint32) uint32 { return a ^ b },
	}[name])
}

func (d *decoder) logicPred(name string) execute {
	to := d.destPred(d.arg(0))
	a, notA := d.pred(d.arg(1))
	if name == "not" {
		d.args(2)
		return func(w *warp, m uint32) { w.setPred(to, m, ^(w.p[a] ^ notA)) }
	}
	d.args(3)
	b, notB := d.pred(d.arg(2))
	f := predicateOps["."+name]
	return func(w *warp, m uint32) { w.setPred(to, m, f(w.p[a]^notA, w.p[b]^notB)) }
}

var predicateOps = map[string]func(a, b uint32) uint32{
	".and": func(a, b uint32) uint32 { return a & b },
	".or":  func(a, b uint32) uint32 { return a | b },
	".xor": func(a, b uint32) uint32 { return a ^ b },
}

// setPred writes the lanes of m of a predicate.
func (w *warp) setPred(p int32, m, value uint32) { w.p[p] = w.p[p]&^m | value&m }

// Shifts clamp: by the width or more, all bits are gone (or copies of the sign).
func decodeShift(d *decoder) execute {
	left := d.base == "shl"
	t := d.typ()
	if t.width < 16 || t.kind == 'f' || left && t.kind != 'b' {
		d.fail("type %v", t)
		return nil
	}
	count := valueTypes[".u32"]
	if t.width == 64 {
		return d.mixed(t, []valueType{t, count}, func(v *[4]uint64) uint64 {
			switch {
			case left:
				return v[0] << v[1]
			case t.kind == 's':
				return uint64(int64(v[0]) >> v[1])
			}
			return v[0] >> v[1]
		})
	}
	width := uint32(t.width)
	switch {
	case left && width == 32:
		return d.binary32Of(t, t, count, func(a, b uint32) uint32 { return a << b })
	case left:
		return d.binary32Of(t, t, count, func(a, b uint32) uint32 { return a << b & 0xffff })
	case t.kind == 's' && width == 32:
		return d.binary32Of(t, t, count, func(a, b uint32) uint32 { return uint32(int32(a) >> b) })
	case t.kind == 's':
		return d.binary32Of(t, t, count, func(a, b uint32) uint32 { return uint32(int32(int16(a))>>b) & 0xffff })
	}
	return d.binary32Of(t, t, count, func(a, b uint32) uint32 { return a >> b })
}

func decodeLop3(d *decoder) execute {
	if d.typ() != bits32 {
		return nil
	}
	table := d.arg(4)
	d.args(5)
	if table.kind != operandLiteral || table.bits > 255 {
		d.fail("a table that is no number of 8 bits")
		return nil
	}
	to, a, b, c := d.dest(d.arg(0), bits32), d.source(d.arg(1), bits32), d.source(d.arg(2), bits32), d.source(d.arg(3), bits32)
	return func(w *warp, m uint32) {
		to, a, b, c := &w.r32[to], w.src32(a), w.src32(b), w.src32(c)
		for i := range to {
			if m>>uint(i)&1 != 0 {
				to[i] = lop3(a[i], b[i], c[i], uint32(table.bits))
			}
		}
	}
}

// lop3 looks each triple of bits up in the table: bit 4a+2b+c of it.
func lop3(a, b, c, table uint32) uint32 {
	var r uint32
	for i := range uint32(8) {
		if table>>i&1 != 0 {
			r |= (a ^ (i>>2&1 - 1)) & (b ^ (i>>1&1 - 1)) & (c ^ (i&1 - 1))
		}
	}
	return r
}

func decodeFunnel(d *decoder) execute {
	left := d.take(".l", ".r") == ".l"
	wrap := d.take(".wrap", ".clamp") == ".wrap"
	if d.typ() != bits32 {
		return nil
	}
	return d.ternary32(bits32, func(a, b, c uint32) uint32 {
		v := uint64(b)<<32 | uint64(a)
		n := min(c, 32)
		if wrap {
			n = c & 31
		}
		if left {
			return uint32(v << n >> 32)
		}
		return uint32(v >> n)
	})
}

func decodePrmt(d *decoder) execute {
	if d.typ() != bits32 {
		return nil
	}
	return d.ternary32(bits32, func(a, b, c uint32) uint32 {
		v := uint64(b)<<32 | uint64(a)
		var r uint32
		for i := range 4 {
			selector := c >> (4 * i)
			part := uint32(v>>(8*(selector&7))) & 0xff
			if selector&8 != 0 { // its sign, eight times
				part = uint32(int32(int8(part))>>7) & 0xff
			}
			r |= part << (8 * i)
		}
		return r
	})
}

func decodeBitField(d *decoder) execute {
	name := d.base
	u32 := valueTypes[".u32"]
	if name == "bfind" && d.has(".shiftamt") {
		return nil
	}
	t := d.typ()
	wide := t.width == 64
	if t.width < 32 || t.kind == 'f' {
		return nil
	}
	switch name {
	case "popc":
		return d.mixed(u32, []valueType{t}, func(v *[4]uint64) uint64 { return uint64(bits.OnesCount64(v[0])) })
	case "clz":
		return d.mixed(u32, []valueType{t}, func(v *[4]uint64) uint64 { return uint64(bits.LeadingZeros64(v[0]) - 64 + t.width) })
	case "brev":
		return d.mixed(t, []valueType{t}, func(v *[4]uint64) uint64 { return bits.Reverse64(v[0]) >> (64 - t.width) })
	case "bfind":
		return d.mixed(u32, []valueType{t}, func(v *[4]uint64) uint64 {
			if t.kind == 's' && v[0]>>(t.width-1)&1 != 0 {
				v[0] = ^v[0] << (64 - t.width) >> (64 - t.width)
			}
			return uint64(uint32(bits.Len64(v[0]) - 1))
		})
	case "bfe":
		return d.mixed(t, []valueType{t, u32, u32}, func(v *[4]uint64) uint64 { return extract(v[0], v[1]&0xff, v[2]&0xff, t) })
	case "bfi":
		return d.mixed(t, []valueType{t, t, u32, u32}, func(v *[4]uint64) uint64 {
			at, n := v[2]&0xff, v[3]&0xff
			field := (uint64(1)<<n - 1) << at
			if !wide {
				field &= 0xffffffff
			}
			return v[1]&^field | v[0]<<at&field
		})
	}
	return nil
}

// extract is bfe: n bits from bit at on, with the sign of the last of them if the type has one.
func extract(v, at, n uint64, t valueType) uint64 {
	last := uint64(t.width - 1)
	field := v >> at
	if n < 64 {
		field &= 1<<n - 1
	}
	if t.kind == 's' && n > 0 {
		sign := v >> min(at+n-1, last) & 1
		if filled := min(n, last+1-min(at, last+1)); sign != 0 && filled < 64 {
			field |= ^uint64(0) << filled
		}
	}
	if t.width == 32 {
		field &= 0xffffffff
	}
	return field
}

// decodeDot decodes dp4a: four products of bytes, added to c.
func decodeDot(d *decoder) execute {
	a, b := d.typ(), d.typ()
	if a.width != 32 || b.width != 32 {
		return nil
	}
	part := func(t valueType, v uint32, i int) int32 {
		if t.kind == 's' {
			return int32(int8(v >> (8 * i)))
		}
		return int32(uint8(v >> (8 * i)))
	}
	return d.ternary32(bits32, func(x, y, c uint32) uint32 {
		sum := int32(c)
		for i := range 4 {
			sum += part(a, x, i) * part(b, y, i)
		}
		return uint32(sum)
	})
}
