package ptxvm

import "math"

func init() {
	opcode(decodeFunction, "rcp", "sqrt", "rsqrt", "ex2", "lg2", "sin", "cos", "tanh")
	opcode(decodeCopysign, "copysign")
	opcode(decodeTestp, "testp")
}

// functions are computed in fp64 and rounded once. Hardware's .approx forms may differ by the error that
// the PTX ISA states for each: rcp 1 ulp, ex2 2^-22.5 (relative), lg2 2^-22, rsqrt 2^-22.9,
// tanh 2^-11 (relative); sin and cos 2^-20.5 (absolute) within ±π.
var functions = map[string]func(v float64) float64{
	"rcp":   func(v float64) float64 { return 1 / v },
	"sqrt":  math.Sqrt,
	"rsqrt": func(v float64) float64 { return 1 / math.Sqrt(v) },
	"ex2":   math.Exp2,
	"lg2":   math.Log2,
	"sin":   math.Sin,
	"cos":   math.Cos,
	"tanh":  math.Tanh,
}

func decodeFunction(d *decoder) execute {
	d.in.class = ClassSpecial
	f := functions[d.base]
	d.take(".approx", ".rn")
	ftz := d.has(".ftz")
	t := d.typ()
	switch {
	case t.width == 64:
		return d.unary64(t, func(a uint64) uint64 { return math.Float64bits(f(math.Float64frombits(a))) })
	case t.kind == 'f' && t.width == 32 && !t.pair:
		return d.unary32(t, func(a uint32) uint32 {
			if ftz {
				return flush(bitsOf(float32(f(float64(math.Float32frombits(flush(a)))))))
			}
			return bitsOf(float32(f(float64(math.Float32frombits(a)))))
		})
	case t.width == 16 || t.pair:
		h := formatOf(t)
		return d.unary32(t, pairs1(t, func(a uint32) uint32 {
			if ftz {
				return h.flush(h.round(f(h.value(h.flush(a)))))
			}
			return h.round(f(h.value(a)))
		}))
	}
	return nil
}

// decodeSign decodes neg and abs of floating-point types, which change one bit.
func decodeSign(d *decoder, name string, t valueType, ftz bool) execute {
	d.floatClass(t)
	if t.width == 64 {
		return d.unary64(t, func(a uint64) uint64 {
			if name == "abs" {
				return a &^ (1 << 63)
			}
			return a ^ 1<<63
		})
	}
	sign := uint32(1) << (t.width - 1)
	if t.pair {
		sign = 0x80008000
	}
	if ftz && (t.width != 32 || t.pair) {
		return nil
	}
	return d.unary32(t, func(a uint32) uint32 {
		if ftz {
			a = flush(a)
		}
		if name == "abs" {
			return a &^ sign
		}
		return a ^ sign
	})
}

func decodeCopysign(d *decoder) execute {
	t := d.typ()
	switch {
	case t.kind != 'f' || t.pair:
		return nil
	case t.width == 64:
		return d.binary64(t, func(a, b uint64) uint64 { return a&(1<<63) | b&^(1<<63) })
	case t.width == 32:
		return d.binary32(t, func(a, b uint32) uint32 { return a&(1<<31) | b&^(1<<31) })
	}
	return nil
}

// decodeTestp decodes testp, which asks what kind of value an operand is.
func decodeTestp(d *decoder) execute {
	what := d.take(".finite", ".infinite", ".number", ".notanumber", ".normal", ".subnormal")
	t := d.typ()
	if t.kind != 'f' || t.width < 32 || t.pair || what == "" {
		return nil
	}
	d.args(2)
	to, a := d.destPred(d.arg(0)), d.source(d.arg(1), t)
	least := 0x1p-126
	if t.width == 64 {
		least = 0x1p-1022
	}
	ask := map[string]func(v float64) bool{
		".finite":     func(v float64) bool { return v-v == 0 },
		".infinite":   func(v float64) bool { return math.IsInf(v, 0) },
		".number":     func(v float64) bool { return v == v },
		".notanumber": func(v float64) bool { return v != v },
		".normal":     func(v float64) bool { return v-v == 0 && math.Abs(v) >= least },
		".subnormal":  func(v float64) bool { return v != 0 && math.Abs(v) < least },
	}[what]
	return func(w *warp, m uint32) {
		var r uint32
		for i := range 32 {
			v := 0.0
			if t.width == 64 {
				v = math.Float64frombits(w.src64(a)[i])
			} else {
				v = float64(math.Float32frombits(w.src32(a)[i]))
			}
			if ask(v) {
				r |= 1 << i
			}
		}
		w.setPred(to, m, r)
	}
}
