package cpu

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

// Linear is one way to compute y = x·W with weights packed ahead: the parts that an engine brings, as data. What
// is the same for all, the layout of chunks and the threads, is in [Weights]. T is what x and W are
// given as, Y what y is; at int8/fp32 and int4/fp32 that is float32, and packing quantises.
//
// The weights are cut into panels of 16 columns, and along k into chunks. Within a chunk a panel is contiguous, and
// so are the panels of a thread, so that each thread reads its weights as one stream.
//
// What a result may differ by from the exact one is in package kerneltest, at Linear: the rounding of k sums in fp32 and,
// where weights or x are quantised, a step of that. Sums of int8/int32 are exact modulo 2^32.
type Linear[T LinearElement, Y LinearSum] struct {
	deep   int // elements along k of a record of a panel
	bytes  int // of a record
	chunk  int // the most records in a chunk of a panel
	round  int // a chunk has a multiple of this many records
	stride int // bytes between prepared rows of x; zero behind the elements, but for what prepare writes

	// pack packs up to deep x 16 weights, of which there are ks x columns, ld elements from row to row. The
	// rest of the record is to have no effect, but on columns that there are not.
	pack func(record []byte, w []T, ld, ks, columns int)

	// prepare makes of a row's elements in a chunk what the kernels read, as if zeros followed.
	prepare func(row []byte, x []T)

	// kernels, by the number of rows that they compute at once, ascending.
	kernels []linearKernel
}

// linearKernel multiplies a panel of a chunk by up to rows prepared rows.
type linearKernel struct {
	rows int
	run  func(a *linearArgs)
}

// LinearElement is what x and the weights of a [Linear] are given as.
type LinearElement interface {
	float32 | kernels.BFloat16 | kernels.Float16 | int8
}

// LinearSum is what y is: sums.
type LinearSum interface{ float32 | int32 }

// linearArgs is what a kernel gets. The generator knows its layout.
type linearArgs struct {
	w    unsafe.Pointer // panels of a chunk
	x    unsafe.Pointer // prepared rows
	y    unsafe.Pointer // the panels' columns of the first row
	ldy  int            // bytes between rows of y
	rows int            // of y, as many as the kernel computes or fewer
	deep int            // records
	add  int            // 1: y += x·w; 0: y = x·w, whatever y held
	tile unsafe.Pointer // room for rows x 16 sums of 4 bytes

	panels int // that follow each other; w and y move on from one to the next
}

const (
	linearPanel = 16 // columns

	// linearRows is how many rows of x are prepared together at most. Weights that come from memory are used
	// that many times.
	linearRows = 64

	linearLine = 64

	// linearBeyond is what kernels may read, and prefetch, behind the last record.
	linearBeyond = 64
)

// Weights are the weights of a [Linear], k x n, packed for the threads of a pool. They are used by one goroutine
// at a time.
type Weights[T LinearElement, Y LinearSum] struct {
	l       *Linear[T, Y]
	pool    *Pool
	n, k    int
	threads []linearShare
	frees   []func()
}

// linearShare is what a thread works on and with.
type linearShare struct {
	from, to int    // columns
	packed   []byte // chunk by chunk, panel by panel
	rows     []byte // prepared rows of x
	tile     []byte // a panel of sums, and room for a kernel's own
	args     *linearArgs
}

// Pack packs w, k rows of n weights, for the threads of p; each packs, and so first touches, the columns
// that it will multiply. It panics if w is shorter than that or a dimension is negative. If the pool is stopped it
// returns early, with weights of no use.
func (l *Linear[T, Y]) Pack(p *Pool, w []T, n, k int) (*Weights[T, Y], error) {
	linearMatrix("W", w, k, n)
	ws := &Weights[T, Y]{l: l, pool: p, n: n, k: k, threads: make([]linearShare, p.Threads())}
	records := ws.records()
	for t := range ws.threads {
		from, to := Split(n, linearPanel, p.Threads(), t)
		panels := roundUp(to-from, linearPanel) / linearPanel
		if records > 0 && panels > (math.MaxInt-linearBeyond)/(records*l.bytes) {
			ws.Close()
			return nil, fmt.Errorf("cannot pack %d x %d weights: their bytes do not fit in an int", k, n)
		}
		if err := ws.allocate(&ws.threads[t], from, to, panels*records*l.bytes+linearBeyond); err != nil {
			ws.Close()
			return nil, err
		}
	}
	p.Run(func(tid int) { ws.pack(&ws.threads[tid], w) })
	return ws, nil
}

