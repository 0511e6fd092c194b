package ptxvm

// convertPair decodes cvt.rn.f16x2.f32 d, a, b: a becomes the upper half.
func (d *decoder) convertPair(to, from valueType, rounding string, ftz, sat, relu bool) execute {
	if from != valueTypes[".f32"] || rounding != ".rn" && rounding != ".rz" {
		return nil
	}
	half := valueType{to.kind, 16, false}
	f := converter(half, from, rounding, ftz, sat, relu)
	return d.binary32Of(to, from, from, func(a, b uint32) uint32 { return uint32(f(uint64(a)))<<16 | uint32(f(uint64(b))) })
}

// convertTF32 decodes cvt.rna.tf32.f32: fp32 with 10 bits of significand, rounded half away from zero (.rna)
// or half to even (.rn).
func (d *decoder) convertTF32() execute {
	rounding := d.take(".rna", ".rn")
	if d.typ() != valueTypes[".f32"] || rounding == "" {
		return nil
	}
	d.args(2)
	to, a := d.dest(d.arg(0), bits32), d.source(d.arg(1), bits32)
	return func(w *warp, m uint32) {
		to, a := &w.r32[to], w.src32(a)
		for i := range to {
			if m>>uint(i)&1 == 0 {
				continue
			}
			v := a[i]
			switch {
			case v&0x7fffffff > 0x7f800000:
				v = nan32
			case v&0x7f800000 == 0x7f800000:
			case rounding == ".rna":
				v += 0x1000
			default:
				v += 0xfff + v>>13&1
			}
			to[i] = v &^ 0x1fff
		}
	}
}

// convertPack decodes cvt.pack.sat.s8.s32.b32 d, a, b, c: bytes b and a, below what c holds.
func (d *decoder) convertPack() execute {
	if !d.has(".sat") {
		return nil
	}
	to, from := d.typ(), d.typ()
	if from.width != 32 || to.width != 8 && to.width != 16 {
		return nil
	}
	clamp := func(v uint32) uint32 {
		return uint32(saturateInt(extend(uint64(v), from), from.kind == 's', to)) & (1<<to.width - 1)
	}
	if to.width == 16 {
		return d.binary32Of(bits32, from, from, func(a, b uint32) uint32 { return clamp(a)<<16 | clamp(b) })
	}
	if d.typ() != bits32 {
		return nil
	}
	return d.ternary32Of([4]valueType{bits32, from, from, bits32}, func(a, b, c uint32) uint32 {
		return c<<16 | clamp(a)<<8 | clamp(b)
	})
}
