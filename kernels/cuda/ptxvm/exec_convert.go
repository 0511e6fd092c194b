package ptxvm

import (
	"math"
	"strings"
)

func init() {
	opcode(decodeCvt, "cvt")
}

// looseSource is an operand of at least t's width: cvt and st read the lower part of a wider register.
func (d *decoder) looseSource(o operand, t valueType) (at operandIndex, width int) {
	if o.kind == operandRegister && o.reg.width >= max(t.width, 16) {
		return d.reading(o.reg), o.reg.width
	}
	width = max(t.width, 16)
	return d.source(o, valueType{t.kind, width, t.pair}), width
}

// looseDest is a register of at least t's width, and its own width.
func (d *decoder) looseDest(o operand, t valueType) (int32, int) {
	if o.kind != operandRegister || o.reg.width < max(t.width, 16) || o.not {
		d.fail("a result of type %v that goes to no register with room for it", t)
		return 0, 32
	}
	return d.writing(o.reg), o.reg.width
}

// decodeCvt decodes conversions: read as an integer or an fp64, round, write.
func decodeCvt(d *decoder) execute {
	d.in.class = ClassConvert
	if d.has(".pack") {
		return d.convertPack()
	}
	if d.take(".tf32") != "" {
		return d.convertTF32()
	}
	rounding := d.take(".rn", ".rz", ".rm", ".rp", ".rni", ".rzi", ".rmi", ".rpi")
	ftz, sat, relu := d.has(".ftz"), d.has(".sat"), d.has(".relu")
	to, from := d.typ(), d.typ()
	if to.pair {
		return d.convertPair(to, from, rounding, ftz, sat, relu)
	}
	if from.pair || to.kind == 'b' || from.kind == 'b' || to.kind == 'p' || from.kind == 'p' {
		d.fail("type %v", from)
		return nil
	}
	d.args(2)
	dest, destWidth := d.looseDest(d.arg(0), to)
	source, sourceWidth := d.looseSource(d.arg(1), from)
	convert := converter(to, from, rounding, ftz, sat, relu)
	if convert == nil {
		d.fail("modifier %s", rounding)
		return nil
	}
	f := extending(convert, to, destWidth)
	switch {
	case sourceWidth == 64 && destWidth == 64:
		return func(w *warp, m uint32) { mapLanes(&w.r64[dest], w.src64(source), m, f) }
	case sourceWidth == 64:
		return func(w *warp, m uint32) { mapLanes(&w.r32[dest], w.src64(source), m, f) }
	case destWidth == 64:
		return func(w *warp, m uint32) { mapLanes(&w.r64[dest], w.src32(source), m, f) }
	}
	return func(w *warp, m uint32) { mapLanes(&w.r32[dest], w.src32(source), m, f) }
}

func mapLanes[D, S uint32 | uint64](to *[32]D, from *[32]S, m uint32, f func(uint64) uint64) {
	for i := range to {
		if m>>uint(i)&1 != 0 {
			to[i] = D(f(uint64(from[i])))
		}
	}
}

// extending widens what f gives as a value of type t to a register of width bits.
func extending(f func(uint64) uint64, t valueType, width int) func(uint64) uint64 {
	mask := ^uint64(0) >> (64 - width)
	return func(v uint64) uint64 { return extend(f(v), t) & mask }
}

// extend widens the lower bits of v, a value of type t, to 64 bits.
func extend(v uint64, t valueType) uint64 {
	shift := 64 - t.width
	if t.kind == 's' {
		return uint64(int64(v<<shift) >> shift)
	}
	return v << shift >> shift
}

func isFloat(t valueType) bool { return t.kind == 'f' || t.kind == 'h' }

