package cpu

import (
	"runtime"
	"unsafe"
)

// part is what one thread computes of one product: rows r0 to r1, of which it packs its share, and columns j0 to j1
// of C.
type part struct {
	c, a, b        unsafe.Pointer // the matrices
	r0, r1, j0, j1 int
}

// run computes all products of the batch.
func (pl *plan) run(c, a, b unsafe.Pointer) {
	f, threads := pl.f, pl.pool.Threads()
	if pl.M == 0 || pl.N == 0 {
		return
	}
	if pl.pool.Contended() && pl.claimed() {
		for i := range pl.Batch {
			pl.runClaimed(pl.matrices(c, a, b, i))
		}
		return
	}
	pl.onThreads(func(tid int) {
		w := &pl.workers[tid]
		first, last := 0, pl.Batch
		if pl.how == byProducts {
			first, last = Split(pl.Batch, 1, threads, tid)
		}
		for i := first; i < last && !pl.pool.Stopped(); i++ {
			p := part{r1: pl.M, j1: pl.N}
			p.c, p.a, p.b = pl.matrices(c, a, b, i)
			switch pl.how {
			case streamed:
				p.j0, p.j1 = Split(pl.N, f.NR, threads, tid)
				pl.stream(w, p)
				continue
			case byRows:
				p.r0, p.r1 = Split(pl.M, f.MR, threads, tid)
			case byColumns:
				p.j0, p.j1 = Split(pl.N, pl.columnUnit(), threads, tid)
			}
			pl.blocks(w, p)
		}
	})
}

// onThreads is the pool's Run, between what the family needs before and behind.
func (pl *plan) onThreads(do func(tid int)) {
	if pl.f.Begin == nil {
		pl.pool.Run(do)
		return
	}
	pl.pool.Run(func(tid int) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		pl.f.Begin()
		defer pl.f.End()
		do(tid)
	})
}

// matrices are those of product i of the batch.
func (pl *plan) matrices(c, a, b unsafe.Pointer, i int) (ci, ai, bi unsafe.Pointer) {
	f := pl.f
	return unsafe.Add(c, i*pl.M*pl.N*f.OutBytes), unsafe.Add(a, i*pl.M*pl.K*f.StoredBytes), unsafe.Add(b, i*pl.K*pl.N*f.StoredBytes)
}

// columnUnit is what the columns of a thread are a multiple of.
func (pl *plan) columnUnit() int {
	if pl.Ahead {
		return pl.f.NR // panels are whole
	}
	return pl.f.Lanes
}

// blocks computes a part from packed blocks.
func (pl *plan) blocks(w *gemmThread, x part) {
	f := pl.f
	for i := x.r0; i < x.r1; i += pl.mc {
		rows := min(pl.mc, x.r1-i)
		r0, r1 := Split(rows, f.MR, w.size, w.rank) // those that this thread packs
		for p := 0; p < pl.K; p += pl.kc {
			depth := min(pl.kc, pl.K-p)
			packed := w.a[w.turn]
			w.turn ^= 1
			if !pl.packRows(packed, x.a, i, p, r0, r1, depth) || w.size > 1 && !pl.pool.Barrier() {
				return
			}
			for j := x.j0; j < x.j1; j += pl.nc {
				columns := min(pl.nc, x.j1-j)
				if !pl.multiply(w, block{b: x.b, packedA: packed, c: unsafe.Add(x.c, (i*pl.N+j)*f.OutBytes), p: p, j: j, rows: rows, columns: columns, depth: depth}) {
					return
				}
			}
		}
	}
}

// packRows packs rows r0 to r1 of the block of A whose first row is i and whose first column p; false if the pool was stopped.
func (pl *plan) packRows(packed, a unsafe.Pointer, i, p, r0, r1, depth int) bool {
	f, lda, step := pl.f, pl.lda(), pl.f.MR
	if pl.TransA {
		step *= max(1, f.PanelsAT)
	}
	for r := r0; r < r1; r += step {
		if pl.pool.Stopped() {
			return false
		}
		dst, rows := unsafe.Add(packed, r/f.MR*f.panelA(depth)), min(step, r1-r)
		if pl.TransA {
			f.PackAT(dst, unsafe.Add(a, (p*lda+i+r)*f.StoredBytes), lda, rows, depth)
		} else {
			f.PackA(dst, unsafe.Add(a, ((i+r)*lda+p)*f.StoredBytes), lda, rows, depth)
		}
	}
	return true
}

// panelsOf is where the panels of B of a block are.
func (pl *plan) panelsOf(w *gemmThread, x block) unsafe.Pointer {
	f := pl.f
	switch {
	case x.packedB != nil:
		return x.packedB
	case pl.Ahead:
		return unsafe.Add(pl.ahead, x.p/pl.kc*f.panels(pl.N, pl.kc)+x.j/f.NR*f.panelB(f.NR, x.depth))
	}
	return w.b
}

