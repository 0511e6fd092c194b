package cpu

import "unsafe"

// tiles is a family of microkernels and packers for one packed form of the operands: all that an engine
// brings to a product. What is the same for all, blocking and threads, is in [GEMM] and [Plan].
//
// A panel of A holds MR rows, one of B up to NR columns, a whole number of Lanes; both are filled with
// zeros up to a whole number of KStep along k. Rows and columns that the matrix does not have may hold anything. How
// elements lie within a panel is the family's own affair, but
// its size is fixed: (MR or the width) x roundUp(k, KStep) packed elements, and for B TailB more bytes a
// column, which start behind the elements. Panels of B start on a cache line if a full one is a whole number of them.
type tiles struct {
	MR, NR int // rows and columns of the largest tile
	Lanes  int // columns of a vector of C: the width of a panel of B is a multiple of it
	KStep  int // along k, what one step of the loop takes
	TailB  int // bytes a column behind a panel of B, for sums that the tile needs

	StoredBytes, PackedBytes, OutBytes int // of an element of A and B as stored and as packed, and of C

	// Tile computes rows x columns elements of C, 1 <= rows <= MR and 1 <= columns <= NR, and touches no other. The
	// panel of B is roundUp(columns, Lanes) wide.
	Tile func(t *tileArgs, rows, columns int)

	// Direct is Tile with B as it is stored, for products that use each element of B too few times to pack
	// it; columns is a multiple of Lanes, and KStep must be 1. Nil where a family has none.
	Direct func(t *tileArgs, rows, columns int)

	// Fused is Direct for MR rows, which also packs B into t.panel: packing then hides behind the multiply-adds. Nil
	// where a family has none.
	Fused func(t *tileArgs, columns int)

	// PackA packs n x k of A, n <= MR, whose rows are ld elements apart; PackAT the same from A
	// stored transposed, k rows of n elements. PackB packs k x n of B, n <= NR, into a panel roundUp(n, Lanes) wide;
	// PackBT the same from B stored transposed, n rows of k elements. k >= 1, n >= 1. All of dst's panel may be
	// written, and of src only the elements named may be touched.
	PackA, PackAT, PackB, PackBT func(dst, src unsafe.Pointer, ld, n, k int)

	// PanelsAT is how many panels PackAT takes at once, n <= PanelsAT·MR, one behind the other; 0 is 1. A whole cache line
	// of A stored transposed is then read once.
	PanelsAT int

	// Begin and End, where not nil, are called on each thread before its first Tile of a Run and behind its last. Between
	// them its goroutine stays on the thread.
	Begin, End func()
}

// tileArgs is what a microkernel gets. The generators know its layout.
type tileArgs struct {
	a, b unsafe.Pointer // packed panels, or B as it is stored in the direct form
	c    unsafe.Pointer
	next unsafe.Pointer // what may be prefetched into L2: k/4 cache lines from here; never nil
	k    int            // steps: roundUp(k, KStep) / KStep
	ldb  int            // bytes from what one step takes of B to the next: of a packed panel, or of a row in the direct form
	ldc  int            // bytes between rows of C
	add  int            // 1: c += a·b; 0: c = a·b, whatever c held
	mask uint64         // a bit for each column, for families that store by masks
	edge unsafe.Pointer // room for a tile of MR x NR elements of C, see throughEdge

	panel unsafe.Pointer // of B, for Fused to fill
}

// panelA and panelB are the bytes of a packed panel, k columns of A or k rows of B of the given width.
func (f *tiles) panelA(k int) int { return f.MR * roundUp(k, f.KStep) * f.PackedBytes }

func (f *tiles) panelB(columns, k int) int {
	return roundUp(columns, f.Lanes) * (roundUp(k, f.KStep)*f.PackedBytes + f.TailB)
}

// throughEdge computes a tile by whole, which stores all of the columns of its panel of B, and moves those that C has:
// for families that cannot store less than a vector.
func (f *tiles) throughEdge(t *tileArgs, rows, columns int, whole func(t *tileArgs, rows, columns int)) {
	if roundUp(columns, f.Lanes) == columns {
		whole(t, rows, columns)
		return
	}
	f.byEdge(t, rows, columns, whole)
}

// byEdge is throughEdge without a look at the columns.
func (f *tiles) byEdge(t *tileArgs, rows, columns int, whole func(t *tileArgs, rows, columns int)) {
	width, bytes := roundUp(columns, f.Lanes), columns*f.OutBytes
	row := func(p unsafe.Pointer, ld, i int) []byte { return unsafe.Slice((*byte)(unsafe.Add(p, i*ld)), bytes) }
	c, ldc := t.c, t.ldc
	t.c, t.ldc = t.edge, width*f.OutBytes
	if t.add != 0 {
		for i := range rows {
			copy(row(t.c, t.ldc, i), row(c, ldc, i))
		}
	}
	whole(t, rows, width)
	for i := range rows {
		copy(row(c, ldc, i), row(t.c, t.ldc, i))
	}
	t.c, t.ldc = c, ldc
}

func roundUp(n, align int) int { return (n + align - 1) / align * align }
