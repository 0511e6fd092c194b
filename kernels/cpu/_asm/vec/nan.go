package vec

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// NaNs are those whose payload is cleared.
type NaNs struct {
	table, nan Const
}

// NewNaNs asks for the constants.
func (a *Asm) NewNaNs() NaNs {
	if a.Masks {
		// As for Infinities: classes 0 and 1 are the quiet and the signalling NaN, 3 the default one.
		return NaNs{table: a.Int(0x33)}
	}
	return NaNs{nan: a.Int(0x7fc00000)}
}

// Plain makes the default NaN of every NaN of y, in place, and returns y: what is stored as bf16, which needs NaNs whose
// low bits are 0, may come of operands that were no bf16.
func (a *Asm) Plain(n NaNs, y V) V {
	for i := range y {
		if a.Masks {
			VFIXUPIMMPS(U8(0), n.table.op, y[i], y[i])
			continue
		}
		unordered := YMM()
		VCMPPS(U8(3), y[i], y[i], unordered)
		VBLENDVPS(unordered, n.nan.op, y[i], y[i])
	}
	return y
}
