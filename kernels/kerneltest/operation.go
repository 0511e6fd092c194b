package kerneltest

import (
	"bytes"
	"fmt"
	"math/bits"
	"testing"
)

// operation is an elementwise kernel with sample operands: run computes dst from as many
// sources as there are samples.
//
// The suite demands that a value's result depends neither on its place in the operands
// nor on their length or alignment: that each loop and each tail computes the same.
// So want, the results for the samples, is made by one call and held to an oracle once, and
// all other calls are held to want bit for bit.
type operation[T any] struct {
	run     func(dst []T, src [][]T)
	samples [][]T // 2·longest elements each
	want    []T
	thin    bool
}

// sampled makes want by run.
func sampled[T any](run func(dst []T, src [][]T), samples ...[]T) operation[T] {
	o := operation[T]{run: run, samples: samples, want: make([]T, 2*longest)}
	run(o.want, samples)
	return o
}

// conformThinly is conform with fewer lengths and alignments, for the many kernels whose routines are of one making and
// do not look at an address.
func (o operation[T]) conformThinly(t *testing.T) {
	o.thin = true
	o.conform(t)
}

// conform runs everything but the comparison of values with an oracle.
func (o operation[T]) conform(t *testing.T) {
	t.Run("lengths and alignments", func(t *testing.T) { noFault(t, func() { o.alignments(t) }) })
	t.Run("in place", func(t *testing.T) { noFault(t, func() { o.inPlace(t) }) })
	t.Run("page ends", func(t *testing.T) { noFault(t, func() { o.pageEnds(t) }) })
	t.Run("long", func(t *testing.T) { noFault(t, func() { o.long(t) }) })
}

// alignments goes over every length with every offset of dst, of the sources, and of
// both; and over every pair of offsets with the lengths around powers of two.
func (o operation[T]) alignments(t *testing.T) {
	dst, src := newGuarded[T](longest), make([]*guarded[T], len(o.samples))
	for i := range src {
		src[i] = newGuarded[T](longest)
	}
	step := size[T]()
	for dstOffset := 0; dstOffset < line; dstOffset += step {
		for srcOffset := 0; srcOffset < line; srcOffset += step {
			if o.thin && dstOffset != 5*step && srcOffset != dstOffset {
				continue
			}
			everyLength := dstOffset == 0 || srcOffset == 0 || dstOffset == srcOffset
			if o.thin {
				everyLength = dstOffset == 5*step && srcOffset == 2*step
			}
			for n := range longest + 1 {
				if everyLength || bits.OnesCount(uint(n)) == 1 || bits.OnesCount(uint(n+1)) == 1 {
					o.call(t, n, dstOffset, srcOffset, dst, src)
				}
			}
		}
	}
}

// call runs the operation once between guard bands. The second source, if there is one, lies
// one element further than the first.
func (o operation[T]) call(t *testing.T, n, dstOffset, srcOffset int, dst *guarded[T], src []*guarded[T]) {
	t.Helper()
	shift := (7*n + srcOffset) % longest // so that each sample comes to lie in each lane
	out, in := dst.place(dstOffset, n), make([][]T, len(src))
	for i := range src {
		in[i] = src[i].place((srcOffset+i*size[T]())%line, n)
		copy(in[i], o.samples[i][shift:])
	}
	o.run(out, in)

	where := func() string {
		return fmt.Sprintf("%d elements, dst %d and src %d bytes behind a cache line's start", n, dstOffset, srcOffset)
	}
	o.same(t, out, shift, where)
	if text := dst.broken(); text != "" {
		t.Fatalf("%s: dst: %s", where(), text)
	}
	for i := range src {
		if text := src[i].broken(); text != "" {
			t.Fatalf("%s: source %d: %s", where(), i, text)
		}
		if !bytes.Equal(raw(in[i]), raw(o.samples[i][shift:shift+n])) {
			t.Fatalf("%s: source %d was written to", where(), i)
		}
	}
}

// same compares got with the results for the samples from shift on.
func (o operation[T]) same(t *testing.T, got []T, shift int, where func() string) {
	t.Helper()
	want := o.want[shift : shift+len(got)]
	if bytes.Equal(raw(got), raw(want)) {
		return
	}
	for i := range got {
		if !bytes.Equal(raw(got[i:i+1]), raw(want[i:i+1])) {
			t.Fatalf("%s: element %d is %v (%x in memory), and %v (%x) in another place", where(), i, got[i], raw(got[i:i+1]), want[i], raw(want[i:i+1]))
		}
	}
}

// inPlace lets dst be each of the sources in turn.
func (o operation[T]) inPlace(t *testing.T) {
	for same := range o.samples {
		for n := range longest + 1 {
			src := make([][]T, len(o.samples))
			for i := range src {
				src[i] = append([]T(nil), o.samples[i][n:][:n]...)
			}
			o.run(src[same], src)
			o.same(t, src[same], n, func() string { return fmt.Sprintf("%d elements, dst being source %d", n, same) })
		}
	}
}

// pageEnds lets all operands end where a page ends, and then begin where one begins.
func (o operation[T]) pageEnds(t *testing.T) {
	ends, starts := make([][]T, len(o.samples)+1), make([][]T, len(o.samples)+1)
	for i := range ends {
		ends[i], starts[i] = PageEnd[T](t, longest), PageStart[T](t, longest)
	}
	run := func(operands [][]T, n int, where string) {
		shift := 5 * n % longest
		for i, src := range operands[1:] {
			copy(src, o.samples[i][shift:])
		}
		fill(raw(operands[0]))
		o.run(operands[0], operands[1:])
		o.same(t, operands[0], shift, func() string { return fmt.Sprintf("%d elements, %s", n, where) })
	}
	for n := range longest + 1 {
		last, first := make([][]T, len(ends)), make([][]T, len(starts))
		for i := range ends {
			last[i], first[i] = ends[i][longest-n:], starts[i][:n]
		}
		run(last, n, "at the end of a page")
		run(first, n, "at the start of a page")
	}
}

// long goes over lengths that are odd, prime or beyond what 16 bits count.
func (o operation[T]) long(t *testing.T) {
	for _, n := range []int{257, 1021, 4099, 1<<16 + 1} {
		dst, src := newGuarded[T](n), make([][]T, len(o.samples))
		for i := range src {
			src[i] = make([]T, n)
			for at := 0; at < n; at += longest {
				copy(src[i][at:], o.samples[i][:longest])
			}
		}
		out := dst.place(size[T](), n)
		o.run(out, src)
		for at := 0; at < n; at += longest {
			o.same(t, out[at:min(at+longest, n)], 0, func() string { return fmt.Sprintf("%d elements, from element %d on", n, at) })
		}
		if text := dst.broken(); text != "" {
			t.Fatalf("%d elements: dst: %s", n, text)
		}
	}
}
