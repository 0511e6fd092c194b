package cpu

import "unsafe"

// packArgs is what a packing routine of _asm/gemm gets. A copy of rows is
//
//	for p := range k {
//		for j := range n {
//			dst[p*width+j] = float32(src[p*ld+j])
//		}
//	}
//
// and a transposition
//
//	for p := range k {
//		for i := range n {
//			dst[p*stride+i] = float32(src[i*ld+p])
//		}
//	}
type packArgs struct {
	dst, src unsafe.Pointer
	ld       int // bytes between rows of src
	n, k     int
	stride   int    // bytes in dst from one k to the next, for transpositions; from a panel to the next, for copies to two
	mask     uint64 // a bit for each element of the last vector of a row, for copies
}

// packersAt calls the packers of a family: table holds the copies of rows of 1 .. vecs vectors and of a row of a panel of
// A, the transpositions of a panel of A and of as many rows as a vector has lanes, and perhaps the copy of a row of two panels
// of A.
type packersAt struct {
	table                    []uintptr
	rows, vecs, lanes        int
	storedBytes, packedBytes int
}

func (p packersAt) copyA() uintptr      { return p.table[p.vecs] }
func (p packersAt) turnA() uintptr      { return p.table[p.vecs+1] }
func (p packersAt) turnSquare() uintptr { return p.table[p.vecs+2] }

func (p packersAt) args(dst, src unsafe.Pointer, ld, n, k int) packArgs {
	return packArgs{dst: dst, src: src, ld: ld * p.storedBytes, n: n, k: k}
}

// masked gives f the packers of AVX-512, which take any n and k.
func (p packersAt) masked(f *tiles) {
	f.PackA = func(dst, src unsafe.Pointer, ld, n, k int) {
		a := p.args(dst, src, ld, n, k)
		a.stride = p.rows * p.packedBytes
		call(p.turnA(), unsafe.Pointer(&a))
	}
	f.PackAT = func(dst, src unsafe.Pointer, ld, n, k int) {
		a := p.args(dst, src, ld, n, k)
		a.mask = columnMask(n)
		if n <= p.rows {
			call(p.copyA(), unsafe.Pointer(&a))
			return
		}
		a.stride = f.panelA(k)
		call(p.table[p.vecs+3], unsafe.Pointer(&a))
	}
	if len(p.table) > p.vecs+3 {
		f.PanelsAT = 2
	}
	f.PackB = p.copyRows
	f.PackBT = p.turnGroups
}

// copyRows packs rows of B.
func (p packersAt) copyRows(dst, src unsafe.Pointer, ld, n, k int) {
	a := p.args(dst, src, ld, n, k)
	last := (n - 1) / p.lanes
	a.mask = columnMask(n - last*p.lanes)
	call(p.table[last], unsafe.Pointer(&a))
}

// turnGroups packs B stored transposed, a vector's worth of columns of the panel at a time.
func (p packersAt) turnGroups(dst, src unsafe.Pointer, ld, n, k int) {
	a := p.args(dst, src, ld, n, k)
	a.stride = roundUp(n, p.lanes) * p.packedBytes
	for at := 0; at < n; at += p.lanes {
		a.dst, a.src = unsafe.Add(dst, at*p.packedBytes), unsafe.Add(src, at*ld*p.storedBytes)
		a.n = min(p.lanes, n-at)
		call(p.turnSquare(), unsafe.Pointer(&a))
	}
}

// unmasked gives f the packers of AVX2, which take whole vectors; the twins do the rest.
func (p packersAt) unmasked(f, twins *tiles) {
	f.PackA = func(dst, src unsafe.Pointer, ld, n, k int) {
		whole := k / p.lanes * p.lanes
		if n < p.rows {
			whole = 0
		}
		if whole > 0 {
			a := p.args(dst, src, ld, n, whole)
			a.stride = p.rows * p.packedBytes
			call(p.turnA(), unsafe.Pointer(&a))
		}
		if rest := k - whole; rest > 0 {
			twins.PackA(unsafe.Add(dst, whole*p.rows*p.packedBytes), unsafe.Add(src, whole*p.storedBytes), ld, n, rest)
		}
	}
	f.PackAT = func(dst, src unsafe.Pointer, ld, n, k int) {
		if n < p.rows {
			twins.PackAT(dst, src, ld, n, k)
			return
		}
		a := p.args(dst, src, ld, n, k)
		call(p.copyA(), unsafe.Pointer(&a))
	}
	f.PackB = func(dst, src unsafe.Pointer, ld, n, k int) {
		if n%p.lanes > 0 {
			twins.PackB(dst, src, ld, n, k)
			return
		}
		p.copyRows(dst, src, ld, n, k)
	}
	f.PackBT = func(dst, src unsafe.Pointer, ld, n, k int) {
		whole := k / p.lanes * p.lanes
		if n%p.lanes > 0 {
			whole = 0
		}
		if whole > 0 {
			p.turnGroups(dst, src, ld, n, whole)
		}
		if rest := k - whole; rest > 0 {
			width := roundUp(n, p.lanes)
			twins.PackBT(unsafe.Add(dst, whole*width*p.packedBytes), unsafe.Add(src, whole*p.storedBytes), ld, n, rest)
		}
	}
}
