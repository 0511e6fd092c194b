package ptxvm

// What follows turns a function of one lane's values into an execute for all lanes of a mask. The operand
// lists of the decoded statement are: the result, then the sources.

var (
	bits16 = valueType{'b', 16, false}
	bits32 = valueType{'b', 32, false}
	bits64 = valueType{'b', 64, false}
)

// unary32 is d = f(a); t is of 16 or 32 bits.
func (d *decoder) unary32(t valueType, f func(a uint32) uint32) execute {
	d.args(2)
	to, a := d.dest(d.arg(0), t), d.source(d.arg(1), t)
	return func(w *warp, m uint32) {
		to, a := &w.r32[to], w.src32(a)
		for i := range to {
			if m>>uint(i)&1 != 0 {
				to[i] = f(a[i])
			}
		}
	}
}

func (d *decoder) unary64(t valueType, f func(a uint64) uint64) execute {
	d.args(2)
	to, a := d.dest(d.arg(0), t), d.source(d.arg(1), t)
	return func(w *warp, m uint32) {
		to, a := &w.r64[to], w.src64(a)
		for i := range to {
			if m>>uint(i)&1 != 0 {
				to[i] = f(a[i])
			}
		}
	}
}

// binary32 is d = f(a, b); t is of 16 or 32 bits.
func (d *decoder) binary32(t valueType, f func(a, b uint32) uint32) execute {
	return d.binary32Of(t, t, t, f)
}

// binary32Of is the same for operands of different types.
func (d *decoder) binary32Of(tTo, tA, tB valueType, f func(a, b uint32) uint32) execute {
	d.args(3)
	to, a, b := d.dest(d.arg(0), tTo), d.source(d.arg(1), tA), d.source(d.arg(2), tB)
	return func(w *warp, m uint32) {
		to, a, b := &w.r32[to], w.src32(a), w.src32(b)
		for i := range to {
			if m>>uint(i)&1 != 0 {
				to[i] = f(a[i], b[i])
			}
		}
	}
}

func (d *decoder) binary64(t valueType, f func(a, b uint64) uint64) execute {
	d.args(3)
	to, a, b := d.dest(d.arg(0), t), d.source(d.arg(1), t), d.source(d.arg(2), t)
	return func(w *warp, m uint32) {
		to, a, b := &w.r64[to], w.src64(a), w.src64(b)
		for i := range to {
			if m>>uint(i)&1 != 0 {
				to[i] = f(a[i], b[i])
			}
		}
	}
}

// ternary32 is d = f(a, b, c).
func (d *decoder) ternary32(t valueType, f func(a, b, c uint32) uint32) execute {
	return d.ternary32Of([4]valueType{t, t, t, t}, f)
}

func (d *decoder) ternary32Of(t [4]valueType, f func(a, b, c uint32) uint32) execute {
	d.args(4)
	to, a, b, c := d.dest(d.arg(0), t[0]), d.source(d.arg(1), t[1]), d.source(d.arg(2), t[2]), d.source(d.arg(3), t[3])
	return func(w *warp, m uint32) {
		to, a, b, c := &w.r32[to], w.src32(a), w.src32(b), w.src32(c)
		for i := range to {
			if m>>uint(i)&1 != 0 {
				to[i] = f(a[i], b[i], c[i])
			}
		}
	}
}

func (d *decoder) ternary64(t valueType, f func(a, b, c uint64) uint64) execute {
	d.args(4)
	to, a, b, c := d.dest(d.arg(0), t), d.source(d.arg(1), t), d.source(d.arg(2), t), d.source(d.arg(3), t)
	return func(w *warp, m uint32) {
		to, a, b, c := &w.r64[to], w.src64(a), w.src64(b), w.src64(c)
		for i := range to {
			if m>>uint(i)&1 != 0 {
				to[i] = f(a[i], b[i], c[i])
			}
		}
	}
}

// mixed is d = f(sources) for operands of any types, as bits; the slow general form.
func (d *decoder) mixed(to valueType, from []valueType, f func(v *[4]uint64) uint64) execute {
	d.args(1 + len(from))
	dest := d.dest(d.arg(0), to)
	var sources [4]operandIndex
	var wide [4]bool
	for i, t := range from {
		sources[i], wide[i] = d.source(d.arg(1+i), t), t.width == 64
	}
	n, to64 := len(from), to.width == 64
	return func(w *warp, m uint32) {
		var v [4]uint64
		for i := range 32 {
			if m>>uint(i)&1 == 0 {
				continue
			}
			for j := range n {
				if wide[j] {
					v[j] = w.src64(sources[j])[i]
				} else {
					v[j] = uint64(w.src32(sources[j])[i])
				}
			}
			if to64 {
				w.r64[dest][i] = f(&v)
			} else {
				w.r32[dest][i] = uint32(f(&v))
			}
		}
	}
}
