// Command fma generates the register-only multiply-add loops.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// loop is one way to multiply and add.
type loop struct {
	gen.Vectors
	name     string // behind that of the vectors
	sum, one string // types of a lane's sum and of the ones that are multiplied in it
	bytes    int    // of a lane
	adds     int    // multiply-adds of a lane in a step
	// step adds one·one to each lane of x; it may use temporary registers.
	step func(one, x, temporary reg.VecPhysical)
}

var loops = []loop{
	{gen.AVX512, "FP32", "float32", "float32", 4, 1, fp32},
	{gen.AVX512, "FP64", "float64", "float64", 8, 1, fp64},
	{gen.AVX2, "FP32", "float32", "float32", 4, 1, fp32},
	{gen.AVX2, "FP64", "float64", "float64", 8, 1, fp64},
	{gen.AVX512, "BF16", "float32", "uint32", 4, 2, func(one, x, _ reg.VecPhysical) { gen.VDPBF16PS.Emit([]Op{one, one, x}) }},
	{gen.AVX512, "VNNI", "int32", "uint32", 4, 4, func(one, x, _ reg.VecPhysical) { VPDPBUSD(one, one, x) }},
	{gen.AVX2, "VNNI", "int32", "uint32", 4, 4, func(one, x, _ reg.VecPhysical) { gen.VPDPBUSD.Emit([]Op{one, one, x}) }},
	{gen.AVX512, "INT16", "int32", "uint32", 4, 2, int16s},
	{gen.AVX2, "INT16", "int32", "uint32", 4, 2, int16s},
}

func fp32(one, x, _ reg.VecPhysical) { VFMADD213PS(one, one, x) }

func fp64(one, x, _ reg.VecPhysical) { VFMADD213PD(one, one, x) }

func int16s(one, x, temporary reg.VecPhysical) {
	VPMADDWD(one, one, temporary)
	VPADDD(temporary, x, x)
}

func main() {
	for _, l := range loops {
		l.generate()
	}
	Generate()
}

// generate keeps three quarters of the registers in flight: 24 or 12 chains hide a latency of 4 to 6
// cycles at two instructions a cycle.
func (l loop) generate() {
	chains := len(l.Reg) * 3 / 4
	lanes := chains * l.Bytes / l.bytes
	name := "fma" + l.Name + l.name
	TEXT(name, NOSPLIT, fmt.Sprintf("func(rounds int, one %s, sums *[%d]%s)", l.one, lanes, l.sum))
	Pragma("noescape")
	Doc(append([]string{fmt.Sprintf("%s performs %d multiply-adds in each of %d chains, rounds times, one being made of ones:", name, l.adds, lanes), ""}, l.reference()...)...)
	rounds := Load(Param("rounds"), GP64())
	one, temporary := l.Reg[chains], l.Reg[chains+1:]
	p, err := Param("one").Resolve()
	if err != nil {
		panic(err)
	}
	if l.bytes == 4 {
		VBROADCASTSS(p.Addr, one)
	} else {
		VBROADCASTSD(p.Addr, one)
	}
	sums := Load(Param("sums"), GP64())
	l.Zero(l.Reg[:chains]...)
	TESTQ(rounds, rounds)
	JZ(LabelRef("done"))
	gen.Align(64)
	Label("loop")
	for i, x := range l.Reg[:chains] {
		l.step(one, x, temporary[i%len(temporary)])
	}
	DECQ(rounds)
	JNZ(LabelRef("loop"))
	Label("done")
	for i, x := range l.Reg[:chains] {
		VMOVUPS(x, Mem{Base: sums, Disp: i * l.Bytes})
	}
	VZEROUPPER()
	RET()
}

// reference is the loop in Go.
func (l loop) reference() []string {
	body := []string{"\t\t\tsums[i] = sums[i]*one + one"}
	if l.adds > 1 {
		bits := 32 / l.adds
		element := fmt.Sprintf("int32(int%d(one>>(%d*p)))", bits, bits)
		if l.sum == "float32" {
			element = "BFloat16(one>>(16*p)).Float32()"
		}
		body = []string{fmt.Sprintf("\t\t\tfor p := range %d {", l.adds), "\t\t\t\tx := " + element, "\t\t\t\tsums[i] += x * x", "\t\t\t}"}
	}
	lines := append([]string{"\tclear(sums[:])", "\tfor range rounds {", "\t\tfor i := range sums {"}, body...)
	return append(lines, "\t\t}", "\t}")
}
