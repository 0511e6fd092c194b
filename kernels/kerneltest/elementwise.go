package kerneltest

import (
	"fmt"
	"iter"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// element is what an elementwise kernel works on.
type element interface {
	float32 | kernels.Float16 | kernels.BFloat16
}

// Worst is where a kernel errs most: by how many ulp of its storage, in which output, and at which inputs.
type Worst struct {
	ULP    float64
	Output int
	At     []float64
}

// Elementwise is the suite for an activation, forward or backward: f must agree with the reference over a dense sample of
// all bit patterns (for 16 bits: over all), wherever the values lie in operands of whatever length and alignment,
// and must touch nothing else.
func Elementwise[T element](t *testing.T, k kernels.Kernel, f func(outputs, inputs [][]T)) {
	t.Helper()
	d, err := kernels.Lookup(string(k))
	if err != nil {
		t.Fatal(err)
	}
	operands := make([][]T, d.Reads)
	for i := range operands {
		operands[i] = samples[T](uint64(i))
	}
	for output := range d.Writes {
		sampled(outputOf(f, d.Writes, output), operands...).conformThinly(t)
	}
	if t.Failed() {
		return // what writes outside its operands would now spoil the heap
	}
	t.Run("values", func(t *testing.T) {
		c := &checker[T]{kernel: k, f: f, reads: d.Reads, writes: d.Writes}
		if err := c.values(operands, sparse); err != nil {
			t.Fatal(err)
		}
		if c.worst.At != nil {
			t.Logf("errs by at most %.4f ulp, in output %d at %v", c.exactly(c.worst), c.worst.Output, c.worst.At)
		}
	})
}

// Accuracy is where f errs most, and by how much to four digits; dense samples float32 four times as densely. It is infinite
// where f does what no kernel may.
func Accuracy[T element](k kernels.Kernel, f func(outputs, inputs [][]T), dense bool) Worst {
	d, err := kernels.Lookup(string(k))
	if err != nil {
		return Worst{ULP: math.Inf(1)}
	}
	c := &checker[T]{kernel: k, f: f, reads: d.Reads, writes: d.Writes}
	every := usual
	if dense {
		every = usual / 4
	}
	if err := c.values(nil, every); err != nil {
		return Worst{ULP: math.Inf(1)}
	}
	if c.worst.At != nil {
		c.worst.ULP = c.exactly(c.worst)
	}
	return c.worst
}

// outputOf is f with one output of several, the others being its own.
func outputOf[T any](f func(outputs, inputs [][]T), writes, output int) func(dst []T, src [][]T) {
	return func(dst []T, src [][]T) {
		outputs := make([][]T, writes)
		for i := range outputs {
			outputs[i] = make([]T, len(dst))
		}
		outputs[output] = dst
		f(outputs, src)
	}
}

// checker holds a kernel's results to the reference.
type checker[T element] struct {
	kernel        kernels.Kernel
	f             func(outputs, inputs [][]T)
	reads, writes int
	worst         Worst
}

// factors are what the inputs beside the argument are.
var factors = []float64{1, -0.7, 3.3, 0.0123, -517}

// values holds results to the reference: of the operands that the suite's other parts are made of, and, with some
// factors, of each pattern of the argument.
func (c *checker[T]) values(operands [][]T, every uint64) error {
	if operands != nil {
		if err := c.check(operands); err != nil {
			return err
		}
	}
	in := make([][]T, c.reads)
	turns := 1
	if c.reads > 1 && size[T]() == 2 {
		turns = 2 // each pattern with two of the factors
	}
	for turn := range turns {
		for p := range patternsOf[T](every) {
			for i := range in {
				if i == argument(c.kernel) {
					in[i] = append(in[i], fromBits[T](p))
				} else {
					in[i] = append(in[i], kernels.Rounded[T](factors[(int(p)+turn+2*i)%len(factors)]))
				}
			}
			if len(in[0]) < 4096 {
				continue
			}
			if err := c.check(in); err != nil {
				return err
			}
			for i := range in {
				in[i] = in[i][:0]
			}
		}
	}
	return c.check(in)
}

// check calls the kernel and looks at each of its results.
func (c *checker[T]) check(in [][]T) error {
	out := make([][]T, c.writes)
	for i := range out {
		out[i] = make([]T, len(in[0]))
	}
	c.f(out, in)
	x, y := make([]T, c.reads), make([]T, c.writes)
	for i := range in[0] {
		for j := range in {
			x[j] = in[j][i]
		}
		for j := range out {
			y[j] = out[j][i]
		}
		worst, err := Check(c.kernel, x, y)
		if err != nil {
			return err
		}
		if worst.ULP > c.worst.ULP {
			worst.At = floats(x)
			c.worst = worst
		}
	}
	return nil
}

// exactly is the error of the worst result, held to the reference in big arithmetic.
func (c *checker[T]) exactly(w Worst) float64 {
	in, out := make([][]T, c.reads), make([][]T, c.writes)
	for i, x := range w.At {
		in[i] = []T{kernels.Rounded[T](x)}
	}
	for i := range out {
		out[i] = make([]T, 1)
	}
	c.f(out, in)
	return bigULP[T](kernels.Value(out[w.Output][0]), bigValues(c.kernel, w.At)[w.Output])
}

// Check holds outputs y of a kernel to its inputs x: it returns by how many ulp the worse of them errs, and an error where
// that is more than the kernel may, or where bits that must be kept are not.
func Check[T element](k kernels.Kernel, x, y []T) (Worst, error) {
	if exact, ok := bitwise[T]()[k]; ok {
		if want := exact(x); !identical(y[0], want) {
			return Worst{}, fmt.Errorf("%s of %v is %v (%x in memory), want %v (%x)", k, x, y[0], raw(y), want, raw([]T{want}))
		}
		return Worst{}, nil
	}
	in := floats(x)
	var worst Worst
	for i, v := range inDouble[k](doubleField, in) {
		u, err := c64[T](k, in, i, kernels.Value(y[i]), v)
		if err != nil {
			return worst, err
		}
		if u > worst.ULP {
			worst = Worst{ULP: u, Output: i}
		}
	}
	return worst, nil
}

// c64 compares got with a value in float64, and with one in big arithmetic where the former is too near to the limit to say.
func c64[T element](k kernels.Kernel, in []float64, output int, got float64, v value[float64]) (float64, error) {
	limit := limitOf[T](k)
	wrong := func(u float64) error {
		return fmt.Errorf("output %d of %s of %v is %g, want %g: off by %.4f ulp, and %g are allowed", output, k, in, got, v.y, u, limit)
	}
	if math.IsNaN(v.y) || math.IsNaN(got) {
		if math.IsNaN(v.y) && math.IsNaN(got) {
			return 0, nil
		}
		return 0, wrong(math.NaN())
	}
	if want := kernels.Value(kernels.Rounded[T](v.y)); math.IsInf(want, 0) || math.IsInf(got, 0) {
		if want == got {
			return 0, nil
		}
		return 0, wrong(math.Inf(1))
	}
	u := ulpOf[T](got, v.y, v.scale)
	const doubt = 1e-4 // more than float64 errs by, which TestDoubleIsWithinDoubt holds
	if math.Abs(u-limit) < doubt {
		u = bigULP[T](got, bigValues(k, in)[output])
	}
	if u > limit || u > 0 && math.IsInf(in[argument(k)], 0) {
		return u, wrong(u)
	}
	return u, nil
}

func bigValues(k kernels.Kernel, in []float64) []value[*big.Float] {
	x := make([]*big.Float, len(in))
	for i, v := range in {
		x[i] = newBig(v)
	}
	return inBig[k](bigField, x)
}

// bigULP is [ulpOf] of a big value: their difference is exact before it is rounded.
func bigULP[T element](got float64, v value[*big.Float]) float64 {
	want, _ := v.y.Float64()
	scale, _ := v.scale.Float64()
	off, _ := newBig(0).Sub(newBig(got), v.y).Float64()
	return math.Abs(off) / unitOf[T](want, scale)
}

// ulpOf is by how many units in the last place, of the larger of want and scale, got is off.
func ulpOf[T element](got, want, scale float64) float64 {
	return math.Abs(got-want) / unitOf[T](want, scale)
}

func unitOf[T element](want, scale float64) float64 {
	f := formatOf[T]()
	return unit(math.Max(math.Abs(want), scale), f.precision, f.smallest)
}

// limitOf is limits in units of T.
func limitOf[T element](k kernels.Kernel) float64 {
	limit := limits[k]
	if f := formatOf[T](); f.precision < 24 {
		// Beside the rounding to fp32's error comes that of rounding twice.
		return 0.5 + (limit+0.5)*math.Ldexp(1, f.precision-24)
	}
	return limit
}

// format is a binary floating-point format: its bits of precision, the exponent of its smallest subnormal, and
// the encoding of +Inf.
type format struct {
	precision, smallest int
	infinity            uint32
}

func formatOf[T element]() format {
	switch any(*new(T)).(type) {
	case kernels.Float16:
		return format{11, -24, 0x7c00}
	case kernels.BFloat16:
		return format{8, -133, 0x7f80}
	}
	return format{24, -149, 0x7f800000}
}

// bitwise are the kernels that select: what is kept is kept bit for bit, a NaN too.
func bitwise[T element]() map[kernels.Kernel]func(x []T) T {
	return map[kernels.Kernel]func(x []T) T{
		kernels.ReLU: func(x []T) T {
			if kernels.Value(x[0]) < 0 {
				return *new(T)
			}
			return x[0]
		},
		kernels.ReLUBackward: func(x []T) T {
			if kernels.Value(x[1]) > 0 {
				return x[0]
			}
			return *new(T)
		},
	}
}

// identical compares bits.
func identical[T any](a, b T) bool { return slices.Equal(raw([]T{a}), raw([]T{b})) }

func floats[T element](x []T) []float64 {
	f := make([]float64, len(x))
	for i, v := range x {
		f[i] = kernels.Value(v)
	}
	return f
}

func fromBits[T element](pattern uint32) T {
	var v T
	switch p := any(&v).(type) {
	case *float32:
		*p = math.Float32frombits(pattern)
	case *kernels.Float16:
		*p = kernels.Float16(pattern)
	case *kernels.BFloat16:
		*p = kernels.BFloat16(pattern)
	}
	return v
}

// patterns is an arithmetic sequence of bit patterns.
type patterns struct{ first, last, step uint64 }

// sparse and usual are how thin the patterns are that a suite and that the figures are made of.
const (
	sparse uint64 = 64
	usual  uint64 = 16
)

// patternsOf are, where every is usual, all those of 16 bits, and of float32 a quarter of a million (the step is prime, so that all
// kinds of low bits are among them), and more of those where some kernel is hard. They are among those of any divisor of
// every; short tests have fewer.
func patternsOf[T element](every uint64) iter.Seq[uint32] {
	thinner := every
	if testing.Short() {
		thinner *= 13
	}
	hard := func(from, to float64, step uint64) patterns {
		return patterns{uint64(math.Float32bits(float32(from))), uint64(math.Float32bits(float32(to))), step * thinner}
	}
	ranges := []patterns{
		{0, math.MaxUint32, 1021 * thinner},
		hard(-87, -110.5, 13),   // results of sigmoid and silu become subnormal, and then 0
		hard(-15, -17.5, 13),    // 1 + exp(x) begins to round to 1
		hard(-0.6, -1.4, 97),    // derivatives cross 0
		hard(-8.5, -14.7, 37),   // the tails of gelu
		hard(0x1p-8, 20, 499),   // where most is rounded
		hard(-0x1p-8, -20, 499), // and so too
	}
	if size[T]() == 2 {
		ranges = []patterns{{0, math.MaxUint16, (thinner + 15) / 16}}
	}
	return func(yield func(uint32) bool) {
		for _, r := range ranges {
			for p := r.first; p <= r.last; p += r.step {
				if !yield(uint32(p)) {
					return
				}
			}
		}
	}
}

// samples are 2·longest values: every sort of special value, what is special to exp, and
// random ones of many magnitudes between them.
func samples[T element](seed uint64) []T {
	f := formatOf[T]()
	sign := uint32(1) << (8*size[T]() - 1)
	mantissa := uint32(1)<<(f.precision-1) - 1
	var specials []uint32
	for _, e := range []uint32{
		0, 1, mantissa, mantissa + 1, f.infinity - 1, f.infinity, // zero, subnormals, the ends of what is finite
		f.infinity | mantissa&^(mantissa>>1), f.infinity | mantissa, f.infinity | 1, f.infinity | mantissa>>2, // NaNs, quiet and signalling
	} {
		specials = append(specials, e, sign|e)
	}
	for _, x := range []float64{1, -1, 17.4, 88.7, 88.8, -87.3, -87.4, -88.8, -103.9, -104, -104.1, 0x1p-13, math.Ln2 / 2, -math.Ln2 / 2, 5.25, 9.1, -11, 20} {
		specials = append(specials, toBits(kernels.Rounded[T](x)))
	}
	r := rand.New(rand.NewPCG(3+seed, 5))
	out := make([]T, 2*longest)
	for i := range out {
		if i%3 == 0 {
			// At another place for each operand, so that each special value meets others.
			out[i] = fromBits[T](specials[(i/3*(2*int(seed)+1)+int(seed))%len(specials)])
		} else {
			out[i] = kernels.Rounded[T](r.NormFloat64() * math.Exp(4*r.NormFloat64()))
		}
	}
	return out
}

func toBits[T element](v T) uint32 {
	switch v := any(v).(type) {
	case kernels.Float16:
		return uint32(v)
	case kernels.BFloat16:
		return uint32(v)
	case float32:
		return math.Float32bits(v)
	}
	panic("no such element")
}
