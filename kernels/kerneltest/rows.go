package kerneltest

import (
	"fmt"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// RowOperands are those of a rowwise kernel, as package cpu has them in its Rows.
type RowOperands[T element] struct {
	Columns int

	X, Y       []T
	DY, DX     []T
	Gain, Bias []T
	DGain      []float32
	DBias      []float32
}

// Rows is the suite for a rowwise kernel: f must agree with an oracle in float64, within a bound that follows from
// sums in fp32, in rows of all lengths and kinds, touch nothing but what it has to write, and mind neither where
// operands lie nor that the result takes an input's place.
func Rows[T element](t *testing.T, k kernels.Kernel, f func(r *RowOperands[T])) {
	t.Helper()
	s := &rowSuite[T]{kernel: k, f: f}
	t.Run("lengths and kinds", func(t *testing.T) { noFault(t, func() { s.lengths(t) }) })
	t.Run("page ends", func(t *testing.T) { noFault(t, func() { s.pageEnds(t) }) })
	t.Run("long", func(t *testing.T) { noFault(t, func() { s.long(t) }) })
}

type rowSuite[T element] struct {
	kernel kernels.Kernel
	f      func(r *RowOperands[T])
}

// lengths goes over rows of every length up to four AVX-512 vectors and around larger powers of two.
func (s *rowSuite[T]) lengths(t *testing.T) {
	var columns []int
	for n := 1; n <= 70; n++ {
		columns = append(columns, n)
	}
	columns = append(columns, 127, 128, 129, 1000, 1001, 1002, 1023, 1024, 1025)
	turn := 0
	for _, n := range columns {
		for _, rows := range []int{0, 1, 3} {
			for range 3 {
				kind := rowKinds[turn%len(rowKinds)]
				turn++
				s.run(t, kind.name, kind.fill, rows, n, turn%5 == 0)
				if testing.Short() {
					break
				}
			}
		}
	}
	if s.kernel == kernels.Softmax {
		for _, n := range []int{2, 16, 129} {
			s.run(t, "extremes", extremes, 2, n, false)
		}
	}
}

// long goes over rows that take longer than any cache near the core.
func (s *rowSuite[T]) long(t *testing.T) {
	for i, kind := range rowKinds {
		if testing.Short() && i%5 != 0 {
			continue
		}
		s.run(t, kind.name, kind.fill, 2, 8193+(i*4099)%12345, i%2 == 1)
	}
}

// run calls the kernel between guard bands.
func (s *rowSuite[T]) run(t *testing.T, kind string, fill func(x []float64, random func() float64), rows, columns int, inPlace bool) {
	t.Helper()
	where := fmt.Sprintf("%d rows of %d, %s", rows, columns, kind)
	if inPlace {
		where += ", in place"
	}
	var all guards
	room := func(n int) []T { return guardedSlice[T](&all, n) }
	o := &RowOperands[T]{
		Columns: columns, X: room(rows * columns), DY: room(rows * columns), Y: room(rows * columns), Gain: room(columns), Bias: room(columns),
		DGain: guardedSlice[float32](&all, columns), DBias: guardedSlice[float32](&all, columns),
	}
	o.DX = room(rows * columns)
	c := s.filled(o, fill)
	if inPlace && s.backward() {
		o.DX = o.DY
	} else if inPlace {
		o.Y = o.X
	}
	s.f(o)
	if text := all.broken(); text != "" {
		t.Fatalf("%s: %s", where, text)
	}
	c.check(t, where, o)
}

func (s *rowSuite[T]) backward() bool {
	return s.kernel == kernels.SoftmaxBackward || s.kernel == kernels.RMSNormBackward || s.kernel == kernels.LayerNormBackward
}

// pageEnds lets all operands end where a page ends, and then begin where one begins.
func (s *rowSuite[T]) pageEnds(t *testing.T) {
	const rows, most = 2, 70
	wide := func(place func(testing.TB, int) []T, sums func(testing.TB, int) []float32) *RowOperands[T] {
		return &RowOperands[T]{
			X: place(t, rows*most), Y: place(t, rows*most), DY: place(t, rows*most), DX: place(t, rows*most),
			Gain: place(t, most), Bias: place(t, most), DGain: sums(t, most), DBias: sums(t, most),
		}
	}
	ends, starts := wide(PageEnd[T], PageEnd[float32]), wide(PageStart[T], PageStart[float32])
	for n := 1; n <= most; n++ {
		for _, c := range []struct {
			where string
			o     *RowOperands[T]
		}{{"at the end of a page", cut(ends, rows*n, n, true)}, {"at the start of a page", cut(starts, rows*n, n, false)}} {
			kind := rowKinds[n%len(rowKinds)]
			check := s.filled(c.o, kind.fill)
			s.f(c.o)
			check.check(t, fmt.Sprintf("%d rows of %d, %s, %s", rows, n, kind.name, c.where), c.o)
		}
	}
}
