// Package gen holds what the kernel generators share: vector register files by name, and
// instructions that avo leaves out.
package gen

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Vectors is a vector register file: its registers, and its width in bytes.
type Vectors struct {
	Name  string // in function names
	Bytes int
	Reg   []reg.VecPhysical
}

// The register files of AVX2 and AVX-512.
var (
	AVX2 = Vectors{"AVX2", 32, []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}}
	AVX512 = Vectors{"AVX512", 64, []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
		reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
		reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
	}}
)

// Zero clears registers.
func (v Vectors) Zero(regs ...reg.VecPhysical) {
	for _, r := range regs {
		if v.Bytes == 64 {
			build.VPXORD(r, r, r)
		} else {
			build.VXORPS(r, r, r)
		}
	}
}

// Align puts the next instruction at a multiple of n bytes.
func Align(n uint64) {
	build.Instruction(&ir.Instruction{Opcode: "PCALIGN", Operands: []operand.Op{operand.Imm(n)}})
}

// Rows addresses rows that lie a stride apart, with few registers: Row(i) is the
// start of row i.
type Rows struct {
	stride, stride3 reg.GPVirtual
	base            []reg.GPVirtual // of rows 0, 4, 8, ...
}

// NewRows addresses n rows from first on; stride is in bytes.
func NewRows(n int, first, stride reg.GPVirtual) Rows {
	r := Rows{stride: stride, stride3: build.GP64(), base: []reg.GPVirtual{first}}
	build.LEAQ(operand.Mem{Base: stride, Index: stride, Scale: 2}, r.stride3)
	for i := 4; i < n; i += 4 {
		r.base = append(r.base, build.GP64())
		build.LEAQ(operand.Mem{Base: r.base[i/4-1], Index: stride, Scale: 4}, r.base[i/4])
	}
	return r
}

// Row is the address of row i.
func (r Rows) Row(i int) operand.Mem {
	m := operand.Mem{Base: r.base[i/4]}
	switch i % 4 {
	case 1:
		m.Index, m.Scale = r.stride, 1
	case 2:
		m.Index, m.Scale = r.stride, 2
	case 3:
		m.Index, m.Scale = r.stride3, 1
	}
	return m
}

// Advance moves every row by a number of bytes.
func (r Rows) Advance(bytes uint64) {
	for _, b := range r.base {
		build.ADDQ(operand.Imm(bytes), b)
	}
}

// LowestLanes is a mask of the n lowest lanes; n is below 64.
func LowestLanes(n reg.Register) reg.Register {
	build.Comment("mask = 1<<n - 1")
	build.MOVQ(n, reg.RCX)
	bits := build.GP64()
	build.MOVQ(operand.U32(1), bits)
	build.SHLQ(reg.CL, bits)
	build.DECQ(bits)
	mask := build.K()
	build.KMOVQ(bits, mask)
	return mask
}
