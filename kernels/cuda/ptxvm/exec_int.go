package ptxvm

func init() {
	opcode(decodeArithmetic, "add", "sub", "mul", "min", "max", "div", "rem")
	opcode(decodeArithmetic1, "neg", "abs")
	opcode(decodeSad, "sad")
}

// narrow takes a result back to the width of its type: unsigned, as registers hold it.
func narrow(f func(a, b uint32) uint32) func(a, b uint32) uint32 {
	return func(a, b uint32) uint32 { return f(a, b) & 0xffff }
}

// signed widens 16 bits as they lie in a register.
func signed(a uint32) uint32 { return uint32(int32(int16(a))) }

type intOps struct {
	op32        func(a, b uint32) uint32 // unsigned, or where the sign means nothing
	op32s       func(a, b uint32) uint32 // signed
	op64, op64s func(a, b uint64) uint64
}

// A GPU divides by 0 without a trap and gives all ones; the remainder is the dividend.
var arithmetic = map[string]intOps{
	"add": {op32: func(a, b uint32) uint32 { return a + b }, op64: func(a, b uint64) uint64 { return a + b }},
	"sub": {op32: func(a, b uint32) uint32 { return a - b }, op64: func(a, b uint64) uint64 { return a - b }},
	"mul": {op32: func(a, b uint32) uint32 { return a * b }, op64: func(a, b uint64) uint64 { return a * b }},
	"min": {
		op32:  func(a, b uint32) uint32 { return min(a, b) },
		op32s: func(a, b uint32) uint32 { return uint32(min(int32(a), int32(b))) },
		op64:  func(a, b uint64) uint64 { return min(a, b) },
		op64s: func(a, b uint64) uint64 { return uint64(min(int64(a), int64(b))) },
	},
	"max": {
		op32:  func(a, b uint32) uint32 { return max(a, b) },
		op32s: func(a, b uint32) uint32 { return uint32(max(int32(a), int32(b))) },
		op64:  func(a, b uint64) uint64 { return max(a, b) },
		op64s: func(a, b uint64) uint64 { return uint64(max(int64(a), int64(b))) },
	},
	"div": {
		op32: func(a, b uint32) uint32 {
			if b == 0 {
				return ^uint32(0)
			}
			return a / b
		},
		op32s: func(a, b uint32) uint32 {
			if b == 0 {
				return ^uint32(0)
			}
			return uint32(int32(a) / int32(b))
		},
		op64: func(a, b uint64) uint64 {
			if b == 0 {
				return ^uint64(0)
			}
			return a / b
		},
		op64s: func(a, b uint64) uint64 {
			if b == 0 {
				return ^uint64(0)
			}
			return uint64(int64(a) / int64(b))
		},
	},
	"rem": {
		op32: func(a, b uint32) uint32 {
			if b == 0 {
				return a
			}
			return a % b
		},
		op32s: func(a, b uint32) uint32 {
			if b == 0 {
				return a
			}
			return uint32(int32(a) % int32(b))
		},
		op64: func(a, b uint64) uint64 {
			if b == 0 {
				return a
			}
			return a % b
		},
		op64s: func(a, b uint64) uint64 {
			if b == 0 {
				return a
			}
			return uint64(int64(a) % int64(b))
		},
	},
}

// decodeArithmetic decodes add, sub, mul, min, max, div and rem of every type.
func decodeArithmetic(d *decoder) execute {
	name := d.base
	half := d.take(".lo", ".hi", ".wide")
	t := d.typ()
	if t.kind == 'f' || t.kind == 'h' {
		if half != "" {
			d.fail("modifier %s for a floating-point type", half)
		}
		return decodeFloat(d, name, t)
	}
	if t.kind == 'p' || t.kind == 'b' || t.width < 16 {
		d.fail("type %v", t)
		return nil
	}
	if (half != "") != (name == "mul") {
		d.fail("modifier %q", half)
	}
	switch half {
	case ".hi":
		return d.mulHigh(t)
	case ".wide":
		return d.mulWide(t)
	}
	if d.has(".sat") {
		if name != "add" && name != "sub" || t != valueTypes[".s32"] {
			d.fail("modifier .sat")
		}
		return d.binary32(t, saturating(name))
	}
	return d.integer(arithmetic[name], name, t)
}

