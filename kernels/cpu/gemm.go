package cpu

import (
	"fmt"

	"github.com/realflops/realflops/kernels"
)

// GEMM is one way to multiply matrices, C = A·B with elements of A and B stored as T and
// arithmetic in fp32: the parts that an engine brings, as data. What is the same for all,
// blocking and threads, is in [Plan].
//
// The blocking is that of K. Goto and R. van de Geijn, "Anatomy of high-performance matrix
// multiplication", ACM TOMS 34(3), 2008: a block of A, MC x KC, and one of B, KC x NC, are packed into
// panels that the microkernel reads from end to end.
type GEMM[T float32 | kernels.Float16] struct {
	MR, Lanes  int // rows of the microkernel's tile; elements of a vector
	MC, KC, NC int // the largest blocks

	// packed[v-1][r-1] computes a tile of r rows and v vectors from packed panels; the last of
	// each says how large a tile can be.
	packed [][]microkernel[float32]
	// direct is the same with B as it is stored, for products that use each element of B too few
	// times to pack it. Nil where an engine has none.
	direct [][]microkernel[T]

	// packA packs MR rows and a positive multiple of Lanes columns of A; packB[v-1] packs k >= 1
	// rows of v vectors of B. Where nil, and for what is smaller, plain Go does it.
	packA packer[T]
	packB []packer[T]
	widen func(dst []float32, src []T) // dst[i] = src[i]
}

type (
	// microkernel computes c = a·b, or c += a·b if add, of a tile of C whose size it knows: a
	// is a packed panel of k columns, MR apart; rows of b are ldb apart and rows of c ldc. It
	// may prefetch k/4 cache lines from next on.
	microkernel[T float32 | kernels.Float16] func(k int, a []float32, b []T, ldb int, c []float32, ldc int, add bool, next []float32)

	// packer copies a piece of a matrix whose rows are ld apart to a panel, as fp32.
	packer[T float32 | kernels.Float16] func(dst []float32, src []T, ld, k int)
)

// NR is the number of columns of the microkernel's tile.
func (g *GEMM[T]) NR() int { return len(g.packed) * g.Lanes }

// Plan makes the buffers for products of one shape, A m x k, B k x n and C m x n, on the
// threads of p. The error says which dimension is not positive, or that there is no memory. Close gives the
// buffers back; p stays the caller's.
func (g *GEMM[T]) Plan(p *Pool, m, n, k int) (*Plan[T], error) {
	for _, d := range []struct {
		name string
		size int
	}{{"m", m}, {"n", n}, {"k", k}} {
		if d.size < 1 {
			return nil, fmt.Errorf("gemm: %s is %d, it must be at least 1", d.name, d.size)
		}
	}
	pl := &Plan[T]{
		g: g, pool: p, m: m, n: n, k: k,
		kc:     evenBlock(k, g.KC, g.Lanes),
		direct: g.direct != nil && m <= g.MR,
	}
	pl.byRows = n < p.Threads()*g.NR() || pl.sharedInL2()
	columns := n
	if !pl.byRows {
		columns = roundUp((n+p.Threads()-1)/p.Threads(), g.Lanes)
	}
	pl.mc = evenBlock(m, g.MC, g.MR)
	pl.nc = evenBlock(columns, g.NC, g.NR())
	return pl, pl.allocate()
}

// evenBlock is the size, a multiple of align, of the fewest equal blocks of at most limit
// that cover n.
func evenBlock(n, limit, align int) int {
	blocks := (n + limit - 1) / limit
	return roundUp((n+blocks-1)/blocks, align)
}

func roundUp(n, align int) int { return (n + align - 1) / align * align }

// packPanelA packs rows <= MR rows of A, k columns, to dst, MR·k long; missing rows are zero.
func (g *GEMM[T]) packPanelA(dst []float32, a []T, lda, rows, k int) {
	done := 0
	if g.packA != nil && rows == g.MR {
		if done = k / g.Lanes * g.Lanes; done > 0 {
			g.packA(dst, a[:(rows-1)*lda+done], lda, done)
		}
	}
	if done == k {
		return
	}
	if rows < g.MR {
		clear(dst[:g.MR*k])
	}
	var line [64]float32
	for i := range rows {
		for p := done; p < k; p += len(line) {
			part := line[:min(len(line), k-p)]
			g.widen(part, a[i*lda+p:][:len(part)])
			for q, x := range part {
				dst[(p+q)*g.MR+i] = x
			}
		}
	}
}

// packPanelB packs k rows of B, the given columns <= NR, to dst, whose rows are whole vectors;
// missing columns are zero.
func (g *GEMM[T]) packPanelB(dst []float32, b []T, ldb, columns, k int) {
	width := roundUp(columns, g.Lanes)
	if g.packB != nil && width == columns {
		g.packB[width/g.Lanes-1](dst[:width*k], b[:(k-1)*ldb+columns], ldb, k)
		return
	}
	for p := range k {
		row := dst[p*width:][:width]
		g.widen(row[:columns], b[p*ldb:][:columns])
		clear(row[columns:])
	}
}

// tile computes c = a·b or c += a·b from packed panels, for up to MR rows and NR columns. Columns
// that do not fill a vector go by way of edge, MR·NR long.
func (g *GEMM[T]) tile(k int, a, b []float32, c []float32, ldc, rows, columns int, add bool, next, edge []float32) {
	width := roundUp(columns, g.Lanes)
	kernel := g.packed[width/g.Lanes-1][rows-1]
	last := (rows-1)*ldc + columns
	if width == columns {
		kernel(k, a, b, width, c[:last], ldc, add, next)
		return
	}
	kernel(k, a, b, width, edge, width, false, next)
	for i := range rows {
		row := c[i*ldc:][:columns]
		if !add {
			copy(row, edge[i*width:])
			continue
		}
		for j, x := range edge[i*width:][:columns] {
			row[j] += x
		}
	}
}

// blocked sets the blocking of g for caches of the given sizes in bytes (0 or less where not
// known) and returns it. A panel of A takes half of L1, beside the panels of B and C that stream by,
// and a block of B 9/16 of L2. A block of A, two of which exist, lies in L3.
func (g *GEMM[T]) blocked(l1, l2 int) *GEMM[T] {
	if l1 <= 0 {
		l1 = 32 << 10
	}
	if l2 <= 0 {
		l2 = 512 << 10
	}
	const fp32 = 4
	g.KC = min(512, max(128, l1/2/(fp32*g.MR)/16*16))
	g.NC = max(2, min(24, l2*9/16/(fp32*g.KC)/g.NR())) * g.NR()
	g.MC = roundUp(2048, g.MR)
	return g
}

func copyFP32(dst, src []float32) { copy(dst, src) }

func widenFP16(dst []float32, src []kernels.Float16) {
	for i, h := range src {
		dst[i] = h.Float32()
	}
}

// rectangle checks that a matrix given to Run has the elements of its shape.
func rectangle[E any](name string, x []E, rows, columns int) {
	if len(x) < rows*columns {
		panic(fmt.Sprintf("gemm: %s holds %d elements, %dx%d takes %d", name, len(x), rows, columns, rows*columns))
	}
}
