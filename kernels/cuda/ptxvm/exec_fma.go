package ptxvm

import "math"

func init() {
	opcode(func(d *decoder) execute { return decodeFMA(d, d.typ()) }, "fma")
}

// decodeFMA decodes fma, and mad of floating-point types, which is the same.
func decodeFMA(d *decoder, t valueType) execute {
	d.floatClass(t)
	rounding := d.take(".rn", ".rz", ".rm", ".rp")
	ftz, sat, relu := d.has(".ftz"), d.has(".sat"), d.has(".relu")
	directed := rounding != "" && rounding != ".rn"
	if directed && (t.width != 32 || t.pair || sat || relu) {
		d.fail("modifier %s, which is not run here", rounding)
	}
	switch {
	case t.width == 64:
		d.in.tally = tallyFMA64
		if ftz || sat || relu {
			return nil
		}
		return d.fma64(t)
	case t.kind == 'f' && t.width == 32 && !t.pair:
		d.in.tally = tallyFMA32
		if relu {
			return nil
		}
		if !ftz && !sat && !directed {
			return d.fma32(t)
		}
		return d.ternary32(t, func(a, b, c uint32) uint32 {
			if ftz {
				a, b, c = flush(a), flush(b), flush(c)
			}
			r := fma32(math.Float32frombits(a), math.Float32frombits(b), math.Float32frombits(c))
			if directed {
				p := float64(math.Float32frombits(a)) * float64(math.Float32frombits(b))
				r = round32(addOdd(p, float64(math.Float32frombits(c))), rounding)
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
	if t.width == 32 || t.width == 16 {
		d.in.tally = tallyHFMA2
		if t.kind == 'f' && t.pair && !ftz && !sat && !relu {
			return d.fmaPair(t)
		}
		return d.ternary32(t, pairs3(t, halfFMA(formatOf(t), ftz, sat, relu)))
	}
	return nil
}

func halfFMA(f format, ftz, sat, relu bool) func(a, b, c uint32) uint32 {
	plain := !ftz && !sat && !relu
	return func(a, b, c uint32) uint32 {
		if ftz {
			a, b, c = f.flush(a), f.flush(b), f.flush(c)
		}
		r := addOdd(f.value(a)*f.value(b), f.value(c))
		if plain {
			return f.round(r)
		}
		if sat {
			r = saturate(r)
		}
		if relu && r <= 0 {
			r = 0
		}
		if ftz {
			return f.flush(f.round(r))
		}
		return f.round(r)
	}
}

func (d *decoder) fma32(t valueType) execute {
	d.args(4)
	to, a, b, c := d.dest(d.arg(0), t), d.source(d.arg(1), t), d.source(d.arg(2), t), d.source(d.arg(3), t)
	return func(w *warp, m uint32) {
		to, a, b, c := &w.r32[to], w.src32(a), w.src32(b), w.src32(c)
		for i := range to {
			if m>>uint(i)&1 == 0 {
				continue
			}
			p := float64(math.Float32frombits(a[i])) * float64(math.Float32frombits(b[i]))
			z := float64(math.Float32frombits(c[i]))
			s := p + z
			// As in fma32, by hand: this is the instruction that most time is spent in.
			if u := math.Float64bits(s); u&0x1fffffff == 0x10000000 || u>>52&0x7ff-(1023-126) >= 0x7ff-(1023-126)-1 {
				to[i] = bitsOf(float32(addOdd(p, z)))
				continue
			}
			to[i] = math.Float32bits(float32(s))
		}
	}
}

// fmaPair is fma.rn.f16x2. fp64 rounds the sum of an fp16 and a product of two only where one is too small to
// move the other across a tie, so that the second rounding does no harm.
func (d *decoder) fmaPair(t valueType) execute {
	d.args(4)
	to, a, b, c := d.dest(d.arg(0), t), d.source(d.arg(1), t), d.source(d.arg(2), t), d.source(d.arg(3), t)
	return func(w *warp, m uint32) {
		to, a, b, c := &w.r32[to], w.src32(a), w.src32(b), w.src32(c)
		for i := range to {
			if m>>uint(i)&1 == 0 {
				continue
			}
			a, b, c := a[i], b[i], c[i]
			low := float64(halves[a&0xffff]*halves[b&0xffff]) + float64(halves[c&0xffff])
			high := float64(halves[a>>16]*halves[b>>16]) + float64(halves[c>>16])
			to[i] = fp16.round(low) | fp16.round(high)<<16
		}
	}
}

func (d *decoder) fma64(t valueType) execute {
	d.args(4)
	to, a, b, c := d.dest(d.arg(0), t), d.source(d.arg(1), t), d.source(d.arg(2), t), d.source(d.arg(3), t)
	return func(w *warp, m uint32) {
		to, a, b, c := &w.r64[to], w.src64(a), w.src64(b), w.src64(c)
		for i := range to {
			if m>>uint(i)&1 != 0 {
				to[i] = math.Float64bits(math.FMA(math.Float64frombits(a[i]), math.Float64frombits(b[i]), math.Float64frombits(c[i])))
			}
		}
	}
}
