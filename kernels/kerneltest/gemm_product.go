package kerneltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/realflops/realflops/kernels"
)

type (
	// Stored and Summed are what elements of A and B, and of C, can be.
	Stored interface {
		float64 | float32 | kernels.Float16 | kernels.BFloat16 | int8
	}
	Summed interface {
		float64 | float32 | kernels.Float16 | int32
	}
)

// Product is the shape of C = A·B, M x N summed over K, row-major. TransA and TransB say that A is stored K x M and B N x K;
// Batch is how many there are, one behind the other.
type Product struct {
	M, N, K        int
	TransA, TransB bool
	Batch          int
}

// String is "2x3x4", with "x7" in front for a batch and the letters that BLAS has for transposes behind.
func (s Product) String() string {
	letter := map[bool]string{false: "n", true: "t"}
	text := fmt.Sprintf("%dx%dx%d %s%s", s.M, s.N, s.K, letter[s.TransA], letter[s.TransB])
	if s.Batch > 1 {
		text = fmt.Sprintf("%dx%s", s.Batch, text)
	}
	return text
}

// filler gives an element of A (side 0) or B (side 1) its value.
type filler func(r *rand.Rand, side int) float64

// small is integers whose products and sums are exact in C in any order.
func small[C Summed](k int) filler {
	most := 4
	if size[C]() == 2 {
		// Sums of fp16 are exact up to 2048.
		most = min(4, int(math.Sqrt(2048/float64(k))))
	}
	if most == 0 {
		return func(r *rand.Rand, _ int) float64 { return float64(r.IntN(3)-1) * float64(r.IntN(2)) }
	}
	return func(r *rand.Rand, _ int) float64 { return float64(r.IntN(2*most+1) - most) }
}

// extreme is the whole range of int8, its ends more often.
func extreme(r *rand.Rand, _ int) float64 {
	switch r.IntN(4) {
	case 0:
		return -128
	case 1:
		return 127
	}
	return float64(r.IntN(256) - 128)
}

// special mixes in NaN, infinities and zeros, sparsely enough that some of C stays finite.
func special[C Summed](k int) filler {
	other := small[C](k)
	return func(r *rand.Rand, side int) float64 {
		switch r.IntN(120) {
		case 0:
			return math.NaN()
		case 1:
			return math.Inf(1)
		case 2:
			return math.Inf(-1)
		}
		return other(r, side)
	}
}

// subnormal makes A of multiples of the smallest number of T, and B of integers.
func subnormal[T Stored, C Summed](k int) filler {
	least := map[int]float64{2: 0x1p-24, 4: math.SmallestNonzeroFloat32, 8: math.SmallestNonzeroFloat64}[size[T]()]
	if _, ok := any(*new(T)).(kernels.BFloat16); ok {
		least = 0x1p-133
	}
	other := small[C](k)
	return func(r *rand.Rand, side int) float64 {
		x := other(r, side)
		if side == 0 {
			x *= least
		}
		return x
	}
}

func normal(r *rand.Rand, _ int) float64 { return r.NormFloat64() }

// product is a problem and its solution in float64.
type product[T Stored, C Summed] struct {
	Product
	a, b           []T
	sum, magnitude []float64 // Σ a·b and Σ |a·b| of each element of C
}

func newProduct[T Stored, C Summed](s Product, f filler, arithmetic Arithmetic) product[T, C] {
	s.Batch = max(s.Batch, 1)
	r := rand.New(rand.NewPCG(uint64(s.M+1000*s.Batch), uint64(s.N*10_000+s.K)))
	p := product[T, C]{Product: s}
	for range s.Batch {
		a, b := make([]float64, s.M*s.K), make([]float64, s.K*s.N)
		for side, x := range [][]float64{a, b} {
			for i := range x {
				x[i] = f(r, side)
			}
		}
		ta, tb := stored[T](a), stored[T](b)
		if arithmetic.UnsignedBytes {
			unsigned(a)
			unsigned(b)
		}
		p.multiply(a, b)
		p.a = append(p.a, transposed(ta, s.M, s.K, s.TransA)...)
		p.b = append(p.b, transposed(tb, s.K, s.N, s.TransB)...)
	}
	return p
}

