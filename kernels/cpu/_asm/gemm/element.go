package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// number is a type of sums, by its instructions.
type number struct {
	bytes     int
	broadcast func(ops ...Op)
	fma       func(ops ...Op)
	add       func(ops ...Op)
	addMasked func(m, x, k, y Op)
	store     func(ops ...Op)
}

var (
	fp32 = number{4, VBROADCASTSS, VFMADD231PS, VADDPS, VADDPS_Z, VMOVUPS}
	fp64 = number{8, VBROADCASTSD, VFMADD231PD, VADDPD, VADDPD_Z, VMOVUPD}
)

// element is a type of stored elements, and how a vector's worth of them is read and widened.
type element struct {
	name   string
	bytes  int
	load   func(m Op, x reg.VecPhysical)
	masked func(m, k Op, x reg.VecPhysical) // elements whose bit is not set are 0, and not touched
}

var (
	asFP64 = element{
		"FP64", 8,
		func(m Op, x reg.VecPhysical) { VMOVUPD(m, x) },
		func(m, k Op, x reg.VecPhysical) { VMOVUPD_Z(m, k, x) },
	}
	asFP32 = element{
		"FP32", 4,
		func(m Op, x reg.VecPhysical) { VMOVUPS(m, x) },
		func(m, k Op, x reg.VecPhysical) { VMOVUPS_Z(m, k, x) },
	}
	asFP16 = element{
		"FP16", 2,
		func(m Op, x reg.VecPhysical) { VCVTPH2PS(m, x) },
		func(m, k Op, x reg.VecPhysical) { VCVTPH2PS_Z(m, k, x) },
	}
	// The upper half of an fp32.
	asBF16 = element{
		"BF16", 2,
		func(m Op, x reg.VecPhysical) {
			VPMOVZXWD(m, x)
			VPSLLD(U8(16), x, x)
		},
		func(m, k Op, x reg.VecPhysical) {
			VPMOVZXWD_Z(m, k, x)
			VPSLLD(U8(16), x, x)
		},
	}
)
