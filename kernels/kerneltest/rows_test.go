package kerneltest

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// randomRow is a row of n of the standard normal distribution, in every operand.
func randomRow(n int, seed uint64) rowOf {
	r := rand.New(rand.NewPCG(seed, 17))
	var row rowOf
	for _, x := range []*[]float64{&row.x, &row.y, &row.dy, &row.gain, &row.bias} {
		*x = make([]float64, n)
		each(*x, r.NormFloat64)
	}
	return row
}

// TestRowOraclesAreExact: the forward oracles against the definitions in 200 bits.
func TestRowOraclesAreExact(t *testing.T) {
	sum := func(x []float64, f func(v *big.Float) *big.Float) *big.Float {
		s := newBig(0)
		for _, v := range x {
			s.Add(s, f(newBig(v)))
		}
		return s
	}
	over := func(a, b *big.Float) *big.Float { return newBig(0).Quo(a, b) }
	minus := func(a, b *big.Float) *big.Float { return newBig(0).Sub(a, b) }
	times := func(a, b *big.Float) *big.Float { return newBig(0).Mul(a, b) }
	// deviation is √(mean (x-m)² + ε).
	deviation := func(x []float64, m *big.Float) *big.Float {
		squares := sum(x, func(v *big.Float) *big.Float { return times(minus(v, m), minus(v, m)) })
		return newBig(0).Sqrt(newBig(0).Add(over(squares, newBig(float64(len(x)))), newBig(normEpsilon)))
	}
	for _, c := range []struct {
		kernel kernels.Kernel
		want   func(r rowOf, i int) *big.Float
	}{
		{kernels.Softmax, func(r rowOf, i int) *big.Float { return over(bigExp(newBig(r.x[i])), sum(r.x, bigExp)) }},
		{kernels.RMSNorm, func(r rowOf, i int) *big.Float {
			return over(times(newBig(r.gain[i]), newBig(r.x[i])), deviation(r.x, newBig(0)))
		}},
		{kernels.LayerNorm, func(r rowOf, i int) *big.Float {
			mean := over(sum(r.x, func(v *big.Float) *big.Float { return v }), newBig(float64(len(r.x))))
			normed := over(minus(newBig(r.x[i]), mean), deviation(r.x, mean))
			return newBig(0).Add(times(newBig(r.gain[i]), normed), newBig(r.bias[i]))
		}},
	} {
		for n := 1; n <= 9; n++ {
			r := randomRow(n, uint64(n))
			for i, got := range rowOracles[c.kernel](r).out {
				want, _ := c.want(r, i).Float64()
				if off := math.Abs(got.value - want); !(off <= 1e-13*(1+math.Abs(want))) {
					t.Errorf("%s of %d: element %d is %v, want %v", c.kernel, n, i, got.value, want)
				}
				if !(got.allowed > 0) || got.allowed > 1e-4*(1+math.Abs(want)) {
					t.Errorf("%s of %d: element %d may be off by %v", c.kernel, n, i, got.allowed)
				}
			}
		}
	}
}

// TestRowGradientsAreDerivatives: the backward oracles against central differences of the forward ones, whose error is of
// the square of the step and of rounding divided by it: 1e-9 or so for a step of 1e-5.
func TestRowGradientsAreDerivatives(t *testing.T) {
	const step = 1e-5
	for forward, backward := range map[kernels.Kernel]kernels.Kernel{
		kernels.Softmax: kernels.SoftmaxBackward, kernels.RMSNorm: kernels.RMSNormBackward, kernels.LayerNorm: kernels.LayerNormBackward,
	} {
		for n := 2; n <= 8; n++ {
			r := randomRow(n, uint64(100+n))
			// slope is of Σ dy·y, as an operand's element moves.
			slope := func(operand []float64, i int) float64 {
				was, loss := operand[i], [2]float64{}
				for side := range loss {
					operand[i] = was + step*float64(2*side-1)
					for j, y := range rowOracles[forward](r).out {
						loss[side] += r.dy[j] * y.value
					}
				}
				operand[i] = was
				return (loss[1] - loss[0]) / (2 * step)
			}
			for i, y := range rowOracles[forward](r).out {
				r.y[i] = y.value
			}
			got := rowOracles[backward](r)
			for _, part := range []struct {
				name    string
				got     []bounded
				operand []float64
			}{{"dx", got.out, r.x}, {"dgain", got.gain, r.gain}, {"dbias", got.bias, r.bias}} {
				for i, g := range part.got {
					if want := slope(part.operand, i); !(math.Abs(g.value-want) <= 1e-8*(1+math.Abs(want))) {
						t.Errorf("%s of %d: %s[%d] is %v, want %v", backward, n, part.name, i, g.value, want)
					}
				}
			}
		}
	}
}

// TestRowSuiteRefusesWhatIsOff: a result that is off by a few times what is allowed.
func TestRowSuiteRefusesWhatIsOff(t *testing.T) {
	for _, k := range []kernels.Kernel{kernels.Softmax, kernels.RMSNorm, kernels.LayerNorm} {
		c := &rowCheck[float32]{suite: &rowSuite[float32]{kernel: k}}
		for _, b := range rowOracles[k](randomRow(33, 5)).out {
			if off := b.value + 3*b.allowed; c.agrees(off, b, func(v float64) float64 { return v }) {
				t.Errorf("%s: %v passed for %v", k, off, b)
			}
			if c.agrees(math.NaN(), b, func(v float64) float64 { return v }) {
				t.Errorf("%s: NaN passed for %v", k, b)
			}
		}
	}
	moved := adamWOracle(1, 0.1, 0.01, 0.5, adamWSteps[0])
	for i, b := range moved {
		if name := fmt.Sprintf("%c", "pmv"[i]); b.holds(b.value+3*b.allowed+3*math.Abs(b.value)*ulpRound) || !b.holds(b.value) {
			t.Errorf("adamw: of %s %v, within %v, what is off passed", name, b.value, b.allowed)
		}
	}
}
