package main

import (
	"fmt"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// Offsets in package cpu's packArgs.
const (
	packDst    = 0
	packSrc    = 8
	packLd     = 16 // bytes between rows of src
	packN      = 24
	packK      = 32
	packStride = 40 // bytes in dst from one k to the next, for transpositions
	packMask   = 48 // a bit for each element of the last vector of a row, for copies
)

// packers emits what packs elements of e, and returns the names: copies of rows of 1 .. vecs vectors (B) and of a row of a
// panel of A (A stored transposed), and the transpositions of a panel of A and of as many rows as a vector has lanes
// (B stored transposed); and, where a vector has the rows of two panels of A, the copy of a row of both.
func (f family) packers(e element) []string {
	var names []string
	for vecs := 1; vecs <= f.vecs; vecs++ {
		names = append(names, f.copyRows(e, vecs))
	}
	if f.rows == f.lanes() { // a row of a panel of A is a vector
		square := f.transpose(e, f.lanes(), square(f))
		return append(names, names[0], square, square)
	}
	turns := []string{f.transpose(e, f.rows, panelA(f)), f.transpose(e, f.lanes(), square(f))}
	if f.Bytes == 32 {
		return slices.Concat(names, []string{f.copySix(e)}, turns)
	}
	return slices.Concat(names, []string{f.copyHalf(e)}, turns, []string{f.copyHalves(e)})
}

// copyRows emits the copy of k pieces of rows to where they are contiguous.
func (f family) copyRows(e element, vecs int) string {
	name := f.name("%sCopy%d", e.name, vecs)
	width := vecs * f.lanes()
	gen.Routine(name, fmt.Sprintf("%s packs k rows of up to %d elements.", name, width))
	f.copyLoop(e, width, width*f.sum.bytes, func(src, dst reg.GPVirtual) {
		for j, x := range f.Reg[:vecs] {
			at := Mem{Base: src, Disp: j * f.lanes() * e.bytes}
			if f.Bytes == 64 && j == vecs-1 {
				e.masked(at, reg.K1, x)
			} else {
				e.load(at, x)
			}
		}
		for j, x := range f.Reg[:vecs] {
			f.sum.store(x, Mem{Base: dst, Disp: j * f.Bytes})
		}
	})
	return name
}

// copyHalf emits the same of rows of half a vector.
func (f family) copyHalf(e element) string {
	name := f.name("%sCopyA", e.name)
	width := f.lanes() / 2
	gen.Routine(name, fmt.Sprintf("%s packs k rows of up to %d elements.", name, width))
	f.copyLoop(e, width, width*f.sum.bytes, func(src, dst reg.GPVirtual) {
		half := gen.AVX2.Reg[0]
		e.masked(Mem{Base: src}, reg.K1, half)
		f.sum.store(half, Mem{Base: dst})
	})
	return name
}

// copyHalves emits the same of rows of a vector, whose second half goes to another panel, a stride behind.
func (f family) copyHalves(e element) string {
	name := f.name("%sCopyA2", e.name)
	gen.Routine(name, fmt.Sprintf("%s packs k rows of up to %d elements into two panels.", name, f.lanes()))
	stride := gen.Load(packStride)
	f.copyLoop(e, f.lanes(), f.Bytes/2, func(src, dst reg.GPVirtual) {
		x, high := f.Reg[0], gen.AVX2.Reg[1]
		e.masked(Mem{Base: src}, reg.K1, x)
		VEXTRACTF32X8(U8(1), x, high)
		f.sum.store(x.AsY(), Mem{Base: dst})
		f.sum.store(high, Mem{Base: dst, Index: stride, Scale: 1})
	})
	return name
}

// copySix emits the same of rows of 6, on AVX2.
func (f family) copySix(e element) string {
	name := f.name("%sCopyA", e.name)
	gen.Routine(name, fmt.Sprintf("%s packs k rows of 6 elements.", name))
	f.copyLoop(e, 6, 6*f.sum.bytes, func(src, dst reg.GPVirtual) {
		in, out := Mem{Base: src}, Mem{Base: dst}
		switch e.bytes {
		case 8:
			VMOVUPD(in, reg.Y0)
			VMOVUPD(in.Offset(32), reg.X1)
			VMOVUPD(reg.Y0, out)
			VMOVUPD(reg.X1, out.Offset(32))
		case 4:
			VMOVUPS(in, reg.X0)
			VMOVQ(in.Offset(16), reg.X1)
			VMOVUPS(reg.X0, out)
			VMOVQ(reg.X1, out.Offset(16))
		case 2:
			VMOVQ(in, reg.X0)
			VPINSRD(U8(2), in.Offset(8), reg.X0, reg.X0)
			e.load(reg.X0, reg.Y0)
			VEXTRACTF128(U8(1), reg.Y0, reg.X1)
			VMOVUPS(reg.X0, out)
			VMOVQ(reg.X1, out.Offset(16))
		}
	})
	return name
}

// copyLoop is the frame of the copies.
func (f family) copyLoop(e element, width, dstBytes int, body func(src, dst reg.GPVirtual)) {
	dst, src, ld, k := gen.Load(packDst), gen.Load(packSrc), gen.Load(packLd), gen.Load(packK)
	if f.Bytes == 64 {
		mask := gen.Load(packMask)
		KMOVW(mask.As32(), reg.K1)
	}
	ahead := GP64() // rows are far apart: no hardware prefetcher follows them
	LEAQ(Mem{Base: src, Index: ld, Scale: 8}, ahead)
	Label("loop")
	for at := 0; at < width*e.bytes; at += 64 {
		PREFETCHT0(Mem{Base: ahead, Disp: at})
	}
	body(src, dst)
	ADDQ(ld, src)
	ADDQ(ld, ahead)
	ADDQ(U32(dstBytes), dst)
	DECQ(k)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
