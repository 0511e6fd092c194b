package cpu

import (
	"math"
	"sync"
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

func init() {
	table := addresses(rowsTable)
	assembled := map[kernels.Precision]func(k kernels.Kernel, routines []uintptr) any{
		kernels.FP32: rowsFuncOf[float32], kernels.FP16: rowsFuncOf[kernels.Float16], kernels.BF16: rowsFuncOf[kernels.BFloat16],
	}
	for _, r := range rowsRoutines {
		f := assembled[r.precision](r.kernel, table[r.first:])
		register(Impl{Kernel: r.kernel, Precision: r.precision, Engine: r.engine, Needs: r.needs, Func: f})
	}
}

// rowsArgs is what a routine gets. The generator knows its layout.
type rowsArgs struct {
	rows, columns  int // at least 1; of a block of a row: 1, and its elements
	x, y, dy, dx   unsafe.Pointer
	gain, bias     unsafe.Pointer
	dgain, dbias   unsafe.Pointer
	scratch        unsafe.Pointer // columns float32, of softmax in 16 bits
	count, epsilon float32        // columns and ε

	top, sum, scale float32 // of a block of softmax
}

func argsOf[T Float](r *Rows[T], rows int) rowsArgs {
	return rowsArgs{
		rows: rows, columns: r.Columns, count: float32(r.Columns), epsilon: NormEpsilon,
		x: pointer(r.X), y: pointer(r.Y), dy: pointer(r.DY), dx: pointer(r.DX), gain: pointer(r.Gain), bias: pointer(r.Bias),
		dgain: pointer(r.DGain), dbias: pointer(r.DBias),
	}
}

func pointer[T any](s []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }

// rowsFuncOf is a RowsFunc[T] of a kernel's routines.
func rowsFuncOf[T Float](k kernels.Kernel, routines []uintptr) any {
	if k == kernels.Softmax {
		return RowsFunc[T](func(r *Rows[T]) { softmaxBy(r, routines) })
	}
	return RowsFunc[T](func(r *Rows[T]) {
		if rows := r.check(k); rows > 0 {
			args := argsOf(r, rows)
			call(routines[0], unsafe.Pointer(&args))
		}
	})
}

// The routines of softmax.
const (
	softmaxRows  = iota // whole rows
	softmaxTop          // of a block of a row: the maximum,
	softmaxSum          // the sum of the powers,
	softmaxShare        // and the results
)

// softmaxBlock is the longest row, in elements, whose powers are kept from when they are summed until they are divided: 32 KiB
// of them, an L1 cache. In longer rows each is computed twice, and the row is not read a third time.
const softmaxBlock = 8192

// powers are where those of a row are kept that has no room for float32 itself.
var powers = sync.Pool{New: func() any { return new([softmaxBlock]float32) }}

func softmaxBy[T Float](r *Rows[T], routines []uintptr) {
	rows := r.check(kernels.Softmax)
	if rows == 0 {
		return
	}
	if r.Columns > softmaxBlock {
		rowsOf(r.Columns, r.X, func(at int) { softmaxLong(r.Y[at:][:r.Columns], r.X[at:][:r.Columns], routines) })
		return
	}
	args := argsOf(r, rows)
	scratch := powers.Get().(*[softmaxBlock]float32)
	defer powers.Put(scratch)
	args.scratch = unsafe.Pointer(scratch)
	call(routines[softmaxRows], unsafe.Pointer(&args))
}

// softmaxLong keeps a maximum and a sum that is corrected when a block has a larger one (M. Milakov and N. Gimelshein,
// Online normalizer calculation for softmax, 2018, algorithm 3).
func softmaxLong[T Float](y, x []T, routines []uintptr) {
	args := rowsArgs{rows: 1}
	blocks := func(f func()) {
		for at := 0; at < len(x); at += softmaxBlock {
			args.columns = min(softmaxBlock, len(x)-at)
			args.x, args.y = pointer(x[at:]), pointer(y[at:])
			f()
		}
	}
	part := func(i int) { call(routines[i], unsafe.Pointer(&args)) }
	top, sum := math.Inf(-1), 0.0
	blocks(func() {
		part(softmaxTop)
		if t := float64(args.top); t > top {
			sum *= math.Exp(top - t)
			top = t
		}
		// Where nothing but -Inf has been seen, powers of -Inf - 0 are as good as 0, and those of NaN are NaN.
		if args.top = float32(top); math.IsInf(top, -1) {
			args.top = 0
		}
		part(softmaxSum)
		sum += float64(args.sum)
	})
	args.top, args.scale = float32(top), float32(1/sum)
	blocks(func() { part(softmaxShare) })
}