// multiply appends the product of a and b, in float64.
func (p *product[T, C]) multiply(a, b []float64) {
	done := len(p.sum)
	p.sum = append(p.sum, make([]float64, p.M*p.N)...)
	p.magnitude = append(p.magnitude, make([]float64, p.M*p.N)...)
	for i := range p.M {
		sum, magnitude := p.sum[done+i*p.N:][:p.N], p.magnitude[done+i*p.N:][:p.N]
		for q := range p.K {
			x := a[i*p.K+q]
			for j, y := range b[q*p.N:][:p.N] {
				xy := x * y
				sum[j] += xy
				magnitude[j] += math.Abs(xy)
			}
		}
	}
}

// transposed is x, rows x columns, as it lies in memory if yes.
func transposed[T any](x []T, rows, columns int, yes bool) []T {
	if !yes {
		return x
	}
	y := make([]T, len(x))
	for i := range rows {
		for j := range columns {
			y[j*rows+i] = x[i*columns+j]
		}
	}
	return y
}

// stored rounds x to T, in place, and returns it as T.
func stored[T Stored](x []float64) []T {
	out := make([]T, len(x))
	for i := range x {
		out[i] = kernels.Rounded[T](x[i])
		x[i] = kernels.Value(out[i])
	}
	return out
}

// unsigned makes of bytes what they are without a sign.
func unsigned(x []float64) {
	for i := range x {
		if x[i] < 0 {
			x[i] += 256
		}
	}
}

// spoil fills C with what must not survive: NaN, and for integers any bits.
func spoil[C Summed](c []C) {
	fill(raw(c))
	for i := range c {
		switch p := any(&c[i]).(type) {
		case *float64:
			*p = math.NaN()
		case *float32:
			*p = float32(math.NaN())
		case *kernels.Float16:
			*p = 0x7e00
		}
	}
}

// solve runs the product on operands between guard bands, with NaN in C beforehand.
func (p product[T, C]) solve(t *testing.T, run func(c []C, a, b []T, s Product)) []C {
	t.Helper()
	ga, gb, gc := newGuarded[T](len(p.a)), newGuarded[T](len(p.b)), newGuarded[C](len(p.sum))
	// Elements are aligned to their own size, and to nothing more.
	offset := (p.M + p.N + p.K) % (line / 8)
	a, b, c := ga.place(offset*size[T](), len(p.a)), gb.place(line-size[T]()*(1+offset), len(p.b)), gc.place(size[C]()*offset, len(p.sum))
	copy(a, p.a)
	copy(b, p.b)
	spoil(c)
	run(c, a, b, p.Product)
	for name, broken := range map[string]string{"A": ga.broken(), "B": gb.broken(), "C": gc.broken()} {
		if broken != "" {
			t.Fatalf("%v: %s: %s", p.Product, name, broken)
		}
	}
	for name, changed := range map[string]bool{"A": string(raw(a)) != string(raw(p.a)), "B": string(raw(b)) != string(raw(p.b))} {
		if changed {
			t.Fatalf("%v: %s was changed", p.Product, name)
		}
	}
	return c
}

// equal compares with the oracle for equality, NaN being equal to NaN. Sums of integers wrap.
func (p product[T, C]) equal(t *testing.T, c []C) {
	t.Helper()
	for i, want := range p.sum {
		if _, ok := any(c[i]).(int32); ok {
			want = float64(int32(int64(want)))
		}
		if got := kernels.Value(c[i]); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("%v: C[%d,%d] of product %d is %v, not %v", p.Product, i/p.N%p.M, i%p.N, i/p.N/p.M, got, want)
		}
	}
}
