package work

import (
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

// function is an elementwise kernel as arithmetic: what it computes of its inputs, in float64.
type function struct {
	inputs int
	of     func(x [2]float64) float64
	second func(float64) float64 // applied to the values of the second input; nil for none
}

// triadScalar is the s of a = b + s·c, as in STREAM.
const triadScalar = 3

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

var functions = map[kernels.Kernel]function{
	kernels.ReLU:    {1, func(x [2]float64) float64 { return max(x[0], 0) }, nil},
	kernels.Sigmoid: {1, func(x [2]float64) float64 { return sigmoid(x[0]) }, nil},
	kernels.Tanh:    {1, func(x [2]float64) float64 { return math.Tanh(x[0]) }, nil},
	kernels.SiLU:    {1, func(x [2]float64) float64 { return x[0] * sigmoid(x[0]) }, nil},
	kernels.GELU: {1, func(x [2]float64) float64 {
		return x[0] / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x[0]+0.044715*x[0]*x[0]*x[0])))
	}, nil},
	kernels.ReLUBackward: {2, func(x [2]float64) float64 {
		if x[1] > 0 {
			return x[0]
		}
		return 0
	}, nil},
	kernels.SigmoidBackward: {2, func(x [2]float64) float64 { return x[0] * x[1] * (1 - x[1]) }, sigmoid},
	kernels.Copy:            {1, func(x [2]float64) float64 { return x[0] }, nil},
	kernels.Triad:           {2, func(x [2]float64) float64 { return math.FMA(triadScalar, x[1], x[0]) }, nil},
}

// tolerances are the errors that no correct kernel exceeds, relative and absolute: of fp32 some units
// of the last place of exp and reciprocal as the hardware approximates them, of the 16-bit types one
// rounding, of fp64 none.
var tolerances = map[kernels.Precision]struct{ relative, absolute float64 }{
	kernels.FP64: {0, 0}, kernels.FP32: {0x1p-20, 0x1p-22}, kernels.FP16: {0x1p-10, 0x1p-24}, kernels.BF16: {0x1p-7, 0x1p-30},
}

// foldColumns is the width of the rows that a vector is folded in.
const foldColumns = 4096

// elementwise prepares an activation, copy or triad.
func (w *Work) elementwise(c Case) error {
	e, err := w.site.pick(c)
	if err != nil {
		return err
	}
	w.Engine, w.Note, w.Traffic = e.Engine, "16-byte accesses", c.Bytes()
	f, format := functions[c.Kernel], stored(c.Precision)
	value, err := values(c.Data, format)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	tables := [][]byte{table(format, value)}
	if f.inputs == 2 {
		second := permuted(value)
		if f.second != nil {
			inner := second
			second = func(i int) float64 { return f.second(inner(i)) }
		}
		tables = append(tables, table(format, second))
	}
	var onDevice []cuda.Ptr
	for _, t := range tables {
		p, err := w.upload(t)
		if err != nil {
			return err
		}
		onDevice = append(onDevice, p)
	}
	results, err := w.tabulate(c, e, f, tables, onDevice)
	if err != nil {
		return err
	}
	if err := w.vectors(c, e, format, onDevice); err != nil {
		return err
	}
	w.want = foldsOf(format, results, c.Seed, c.Shape.N)
	w.locate = func(s set, row int) error {
		first := row * foldColumns
		raw, err := w.elements(format, s.ptrs[0], first, min(foldColumns, c.Shape.N-first))
		if err != nil {
			return err
		}
		return firstWrong(format, raw, results, c.Seed, first, c.Shape.N)
	}
	return w.verified()
}

