package emulator

import (
	"math"
	"strings"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/ptxvm"
	"github.com/realflops/realflops/kernels/cuda/twin"
)

// The vendor's library is emulated as far as the worker uses it: C = A·B of row-major operands
// by exchanging A and B, as column-major products (see shim/cublaslt.c for the words). It computes by
// package twin.

// ltWords is the number of words that describe a product: compute type, scale type, the two
// transpositions; of A, B and D each type and order, rows, columns, leading dimension; the context.
const ltWords = 17

// cublasStatus 15 is "not supported".
const ltNotSupported = 15

// ltTypes are the precisions by compute type and type of the operands (cublasComputeType_t,
// cudaDataType_t), each with the type of C.
var ltTypes = map[[3]uint64]kernels.Precision{
	{68, 0, 0}:   kernels.FP32FP32,
	{69, 0, 0}:   kernels.FP32FP32,
	{77, 0, 0}:   kernels.TF32FP32,
	{68, 2, 2}:   kernels.FP16FP32,
	{64, 2, 2}:   kernels.FP16FP16,
	{68, 14, 14}: kernels.BF16FP32,
	{72, 3, 10}:  kernels.INT8INT32,
}

// product is a described product in the words of kernels/cuda.
type product struct {
	precision kernels.Precision
	shape     kernels.Shape
	entry     cuda.Entry // of the own kernel whose twin computes it
}

// ltPrecision is the precision that is described, or "".
func ltPrecision(w []uint64) kernels.Precision {
	if len(w) < ltWords {
		return ""
	}
	return ltTypes[[3]uint64{w[0], w[4], w[12]}]
}

// ltProduct reads the description; false if the library would not take it, or the emulator does not.
func ltProduct(c Card, w []uint64) (product, bool) {
	if len(w) < ltWords {
		return product{}, false
	}
	a, b, d := w[4:8], w[8:12], w[12:16]
	p := product{precision: ltPrecision(w)}
	if p.precision == "" || b[0] != a[0] || c.PerClock.Library[p.precision] == 0 {
		return product{}, false
	}
	// The first operand is our B, the second our A: D (n x m, by columns) is C (m x n, by rows).
	n, m, k := d[1], d[2], b[1]
	rows, columns := n, k
	if p.precision == kernels.INT8INT32 { // B is stored n x k, and taken transposed
		rows, columns = k, n
	}
	transposed := map[bool]uint64{true: 1}[p.precision == kernels.INT8INT32]
	dense := a[1] == rows && a[2] == columns && a[3] == rows && b[2] == m && b[3] == k && d[3] == n
	if w[2] != transposed || w[3] != 0 || !dense || max(m, n, k) > math.MaxInt32 || min(m, n, k) < 1 {
		return product{}, false
	}
	if p.precision == kernels.INT8INT32 && (n%4 != 0 || k%4 != 0) {
		return product{}, false // integer products want dimensions of whole words
	}
	p.shape = kernels.Shape{M: int(m), N: int(n), K: int(k)}
	e, err := cuda.Pick(kernels.GEMM, p.precision, "", p.shape, c.Arch)
	p.entry = e
	return p, err == nil
}

// tiling is how the library cuts a product up: into tiles of C, and k into parts whose
// sums are added up in the end.
type tiling struct{ m, n, parts int }

// ltTilings are what the library chooses from: tiles of 16 to 256, and up to 32 parts of k.
func ltTilings(yield func(tiling) bool) {
	for m := 16; m <= 256; m *= 2 {
		for n := 16; n <= 256; n *= 2 {
			for parts := 1; parts <= 32; parts *= 2 {
				if !yield(tiling{m, n, parts}) {
					return
				}
			}
		}
	}
}

// work is what the library asks of the card for the product cut up like this, but for memory.
func (p product) work(t tiling) Work {
	up := func(n, by int) float64 { return math.Ceil(float64(n) / float64(by)) }
	k := up(p.shape.K, t.parts)
	blocks := up(p.shape.M, t.m) * up(p.shape.N, t.n) * float64(t.parts)
	tile, size := float64(t.m*t.n), float64(p.precision.Bytes())
	return Work{
		Blocks: int(blocks), Library: true,
		MACs:    map[kernels.Precision]float64{p.precision: blocks * tile * k},
		L2Bytes: blocks * (float64(t.m+t.n)*k*size + 4*tile),
	}
}

// best is the fastest way to cut the product up, as the library's heuristics would have it.
func (p product) best(c Card) (best tiling, w Work) {
	seconds := math.Inf(1)
	for t := range ltTilings {
		if t.parts > 1 && p.shape.K < 64*t.parts {
			continue
		}
		if now := p.work(t); c.Time(now, c.ClockHz).Seconds() < seconds {
			best, w, seconds = t, now, c.Time(now, c.ClockHz).Seconds()
		}
	}
	return best, w
}

func (c *session) ltHeuristic(q request) answer {
	context := c.work[q.word(ltWords-1)]
	if context == nil {
		return code(errInvalidContext)
	}
	d := context.dev
	p, ok := ltProduct(d.Card, q.words)
	if !ok {
		return code(ltNotSupported)
	}
	t, w := p.best(d.Card)
	return value(float32(w.Blocks)/float32(d.SMs), uint32(1000*t.m+t.n)) // 128064 is a tile of 128 x 64
}

func (p *process) ltMatmul(q request) answer {
	kernel := "lt_gemm_" + strings.ReplaceAll(string(ltPrecision(q.words)), "/", "_")
	return p.again(kernel, made(kernel, q.words...), func(flip bool) (*repeat, int) {
		what, ok := ltProduct(p.dev.Card, q.words)
		if !ok {
			return nil, errInvalidValue
		}
		b, a, out := q.word(ltWords), q.word(ltWords+1), q.word(ltWords+2)
		l, err := what.entry.Launch(what.shape, p.dev.SMs, []cuda.Ptr{cuda.Ptr(out), cuda.Ptr(a), cuda.Ptr(b)})
		if err != nil {
			return nil, errInvalidValue
		}
		t, _ := traitsOf(l)
		cut, w := what.best(p.dev.Card)
		tile := cuda.Entry{TileM: cut.m, TileN: cut.n, Block: 256, Shared: 32 << 10}
		return &repeat{traits: t, tile: tile, run: func() (Work, error) { return w, p.multiply(l, t, flip) }}, 0
	})
}

// multiply computes the product, unless its result is there already.
func (p *process) multiply(l cuda.Launch, t traits, flip bool) error {
	j := &job{runner: p.runner, space: p.space, traits: t, launch: l, flip: flip, function: &function{image: &image{Module: &ptxvm.Module{}}}}
	id, err := j.outcome()
	if err != nil {
		return err
	}
	out := t.result().extent
	if p.space.holds(out, id) || j.copied(out, id) {
		return nil
	}
	p.space.wrote(out, 0)
	if err := twin.Run(l, view{p.space.Memory}); err != nil {
		return err
	}
	return j.settle(id)
}
