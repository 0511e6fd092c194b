package cpu

import (
	"sync/atomic"
	"unsafe"
)

// claims is how the threads share a product on a machine that others use too: work is claimed in small pieces, so that a
// thread which is kept from running holds up no more than the piece it is at. First A and B are packed as a whole, then each
// piece of C is computed along all of K; what is computed is the same, bit for bit, as in any other form.
type claims struct {
	a, b          unsafe.Pointer // all of A, and of B if it is not packed ahead, in panels: one block along K behind the other
	packs, pieces Chunks
	unpacked      atomic.Int64 // packs that are not done

	// How many there are: panels of A and of B in a pack, packs of each a block along K, and pieces of C from top to bottom.
	panelsA, panelsB, packsA, packsB int
	rows, columns                    int // of a piece
	down, across                     int
}

const (
	// claimedRows is how many rows a piece of C has, or a few less. With NC columns and K = 2048 a core takes 1 to 2 ms for
	// it, less than a slice of the scheduler; loading its block of B, which the L2 cache holds, takes a hundredth of that.
	claimedRows = 128
	// claimedPieces is how many pieces a thread there must be for claiming to even anything out.
	claimedPieces = 3
	// packedPanels is how many panels are packed at a time.
	packedPanels = 8
)

// claimed makes the plan ready to share its products by claims, and reports whether it is: products that threads share
// without packing, or of which there are many, are not.
func (pl *plan) claimed() bool {
	threads := pl.pool.Threads()
	if threads == 1 || pl.how == streamed || pl.how == byProducts {
		return false
	}
	if pl.claims == nil {
		pl.claims = pl.newClaims()
	}
	return pl.claims.down*pl.claims.across >= claimedPieces*threads
}

// newClaims cuts the product into pieces, and makes room for the packed operands if they are worth it; there are
// none if there is no memory.
func (pl *plan) newClaims() *claims {
	f := pl.f
	x := &claims{
		rows: evenBlock(pl.M, claimedRows, f.MR), columns: evenBlock(pl.N, pl.limits.NC, f.NR),
		panelsA: (pl.M + f.MR - 1) / f.MR, panelsB: (pl.N + f.NR - 1) / f.NR,
	}
	x.down, x.across = (pl.M+x.rows-1)/x.rows, (pl.N+x.columns-1)/x.columns
	x.packsA = (x.panelsA + packedPanels - 1) / packedPanels
	if !pl.Ahead {
		x.packsB = (x.panelsB + packedPanels - 1) / packedPanels
	}
	if x.down*x.across < claimedPieces*pl.pool.Threads() {
		return x
	}
	whole, rest := pl.K/pl.kc, pl.K%pl.kc
	sizes := []int{x.panelsA * (whole*f.panelA(pl.kc) + f.panelA(rest)), 0}
	if !pl.Ahead {
		sizes[1] = x.panelsB * (whole*f.panelB(f.NR, pl.kc) + f.panelB(f.NR, rest))
	}
	for i, dst := range []*unsafe.Pointer{&x.a, &x.b} {
		if sizes[i] == 0 {
			continue
		}
		data, free, err := Alloc[byte](sizes[i])
		if err != nil {
			return &claims{}
		}
		pl.free = append(pl.free, free)
		*dst = unsafe.Pointer(unsafe.SliceData(data))
	}
	return x
}

// begin makes all packs and pieces of one product claimable. No thread may be at work.
func (x *claims) begin(blocks, threads int) {
	packs := blocks * (x.packsA + x.packsB)
	x.unpacked.Store(int64(packs))
	x.packs.Reset(packs, threads)
	x.pieces.Reset(x.down*x.across, threads)
}

// runClaimed computes one product.
func (pl *plan) runClaimed(c, a, b unsafe.Pointer) {
	x := pl.claims
	x.begin((pl.K+pl.kc-1)/pl.kc, pl.pool.Threads())
	pl.onThreads(func(tid int) {
		for pack, ok := x.packs.Next(tid); ok; pack, ok = x.packs.Next(tid) {
			if pl.pool.Stopped() {
				return
			}
			pl.pack(a, b, pack)
			x.unpacked.Add(-1)
		}
		await(func() bool { return x.unpacked.Load() == 0 || pl.pool.Stopped() })
		for piece, ok := x.pieces.Next(tid); ok; piece, ok = x.pieces.Next(tid) {
			if !pl.piece(&pl.workers[tid], c, piece) {
				return
			}
		}
	})
}

// pack packs some panels of A, or of B behind all those of A, of one block along K.
func (pl *plan) pack(a, b unsafe.Pointer, pack int) {
	f, x := pl.f, pl.claims
	p := pack / (x.packsA + x.packsB) * pl.kc
	depth := min(pl.kc, pl.K-p)
	pack %= x.packsA + x.packsB
	if pack < x.packsA {
		r := pack * packedPanels * f.MR
		pl.packRows(pl.claimedA(p), a, 0, p, r, min(r+packedPanels*f.MR, pl.M), depth)
		return
	}
	pack -= x.packsA
	for panel := pack * packedPanels; panel < min((pack+1)*packedPanels, x.panelsB); panel++ {
		j := panel * f.NR
		pl.packPanel(pl.claimedB(p, j, depth), b, p, j, depth, min(f.NR, pl.N-j))
	}
}

// claimedA is the packed block of A whose first column is p.
func (pl *plan) claimedA(p int) unsafe.Pointer {
	return unsafe.Add(pl.claims.a, p/pl.kc*pl.claims.panelsA*pl.f.panelA(pl.kc))
}

// claimedB is the packed panels of B from row p and column j on.
func (pl *plan) claimedB(p, j, depth int) unsafe.Pointer {
	f := pl.f
	return unsafe.Add(pl.claims.b, p/pl.kc*pl.claims.panelsB*f.panelB(f.NR, pl.kc)+j/f.NR*f.panelB(f.NR, depth))
}

// piece computes a piece of C; false if the pool was stopped. Pieces follow each other downwards, so
// that those of a thread share columns of B.
func (pl *plan) piece(w *gemmThread, c unsafe.Pointer, piece int) bool {
	f, x := pl.f, pl.claims
	i, j := piece%x.down*x.rows, piece/x.down*x.columns
	rows, columns := min(x.rows, pl.M-i), min(x.columns, pl.N-j)
	for p := 0; p < pl.K; p += pl.kc {
		depth := min(pl.kc, pl.K-p)
		part := block{
			packedA: unsafe.Add(pl.claimedA(p), i/f.MR*f.panelA(depth)), c: unsafe.Add(c, (i*pl.N+j)*f.OutBytes),
			p: p, j: j, rows: rows, columns: columns, depth: depth,
		}
		if !pl.Ahead {
			part.packedB = pl.claimedB(p, j, depth)
		}
		if !pl.multiply(w, part) {
			return false
		}
	}
	return true
}
