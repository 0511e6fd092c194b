package cpu

import "github.com/realflops/realflops/kernels"

// Plan is a product of one shape on one pool, with its buffers. It is used by one goroutine
// at a time.
type Plan[T float32 | kernels.Float16] struct {
	g       *GEMM[T]
	pool    *Pool
	m, n, k int

	// mc, kc and nc are the blocks of this shape. direct says that B is read as it is stored;
	// byRows that threads share the rows of C rather than its columns.
	mc, kc, nc     int
	direct, byRows bool

	a    [2][]float32 // packed blocks of A, used in turn: one is packed while slower threads read the other
	b    [][]float32  // a packed block of B of each thread
	edge [][]float32  // a tile of each thread, for columns that do not fill a vector
	free []func()
}

// sharedInL2 reports whether a packed A, written by all threads and read by all, would stay in their
// L2 caches: then taking its lines back from the others at each Run costs more than it does for each
// thread to pack all of B and only its own rows of A, if those are many (n = 512 on two Zen 4
// cores: 165 GFLOP/s against 215). 2·NC·KC elements are about the size of L2.
func (pl *Plan[T]) sharedInL2() bool {
	g, threads := pl.g, pl.pool.Threads()
	return threads > 1 && pl.m*pl.kc <= 2*g.NC*g.KC && pl.m >= 16*g.MR*threads
}

// directRows is how many rows of B the direct path takes at once: enough that the tile of C is
// seldom loaded and stored, few enough that the CPU's prefetchers follow each row (with 32, a Zen 4
// reads B at 0.6 of its bandwidth; with 8 or 16 at all of it, if m is 1).
const directRows = 16

func (pl *Plan[T]) allocate() error {
	get := func(dst *[]float32, n int) error {
		data, free, err := Alloc[float32](n)
		if err == nil {
			*dst = data
			pl.free = append(pl.free, free)
		}
		return err
	}
	g, threads := pl.g, pl.pool.Threads()
	sizeB := pl.nc * pl.kc
	var blocksA []*[]float32
	if pl.direct {
		sizeB = (g.NR() + g.MR) * directRows
	} else {
		blocksA = []*[]float32{&pl.a[0], &pl.a[1]}
	}
	var err error
	for _, block := range blocksA {
		if err == nil {
			err = get(block, pl.mc*pl.kc)
		}
	}
	pl.b, pl.edge = make([][]float32, threads), make([][]float32, threads)
	for t := range threads {
		if err == nil {
			err = get(&pl.b[t], sizeB)
		}
		pl.edge[t] = make([]float32, g.MR*g.NR())
	}
	if err != nil {
		pl.Close()
	}
	return err
}

// Close gives the buffers back. The plan must not be run again.
func (pl *Plan[T]) Close() {
	for _, free := range pl.free {
		free()
	}
	pl.free = nil
}

// Run computes c = a·b: a is m x k, b k x n and c m x n, dense and row-major, c apart from
// both. What c held does not matter. It panics if a slice is shorter than its matrix. If
// the pool is stopped it returns early, with c incomplete.
func (pl *Plan[T]) Run(c []float32, a, b []T) {
	rectangle("C", c, pl.m, pl.n)
	rectangle("A", a, pl.m, pl.k)
	rectangle("B", b, pl.k, pl.n)
	if pl.direct {
		pl.pool.Run(func(tid int) { pl.stream(tid, c, a, b) })
	} else {
		pl.pool.Run(func(tid int) { pl.blocks(tid, c, a, b) })
	}
}

