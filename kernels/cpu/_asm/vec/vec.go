// Package vec is what the generators of elementwise and rowwise kernels are written in: arithmetic on
// groups of vectors of float32, side by side, so that the latencies of one hide behind the others;
// constants and lookup tables; the formats that elements are stored in; and exp.
package vec

import (
	"fmt"
	"math"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// ISA is an instruction set to generate for.
type ISA struct {
	Suffix string // of the names of routines
	Bytes  int    // of a vector register
	Masks  bool   // has mask registers, VSCALEF and twice as many vector registers
}

// AVX2 is with FMA and F16C; AVX512 is F, BW, DQ and VL.
var (
	AVX2   = ISA{Suffix: "AVX2", Bytes: 32}
	AVX512 = ISA{Suffix: "AVX512", Bytes: 64, Masks: true}
)

// Lanes is the count of float32 in a vector.
func (s ISA) Lanes() int { return s.Bytes / 4 }

// Asm writes one routine for an ISA. Its methods are instructions on every vector of a group; what a
// result is put into is a fresh register unless the method says otherwise.
type Asm struct {
	ISA
	spare     int              // registers that constants may still take
	constants map[uint32]Const // those in registers
}

// New begins a routine in which constants may take the given count of vector registers; the
// others are read from memory at each use. Constants are asked for before the loop begins.
func New(s ISA, registers int) *Asm {
	return &Asm{ISA: s, spare: registers, constants: map[uint32]Const{}}
}

// V is a group of vectors that lie in registers.
type V []reg.VecVirtual

// Operand is a V, or a Const for every vector of one.
type Operand interface{ at(i int) Op }

func (v V) at(i int) Op { return v[i] }

// Const is one value in all lanes, in a register or in memory.
type Const struct{ op Op }

func (c Const) at(int) Op { return c.op }

// New is a group of n registers.
func (s ISA) New(n int) V {
	v := make(V, n)
	for i := range v {
		if s.Masks {
			v[i] = ZMM()
		} else {
			v[i] = YMM()
		}
	}
	return v
}

// Int holds bits in every lane of a register if one is left for it, else in memory.
func (a *Asm) Int(bits uint32) Const {
	if c, ok := a.constants[bits]; ok {
		return c
	}
	if a.spare == 0 {
		return Const{constant(bits)}
	}
	a.spare--
	v := a.New(1)
	if bits == 0 {
		VXORPS(v[0].AsX(), v[0].AsX(), v[0].AsX())
	} else {
		VBROADCASTSS(constant(bits), v[0])
	}
	c := Const{v[0]}
	a.constants[bits] = c
	return c
}

// Float is [Asm.Int] of a float32's bits.
func (a *Asm) Float(f float64) Const { return a.Int(math.Float32bits(float32(f))) }

var constants = map[uint32]Mem{}

// constant is an AVX-512 register's width of copies of a constant.
func constant(bits uint32) Mem {
	m, ok := constants[bits]
	if !ok {
		m = GLOBL(fmt.Sprintf("all_%08x", bits), attr.RODATA|attr.NOPTR)
		for offset := 0; offset < AVX512.Bytes; offset += 4 {
			DATA(offset, U32(bits))
		}
		constants[bits] = m
	}
	return m
}

var tables = map[string]Mem{}

// Table has a value for each lane, for [Asm.Lookup].
func (a *Asm) Table(name string, values []float64) Const {
	bits := make([]uint32, len(values))
	for i, v := range values {
		bits[i] = math.Float32bits(float32(v))
	}
	return a.bitTable(name, bits)
}

func (a *Asm) bitTable(name string, bits []uint32) Const {
	return a.kept(Const{table(name, bits)})
}

// kept is c, which lies in memory, in a register if one is left for it.
func (a *Asm) kept(c Const) Const {
	if a.spare == 0 {
		return c
	}
	a.spare--
	v := a.New(1)
	VMOVUPS(c.op, v[0])
	return Const{v[0]}
}

func table(name string, bits []uint32) Mem {
	name = strings.ReplaceAll(fmt.Sprintf("%s_%d", name, len(bits)), "-", "m")
	m, ok := tables[name]
	if !ok {
		m = GLOBL(name, attr.RODATA|attr.NOPTR)
		for i, b := range bits {
			DATA(4*i, U32(b))
		}
		tables[name] = m
	}
	return m
}

// each emits f for each vector, with a fresh register.
func (a *Asm) each(n int, f func(i int, dst reg.VecVirtual)) V {
	dst := a.New(n)
	for i := range dst {
		f(i, dst[i])
	}
	return dst
}

// Copy is n copies of x.
func (a *Asm) Copy(x Operand, n int) V {
	return a.each(n, func(i int, dst reg.VecVirtual) { fetch(x.at(i), dst) })
}

// fetch copies a register, or a constant from memory, which is not aligned to a vector.
func fetch(x, dst Op) {
	if _, ok := x.(Mem); ok {
		VMOVUPS(x, dst)
	} else {
		VMOVAPS(x, dst)
	}
}

// Add is x + y.
func (a *Asm) Add(x V, y Operand) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) { VADDPS(y.at(i), x[i], dst) })
}

