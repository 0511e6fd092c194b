package conform

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/realflops/realflops/kernels"
)

var elementwiseChecks = []check{
	{"every value is within its limit", elementwiseValues},
	{"a result does not depend on its position", elementwisePositions},
}

// oracle holds result bits to what an activation or a gradient must be, for operands given as
// bits; nearest says that approximate instructions round to nearest. It returns the share of the limit
// that the error comes to; an error is beyond it.
type oracle func(f format, nearest bool, operands []uint64, got uint64) (share float64, err error)

// inputs is how many operands the kernel of s reads.
func (s *subject) inputs() int {
	if gradients[s.entry.Kernel] != nil {
		return 2
	}
	return 1
}

func (s *subject) oracle() oracle {
	if o := gradients[s.entry.Kernel]; o != nil {
		return o
	}
	return activations[s.entry.Kernel]
}

// elementwiseValues goes through every value of 16 bits, or a dense sample of all fp32, the
// second operand of a gradient being drawn at random.
func elementwiseValues(s *subject) error {
	f := stored(s.entry.Precision)
	values := patterns(f, s.thin)
	operands := [][]byte{values}
	if s.inputs() == 2 {
		operands = [][]byte{companion(f, values, 0), values}
	}
	out, err := s.elementwise(f, operands)
	if err != nil {
		return err
	}
	at := make([]uint64, len(operands))
	for i := range len(out) / f.bytes {
		for j, o := range operands {
			at[j] = f.at(o, i)
		}
		share, err := s.oracle()(f, s.nearest, at, f.at(out, i))
		if err != nil {
			return err
		}
		s.note(share, func() string { return fmt.Sprintf("of %#x", at) })
	}
	return nil
}

func (s *subject) elementwise(f format, operands [][]byte) ([]byte, error) {
	all := []*operand{result(len(operands[0]))}
	for _, o := range operands {
		all = append(all, input(o))
	}
	return s.launch(kernels.Shape{N: len(operands[0]) / f.bytes}, 0, all)
}

// patterns are the values to go through.
func patterns(f format, thin bool) []byte {
	if f.bytes == 2 {
		all := make([]byte, 2<<16)
		for bits := range 1 << 16 {
			f.put(all, bits, uint64(bits))
		}
		return all
	}
	// The steps are primes, so that all kinds of low bits are among the values: some 600 000 of all
	// fp32, and as many again of [2^-14, 128) on both sides of 0, where activations are curved.
	step := uint64(7919)
	if thin {
		step = 104729
	}
	var values []uint64
	for bits := uint64(0); bits <= math.MaxUint32; bits += step {
		values = append(values, bits)
	}
	for _, sign := range []uint64{0, 1 << 31} {
		for bits := uint64(math.Float32bits(0x1p-14)); bits < uint64(math.Float32bits(128)); bits += step / 13 {
			values = append(values, sign|bits)
		}
	}
	values = append(values, specials(f)...)
	list := make([]byte, len(values)*f.bytes)
	for i, bits := range values {
		f.put(list, i, bits)
	}
	return list
}

// specials are zeros, subnormals, the ends of the range, infinities and NaNs, of both signs.
func specials(f format) []uint64 {
	sign := uint64(1) << (8*f.bytes - 1)
	infinity := f.encode(math.Inf(1))
	one := uint64(1) << (f.precision - 1) // the smallest normal number
	quiet := one >> 1
	var all []uint64
	for _, bits := range []uint64{
		0, 1, one - 1, one, one + 1, infinity - 1, infinity, infinity + 1, infinity | quiet, infinity | quiet | 1, sign - 1,
		f.encode(1), f.encode(0.5), f.encode(2), f.encode(88), f.encode(88.75), f.encode(104), f.encode(17.5),
	} {
		all = append(all, bits, bits|sign)
	}
	return all
}

// companion is a second operand: half of it in [-4, 4], the rest any values.
func companion(f format, values []byte, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 11))
	other := make([]byte, len(values))
	special := specials(f)
	for i := range len(values) / f.bytes {
		switch r.IntN(4) {
		case 0:
			f.put(other, i, special[r.IntN(len(special))])
		case 1:
			f.put(other, i, r.Uint64())
		default:
			f.put(other, i, f.encode(r.Float64()*8-4))
		}
	}
	return other
}

// elementwisePositions computes a sample once, and then pieces of it of every length up to 40
// and of those around vectors, blocks and threads, which must be the same bit for bit.
func elementwisePositions(s *subject) error {
	f := stored(s.entry.Precision)
	chunk := s.entry.Chunk
	longest := 2*chunk + 1
	const shifts = 64
	sample := make([]byte, (longest+shifts)*f.bytes)
	special := specials(f)
	r := rand.New(rand.NewPCG(3, 5))
	for i := range len(sample) / f.bytes {
		if i%3 == 0 {
			f.put(sample, i, special[i/3%len(special)])
		} else {
			f.put(sample, i, f.encode(r.NormFloat64()*math.Exp(3*r.NormFloat64())))
		}
	}
	operands := [][]byte{sample}
	if s.inputs() == 2 {
		operands = [][]byte{companion(f, sample, 4), sample}
	}
	all, err := s.elementwise(f, operands)
	if err != nil {
		return err
	}
	for _, n := range lengths(chunk, s.entry.Block, s.thin) {
		shift := 7 * n % shifts
		pieces := make([][]byte, len(operands))
		for i, o := range operands {
			pieces[i] = o[shift*f.bytes:][:n*f.bytes]
		}
		got, err := s.elementwise(f, pieces)
		if err != nil {
			return err
		}
		want := all[shift*f.bytes:][:n*f.bytes]
		if bytes.Equal(got, want) {
			continue
		}
		for i := range n {
			if f.at(got, i) != f.at(want, i) {
				return fmt.Errorf("%d elements: element %d is %#x, and %#x as element %d of %d", n, i, f.at(got, i), f.at(want, i), i+shift, longest+shifts)
			}
		}
	}
	return nil
}

// lengths are those around the ends of vectors, of a block's threads and of its chunk.
func lengths(chunk, threads int, thin bool) []int {
	var all []int
	for n := 1; n <= 40; n++ {
		if !thin || n < 4 || n%7 == 0 {
			all = append(all, n)
		}
	}
	for _, n := range []int{threads, chunk / 4, chunk / 2, chunk, 2 * chunk} {
		for _, d := range []int{-1, 0, 1} {
			if n+d > 40 {
				all = append(all, n+d)
			}
		}
	}
	return all
}