func (d *decoder) integer(ops intOps, name string, t valueType) execute {
	op32, op64 := ops.op32, ops.op64
	if t.kind == 's' && ops.op32s != nil {
		op32, op64 = ops.op32s, ops.op64s
	}
	switch {
	case t.width == 64:
		if name == "add" {
			return d.add64(t)
		}
		return d.binary64(t, op64)
	case t.width == 16 && t.kind == 's':
		return d.binary32(t, func(a, b uint32) uint32 { return op32(signed(a), signed(b)) & 0xffff })
	case t.width == 16:
		return d.binary32(t, narrow(op32))
	case name == "add":
		return d.add32(t)
	}
	return d.binary32(t, op32)
}

func saturating(name string) func(a, b uint32) uint32 {
	return func(a, b uint32) uint32 {
		v := int64(int32(a)) + int64(int32(b))
		if name == "sub" {
			v = int64(int32(a)) - int64(int32(b))
		}
		return uint32(int32(max(min(v, 1<<31-1), -1<<31)))
	}
}

func (d *decoder) add32(t valueType) execute {
	d.args(3)
	to, a, b := d.dest(d.arg(0), t), d.source(d.arg(1), t), d.source(d.arg(2), t)
	return func(w *warp, m uint32) {
		to, a, b := &w.r32[to], w.src32(a), w.src32(b)
		if m == everyLane {
			for i := range to {
				to[i] = a[i] + b[i]
			}
			return
		}
		for i := range to {
			if m>>uint(i)&1 != 0 {
				to[i] = a[i] + b[i]
			}
		}
	}
}

func (d *decoder) add64(t valueType) execute {
	d.args(3)
	to, a, b := d.dest(d.arg(0), t), d.source(d.arg(1), t), d.source(d.arg(2), t)
	return func(w *warp, m uint32) {
		to, a, b := &w.r64[to], w.src64(a), w.src64(b)
		if m == everyLane {
			for i := range to {
				to[i] = a[i] + b[i]
			}
			return
		}
		for i := range to {
			if m>>uint(i)&1 != 0 {
				to[i] = a[i] + b[i]
			}
		}
	}
}

// decodeArithmetic1 decodes neg and abs of every type.
func decodeArithmetic1(d *decoder) execute {
	name := d.base
	ftz := d.has(".ftz")
	t := d.typ()
	if t.kind == 'f' || t.kind == 'h' {
		return decodeSign(d, name, t, ftz)
	}
	if t.kind != 's' || t.width < 16 || ftz {
		d.fail("type %v", t)
		return nil
	}
	change := func(a int64) bool { return name == "neg" || a < 0 }
	switch t.width {
	case 64:
		return d.unary64(t, func(a uint64) uint64 {
			if change(int64(a)) {
				return -a
			}
			return a
		})
	case 32:
		return d.unary32(t, func(a uint32) uint32 {
			if change(int64(int32(a))) {
				return -a
			}
			return a
		})
	}
	return d.unary32(t, func(a uint32) uint32 {
		if change(int64(int16(a))) {
			return -a & 0xffff
		}
		return a
	})
}

func decodeSad(d *decoder) execute {
	t := d.typ()
	if t.width != 32 {
		return nil
	}
	return d.ternary32(t, func(a, b, c uint32) uint32 {
		if t.kind == 's' {
			return c + uint32(max(int32(a), int32(b))-min(int32(a), int32(b)))
		}
		return c + max(a, b) - min(a, b)
	})
}
