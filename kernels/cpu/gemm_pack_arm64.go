package cpu

import "unsafe"

// neonPack is the packers of a family in NEON, and in plain Go for what is smaller than they take. The layout is
// that of [packing].
type neonPack[T, P any] struct {
	packing[T, P]

	// rows[v-1] packs rows of v vectors, if a step takes one row, steps[v-1] those of 4·v columns, if
	// it takes more; columns transposes.
	rows, steps []uintptr
	columns     uintptr
}

// packArgs is what a packer gets. The generator knows its layout.
type packArgs struct {
	dst, src   unsafe.Pointer
	ld, stride int // bytes: from row to row of the source, from step to step of the panel
	k          int // rows or steps
}

const neonBytes = 16 // of a vector

// along packs n rows of k elements, ld apart: A, or B stored transposed. It transposes units of a step's elements, as many
// rows and steps at a time as a vector has units.
func (pk neonPack[T, P]) along(dst, src unsafe.Pointer, ld, n, k int) {
	stored, unit := int(unsafe.Sizeof(*new(T))), pk.kstep*int(unsafe.Sizeof(*new(P)))
	width, group := pk.panel(n), neonBytes/unit
	args := packArgs{ld: ld * stored, stride: width * unit, k: k / pk.kstep / group * group}
	last := n - group
	if n == 1 {
		args.ld, last = 0, 0 // the panel's other rows may hold anything: the same
	}
	if last < 0 {
		args.k = 0
	}
	if args.k > 0 {
		for i := 0; ; i = min(i+group, last) { // where they do not divide n, the last rows are packed twice
			args.dst, args.src = unsafe.Add(dst, i*unit), unsafe.Add(src, i*ld*stored)
			call(pk.columns, unsafe.Pointer(&args))
			if i == last {
				break
			}
		}
	}
	if done := args.k * pk.kstep; done < k {
		pk.packing.along(unsafe.Add(dst, args.k*args.stride), unsafe.Add(src, done*stored), ld, n, k-done)
	}
}

// across packs k rows of n elements, ld apart: B, or A stored transposed.
func (pk neonPack[T, P]) across(dst, src unsafe.Pointer, ld, n, k int) {
	const stepColumns = 4
	stored, packed := int(unsafe.Sizeof(*new(T))), int(unsafe.Sizeof(*new(P)))
	args := packArgs{dst: dst, src: src, ld: ld * stored, stride: n * packed * pk.kstep}
	switch {
	case n != pk.panel(n):
	case pk.kstep == 1:
		args.k = k
		call(pk.rows[n*packed/neonBytes-1], unsafe.Pointer(&args))
	case k >= pk.kstep:
		args.k = k / pk.kstep
		call(pk.steps[n/stepColumns-1], unsafe.Pointer(&args))
	}
	if done := args.k * pk.kstep; done < k {
		pk.packing.across(unsafe.Add(dst, args.k*args.stride), unsafe.Add(src, done*args.ld), ld, n, k-done)
	}
}