func (pl *plan) packPanel(dst, b unsafe.Pointer, p, j, depth, columns int) {
	f, ldb := pl.f, pl.ldb()
	switch {
	case pl.panel != nil:
		pl.panel(dst, p, j, depth, columns)
	case pl.TransB:
		f.PackBT(dst, unsafe.Add(b, (j*ldb+p)*f.StoredBytes), ldb, columns, depth)
	default:
		f.PackB(dst, unsafe.Add(b, (p*ldb+j)*f.StoredBytes), ldb, columns, depth)
	}
}

// block is a block of C, rows x columns, from packed panels of A and depth rows of B, the first p, columns from j on.
type block struct {
	b, packedA, c              unsafe.Pointer
	packedB                    unsafe.Pointer // the block's panels of B; nil where the plan has them, or they are to be packed
	p, j, rows, columns, depth int
}

// multiply computes a block of C, and packs its B where that was not done before; false if the pool was stopped.
func (pl *plan) multiply(w *gemmThread, x block) bool {
	f, t := pl.f, &w.args
	sizeA, sizeB := f.panelA(x.depth), f.panelB(f.NR, x.depth)
	panels := pl.panelsOf(w, x)
	rowTiles := (x.rows + f.MR - 1) / f.MR
	share := sizeA / ((x.columns + f.NR - 1) / f.NR)
	t.k = roundUp(x.depth, f.KStep) / f.KStep
	t.ldc = pl.N * f.OutBytes
	t.add = min(x.p, 1)
	for i := range rowTiles {
		if pl.pool.Stopped() {
			return false
		}
		t.a = unsafe.Add(x.packedA, i*sizeA)
		// While it computes, a tile fetches its share of the next panel, into L2.
		next := unsafe.Add(x.packedA, min(i+1, rowTiles-1)*sizeA)
		rows := min(f.MR, x.rows-i*f.MR)
		for j, at := 0, 0; at < x.columns; j, at = j+1, at+f.NR {
			columns := min(f.NR, x.columns-at)
			t.c = unsafe.Add(x.c, (i*f.MR*pl.N+at)*f.OutBytes)
			t.next = unsafe.Add(next, j*share)
			t.mask = columnMask(columns)
			panel := unsafe.Add(panels, j*sizeB)
			if i == 0 && !pl.Ahead && x.packedB == nil {
				if rows == f.MR && pl.fuses(columns) {
					t.b, t.ldb, t.panel = unsafe.Add(x.b, (x.p*pl.N+x.j+at)*f.StoredBytes), pl.N*f.StoredBytes, panel
					f.Fused(t, columns)
					continue
				}
				pl.packPanel(panel, x.b, x.p, x.j+at, x.depth, columns)
			}
			t.b, t.ldb = panel, roundUp(columns, f.Lanes)*f.KStep*f.PackedBytes
			f.Tile(t, rows, columns)
		}
	}
	return true
}

// fuses reports whether the first tile of a block of so many columns packs its B itself.
func (pl *plan) fuses(columns int) bool {
	return pl.f.Fused != nil && !pl.TransB && pl.panel == nil && columns%pl.f.Lanes == 0
}

func columnMask(columns int) uint64 { return ^uint64(0) >> (64 - min(columns, 64)) }

// stream computes columns j0 to j1 of a product of so few rows that B, read once, is what takes
// the time: B is used as it is stored, row by row, and nothing is shared between threads.
func (pl *plan) stream(w *gemmThread, x part) {
	f, t := pl.f, &w.args
	panel := w.a[0]
	for p := 0; p < pl.K && x.j0 < x.j1; p += directRows {
		if pl.pool.Stopped() {
			return
		}
		depth := min(directRows, pl.K-p)
		if !pl.packRows(panel, x.a, 0, p, 0, pl.M, depth) {
			return
		}
		t.k, t.add, t.ldc, t.next = depth, min(p, 1), pl.N*f.OutBytes, panel
		for j := x.j0; j < x.j1; j += f.NR {
			width := min(f.NR, x.j1-j)
			whole := width / f.Lanes * f.Lanes
			b := unsafe.Add(x.b, (p*pl.N+j)*f.StoredBytes)
			t.a, t.c = panel, unsafe.Add(x.c, j*f.OutBytes)
			if whole > 0 {
				t.b, t.ldb, t.mask = b, pl.N*f.StoredBytes, columnMask(whole)
				f.Direct(t, pl.M, whole)
			}
			if rest := width - whole; rest > 0 {
				f.PackB(w.b, unsafe.Add(b, whole*f.StoredBytes), pl.N, rest, depth)
				t.b, t.ldb, t.mask = w.b, f.Lanes*f.PackedBytes, columnMask(rest)
				t.c = unsafe.Add(t.c, whole*f.OutBytes)
				f.Tile(t, pl.M, rest)
			}
		}
	}
}
