package ptxvm

import "math"

// floatOps are the operations of two values. fp32 and fp64 are rounded by Go's own arithmetic; the 16-bit formats
// take an exact fp64 result and round it.
var floatOps = map[string]struct {
	f32 func(a, b float32) float32
	f64 func(a, b float64) float64
}{
	"add": {func(a, b float32) float32 { return a + b }, func(a, b float64) float64 { return a + b }},
	"sub": {func(a, b float32) float32 { return a - b }, func(a, b float64) float64 { return a - b }},
	"mul": {func(a, b float32) float32 { return a * b }, func(a, b float64) float64 { return a * b }},
	"div": {func(a, b float32) float32 { return a / b }, func(a, b float64) float64 { return a / b }},
	"min": {func(a, b float32) float32 { return float32(minimum(float64(a), float64(b))) }, minimum},
	"max": {func(a, b float32) float32 { return float32(maximum(float64(a), float64(b))) }, maximum},
}

// exact64 are the sums of the 16-bit formats: fp64 may be too short for bf16, so it rounds to odd.
var exact64 = map[string]func(a, b float64) float64{
	"add": addOdd,
	"sub": func(a, b float64) float64 { return addOdd(a, -b) },
}

// floatClass sets the class of a floating-point instruction by its type.
func (d *decoder) floatClass(t valueType) {
	switch {
	case t.width == 64:
		d.in.class = ClassFP64
	case t.width == 32 && !t.pair:
		d.in.class = ClassFP32
	default:
		d.in.class = ClassFP16
	}
}

// decodeFloat decodes add, sub, mul, div, min and max of floating-point types.
func decodeFloat(d *decoder, name string, t valueType) execute {
	d.floatClass(t)
	ops, ok := floatOps[name]
	if !ok {
		return nil
	}
	rounding := d.take(".rn", ".rz", ".rm", ".rp")
	ftz, sat, nan := d.has(".ftz"), d.has(".sat"), d.has(".NaN")
	bound := name == "min" || name == "max"
	if nan && !bound || sat && (bound || name == "div") {
		d.fail("modifiers .NaN and .sat do not go with %s", name)
	}
	if name == "div" {
		d.in.class = ClassSpecial
		d.take(".full", ".approx") // one rounding here; hardware is within 2 ulp
	}
	if rounding != "" && rounding != ".rn" {
		return d.directed(name, rounding, t, ftz, sat)
	}
	switch {
	case t.width == 64:
		f := ops.f64
		return d.binary64(t, func(a, b uint64) uint64 {
			x, y := math.Float64frombits(a), math.Float64frombits(b)
			if nan && (x != x || y != y) {
				return math.Float64bits(math.NaN())
			}
			return math.Float64bits(f(x, y))
		})
	case t.width == 32 && !t.pair:
		return d.float32Binary(name, t, ftz, sat, nan)
	case name == "div":
		return nil
	}
	f := ops.f64
	if e := exact64[name]; e != nil {
		f = e
	}
	return d.binary32(t, pairs2(t, halfBinary(formatOf(t), f, ftz, sat, nan)))
}

// float32Binary is the fp32 form; the plain sum and product have loops of their own.
func (d *decoder) float32Binary(name string, t valueType, ftz, sat, nan bool) execute {
	f := floatOps[name].f32
	if !ftz && !sat && !nan {
		return d.binary32(t, func(a, b uint32) uint32 { return bitsOf(f(math.Float32frombits(a), math.Float32frombits(b))) })
	}
	return d.binary32(t, func(a, b uint32) uint32 {
		if ftz {
			a, b = flush(a), flush(b)
		}
		x, y := math.Float32frombits(a), math.Float32frombits(b)
		r := f(x, y)
		if nan && (x != x || y != y) {
			return nan32
		}
		if sat {
			r = float32(saturate(float64(r)))
		}
		if ftz {
			return flush(bitsOf(r))
		}
		return bitsOf(r)
	})
}

// directed decodes sums and products of fp32 that are not rounded to nearest.
func (d *decoder) directed(name, rounding string, t valueType, ftz, sat bool) execute {
	f := floatOps[name].f64
	if e := exact64[name]; e != nil {
		f = e
	}
	if t.width != 32 || t.pair || ftz || sat || name == "div" {
		d.fail("modifier %s, which is not run here", rounding)
		return nil
	}
	return d.binary32(t, func(a, b uint32) uint32 {
		return bitsOf(round32(f(float64(math.Float32frombits(a)), float64(math.Float32frombits(b))), rounding))
	})
}

// round32 rounds to fp32 as .rn, .rz, .rm or .rp says.
func round32(v float64, rounding string) float32 {
	r := float32(v)
	if rounding == ".rn" || rounding == "" || float64(r) == v || v != v {
		return r
	}
	up, down := r, r
	if float64(r) > v {
		down = math.Nextafter32(r, float32(math.Inf(-1)))
	} else {
		up = math.Nextafter32(r, float32(math.Inf(1)))
	}
	if rounding == ".rp" || rounding == ".rz" && v < 0 {
		return up
	}
	return down
}

func halfBinary(f format, op func(a, b float64) float64, ftz, sat, nan bool) func(a, b uint32) uint32 {
	return func(a, b uint32) uint32 {
		if ftz {
			a, b = f.flush(a), f.flush(b)
		}
		x, y := f.value(a), f.value(b)
		if nan && (x != x || y != y) {
			return nan16
		}
		r := op(x, y)
		if sat {
			r = saturate(r)
		}
		if ftz {
			return f.flush(f.round(r))
		}
		return f.round(r)
	}
}

// pairs1, pairs2 and pairs3 apply f to both halves of packed types.
func pairs1(t valueType, f func(a uint32) uint32) func(a uint32) uint32 {
	if !t.pair {
		return f
	}
	return func(a uint32) uint32 { return f(a&0xffff) | f(a>>16)<<16 }
}

func pairs2(t valueType, f func(a, b uint32) uint32) func(a, b uint32) uint32 {
	if !t.pair {
		return f
	}
	return func(a, b uint32) uint32 { return f(a&0xffff, b&0xffff) | f(a>>16, b>>16)<<16 }
}

func pairs3(t valueType, f func(a, b, c uint32) uint32) func(a, b, c uint32) uint32 {
	if !t.pair {
		return f
	}
	return func(a, b, c uint32) uint32 { return f(a&0xffff, b&0xffff, c&0xffff) | f(a>>16, b>>16, c>>16)<<16 }
}
