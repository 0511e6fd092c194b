package main

import (
	. "github.com/mmcloughlin/avo/build"
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
