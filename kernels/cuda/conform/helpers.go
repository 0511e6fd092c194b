package conform

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/realflops/realflops/kernels"
)

// helperChecks are those of the functions that fill operands and fold results.
func helperChecks(name string) []check {
	switch {
	case strings.HasPrefix(name, "fill_"):
		return []check{{"every element is the one that its seed says", fillExact}}
	case strings.HasPrefix(name, "fold_"):
		return []check{
			{"every row folds to its word", foldExact},
			{"one wrong bit changes the word", foldSees},
		}
	}
	return []check{{"is known to this suite", func(s *subject) error {
		return fmt.Errorf("device function %s has no check", s.entry.Name)
	}}}
}

// mix is the output function of SplitMix64, and golden its increment.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

const golden = 0x9E3779B97F4A7C15

// fills and folds are the types of elements by the end of a function's name.
var (
	fills = map[string]format{"1": int8s, "2": fp16, "4": fp32, "8": fp64}
	folds = map[string]format{"fp16": fp16, "bf16": bf16, "fp32": fp32, "int32": int32s}
)

func ending(name string) string { return name[strings.LastIndexByte(name, '_')+1:] }

func fillExact(s *subject) error {
	f := fills[ending(s.entry.Name)]
	r := rand.New(rand.NewPCG(8, uint64(f.bytes)))
	table := make([]byte, f.bytes<<16)
	for i := range table {
		table[i] = byte(r.Uint32())
	}
	for i, n := range append(lengths(s.entry.Chunk, s.entry.Block, s.thin), 5*s.entry.Chunk+3) {
		seed := []uint64{0, 1, math.MaxUint64, r.Uint64()}[i%4]
		got, err := s.launch(kernels.Shape{N: n}, 0, []*operand{result(n * f.bytes), input(table)}, seed)
		if err != nil {
			return err
		}
		for i := range n {
			if want := f.at(table, int(mix(seed+(uint64(i)+1)*golden)>>48)); f.at(got, i) != want {
				return fmt.Errorf("%d elements, seed %#x: element %d is %#x, want %#x", n, seed, i, f.at(got, i), want)
			}
		}
	}
	return nil
}

// folded is how s's elements are stored, and the word that one counts as.
func (s *subject) folded() (f format, word func(bits uint64) uint64) {
	end := ending(s.entry.Name)
	if strings.HasPrefix(s.entry.Name, "fold_bits_") {
		return fills[end], func(bits uint64) uint64 { return bits }
	}
	f = folds[end]
	return f, func(bits uint64) uint64 { return uint64(int64(math.RoundToEven(f.decode(bits)))) }
}

// foldShapes are elements and columns: rows shorter and longer than a block's threads, a
// short last row, one row, many.
var foldShapes = [][2]int{
	{1, 1},
	{7, 1},
	{100, 3},
	{101, 3},
	{255, 255},
	{256, 256},
	{257, 257},
	{513, 256},
	{1000, 255},
	{5, 100},
	{4096, 1024},
	{4097, 1024},
	{10_000, 4099},
	{3001, 3000},
	{2047, 64},
	{40_000, 20_001},
}

func foldExact(s *subject) error {
	f, _ := s.folded()
	for i, shape := range foldShapes {
		n, cols := shape[0], shape[1]
		c := foldData(f, n, i)
		if err := s.fold(c, n, cols); err != nil {
			return err
		}
	}
	return nil
}

// foldData is any bits for bits, and for numbers whole ones in even cases, and others, halfway
// cases among them, in odd.
func foldData(f format, n, i int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), uint64(i)))
	c := make([]byte, n*f.bytes)
	for j := range n {
		v := float64(r.IntN(4001) - 2000)
		if i%2 == 1 && f.precision > 0 {
			v = float64(r.IntN(801)-400) / 4
		}
		f.put(c, j, f.encode(v))
	}
	return c
}

// fold launches and compares with the sum by definition.
func (s *subject) fold(c []byte, n, cols int) error {
	f, word := s.folded()
	rows := (n + cols - 1) / cols
	got, err := s.launch(kernels.Shape{N: n}, 0, []*operand{result(8 * rows), input(c)}, uint64(cols))
	if err != nil {
		return err
	}
	for row := range rows {
		want := uint64(0)
		for j := 0; j < cols && row*cols+j < n; j++ {
			want += word(f.at(c, row*cols+j)) * (mix((uint64(j)+1)*golden) | 1)
		}
		if x := fp64.at(got, row); x != want {
			return fmt.Errorf("%d elements in rows of %d: row %d folds to %#x, want %#x", n, cols, row, x, want)
		}
	}
	return nil
}

// foldSees changes one bit of one element after another, and asks that the word of its row, and
// no other, changes.
func foldSees(s *subject) error {
	f, _ := s.folded()
	const n, cols = 3000, 1000
	shape, scalar := kernels.Shape{N: n}, uint64(cols)
	c := foldData(f, n, 0)
	before, err := s.launch(shape, 0, []*operand{result(8 * 3), input(c)}, scalar)
	if err != nil {
		return err
	}
	for _, at := range []int{0, 1, 255, 256, 999, 1000, 1777, 2999} {
		wrong := bytes.Clone(c)
		switch v := f.value(c, at); {
		case f.precision == 0 || strings.HasPrefix(s.entry.Name, "fold_bits_"):
			f.put(wrong, at, f.at(c, at)^1)
		case v == 0:
			f.put(wrong, at, f.encode(1))
		default: // a whole number: one bit makes another of it
			f.put(wrong, at, f.encode(-v))
		}
		after, err := s.launch(shape, 0, []*operand{result(8 * 3), input(wrong)}, scalar)
		if err != nil {
			return err
		}
		for row := range 3 {
			if changed := fp64.at(before, row) != fp64.at(after, row); changed != (row == at/cols) {
				return fmt.Errorf("element %d was changed: that the word of row %d changed is %t, want %t", at, row, changed, !changed)
			}
		}
	}
	return nil
}
