package ptxvm

func init() {
	opcode(decodeMov, "mov")
	opcode(decodeCvta, "cvta")
}

// decodeMov decodes mov, with packing and unpacking of vectors.
func decodeMov(d *decoder) execute {
	d.in.class = ClassMove
	t := d.typ()
	d.args(2)
	to, from := d.arg(0), d.arg(1)
	switch {
	case to.kind == operandVector:
		return d.unpack(to, from, t)
	case from.kind == operandVector:
		return d.pack(to, from, t)
	case t.kind == 'p':
		dest := d.destPred(to)
		if from.kind == operandLiteral {
			return func(w *warp, m uint32) { w.setPred(dest, m, -uint32(from.bits&1)) }
		}
		p, not := d.pred(from)
		return func(w *warp, m uint32) { w.setPred(dest, m, w.p[p]^not) }
	case t.width < 16:
		d.fail("type %v", t)
		return nil
	}
	dest, source := d.dest(to, t), d.source(from, t)
	if t.width == 64 {
		return func(w *warp, m uint32) { move(&w.r64[dest], w.src64(source), m) }
	}
	return func(w *warp, m uint32) { move(&w.r32[dest], w.src32(source), m) }
}

func move[T uint32 | uint64](to, from *[32]T, m uint32) {
	if m == everyLane {
		*to = *from
		return
	}
	for i := range to {
		if m>>uint(i)&1 != 0 {
			to[i] = from[i]
		}
	}
}

// unpack decodes mov.b32 {a, b}, c.
func (d *decoder) unpack(to, from operand, t valueType) execute {
	n := len(to.list)
	if n != 2 && n != 4 || t.width/n < 16 {
		d.fail("a vector of %d in %d bits", n, t.width)
		return nil
	}
	part := valueType{'b', t.width / n, false}
	source := d.source(from, t)
	var dests []int32
	for _, o := range to.list {
		if o.kind == operandSink {
			dests = append(dests, -1)
			continue
		}
		dests = append(dests, d.dest(o, part))
	}
	return func(w *warp, m uint32) {
		for i := range 32 {
			if m>>uint(i)&1 == 0 {
				continue
			}
			var v uint64
			if t.width == 64 {
				v = w.src64(source)[i]
			} else {
				v = uint64(w.src32(source)[i])
			}
			for j, dest := range dests {
				if dest >= 0 {
					w.r32[dest][i] = uint32(v >> (j * part.width) & (1<<part.width - 1))
				}
			}
		}
	}
}

// pack decodes mov.b32 c, {a, b}.
func (d *decoder) pack(to, from operand, t valueType) execute {
	n := len(from.list)
	if n != 2 && n != 4 || t.width/n < 16 {
		d.fail("a vector of %d in %d bits", n, t.width)
		return nil
	}
	part := valueType{'b', t.width / n, false}
	dest := d.dest(to, t)
	var sources []operandIndex
	for _, o := range from.list {
		sources = append(sources, d.source(o, part))
	}
	return func(w *warp, m uint32) {
		for i := range 32 {
			if m>>uint(i)&1 == 0 {
				continue
			}
			var v uint64
			for j, s := range sources {
				v |= uint64(w.src32(s)[i]) << (j * part.width)
			}
			if t.width == 64 {
				w.r64[dest][i] = v
			} else {
				w.r32[dest][i] = uint32(v)
			}
		}
	}
}

// decodeCvta decodes cvta and cvta.to: addresses of a space to generic ones and back.
func decodeCvta(d *decoder) execute {
	d.in.class = ClassMove
	back := d.has(".to")
	base := uint64(0)
	switch d.take(".global", ".shared", ".shared::cta", ".local", ".const", ".param") {
	case ".shared", ".shared::cta":
		base = sharedBase
	case ".local":
		base = localBase
	case ".global", ".const":
	default:
		d.fail("a state space that is not run here")
	}
	if back {
		base = -base
	}
	t := d.typ()
	if t.width != 64 {
		return nil
	}
	return d.unary64(t, func(a uint64) uint64 { return a + base })
}