// converter makes the function from the bits of one type to those of another; nil if the rounding does not go
// with the types.
func converter(to, from valueType, rounding string, ftz, sat, relu bool) func(uint64) uint64 {
	integral := strings.HasSuffix(rounding, "i")
	switch {
	case !isFloat(from) && !isFloat(to):
		if rounding != "" {
			return nil
		}
		return func(v uint64) uint64 {
			v = extend(v, from)
			if sat {
				v = saturateInt(v, from.kind == 's', to)
			}
			return v
		}
	case !isFloat(from):
		if rounding == "" || integral {
			return nil
		}
		return func(v uint64) uint64 { return fromInt(extend(v, from), from.kind == 's', to, rounding) }
	}
	value := floatValue(from, ftz)
	if !isFloat(to) {
		if !integral {
			return nil
		}
		return func(v uint64) uint64 { return toInt(integer(value(v), rounding), to) }
	}
	return func(v uint64) uint64 {
		x := value(v)
		if integral {
			x = integer(x, rounding)
		}
		if sat {
			x = saturate(x)
		}
		if relu && x <= 0 {
			x = 0
		}
		return floatBits(x, to, strings.TrimSuffix(rounding, "i"), ftz)
	}
}

// floatValue reads the bits of a floating-point type.
func floatValue(t valueType, ftz bool) func(uint64) float64 {
	switch {
	case t.width == 64:
		return math.Float64frombits
	case t.width == 32 && ftz:
		return func(v uint64) float64 { return float64(math.Float32frombits(flush(uint32(v)))) }
	case t.width == 32:
		return func(v uint64) float64 { return float64(math.Float32frombits(uint32(v))) }
	}
	f := formatOf(t)
	return func(v uint64) float64 { return f.value(uint32(v)) }
}

// floatBits rounds x to a floating-point type.
func floatBits(x float64, t valueType, rounding string, ftz bool) uint64 {
	switch {
	case t.width == 64:
		return math.Float64bits(x)
	case t.width == 32:
		b := bitsOf(round32(x, rounding))
		if ftz {
			b = flush(b)
		}
		return uint64(b)
	}
	f := formatOf(t)
	b := f.round(x)
	if rounding == ".rz" && x == x && math.Abs(f.value(b)) > math.Abs(x) {
		b--
	}
	return uint64(b)
}

// integer rounds to an integer as .rni, .rzi, .rmi or .rpi says.
func integer(x float64, rounding string) float64 {
	switch rounding {
	case ".rni":
		return math.RoundToEven(x)
	case ".rzi":
		return math.Trunc(x)
	case ".rmi":
		return math.Floor(x)
	}
	return math.Ceil(x)
}

// toInt clamps an integral x to an integer type. A NaN becomes 0, as the PTX ISA has it for
// all but 64-bit results, whose NaN it gives the top bit alone.
func toInt(x float64, t valueType) uint64 {
	low, high := 0.0, math.Ldexp(1, t.width)
	if t.kind == 's' {
		low, high = -math.Ldexp(1, t.width-1), math.Ldexp(1, t.width-1)
	}
	switch {
	case x != x && t.width == 64:
		return 1 << 63
	case x != x:
		return 0
	case x < low:
		x = low
	case x >= high && t.kind == 's':
		return 1<<(t.width-1) - 1
	case x >= high:
		return ^uint64(0) >> (64 - t.width)
	}
	if x < 0 {
		return uint64(int64(x))
	}
	return uint64(x)
}

// fromInt rounds an integer to a floating-point type, once.
func fromInt(v uint64, signed bool, t valueType, rounding string) uint64 {
	negative := signed && int64(v) < 0
	if negative {
		v = -v
	}
	x := float64(v)
	if t.width != 64 && v>>53 != 0 { // more bits than an fp64 has: the last one stands for all that fall off
		u := v >> 11
		if v&0x7ff != 0 {
			u |= 1
		}
		x = float64(u) * 0x1p11
	}
	if negative {
		x = -x
	}
	return floatBits(x, t, rounding, false)
}

// saturateInt clamps an integer to the range of type t.
func saturateInt(v uint64, signed bool, t valueType) uint64 {
	if signed {
		x := int64(v)
		switch {
		case t.kind == 's':
			return uint64(min(max(x, -1<<(t.width-1)), 1<<(t.width-1)-1))
		case x < 0:
			return 0
		}
	}
	top := ^uint64(0) >> (64 - t.width)
	if t.kind == 's' {
		top >>= 1
	}
	return min(v, top)
}