// tabulate runs the kernel on the tables themselves and holds each result to the function.
func (w *Work) tabulate(c Case, e cuda.Entry, f function, tables [][]byte, onDevice []cuda.Ptr) ([]byte, error) {
	format := stored(c.Precision)
	out, err := w.alloc(tableSize * int64(format.bytes))
	if err != nil {
		return nil, err
	}
	if err := w.site.dev.Memset(out, 0xff, tableSize*int64(format.bytes)); err != nil {
		return nil, err
	}
	l, err := e.Launch(kernels.Shape{N: tableSize}, w.site.dev.Info().SMs, append([]cuda.Ptr{out}, onDevice...))
	if err != nil {
		return nil, err
	}
	if err := w.site.dev.Launch(l); err != nil {
		return nil, err
	}
	results, err := w.elements(format, out, 0, tableSize)
	if err != nil {
		return nil, err
	}
	tolerance := tolerances[c.Precision]
	for i := range tableSize {
		var x [2]float64
		for j, t := range tables {
			x[j] = format.decode(format.at(t, i))
		}
		got, want := format.decode(format.at(results, i)), f.of(x)
		if c.Precision == kernels.FP64 && got == want {
			continue
		}
		if !(math.Abs(got-want) <= tolerance.relative*math.Abs(want)+tolerance.absolute) {
			return nil, wrong("element %d of %d is %v, want %v", i, tableSize, got, want)
		}
	}
	return results, nil
}

// vectors allocates and fills the operands of each set.
func (w *Work) vectors(c Case, e cuda.Entry, f format, tables []cuda.Ptr) error {
	n := c.Shape.N
	bytes := int64(n * f.bytes)
	folds, err := w.alloc(int64(8 * ((n-1)/foldColumns + 1)))
	if err != nil {
		return err
	}
	err = w.makeSets(c.Cold, bytes*int64(1+len(tables)), func() (set, error) {
		s := set{}
		for range 1 + len(tables) {
			p, err := w.alloc(bytes)
			if err != nil {
				return s, err
			}
			s.ptrs = append(s.ptrs, p)
		}
		for i, t := range tables {
			if err := w.fill(f, s.ptrs[1+i], t, n, c.Seed); err != nil {
				return s, err
			}
		}
		l, err := e.Launch(c.Shape, w.site.dev.Info().SMs, s.ptrs)
		s.run = func() error { return w.site.dev.Launch(l) }
		return s, err
	})
	if err != nil {
		return err
	}
	w.poisoned = func(s set) error { return w.site.dev.Memset(s.ptrs[0], 0xff, bytes) }
	w.digest = func(s set) ([]uint64, error) {
		return w.fold(fmt.Sprintf("fold_bits_%d", f.bytes), s.ptrs[0], folds, n, foldColumns)
	}
	return nil
}

// foldsOf is what a fold of n elements, each taken from results by its index, must be.
func foldsOf(f format, results []byte, seed uint64, n int) []uint64 {
	weights := make([]uint64, foldColumns)
	for j := range weights {
		weights[j] = weight(uint64(j))
	}
	bits := make([]uint64, tableSize)
	for i := range bits {
		bits[i] = f.at(results, i)
	}
	out := make([]uint64, (n-1)/foldColumns+1)
	parallel(len(out), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			first := r * foldColumns
			sum := uint64(0)
			for j := range min(foldColumns, n-first) {
				sum += bits[index(seed, uint64(first+j))] * weights[j]
			}
			out[r] = sum
		}
	})
	return out
}

// firstWrong names the first element of raw, which starts at element first of n, that is not
// the result for its value.
func firstWrong(f format, raw, results []byte, seed uint64, first, n int) error {
	for j := range len(raw) / f.bytes {
		i := index(seed, uint64(first+j))
		if got, want := f.at(raw, j), f.at(results, i); got != want {
			return wrong("element %d of %d is %v (%#x), want %v (%#x)", first+j, n, f.decode(got), got, f.decode(want), want)
		}
	}
	return nil
}

// parallel calls f for shares of [0, n), one for each CPU.
func parallel(n int, f func(lo, hi int)) {
	shares := min(n, runtime.GOMAXPROCS(0))
	var done sync.WaitGroup
	for i := range shares {
		done.Go(func() { f(i*n/shares, (i+1)*n/shares) })
	}
	done.Wait()
}
