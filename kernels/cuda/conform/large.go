package conform

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

// largeChecks are those with one operand of at least so many bytes, where offsets that a
// kernel computes in 32 bits wrap. Only the ends of large operands are given values and looked at.
func largeChecks(e cuda.Entry, size int64) []check {
	checks := func(promise string, runs ...func(*subject, int) error) []check {
		return []check{{promise, func(s *subject) error {
			for _, run := range runs {
				if err := run(s, int(size)); err != nil {
					return err
				}
			}
			return nil
		}}}
	}
	switch {
	case e.Kernel == kernels.FMA:
		return nil
	case e.Kernel == kernels.GEMM:
		return checks("large operands are right to their last element", largeA, largeB, largeC)
	case e.Kernel == kernels.Read:
		return checks("the last block of a large operand is summed", largeRead)
	case e.Kernel != "":
		return checks("large operands are right to their last element", largeElements)
	case strings.HasPrefix(e.Name, "fill_"):
		return checks("a large operand is filled to its last element", largeFill)
	}
	return checks("the last row of a large operand folds to its word", largeFold)
}

// piece is a part of an operand, from offset on.
type piece struct {
	offset int
	data   []byte
}

// vast is an operand of which only pieces are written, or read if it is the result.
type vast struct {
	bytes  int
	pieces []piece
}

func whole(data []byte) vast { return vast{len(data), []piece{{0, data}}} }

// launchVast launches on large operands and fills in the pieces of the first, the result.
func (s *subject) launchVast(shape kernels.Shape, operands []vast, scalars ...uint64) (err error) {
	s.cases++
	var pointers []cuda.Ptr
	defer func() {
		for _, p := range pointers {
			if free := device("freeing an operand", s.dev.Free(p)); err == nil {
				err = free
			}
		}
	}()
	for i, o := range operands {
		p, err := s.dev.Alloc(int64(o.bytes))
		if err != nil {
			return device(fmt.Sprintf("allocating %d bytes", o.bytes), err)
		}
		pointers = append(pointers, p)
		for _, part := range o.pieces {
			data := part.data
			if i == 0 {
				data = bytes.Repeat([]byte{canary}, len(data))
			}
			if err := s.dev.Upload(p+cuda.Ptr(part.offset), data); err != nil {
				return device("uploading an operand", err)
			}
		}
	}
	l, err := s.entry.Launch(shape, 1, pointers, scalars...)
	if err != nil {
		return err
	}
	if err := s.dev.Launch(l); err != nil {
		return device(where(shape, scalars), err)
	}
	if err := s.dev.Synchronize(); err != nil {
		return device(where(shape, scalars), err)
	}
	for _, part := range operands[0].pieces {
		if err := s.dev.Download(part.data, pointers[0]+cuda.Ptr(part.offset)); err != nil {
			return device("downloading the result", err)
		}
	}
	return nil
}

// largeElements computes a sample alone, and then at both ends of large operands.
func largeElements(s *subject, size int) error {
	f := stored(s.entry.Precision)
	n, length := size/f.bytes+5, 2*s.entry.Chunk+7
	sources := s.inputs()
	if s.entry.Kernel == kernels.Triad {
		sources = 2
	}
	r := rand.New(rand.NewPCG(6, 6))
	samples := make([][]byte, sources)
	for i := range samples {
		values := make([]float64, length)
		for j := range values {
			values[j] = r.NormFloat64()
		}
		samples[i] = f.pack(values)
	}
	want, err := s.elementwise(f, samples)
	if err != nil {
		return err
	}
	ends := func(data []byte) vast {
		return vast{n * f.bytes, []piece{{0, data}, {(n - length) * f.bytes, data}}}
	}
	head, tail := make([]byte, len(want)), make([]byte, len(want))
	operands := []vast{{n * f.bytes, []piece{{0, head}, {(n - length) * f.bytes, tail}}}}
	for _, x := range samples {
		operands = append(operands, ends(x))
	}
	if err := s.launchVast(kernels.Shape{N: n}, operands); err != nil {
		return err
	}
	for i := range length {
		for _, end := range []piece{{0, head}, {n - length, tail}} {
			if f.at(end.data, i) != f.at(want, i) {
				return fmt.Errorf("%d elements: element %d is %#x, want %#x", n, end.offset+i, f.at(end.data, i), f.at(want, i))
			}
		}
	}
	return nil
}

