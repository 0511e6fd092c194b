package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func relu(f format) kernel {
	k := kernel{
		name: "relu" + f.suffix, format: f, args: []string{"dst", "src"},
		doc: []string{"keeps what is not negative: relu(NaN) is that NaN, relu(-0) is -0."},
		loop: f.each(
			"y := x",
			"if x < 0 {",
			"	y = 0",
			"}",
		),
		setup: func(s isa) func([]vector) vector {
			zero := s.vector()
			VXORPS(zero.AsX(), zero.AsX(), zero.AsX())
			return func(src []vector) vector {
				// MAXPS returns its second source, here x, where either is NaN or both are zero.
				VMAXPS(src[0], zero, src[0])
				return src[0]
			}
		},
	}
	if f == fp16 {
		k.doc = append(k.doc, "A signalling NaN becomes quiet.")
	}
	return k
}

func triad() kernel {
	return kernel{
		name: "triad" + fp64.suffix, format: fp64, args: []string{"dst", "a", "b"}, scalar: "s",
		doc: []string{"is STREAM's triad, rounded once."},
		loop: []string{
			"for i := range n {",
			"	dst[i] = math.FMA(s, b[i], a[i])",
			"}",
		},
		setup: func(s isa) func([]vector) vector {
			factor := s.vector()
			VBROADCASTSD(NewParamAddr("s", 32), factor)
			return func(src []vector) vector {
				VFMADD231PD(factor, src[1], src[0])
				return src[0]
			}
		},
	}
}

func copying() kernel {
	return kernel{
		name: "copy" + fp64.suffix, format: fp64, args: []string{"dst", "src"},
		doc: []string{"copies bits."},
		loop: []string{
			"for i := range n {",
			"	dst[i] = src[i]",
			"}",
		},
		setup: func(isa) func([]vector) vector {
			return func(src []vector) vector { return src[0] }
		},
	}
}