// Copy is the same weights in memory of their own, first touched by the same threads. It works in the room of the
// first, so that of both only one may be used at a time, and is closed before it.
func (ws *Weights[T, Y]) Copy() (*Weights[T, Y], error) {
	c := &Weights[T, Y]{l: ws.l, pool: ws.pool, n: ws.n, k: ws.k, threads: slices.Clone(ws.threads)}
	for t := range c.threads {
		block, free, err := Alloc[byte](len(ws.threads[t].packed))
		if err != nil {
			c.Close()
			return nil, err
		}
		c.threads[t].packed, c.frees = block, append(c.frees, free)
	}
	ws.pool.Run(func(tid int) { copy(c.threads[tid].packed, ws.threads[tid].packed) })
	return c, nil
}

// allocate makes the room that a thread needs for columns from to to.
func (ws *Weights[T, Y]) allocate(s *linearShare, from, to, packed int) error {
	tall := ws.l.kernels[len(ws.l.kernels)-1].rows
	s.from, s.to, s.args = from, to, new(linearArgs)
	for _, room := range []struct {
		of    *[]byte
		bytes int
	}{
		{&s.packed, packed},
		{&s.rows, (linearRows + tall) * ws.l.stride},
		{&s.tile, 2 * tall * linearPanel * 4},
	} {
		block, free, err := Alloc[byte](room.bytes)
		if err != nil {
			return err
		}
		*room.of, ws.frees = block, append(ws.frees, free)
	}
	return nil
}

// Close gives the memory back. The weights must not be used again.
func (ws *Weights[T, Y]) Close() {
	for _, free := range ws.frees {
		free()
	}
	ws.frees = nil
}

// Bytes is the size of the packed weights.
func (ws *Weights[T, Y]) Bytes() int {
	total := 0
	for _, s := range ws.threads {
		total += len(s.packed) - linearBeyond
	}
	return total
}

// records is how many records a panel has in all chunks.
func (ws *Weights[T, Y]) records() int {
	total := 0
	ws.chunks(func(_, _, records int) bool {
		total += records
		return true
	})
	return total
}

// chunks calls f for each chunk, with the range of k and the count of records, until f returns false.
func (ws *Weights[T, Y]) chunks(f func(from, to, records int) bool) {
	l := ws.l
	for from := 0; from < ws.k; from += l.deep * l.chunk {
		to := min(from+l.deep*l.chunk, ws.k)
		if !f(from, to, roundUp(roundUp(to-from, l.deep)/l.deep, l.round)) {
			return
		}
	}
}

func (ws *Weights[T, Y]) pack(s *linearShare, w []T) {
	l, packed := ws.l, s.packed
	ws.chunks(func(from, to, records int) bool {
		for j := s.from; j < s.to; j += linearPanel {
			if ws.pool.Stopped() {
				return false
			}
			for r := range records {
				p := min(from+r*l.deep, to)
				ks := min(l.deep, to-p)
				var source []T
				if ks > 0 {
					source = w[p*ws.n+j:]
				}
				l.pack(packed[:l.bytes:l.bytes], source, ws.n, ks, min(linearPanel, s.to-j))
				packed = packed[l.bytes:]
			}
		}
		return true
	})
}

// Run computes y = x·W: x is m x k and y m x n, dense and row-major, y apart from x. What y held does
// not matter. It panics if a slice is shorter than its matrix. If the pool is stopped it returns early, with y
// incomplete.
func (ws *Weights[T, Y]) Run(y []Y, x []T, m int) {
	linearMatrix("x", x, m, ws.k)
	linearMatrix("y", y, m, ws.n)
	if ws.k == 0 {
		clear(y[:m*ws.n])
		return
	}
	ws.pool.Run(func(tid int) {
		for i := 0; i < m && !ws.pool.Stopped(); i += linearRows {
			rows := min(linearRows, m-i)
			ws.multiply(&ws.threads[tid], y[i*ws.n:], x[i*ws.k:], rows)
		}
	})
}

// linearMatrix panics if x does not hold a matrix.
func linearMatrix[E any](name string, x []E, rows, columns int) {
	if rows < 0 || columns < 0 {
		panic(fmt.Sprintf("linear: %s cannot be %dx%d: dimensions are at least 0", name, rows, columns))
	}
	if columns > 0 && rows > math.MaxInt/columns || len(x) < rows*columns {
		panic(fmt.Sprintf("linear: %s holds %d elements, which are too few for %dx%d", name, len(x), rows, columns))
	}
}
