package cpu

import "unsafe"

// tiles is a family of microkernels and packers for one packed form of the operands: all that an engine
// brings to a product. What is the same for all, blocking and threads, is in [Plan].
//
// A panel of A holds MR rows, one of B up to NR columns, a whole number of Lanes; both are filled with
// zeros up to a whole number of KStep along k. How elements lie within a panel is the family's own affair, but
// its size is fixed: (MR or the width) x roundUp(k, KStep) packed elements, and for B TailB more bytes a
// column, which start behind the elements.
type tiles struct {
	MR, NR int // rows and columns of the largest tile
	Lanes  int // columns of a vector of C: the width of a panel of B is a multiple of it
	KStep  int // along k, what one step of the loop takes
	TailB  int // bytes a column behind a panel of B, for sums that the tile needs

	StoredBytes, PackedBytes, OutBytes int // of an element of A and B as stored and as packed, and of C

	// Tile computes rows x columns elements of C, 1 <= rows <= MR and 1 <= columns <= NR, and touches no other.
	Tile func(t *tileArgs, rows, columns int)

	// PackA packs rows x k of A, rows <= MR, whose rows are ld elements apart; PackAT the same from A
	// stored transposed, k rows of rows elements. PackB packs k x columns of B, columns <= NR, PackBT the same from
	// B stored transposed, columns rows of k elements. k >= 1.
	PackA, PackAT, PackB, PackBT func(dst, src unsafe.Pointer, ld, n, k int)
}

// tileArgs is what a microkernel gets. The generators know its layout.
type tileArgs struct {
	a, b unsafe.Pointer // packed panels, or B as it is stored in the direct form
	c    unsafe.Pointer
	next unsafe.Pointer // what may be prefetched into L2: k/4 cache lines from here; nil for nothing
	k    int            // steps: roundUp(k, KStep) / KStep
	ldb  int            // bytes between rows of B in the direct form
	ldc  int            // bytes between rows of C
	add  int            // 1: c += a·b; 0: c = a·b, whatever c held
	mask uint64         // a bit for each column, for families that store by masks
}