// Sub is x - y.
func (a *Asm) Sub(x V, y Operand) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) { VSUBPS(y.at(i), x[i], dst) })
}

// Mul is x·y.
func (a *Asm) Mul(x V, y Operand) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) { VMULPS(y.at(i), x[i], dst) })
}

// Div is x / y.
func (a *Asm) Div(x V, y Operand) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) { VDIVPS(y.at(i), x[i], dst) })
}

// AtMost is min(x, bound), AtLeast max(x, bound); a NaN of x stays.
func (a *Asm) AtMost(x V, bound Const) V { return a.clamp(VMINPS, x, bound) }

// AtLeast is described at AtMost.
func (a *Asm) AtLeast(x V, bound Const) V { return a.clamp(VMAXPS, x, bound) }

// clamp: MINPS and MAXPS return their second source, here x, where either is NaN; the first cannot lie in memory.
func (a *Asm) clamp(to func(ops ...Op), x V, bound Const) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) {
		first := bound.op
		if _, ok := first.(Mem); ok {
			fetch(first, dst)
			first = dst
		}
		to(x[i], first, dst)
	})
}

// Min is the smaller of x and y, and y where either is NaN or both are zero.
func (a *Asm) Min(x, y V) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) { VMINPS(y[i], x[i], dst) })
}

// MulAdd adds x·y to z, in place, rounding once, and returns it.
func (a *Asm) MulAdd(x V, y Operand, z V) V {
	for i := range z {
		VFMADD231PS(y.at(i), x[i], z[i])
	}
	return z
}

// MulSub makes x·y - z of z, in place.
func (a *Asm) MulSub(x V, y Operand, z V) V {
	for i := range z {
		VFMSUB231PS(y.at(i), x[i], z[i])
	}
	return z
}

// NegMulAdd subtracts x·y from z, in place.
func (a *Asm) NegMulAdd(x V, y Operand, z V) V {
	for i := range z {
		VFNMADD231PS(y.at(i), x[i], z[i])
	}
	return z
}

// Step makes p·x + c of p, in place: a step of Horner's rule.
func (a *Asm) Step(p, x V, c Operand) V {
	for i := range p {
		VFMADD213PS(c.at(i), x[i], p[i])
	}
	return p
}

// Poly is c[0] + c[1]·x + c[2]·x² ... by Horner's rule.
func (a *Asm) Poly(x V, c []Const) V {
	last := len(c) - 1
	p := a.Copy(c[last], len(x))
	for i := last - 1; i >= 0; i-- {
		a.Step(p, x, c[i])
	}
	return p
}

// Floats are constants, in order.
func (a *Asm) Floats(values ...float64) []Const {
	c := make([]Const, len(values))
	for i, v := range values {
		c[i] = a.Float(v)
	}
	return c
}

// And is the bitwise x & y.
func (a *Asm) And(x V, y Operand) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) {
		if a.Masks {
			VPANDD(y.at(i), x[i], dst)
		} else {
			VPAND(y.at(i), x[i], dst)
		}
	})
}

// Or is the bitwise x | y.
func (a *Asm) Or(x V, y Operand) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) {
		if a.Masks {
			VPORD(y.at(i), x[i], dst)
		} else {
			VPOR(y.at(i), x[i], dst)
		}
	})
}

// Lookup is the entry of table that the low bits of each lane of index name.
func (a *Asm) Lookup(table Const, index V) V {
	return a.each(len(index), func(i int, dst reg.VecVirtual) { VPERMPS(table.op, index[i], dst) })
}

// ShiftLeft and ShiftRight move the bits of each lane, filling with zeros.
func (a *Asm) ShiftLeft(x V, bits uint8) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) { VPSLLD(U8(bits), x[i], dst) })
}

// ShiftRight is described at ShiftLeft.
func (a *Asm) ShiftRight(x V, bits uint8) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) { VPSRLD(U8(bits), x[i], dst) })
}

// AddInt is x + y of integers.
func (a *Asm) AddInt(x V, y Operand) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) { VPADDD(y.at(i), x[i], dst) })
}

// SubInt is x - y of integers.
func (a *Asm) SubInt(x V, y Operand) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) { VPSUBD(y.at(i), x[i], dst) })
}

// Xor is the bitwise x ^ y.
func (a *Asm) Xor(x V, y Operand) V {
	return a.each(len(x), func(i int, dst reg.VecVirtual) {
		if a.Masks {
			VPXORD(y.at(i), x[i], dst)
		} else {
			VPXOR(y.at(i), x[i], dst)
		}
	})
}

// Return leaves the routine. It tells the register allocator that the upper half of AVX-512's
// registers is in use to the end where the ISA does not have it, since it would take them.
func (a *Asm) Return() {
	var taken []Op
	if !a.Masks {
		for _, r := range reg.Vector.Registers() {
			if y, ok := r.(reg.VecPhysical); ok && r.Size() == 32 && r.PhysicalIndex() >= 16 {
				taken = append(taken, y)
			}
		}
	}
	Instruction(&ir.Instruction{Opcode: "VZEROUPPER", Inputs: taken, ISA: []string{"AVX"}})
	RET()
}