// blocks is one thread's part of the product of packed blocks: A is packed by all threads
// together, B by each for its own columns.
func (pl *Plan[T]) blocks(tid int, c []float32, a, b []T) {
	threads := pl.pool.Threads()
	j0, j1 := 0, pl.n
	if !pl.byRows {
		j0, j1 = Split(pl.n, pl.g.Lanes, threads, tid)
	}
	turn := 0
	for i := 0; i < pl.m; i += pl.mc {
		rows := min(pl.mc, pl.m-i)
		// This thread's rows: those that it packs and, if rows are what is shared, computes.
		r0, r1 := Split(rows, pl.g.MR, threads, tid)
		for p := 0; p < pl.k; p += pl.kc {
			depth := min(pl.kc, pl.k-p)
			packed := pl.a[turn][:roundUp(rows, pl.g.MR)*depth]
			turn ^= 1
			if !pl.packRows(packed, a[i*pl.k+p:], r0, r1, depth) || !pl.pool.Barrier() {
				return
			}
			from, to := 0, rows
			if pl.byRows {
				from, to = r0, r1
			}
			if from == to {
				continue
			}
			for j := j0; j < j1; j += pl.nc {
				columns := min(pl.nc, j1-j)
				pl.packColumns(pl.b[tid], b[p*pl.n+j:], columns, depth)
				if !pl.multiply(tid, packed, c[i*pl.n+j:], from, to, columns, depth, p > 0) {
					return
				}
			}
		}
	}
}

// packRows packs rows r0 to r1 of a block of A; false if the pool was stopped.
func (pl *Plan[T]) packRows(packed []float32, a []T, r0, r1, depth int) bool {
	mr := pl.g.MR
	for r := r0; r < r1; r += mr {
		if pl.pool.Stopped() {
			return false
		}
		pl.g.packPanelA(packed[r*depth:][:mr*depth], a[r*pl.k:], pl.k, min(mr, r1-r), depth)
	}
	return true
}

func (pl *Plan[T]) packColumns(packed []float32, b []T, columns, depth int) {
	nr := pl.g.NR()
	for j := 0; j < columns; j += nr {
		pl.g.packPanelB(packed[j*depth:], b[j:], pl.n, min(nr, columns-j), depth)
	}
}

// multiply computes rows from to to of a block of C; false if the pool was stopped.
func (pl *Plan[T]) multiply(tid int, packed, c []float32, from, to, columns, depth int, add bool) bool {
	g, nr := pl.g, pl.g.NR()
	tiles := (columns + nr - 1) / nr
	for r := from; r < to; r += g.MR {
		if pl.pool.Stopped() {
			return false
		}
		panel := packed[r*depth:][:g.MR*depth]
		// While it computes, a tile fetches its share of the next panel, into L2.
		next := packed[min(r+g.MR, len(packed)/depth-g.MR)*depth:][:g.MR*depth]
		for t := range tiles {
			j := t * nr
			width := min(nr, columns-j)
			g.tile(depth, panel, pl.b[tid][j*depth:][:roundUp(width, g.Lanes)*depth],
				c[r*pl.n+j:], pl.n, min(g.MR, to-r), width, add, next[len(next)/tiles*t:], pl.edge[tid])
		}
	}
	return true
}

// stream is one thread's part of a product of so few rows that B, read once, is what takes
// the time: B is used as it is stored, row by row, and nothing is shared between threads.
func (pl *Plan[T]) stream(tid int, c []float32, a, b []T) {
	g := pl.g
	j0, j1 := Split(pl.n, g.NR(), pl.pool.Threads(), tid)
	panel, ragged := pl.b[tid][:g.MR*directRows], pl.b[tid][g.MR*directRows:]
	for p := 0; p < pl.k && j0 < j1; p += directRows {
		if pl.pool.Stopped() {
			return
		}
		depth := min(directRows, pl.k-p)
		g.packPanelA(panel, a[p:], pl.k, pl.m, depth)
		for j := j0; j < j1; j += g.NR() {
			width := min(g.NR(), j1-j)
			whole := width / g.Lanes * g.Lanes
			if whole > 0 {
				g.direct[whole/g.Lanes-1][pl.m-1](depth, panel, b[p*pl.n+j:][:(depth-1)*pl.n+whole], pl.n, c[j:][:(pl.m-1)*pl.n+whole], pl.n, p > 0, nil)
			}
			if rest := width - whole; rest > 0 {
				g.packPanelB(ragged, b[p*pl.n+j+whole:], pl.n, rest, depth)
				g.tile(depth, panel, ragged, c[j+whole:], pl.n, pl.m, rest, p > 0, nil, pl.edge[tid])
			}
		}
	}
}