func largeRead(s *subject, size int) error {
	n := size/8 + 5
	last := (n - 1) / s.entry.Chunk
	start := last * s.entry.Chunk
	x, out := doubles(n-start, 1), make([]byte, 8)
	if err := s.launchVast(kernels.Shape{N: n}, []vast{{8 * (last + 1), []piece{{8 * last, out}}}, {8 * n, []piece{{8 * start, x}}}}); err != nil {
		return err
	}
	want := uint64(0)
	for i := range n - start {
		want += fp64.at(x, i)
	}
	if got := fp64.at(out, 0); got != want {
		return fmt.Errorf("%d elements: block %d sums to %#x, want %#x", n, last, got, want)
	}
	return nil
}

func largeFill(s *subject, size int) error {
	f := fills[ending(s.entry.Name)]
	n := size/f.bytes + 5
	table := make([]byte, f.bytes<<16)
	r := rand.New(rand.NewPCG(9, 9))
	for i := range table {
		table[i] = byte(r.Uint32())
	}
	const length, seed = 100, 77
	tail := make([]byte, length*f.bytes)
	if err := s.launchVast(kernels.Shape{N: n}, []vast{{n * f.bytes, []piece{{(n - length) * f.bytes, tail}}}, whole(table)}, seed); err != nil {
		return err
	}
	for i := range length {
		if want := f.at(table, int(mix(seed+uint64(n-length+i+1)*golden)>>48)); f.at(tail, i) != want {
			return fmt.Errorf("%d elements: element %d is %#x, want %#x", n, n-length+i, f.at(tail, i), want)
		}
	}
	return nil
}

func largeFold(s *subject, size int) error {
	f, word := s.folded()
	const cols = 1000
	rows := size/f.bytes/cols + 2
	n := (rows-1)*cols + 77 // the last row is short
	c, out := foldData(f, 77, 0), make([]byte, 8)
	if err := s.launchVast(kernels.Shape{N: n}, []vast{{8 * rows, []piece{{8 * (rows - 1), out}}}, {n * f.bytes, []piece{{(rows - 1) * cols * f.bytes, c}}}}, cols); err != nil {
		return err
	}
	want := uint64(0)
	for j := range 77 {
		want += word(f.at(c, j)) * (mix((uint64(j)+1)*golden) | 1)
	}
	if got := fp64.at(out, 0); got != want {
		return fmt.Errorf("%d elements in rows of %d: row %d folds to %#x, want %#x", n, cols, rows-1, got, want)
	}
	return nil
}

func largeA(s *subject, size int) error {
	const k = 4096
	return s.corner(kernels.Shape{M: size/(k*stored(s.entry.Precision).bytes) + 3, N: 16, K: k})
}

func largeB(s *subject, size int) error {
	const k = 1024
	n := size/(k*stored(s.entry.Precision).bytes) + 16
	return s.corner(kernels.Shape{M: 3, N: n / 16 * 16, K: k})
}

func largeC(s *subject, size int) error {
	const n = 1 << 14
	return s.corner(kernels.Shape{M: size/(n*accumulated(s.entry.Precision).bytes) + 3, N: n, K: 16})
}

// corner computes a product of the last 3 rows of A and the last 16 columns of B, in C's last
// corner; what else C holds is not looked at.
func (s *subject) corner(shape kernels.Shape) error {
	in, out := stored(s.entry.Precision), accumulated(s.entry.Precision)
	const m, n = 3, 16
	k := shape.K
	p := newProduct(s.entry.Precision, kernels.Shape{M: m, N: n, K: k}, s.small())
	a := vast{shape.M * k * in.bytes, []piece{{(shape.M - m) * k * in.bytes, p.a}}}
	b := vast{bytes: k * shape.N * in.bytes}
	if s.entry.Precision == kernels.INT8INT32 {
		b.pieces = []piece{{(shape.N - n) * k, p.b}}
	} else {
		for row := range k {
			b.pieces = append(b.pieces, piece{(row*shape.N + shape.N - n) * in.bytes, p.b[row*n*in.bytes:][:n*in.bytes]})
		}
	}
	c := vast{bytes: shape.M * shape.N * out.bytes}
	for row := range m {
		c.pieces = append(c.pieces, piece{((shape.M-m+row)*shape.N + shape.N - n) * out.bytes, make([]byte, n*out.bytes)})
	}
	if err := s.launchVast(shape, []vast{c, a, b}); err != nil {
		return err
	}
	for i, sum := range p.sum {
		got, want := out.value(c.pieces[i/n].data, i%n), out.decode(out.encode(sum))
		if got != want {
			return fmt.Errorf("%s: C[%d,%d] is %v, want %v", shape, shape.M-m+i/n, shape.N-n+i%n, got, want)
		}
	}
	return nil
}
