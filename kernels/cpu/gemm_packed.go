package cpu

import (
	"fmt"
	"unsafe"
)

// Packed is a matrix B in the panels of an engine, for products that use it again and again: weights.
type Packed[T Stored] struct {
	f    *tiles
	n, k int
	kc   int
	data unsafe.Pointer
	free func()
}

// PackB packs B, k x n or, if trans, stored n x k, on the threads of p, each the columns that it will use. The error
// says which dimension is negative, or that there is no memory. Close gives the memory back.
func (g *GEMM[T, C]) PackB(p *Pool, b []T, n, k int, trans bool) (*Packed[T], error) {
	pl := plan{f: g.tiles, limits: g.blocking, pool: p, Product: Product{M: 1, N: n, K: k, TransB: trans}}
	if err := pl.check(); err != nil {
		return nil, err
	}
	holds("B", b, 1, k, n)
	f := g.tiles
	pl.kc = g.depth(f, k)
	whole := k / pl.kc * pl.kc
	bytes := whole/pl.kc*f.panels(n, pl.kc) + f.panels(n, k-whole)
	data, free, err := Alloc[byte](max(bytes, 1))
	if err != nil {
		return nil, err
	}
	packed := &Packed[T]{f, n, k, pl.kc, unsafe.Pointer(unsafe.SliceData(data)), free}
	pl.Ahead, pl.ahead = true, packed.data
	p.Run(func(tid int) {
		j0, j1 := Split(n, f.NR, p.Threads(), tid)
		for row := 0; row < k; row += pl.kc {
			depth := min(pl.kc, k-row)
			for j := j0; j < j1 && !p.Stopped(); j += f.NR {
				pl.packPanel(pl.panelsOf(nil, block{p: row, j: j, depth: depth}), unsafe.Pointer(unsafe.SliceData(b)), row, j, depth, min(f.NR, j1-j))
			}
		}
	})
	return packed, nil
}

// Close gives the memory back. No plan must use it again.
func (b *Packed[T]) Close() {
	if b.free != nil {
		b.free()
	}
	b.free = nil
}

// RunPacked is Run with B packed ahead by the same engine; the plan's Product says Ahead. It panics if B is of another shape
// or engine.
func (pl *Plan[T, C]) RunPacked(c []C, a []T, b *Packed[T]) {
	if !pl.Ahead || b.f != pl.f || b.n != pl.N || b.k != pl.K || b.kc != pl.kc {
		panic(fmt.Sprintf("gemm: B is packed ahead as %dx%d, the plan (ahead: %v) takes %dx%d of the same engine", b.k, b.n, pl.Ahead, pl.K, pl.N))
	}
	holds("C", c, 1, pl.M, pl.N)
	holds("A", a, 1, pl.M, pl.K)
	c, a = c[:pl.M*pl.N], a[:pl.M*pl.K]
	apart("A", c, a)
	if pl.K == 0 {
		clear(c)
		return
	}
	pl.ahead = b.data
	pl.run(unsafe.Pointer(unsafe.SliceData(c)), unsafe.Pointer(unsafe.SliceData(a)), nil)
}

// panels are the bytes of k rows of B in panels, n columns.
func (f *tiles) panels(n, k int) int {
	bytes := n / f.NR * f.panelB(f.NR, k)
	if rest := n % f.NR; rest > 0 {
		bytes += f.panelB(rest, k)
	}
	return bytes
}

// depth is the block along k of a product: of K alone, so that what is packed ahead fits every plan.
func (l blocking) depth(f *tiles, k int) int { return max(f.alignK(), evenBlock(k, l.KC, f.alignK())) }
