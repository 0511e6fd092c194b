package conform

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

func gemmChecks(e cuda.Entry) []check {
	checks := []check{
		{"integers are exact at every edge of tiles", gemmEdges},
		{"integers are exact across tiles", gemmBlocks},
	}
	if e.Precision == kernels.INT8INT32 {
		return checks
	}
	checks = append(checks,
		check{"randn is within the bound", gemmRandn},
		check{"NaN and infinities go where they belong", gemmSpecials})
	if e.Precision == kernels.TF32FP32 {
		checks = append(checks, check{"fp32 operands count with 10 bits of their mantissa", gemmTruncated})
	}
	return checks
}

// edges are the dimensions around which vectors, fragments and tiles end.
var (
	edges     = []int{1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257}
	thinEdges = []int{1, 7, 16, 33, 65, 129}
)

// divisible are the multiples of q next to each of the edges.
func divisible(edges []int, q int) []int {
	var near []int
	for _, x := range edges {
		near = append(near, (x+q-1)/q*q)
		if x > q {
			near = append(near, x/q*q)
		}
	}
	slices.Sort(near)
	return slices.Compact(near)
}

// edgeShapes is a set of shapes in which every two of m, n and k come in every pair of
// edges: k goes through its edges as in a Latin square.
func edgeShapes(e cuda.Entry, edges []int) []kernels.Shape {
	ms, ns, ks := edges, edges, edges
	if q := e.Multiple; q > 1 {
		ks = divisible(edges, q)
		if e.Precision != kernels.INT8INT32 {
			ns = ks
		}
	}
	var shapes []kernels.Shape
	for i, m := range ms {
		for j, n := range ns {
			shapes = append(shapes, kernels.Shape{M: m, N: n, K: ks[(i+j)%len(ks)]})
		}
	}
	return shapes
}

// blockShapes have several tiles each way, more rows of tiles than one group has, and a long k.
func blockShapes(e cuda.Entry) []kernels.Shape {
	q := max(e.Multiple, 1)
	up := func(x int) int { return (x + q - 1) / q * q }
	shapes := []kernels.Shape{
		{M: 9*e.TileM + 1, N: up(e.TileN + 2), K: up(33)},
		{M: 3, N: up(5*e.TileN - 3), K: up(70)},
		{M: 10 * e.TileM, N: 3 * e.TileN, K: up(1)},
		{M: 17, N: up(9), K: up(1031)},
		{M: 2, N: up(1), K: up(3001)},
	}
	return shapes
}

func (s *subject) edges() []int {
	if s.thin {
		return thinEdges
	}
	return edges
}

func gemmEdges(s *subject) error {
	for _, shape := range edgeShapes(s.entry, s.edges()) {
		if err := s.exact(shape, s.small()); err != nil {
			return err
		}
	}
	return nil
}

func gemmBlocks(s *subject) error {
	for _, shape := range blockShapes(s.entry) {
		if err := s.exact(shape, s.small()); err != nil {
			return err
		}
	}
	return nil
}

func gemmSpecials(s *subject) error {
	q := max(s.entry.Multiple, 1)
	up := func(x int) int { return (x + q - 1) / q * q }
	for _, x := range []kernels.Shape{{M: 1, N: 1, K: 1}, {M: 3, N: 40, K: 20}, {M: 8, N: 48, K: 64}, {M: 29, N: 65, K: 7}, {M: 130, N: 133, K: 37}} {
		if err := s.exact(kernels.Shape{M: x.M, N: up(x.N), K: up(x.K)}, special); err != nil {
			return err
		}
	}
	return nil
}

