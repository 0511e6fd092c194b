package cpu

import "unsafe"

// plan is a [Plan] without the types of its elements, which it knows by their sizes: one code for all.
type plan struct {
	f      *tiles
	limits blocking
	pool   *Pool
	Product

	mc, kc, nc int  // the blocks of this shape
	how        form // which of the ways below
	workers    []gemmThread
	claims     *claims // made once the pool is contended
	free       []func()

	ahead unsafe.Pointer // all of B in panels, see Packed; nil if it is packed as it is needed
	// panel, if not nil, packs depth rows from p on and columns from j on of B in place of the family's packer: for B that is
	// stored in another form.
	panel func(dst unsafe.Pointer, p, j, depth, columns int)
}

// form is how the threads share a product.
type form int

const (
	byColumns  form = iota // A is packed by all together, B by each for its own columns
	byRows                 // each computes rows of C alone, and packs all of B for it
	byProducts             // each computes products of the batch alone
	streamed               // B is used as it is stored, and read once
)

// gemmThread is one thread's part of a plan.
type gemmThread struct {
	rank, size int               // which it is of those that pack A together
	a          [2]unsafe.Pointer // blocks of A, used in turn: one is packed while slower threads read the other
	turn       int
	b          unsafe.Pointer
	args       tileArgs
}

// prepare chooses the form and the blocks, and makes the buffers.
func (pl *plan) prepare() error {
	if err := pl.check(); err != nil {
		return err
	}
	f, threads := pl.f, pl.pool.Threads()
	pl.Batch = max(pl.Batch, 1)
	if pl.Ahead {
		pl.Batch = 1
	}
	pl.kc = pl.limits.depth(f, pl.K)
	pl.how = pl.form(threads)
	rows, columns := pl.M, pl.N
	switch pl.how {
	case byColumns:
		columns = roundUp((pl.N+threads-1)/threads, f.Lanes)
	case byRows:
		rows = roundUp((pl.M+threads-1)/threads, f.MR)
	}
	pl.mc = evenBlock(rows, pl.limits.MC, f.MR)
	pl.nc = evenBlock(columns, pl.limits.NC, f.NR)
	return pl.allocate(threads)
}

// form chooses between the ways to share the work.
func (pl *plan) form(threads int) form {
	f := pl.f
	switch {
	case f.Direct != nil && pl.M <= f.MR && !pl.TransB && !pl.Ahead && pl.panel == nil:
		return streamed
	case pl.Batch >= threads && pl.M*pl.N*pl.K/threads <= smallProduct:
		return byProducts
	case pl.N < threads*f.NR || pl.rowsEach(threads, 16) && (pl.Ahead || pl.sharedInL2()) || pl.rowsEach(threads, 32):
		return byRows
	}
	return byColumns
}

// smallProduct is the size m·n·k below which a product of a batch is not shared by threads: a thread
// takes about a millisecond for it.
const smallProduct = 256 * 256 * 256

// rowsEach reports whether each of several threads has so many rows of tiles of its own. With 16, sharing rows is as even as sharing
// columns, no thread waits for another, and where B is packed ahead there is nothing to lose by it. With 32, that each thread
// packs all of B, most of it while the first of its tiles compute, costs less than the waiting (n = 1024 and 2048 on two Zen 4
// cores beside busy neighbours: 5 to 6% less).
func (pl *plan) rowsEach(threads, tiles int) bool {
	return threads > 1 && pl.M >= tiles*pl.f.MR*threads
}

// sharedInL2 reports whether a packed A, written by all threads and read by all, would stay in their
// L2 caches: then taking its lines back from the others at each Run costs more than it does for each
// thread to pack all of B and only its own rows of A, if those are many (n = 512 on two Zen 4
// cores: 165 GFLOP/s against 215). 3·NC·KC elements are about the size of L2.
func (pl *plan) sharedInL2() bool { return pl.M*pl.kc <= 3*pl.limits.NC*pl.limits.KC }

// directRows is how many rows of B the streamed form takes at once: enough that the tile of C is
// seldom loaded and stored, few enough that the CPU's prefetchers follow each row (with 32, a Zen 4
// reads B at 0.6 of its bandwidth; with 8 or 16 at all of it, if m is 1).
const directRows = 16

func (pl *plan) allocate(threads int) error {
	var failed error
	get := func(bytes int) unsafe.Pointer {
		if failed != nil {
			return nil
		}
		data, free, err := Alloc[byte](max(bytes, 1))
		if err != nil {
			failed = err
			return nil
		}
		pl.free = append(pl.free, free)
		return unsafe.Pointer(unsafe.SliceData(data))
	}
	f := pl.f
	sizeA := pl.mc / f.MR * f.panelA(pl.kc)
	sizeB := pl.nc / f.NR * f.panelB(f.NR, pl.kc)
	if pl.how == streamed {
		sizeA, sizeB = f.panelA(directRows), f.panelB(f.Lanes, directRows)
	}
	if pl.Ahead {
		sizeB = 0
	}
	pl.workers = make([]gemmThread, threads)
	for t := range pl.workers {
		w := &pl.workers[t]
		w.size = 1
		switch {
		case pl.how != byColumns || threads == 1:
			w.a[0] = get(sizeA)
			w.a[1] = w.a[0]
		case t == 0:
			w.a = [2]unsafe.Pointer{get(sizeA), get(sizeA)}
		default:
			w.a = pl.workers[0].a
		}
		if pl.how == byColumns {
			w.rank, w.size = t, threads
		}
		w.b = get(sizeB)
		w.args.edge = get(f.MR * roundUp(f.NR, f.Lanes) * f.OutBytes)
	}
	if failed != nil {
		pl.close()
	}
	return failed
}

func (pl *plan) close() {
	for _, free := range pl.free {
		free()
	}
	pl.free = nil
}
