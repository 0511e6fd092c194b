// Command fma generates the register-only multiply-add loops.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

func main() {
	for _, v := range []gen.Vectors{gen.AVX512, gen.AVX2} {
		fma(v, "FP32", "float32", 4)
		fma(v, "FP64", "float64", 8)
	}
	Generate()
}

// fma keeps three quarters of the registers in flight: 24 or 12 chains hide a latency of 4 or 5
// cycles at two instructions a cycle.
func fma(v gen.Vectors, precision, element string, bytes int) {
	chains := len(v.Reg) * 3 / 4
	lanes := chains * v.Bytes / bytes
	name := "fma" + v.Name + precision
	TEXT(name, NOSPLIT, fmt.Sprintf("func(rounds int, one %s, sums *[%d]%s)", element, lanes, element))
	Pragma("noescape")
	Doc(
		fmt.Sprintf("%s performs a multiply-add in each of %d chains, rounds times, one being 1:", name, lanes),
		"",
		"\tclear(sums[:])",
		"\tfor range rounds {",
		"\t\tfor i := range sums {",
		"\t\t\tsums[i] = sums[i]*one + one",
		"\t\t}",
		"\t}",
	)
	rounds := Load(Param("rounds"), GP64())
	one := v.Reg[chains]
	p, err := Param("one").Resolve()
	if err != nil {
		panic(err)
	}
	if bytes == 4 {
		VBROADCASTSS(p.Addr, one)
	} else {
		VBROADCASTSD(p.Addr, one)
	}
	sums := Load(Param("sums"), GP64())
	v.Zero(v.Reg[:chains]...)
	TESTQ(rounds, rounds)
	JZ(LabelRef("done"))
	gen.Align(64)
	Label("loop")
	for _, x := range v.Reg[:chains] {
		if bytes == 4 {
			VFMADD213PS(one, one, x)
		} else {
			VFMADD213PD(one, one, x)
		}
	}
	DECQ(rounds)
	JNZ(LabelRef("loop"))
	Label("done")
	for i, x := range v.Reg[:chains] {
		VMOVUPS(x, Mem{Base: sums, Disp: i * v.Bytes})
	}
	VZEROUPPER()
	RET()
}