func gemmRandn(s *subject) error {
	ns, ks := 50, append(slices.Clone(s.edges()), 500, 1031)
	if q := s.entry.Multiple; q > 1 {
		ns, ks = ns/q*q, divisible(ks, q)
	}
	for i, k := range ks {
		for _, m := range []int{9, 33}[:1+i%2] {
			if err := s.bounded(newProduct(s.entry.Precision, kernels.Shape{M: m, N: ns, K: k}, normal), 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// gemmTruncated gives operands of 24 bits, of which a tensor core takes 11 by truncation or a
// kernel may round them: each product then errs by at most 2·2^-10 + 2^-20.
func gemmTruncated(s *subject) error {
	for _, k := range []int{8, 64, 256} {
		p := newProduct(kernels.FP32FP32, kernels.Shape{M: 17, N: 48, K: k}, normal)
		if err := s.bounded(p, 0x1p-9+0x1p-20); err != nil {
			return err
		}
	}
	return nil
}

// filler gives an element of A or B its value.
type filler func(r *rand.Rand) float64

func normal(r *rand.Rand) float64 { return r.NormFloat64() }

// small are integers whose products sum exactly in any order in the accumulator, over the
// edges and blocks above: below 2^24 in fp32, and in fp16 (2048) with overwhelming room; of
// int8 all.
func (s *subject) small() filler {
	switch s.entry.Precision {
	case kernels.INT8INT32:
		return func(r *rand.Rand) float64 { return float64(r.IntN(256) - 128) }
	case kernels.FP16FP16:
		return func(r *rand.Rand) float64 { return float64(r.IntN(3) - 1) }
	}
	return func(r *rand.Rand) float64 { return float64(r.IntN(9) - 4) }
}

// special mixes in NaN, infinities and zeros, sparsely enough that some of C stays finite.
func special(r *rand.Rand) float64 {
	switch r.IntN(150) {
	case 0:
		return math.NaN()
	case 1:
		return math.Inf(1)
	case 2:
		return math.Inf(-1)
	}
	return float64(r.IntN(5) - 2)
}

// product is a problem and its solution in float64.
type product struct {
	kernels.Shape
	a, b           []byte
	sum, magnitude []float64 // Σ a·b and Σ |a·b| of each element of C
}

// newProduct makes the operands of gemm at p: B of int8 is stored n x k.
func newProduct(p kernels.Precision, s kernels.Shape, f filler) product {
	r := rand.New(rand.NewPCG(uint64(s.M), uint64(s.N)<<32+uint64(s.K)))
	in := stored(p)
	draw := func(n int) ([]byte, []float64) {
		stored, values := make([]byte, n*in.bytes), make([]float64, n)
		for i := range values {
			in.put(stored, i, in.encode(f(r)))
			values[i] = in.value(stored, i)
		}
		return stored, values
	}
	a, left := draw(s.M * s.K)
	b, right := draw(s.K * s.N)
	if p == kernels.INT8INT32 {
		t := make([]byte, len(b))
		for k := range s.K {
			for j := range s.N {
				t[j*s.K+k] = b[k*s.N+j]
			}
		}
		b = t
	}
	out := product{Shape: s, a: a, b: b, sum: make([]float64, s.M*s.N), magnitude: make([]float64, s.M*s.N)}
	for i := range s.M {
		sum, magnitude := out.sum[i*s.N:][:s.N], out.magnitude[i*s.N:][:s.N]
		for k, x := range left[i*s.K:][:s.K] {
			for j, y := range right[k*s.N:][:s.N] {
				sum[j] += x * y
				magnitude[j] += math.Abs(x * y)
			}
		}
	}
	return out
}

// solve runs the product; the result is C.
func (s *subject) solve(p product) ([]byte, format, error) {
	out := accumulated(s.entry.Precision)
	c, err := s.launch(p.Shape, 0, []*operand{result(p.M * p.N * out.bytes), input(p.a), input(p.b)})
	return c, out, err
}

// accumulated is the format of C.
func accumulated(p kernels.Precision) format {
	switch p {
	case kernels.INT8INT32:
		return int32s
	case kernels.TF32FP32:
		return fp32
	}
	return stored(p)
}

// exact compares with the solution, rounded once to the type of C; NaN equals NaN.
func (s *subject) exact(shape kernels.Shape, f filler) error {
	p := newProduct(s.entry.Precision, shape, f)
	c, out, err := s.solve(p)
	if err != nil {
		return err
	}
	for i, sum := range p.sum {
		got, want := out.value(c, i), out.decode(out.encode(sum))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			return fmt.Errorf("%s: C[%d,%d] is %v, want %v", shape, i/p.N, i%p.N, got, want)
		}
	}
	return nil
}

// bounded compares within what summation may err by, relative to Σ|a·b|, the rounding of C and
// the given error of each product.
func (s *subject) bounded(p product, perProduct float64) error {
	c, out, err := s.solve(p)
	if err != nil {
		return err
	}
	relative, absolute := summation(s.entry, p.K)
	for i, want := range p.sum {
		got := out.value(c, i)
		limit := (relative+perProduct)*p.magnitude[i] + absolute + out.ulp(want)/2
		err := math.Abs(got - want)
		if !(err <= limit) {
			return fmt.Errorf("%s: C[%d,%d] is %v, want %v within %.2g", p.Shape, i/p.N, i%p.N, got, want, limit)
		}
		s.note(err/limit, func() string { return fmt.Sprintf("%s C[%d,%d]", p.Shape, i/p.N, i%p.N) })
	}
	return nil
}

// summation is by how much a sum of k products may err: relative to Σ|a·b|, and absolutely.
//
// CUDA cores: γ(k) = k·u/(1-k·u), u = 2^-24, whatever the order (N. Higham, Accuracy and Stability of
// Numerical Algorithms, 2nd ed., eq. 3.5). Tensor cores with fp32 sums align the products of
// one instruction to the largest and truncate (M. Fasi, N. Higham, M. Mikaitis and S. Pranesh,
// "Numerical behavior of NVIDIA tensor cores", PeerJ CS 7:e330, 2021): each product and each sum
// errs by at most 2^-23 of the largest magnitude in play, and an instruction has at least 4 products: k + k/4
// such errors, and k/4 of rounding. With fp16 sums what counts is that each instruction, of
// at least 4 products, leaves its sum in fp16: k/4 + 1 errors of 2^-10, rounded or truncated, or
// of the smallest fp16.
func summation(e cuda.Entry, k int) (relative, absolute float64) {
	steps := math.Ceil(float64(k)/4) + 1
	switch {
	case e.Engine == cuda.SIMT:
		ku := float64(k) * 0x1p-24
		return ku / (1 - ku), 0
	case e.Precision == kernels.FP16FP16:
		e := steps * 0x1p-10
		return e * (1 + e), steps * 0x1p-24
	}
	return (float64(k) + 2*steps) * 0x1p-23, 0
}
