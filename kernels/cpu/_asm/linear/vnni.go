package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// A row of x, quantised, is prepared in records too: for each group 32 bytes and what its sum starts from (an
// int32, minus the offset of the weights times the sum of the bytes), then the record's scale (fp32).
const (
	groupX      = group + 4
	recordX     = groups*groupX + 16
	strideQuant = chunkRecords*recordX + 64
)

// vnni are the kernels that multiply quantised weights by quantised x: int32 within a group, fp32 from
// there on.
func vnni() []family {
	of := func(name string, v gen.Vectors, heights []int, q quantForm) family {
		cycles := 1.45
		if q.nibbles {
			cycles = 2.1
		}
		return family{name, v, heights, strideQuant, cycles, false, q.kernel}
	}
	return []family{
		of("AVX512VNNIGroup8", gen.AVX512, heights512, quantForm{bytes: group * panel}),
		of("AVX512VNNIGroup4", gen.AVX512, heights512, quantForm{bytes: group * panel / 2, nibbles: true}),
		of("AVXVNNIGroup8", gen.AVX2, heights256[:3], quantForm{bytes: group * panel}),
		of("AVXVNNIGroup4", gen.AVX2, heights256[:3], quantForm{bytes: group * panel / 2, nibbles: true}),
	}
}

type quantForm struct {
	bytes   int
	nibbles bool
}

// kernel: the sums of a record's groups, scaled by those of the weights, stay in registers; the sums of
// all of them, scaled by x's, in a tile of memory that stays in L1.
func (q quantForm) kernel(k kernel) {
	k.load()
	MOVQ(Mem{Base: args, Disp: argTile}, tile)
	record := k.sums(1)
	scales := k.take(1)[0]
	k.Zero(scales)
	for i := range k.rows * k.parts {
		VMOVUPS(scales, Mem{Base: tile, Disp: i * k.Bytes})
	}
	if q.nibbles {
		k.constants = k.take(1)
		ones(k.Vectors, k.constants[0])
		VPSRLW(U8(12), k.constants[0], k.constants[0])
		VPACKUSWB(k.constants[0], k.constants[0], k.constants[0])
	}
	gen.Align(64)
	Label("record")
	k.prefetch(w, 0, groups*scaleBytes/64)
	MOVQ(w, scale)
	advance(w, groups*scaleBytes)
	MOVQ(U32(groups), count)
	record.clear()
	gen.Align(64)
	Label("group")
	if k.Bytes == 64 {
		q.wide(k, record, scales)
	} else {
		q.narrow(k, record, scales)
	}
	advance(scale, scaleBytes)
	advance(w, q.bytes)
	advance(x, groupX)
	DECQ(count)
	JNZ(LabelRef("group"))
	sum := k.take(1)[0]
	for row := range k.rows {
		if k.Bytes == 32 {
			VBROADCASTSS(k.row(row, 0), scales)
		}
		for part := range k.parts {
			at := Mem{Base: tile, Disp: (row*k.parts + part) * k.Bytes}
			VMOVUPS(at, sum)
			if k.Bytes == 64 {
				VFMADD231PS_BCST(k.row(row, 0), record.at(row, 0, part), sum)
			} else {
				VFMADD231PS(scales, record.at(row, 0, part), sum)
			}
			VMOVUPS(sum, at)
		}
	}
	advance(x, recordX-groups*groupX)
	DECQ(steps)
	JNZ(LabelRef("record"))
	for row := range k.rows {
		for part := range k.parts {
			VMOVUPS(Mem{Base: tile, Disp: (row*k.parts + part) * k.Bytes}, record.at(row, 0, part))
		}
	}
	k.store(func(row, part int) reg.VecPhysical { return record.at(row, 0, part) })
}

// wide: the group's weights stay in 8 registers while the rows pass.
func (q quantForm) wide(k kernel, record sums, scales reg.VecPhysical) {
	v := k.take(8)
	for j := range 8 {
		if j < q.bytes/64 {
			k.prefetch(w, 64*j, 1)
		}
		switch {
		case !q.nibbles:
			VMOVDQU32(Mem{Base: w, Disp: 64 * j}, v[j])
		case j < 4:
			VMOVDQU32(Mem{Base: w, Disp: 64 * j}, v[j])
			VPSRLW(U8(4), v[j], v[4+j])
			VPANDD(v[j], k.constants[0], v[j])
			VPANDD(v[4+j], k.constants[0], v[4+j])
		}
	}
	VCVTPH2PS(Mem{Base: scale}, scales)
	sum := k.free
	together := min(len(sum)-1, k.rows, 4)
	for first := 0; first < k.rows; first += together {
		last := min(first+together, k.rows)
		for row := first; row < last; row++ {
			VPBROADCASTD(k.row(row, group), sum[row-first])
		}
		for j := range v {
			for row := first; row < last; row++ {
				VPDPBUSD_BCST(k.row(row, 4*j), v[j], sum[row-first])
			}
		}
		for row := first; row < last; row++ {
			VCVTDQ2PS(sum[row-first], sum[row-first])
			VFMADD231PS(scales, sum[row-first], record.at(row, 0, 0))
		}
	}
}

// narrow: half of the columns at a time; weights are used as they come.
func (q quantForm) narrow(k kernel, record sums, scales reg.VecPhysical) {
	sum := k.take(k.rows)
	v, element := k.take(2), k.take(1)[0]
	for part := range k.parts {
		for row := range sum {
			VPBROADCASTD(k.row(row, group), sum[row])
		}
		multiply := func(j int, weights reg.VecPhysical) {
			for row := range sum {
				VPBROADCASTD(k.row(row, 4*j), element)
				gen.VPDPBUSD.Emit([]Op{element, weights, sum[row]})
			}
		}
		for j := range q.bytes / 64 {
			if part == 0 {
				k.prefetch(w, 64*j, 1)
			}
			VMOVDQU(Mem{Base: w, Disp: 64*j + part*k.Bytes}, v[0])
			if q.nibbles {
				VPSRLW(U8(4), v[0], v[1])
				VPAND(v[0], k.constants[0], v[0])
				VPAND(v[1], k.constants[0], v[1])
				multiply(4+j, v[1])
			}
			multiply(j, v[0])
		}
		VCVTPH2PS(Mem{Base: scale, Disp: part * k.Bytes / 2}, scales)
		for row := range sum {
			VCVTDQ2PS(sum[row], sum[row])
			VFMADD231PS(scales, sum[row], record.at(row, 0, part))
		}
	}
}
