package cpu

import (
	"fmt"
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

type (
	// Stored is what elements of A and B are stored as.
	Stored interface {
		float64 | float32 | kernels.Float16 | kernels.BFloat16 | int8
	}

	// Summed is what elements of C are: the type of the sums.
	Summed interface {
		float64 | float32 | kernels.Float16 | int32
	}
)

// GEMM is one way to multiply matrices whose elements are stored as T into one of C: the parts that an engine brings, and how
// large the pieces are that it works on. Sums of int8 are modulo 2^32 (two's complement); those of Float16 are rounded
// to it after each step.
type GEMM[T Stored, C Summed] struct {
	*tiles
	blocking
}

// newGEMM makes f a product of T and C, with the blocking of this CPU.
func newGEMM[T Stored, C Summed](f *tiles) *GEMM[T, C] {
	f.StoredBytes, f.OutBytes = int(unsafe.Sizeof(*new(T))), int(unsafe.Sizeof(*new(C)))
	return &GEMM[T, C]{f, f.blocks()}
}

// Product is the shape of C = A·B: M x N, summed over K, all dense and row-major.
type Product struct {
	M, N, K int
	// TransA and TransB say that A is stored K x M, and B N x K: C = Aᵀ·B, A·Bᵀ.
	TransA, TransB bool
	// Batch is how many products there are, one matrix behind the other; 0 is 1.
	Batch int
	// Ahead says that B is packed ahead: see [GEMM.PackB]. It excludes a batch.
	Ahead bool
}

// ProductOf is the product that a spec of one of the matrix kernels stands for.
func ProductOf(s kernels.Spec) Product {
	return Product{
		M: s.Shape.M, N: s.Shape.N, K: s.Shape.K, Batch: s.Shape.Batch,
		TransA: s.Kernel == kernels.GEMMTN || s.Kernel == kernels.GEMMTT,
		TransB: s.Kernel == kernels.GEMMNT || s.Kernel == kernels.GEMMTT,
	}
}

func (s Product) check() error {
	for _, d := range []struct {
		name string
		size int
	}{{"m", s.M}, {"n", s.N}, {"k", s.K}, {"the batch", s.Batch}} {
		if d.size < 0 {
			return fmt.Errorf("gemm: %s is %d, it must not be negative", d.name, d.size)
		}
	}
	if s.Ahead && s.Batch > 1 {
		return fmt.Errorf("gemm: a batch of %d with B packed ahead, it must be 1", s.Batch)
	}
	return nil
}

// lda and ldb are the elements from a row of A or B, as they are stored, to the next.
func (s Product) lda() int {
	if s.TransA {
		return s.M
	}
	return s.K
}

func (s Product) ldb() int {
	if s.TransB {
		return s.K
	}
	return s.N
}

// Plan is a product of one shape on one pool, with its buffers. It is used by one goroutine
// at a time.
type Plan[T Stored, C Summed] struct{ plan }

// Plan makes the buffers for products of one shape on the threads of p. The error says which dimension is negative,
// or that there is no memory. Close gives the buffers back; p stays the caller's.
func (g *GEMM[T, C]) Plan(p *Pool, s Product) (*Plan[T, C], error) {
	pl := &Plan[T, C]{plan{f: g.tiles, limits: g.blocking, pool: p, Product: s}}
	return pl, pl.prepare()
}

// Run computes c = a·b for each product of the batch, c apart from both. What c held does not matter; where K is 0, c
// becomes 0. It panics if a slice is shorter than its matrices, or c overlaps a or b. If
// the pool is stopped it returns early, with c incomplete.
func (pl *Plan[T, C]) Run(c []C, a, b []T) {
	count := pl.Batch
	holds("C", c, count, pl.M, pl.N)
	holds("A", a, count, pl.M, pl.K)
	holds("B", b, count, pl.K, pl.N)
	c, a, b = c[:count*pl.M*pl.N], a[:count*pl.M*pl.K], b[:count*pl.K*pl.N]
	apart("A", c, a)
	apart("B", c, b)
	if pl.K == 0 {
		clear(c)
		return
	}
	pl.run(unsafe.Pointer(unsafe.SliceData(c)), unsafe.Pointer(unsafe.SliceData(a)), unsafe.Pointer(unsafe.SliceData(b)))
}

// Close gives the buffers back. The plan must not be run again.
func (pl *Plan[T, C]) Close() { pl.close() }

// holds checks that matrices given to Run have the elements of their shape.
func holds[E any](name string, x []E, count, rows, columns int) {
	if len(x) >= count*rows*columns {
		return
	}
	shape := fmt.Sprintf("%dx%d", rows, columns)
	if count != 1 {
		shape = fmt.Sprintf("%dx%s", count, shape)
	}
	panic(fmt.Sprintf("gemm: %s holds %d elements, %s takes %d", name, len(x), shape, count*rows*columns))
}

// apart checks that C shares no memory with the named operand.
func apart[C, T any](name string, c []C, x []T) {
	if c0, c1 := span(c); len(c) > 0 && len(x) > 0 {
		if x0, x1 := span(x); c0 < x1 && x0 < c1 {
			panic(fmt.Sprintf("gemm: C overlaps %s, they must not share memory", name))
		}
	}
}

func span[E any](x []E) (from, to uintptr) {
	from = uintptr(unsafe.Pointer(unsafe.SliceData(x)))
	return from, from + uintptr(len(x))*unsafe.Sizeof(*new(E))
}
