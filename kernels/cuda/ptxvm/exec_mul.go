package ptxvm

import "math/bits"

func init() {
	opcode(decodeMad, "mad")
	opcode(decodeMul24, "mul24")
}

func high64(a, b uint64) uint64 {
	hi, _ := bits.Mul64(a, b)
	return hi
}

func high64s(a, b uint64) uint64 {
	hi := high64(a, b)
	if int64(a) < 0 {
		hi -= b
	}
	if int64(b) < 0 {
		hi -= a
	}
	return hi
}

func (d *decoder) mulHigh(t valueType) execute {
	switch {
	case t.width == 64 && t.kind == 's':
		return d.binary64(t, high64s)
	case t.width == 64:
		return d.binary64(t, high64)
	case t.width == 32 && t.kind == 's':
		return d.binary32(t, func(a, b uint32) uint32 { return uint32(int64(int32(a)) * int64(int32(b)) >> 32) })
	case t.width == 32:
		return d.binary32(t, func(a, b uint32) uint32 { return uint32(uint64(a) * uint64(b) >> 32) })
	case t.kind == 's':
		return d.binary32(t, func(a, b uint32) uint32 { return signed(a) * signed(b) >> 16 })
	}
	return d.binary32(t, func(a, b uint32) uint32 { return a * b >> 16 })
}

// wider is the type of twice the width.
func (d *decoder) wider(t valueType) valueType {
	if t.width > 32 {
		d.fail("modifier .wide for type %v", t)
		return t
	}
	return valueType{t.kind, 2 * t.width, false}
}

// wideProduct multiplies two values of a type into twice its width.
func wideProduct(t valueType) func(a, b uint64) uint64 {
	switch {
	case t.width == 32 && t.kind == 's':
		return func(a, b uint64) uint64 { return uint64(int64(int32(a)) * int64(int32(b))) }
	case t.width == 16 && t.kind == 's':
		return func(a, b uint64) uint64 { return uint64(uint32(int32(int16(a)) * int32(int16(b)))) }
	}
	return func(a, b uint64) uint64 { return a * b }
}

func (d *decoder) mulWide(t valueType) execute {
	product := wideProduct(t)
	return d.mixed(d.wider(t), []valueType{t, t}, func(v *[4]uint64) uint64 { return product(v[0], v[1]) })
}

func decodeMad(d *decoder) execute {
	half := d.take(".lo", ".hi", ".wide")
	t := d.typ()
	if t.kind == 'f' {
		if half != "" {
			d.fail("modifier %s for a floating-point type", half)
		}
		return decodeFMA(d, t)
	}
	if t.kind != 's' && t.kind != 'u' || t.width < 16 {
		d.fail("type %v", t)
		return nil
	}
	switch {
	case half == ".wide":
		product := wideProduct(t)
		wide := d.wider(t)
		return d.mixed(wide, []valueType{t, t, wide}, func(v *[4]uint64) uint64 { return product(v[0], v[1]) + v[2] })
	case half == ".lo" && t.width == 64:
		return d.ternary64(t, func(a, b, c uint64) uint64 { return a*b + c })
	case half == ".lo" && t.width == 32:
		return d.ternary32(t, func(a, b, c uint32) uint32 { return a*b + c })
	case half == ".lo":
		return d.ternary32(t, func(a, b, c uint32) uint32 { return (a*b + c) & 0xffff })
	case half == ".hi" && t.width == 32 && t.kind == 's':
		return d.ternary32(t, func(a, b, c uint32) uint32 { return uint32(int64(int32(a))*int64(int32(b))>>32) + c })
	case half == ".hi" && t.width == 32:
		return d.ternary32(t, func(a, b, c uint32) uint32 { return uint32(uint64(a)*uint64(b)>>32) + c })
	case half == ".hi" && t.width == 64 && t.kind == 's':
		return d.ternary64(t, func(a, b, c uint64) uint64 { return high64s(a, b) + c })
	case half == ".hi" && t.width == 64:
		return d.ternary64(t, func(a, b, c uint64) uint64 { return high64(a, b) + c })
	}
	return nil
}

func decodeMul24(d *decoder) execute {
	if !d.has(".lo") {
		return nil
	}
	t := d.typ()
	if t.width != 32 {
		return nil
	}
	if t.kind == 's' {
		return d.binary32(t, func(a, b uint32) uint32 { return uint32(int32(a<<8)>>8) * uint32(int32(b<<8)>>8) })
	}
	return d.binary32(t, func(a, b uint32) uint32 { return (a & 0xffffff) * (b & 0xffffff) })
}
