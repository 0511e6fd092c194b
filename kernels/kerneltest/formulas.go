package kerneltest

import (
	"math/big"

	"github.com/realflops/realflops/kernels"
)

// value is a result, and the magnitude that its error is relative to where that is larger than the result: where terms
// cancel, that of the terms; where a factor may be subnormal, what its last place is multiplied by.
type value[N any] struct{ y, scale N }

// formula computes a kernel's outputs from its inputs, in the order that package kernels names them.
type formula[N any] func(f field[N], x []N) []value[N]

// smallestNormal is that of fp32: a factor below it has an absolute error.
const smallestNormal = 0x1p-126

// formulas are the definitions, of all kernels but relu and relu-backward, which round nothing.
func formulas[N any]() map[kernels.Kernel]formula[N] {
	one := func(y N, f field[N]) []value[N] { return []value[N]{{y, f.of(0)}} }
	return map[kernels.Kernel]formula[N]{
		kernels.Sigmoid: func(f field[N], x []N) []value[N] { return one(sigma(f, x[0]), f) },
		kernels.Tanh:    func(f field[N], x []N) []value[N] { return one(f.tanh(x[0]), f) },
		kernels.GELU: func(f field[N], x []N) []value[N] {
			z, _ := geluArgument(f, x[0])
			return one(f.mul(x[0], sigma(f, z)), f)
		},
		kernels.GELUErf: func(f field[N], x []N) []value[N] { return one(f.mul(x[0], distribution(f, x[0])), f) },
		kernels.SiLU:    func(f field[N], x []N) []value[N] { return one(f.mul(x[0], sigma(f, x[0])), f) },
		kernels.SiLUMul: func(f field[N], x []N) []value[N] {
			return []value[N]{{f.mul(f.single(f.mul(x[0], sigma(f, x[0]))), x[1]), f.mul(f.abs(x[1]), f.of(smallestNormal))}}
		},
		kernels.SigmoidBackward: func(f field[N], x []N) []value[N] {
			dy, y := x[0], x[1]
			rest := f.sub(f.of(1), y)
			return []value[N]{{f.mul(f.single(f.mul(dy, rest)), y), f.mul(f.abs(y), f.of(smallestNormal))}}
		},
		kernels.TanhBackward: func(f field[N], x []N) []value[N] {
			dy, y := x[0], x[1]
			return one(f.mul(dy, f.single(f.sub(f.of(1), f.mul(y, y)))), f)
		},
		kernels.GELUBackward: func(f field[N], x []N) []value[N] {
			z, slope := geluArgument(f, x[1])
			return []value[N]{times(f, x[0], derivative(f, x[1], z, slope))}
		},
		kernels.GELUErfBackward: func(f field[N], x []N) []value[N] {
			p := distribution(f, x[1])
			square := f.mul(x[1], x[1])
			density := f.div(f.exp(f.mul(square, f.of(-0.5))), f.mul(sqrtHalfPi(f), f.of(2)))
			return []value[N]{times(f, x[0], value[N]{f.add(p, f.mul(x[1], density)), p})}
		},
		kernels.SiLUBackward: func(f field[N], x []N) []value[N] {
			return []value[N]{times(f, x[0], derivative(f, x[1], x[1], f.of(1)))}
		},
		kernels.SiLUMulBackward: func(f field[N], x []N) []value[N] {
			dy, g, u := x[0], x[1], x[2]
			silu := value[N]{f.mul(g, sigma(f, g)), f.of(0)}
			return []value[N]{
				times(f, f.single(f.mul(dy, u)), derivative(f, g, g, f.of(1))),
				times(f, dy, silu),
			}
		},
	}
}

// times is a·v, v kept in fp32.
func times[N any](f field[N], a N, v value[N]) value[N] {
	return value[N]{f.mul(a, f.single(v.y)), f.mul(f.abs(a), f.larger(v.scale, f.of(smallestNormal)))}
}

func sigma[N any](f field[N], x N) N {
	return f.div(f.of(1), f.add(f.of(1), f.exp(f.sub(f.of(0), x))))
}

// derivative is that of x·σ(z), σ(z)·(1 + x·z'·σ(-z)), whose two terms are of opposite signs where x < 0.
func derivative[N any](f field[N], x, z, slope N) value[N] {
	s, rest := sigma(f, z), sigma(f, f.sub(f.of(0), z))
	second := f.mul(f.mul(x, slope), rest)
	return value[N]{f.mul(s, f.add(f.of(1), second)), f.mul(s, f.larger(f.of(1), f.abs(second)))}
}

// geluArgument is z = 2·√(2/π)·(x + 0.044715·x³), and its derivative.
func geluArgument[N any](f field[N], x N) (z, slope N) {
	factor := f.div(f.of(2), sqrtHalfPi(f))
	cubic := f.div(f.of(44715), f.of(1e6)) // exact, as 0.044715 is not
	square := f.mul(x, x)
	z = f.mul(f.mul(x, factor), f.add(f.of(1), f.mul(cubic, square)))
	slope = f.mul(factor, f.add(f.of(1), f.mul(f.mul(f.of(3), cubic), square)))
	return z, slope
}

// distribution is Φ(x) = erfc(-x/√2)/2.
func distribution[N any](f field[N], x N) N {
	return f.mul(f.of(0.5), f.erfc(f.div(f.sub(f.of(0), x), f.sqrt(f.of(2)))))
}

// sqrtHalfPi is √(π/2), half of √(2π).
func sqrtHalfPi[N any](f field[N]) N { return f.sqrt(f.mul(f.pi(), f.of(0.5))) }

var (
	inDouble = formulas[float64]()
	inBig    = formulas[*big.Float]()
)

// limits are how many ulp of fp32 each kernel may err by, of the larger of result and scale. At fp16 and bf16 the rounding of the
// result comes to it, half an ulp, and as many of these as fit into one of those.
var limits = map[kernels.Kernel]float64{
	kernels.Sigmoid: 2.5, kernels.Tanh: 2.5, kernels.GELU: 2.5, kernels.GELUErf: 9, kernels.SiLU: 2.5, kernels.SiLUMul: 3,
	kernels.SigmoidBackward: 2.5, kernels.TanhBackward: 1.5, kernels.GELUBackward: 6, kernels.GELUErfBackward: 5, kernels.SiLUBackward: 5,
	kernels.SiLUMulBackward: 5.5,
}

// argument is which input a kernel's function is of; the others are factors.
func argument(k kernels.Kernel) int {
	d, err := kernels.Lookup(string(k))
	if err != nil || d.Reads == 1 || k == kernels.SiLUMul {
		return 0
	}
	return 1
}
