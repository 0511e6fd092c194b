package cpu

import (
	"math"

	"github.com/realflops/realflops/kernels"
)

// The plain Go twins: what the assembly of the other engines is held to. They compute in float64 and round to the
// format of the elements once (to fp16 and bf16 by way of fp32).

// twins are the formulas, x the inputs and y the outputs. What they make of NaN and the infinities follows from
// them by IEEE 754: silu(-Inf), for one, is Inf/Inf, a NaN.
var twins = map[kernels.Kernel]func(y *[2]float64, x *[3]float64){
	kernels.Sigmoid: func(y *[2]float64, x *[3]float64) { y[0] = sigmoid(x[0]) },
	kernels.Tanh:    func(y *[2]float64, x *[3]float64) { y[0] = math.Tanh(x[0]) },
	kernels.GELU:    func(y *[2]float64, x *[3]float64) { y[0] = x[0] * sigmoid(geluArgument(x[0])) },
	kernels.GELUErf: func(y *[2]float64, x *[3]float64) { y[0] = x[0] * normal(x[0]) },
	kernels.SiLU:    func(y *[2]float64, x *[3]float64) { y[0] = x[0] * sigmoid(x[0]) },
	kernels.SiLUMul: func(y *[2]float64, x *[3]float64) { y[0] = single(x[0]*sigmoid(x[0])) * x[1] },

	kernels.SigmoidBackward: func(y *[2]float64, x *[3]float64) { y[0] = single(x[0]*(1-x[1])) * x[1] },
	kernels.TanhBackward:    func(y *[2]float64, x *[3]float64) { y[0] = x[0] * single(1-x[1]*x[1]) },
	kernels.GELUBackward:    func(y *[2]float64, x *[3]float64) { y[0] = x[0] * single(geluSlope(x[1])) },
	kernels.GELUErfBackward: func(y *[2]float64, x *[3]float64) { y[0] = x[0] * single(normal(x[1])+x[1]*density(x[1])) },
	kernels.SiLUBackward:    func(y *[2]float64, x *[3]float64) { y[0] = x[0] * single(siluSlope(x[1])) },
	kernels.SiLUMulBackward: func(y *[2]float64, x *[3]float64) {
		dy, g, u := x[0], x[1], x[2]
		y[0], y[1] = single(dy*u)*single(siluSlope(g)), dy*single(g*sigmoid(g))
	},
}

func init() {
	registerTwins[float32](kernels.FP32)
	registerTwins[kernels.Float16](kernels.FP16)
	registerTwins[kernels.BFloat16](kernels.BF16)
}

func registerTwins[T Float](p kernels.Precision) {
	for k, f := range twins {
		register(Impl{Kernel: k, Precision: p, Engine: Go, Func: elementByElement[T](f)})
	}
	register(
		Impl{Kernel: kernels.ReLU, Precision: p, Engine: Go, Func: ElementwiseFunc[T](relu[T])},
		Impl{Kernel: kernels.ReLUBackward, Precision: p, Engine: Go, Func: ElementwiseFunc[T](reluBackward[T])},
	)
}

func elementByElement[T Float](f func(y *[2]float64, x *[3]float64)) ElementwiseFunc[T] {
	return func(outputs, inputs [][]T) {
		var x [3]float64
		var y [2]float64
		for i := range length(outputs, inputs) {
			for j, in := range inputs {
				x[j] = kernels.Value(in[i])
			}
			f(&y, &x)
			for j, out := range outputs {
				out[i] = kernels.Rounded[T](y[j])
			}
		}
	}
}

// relu is x, or 0 where x is negative. A NaN stays what it is, and so does -0, which is
// what x86's MAXPS makes of max(0, x) and thereby what vectorised frameworks compute.
func relu[T Float](outputs, inputs [][]T) {
	length(outputs, inputs)
	y := outputs[0]
	for i, x := range inputs[0] {
		if kernels.Value(x) < 0 {
			x = 0
		}
		y[i] = x
	}
}

// reluBackward is dy where x > 0, bit for bit, and 0 elsewhere: for a NaN too.
func reluBackward[T Float](outputs, inputs [][]T) {
	length(outputs, inputs)
	dx, x := outputs[0], inputs[1]
	for i, dy := range inputs[0] {
		if !(kernels.Value(x[i]) > 0) {
			dy = 0
		}
		dx[i] = dy
	}
}

// single rounds an intermediate result to fp32, beyond which it is infinite or 0: so it is in every engine.
func single(x float64) float64 { return float64(float32(x)) }

// sigmoid is σ(x) = 1/(1+exp(-x)), which neither overflows nor flushes for any float32.
func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// geluArgument is 2u, u = √(2/π)·(x + 0.044715·x³): x·σ(2u) is x/2·(1 + tanh(u)) without
// its cancellation. (D. Hendrycks, K. Gimpel, Gaussian Error Linear Units, 2016.)
func geluArgument(x float64) float64 { return x * (1 + 0.044715*x*x) * (2 * math.Sqrt2 / math.SqrtPi) }

// geluSlope is the derivative of x·σ(z(x)): σ·(1 + x·z'·(1 - σ)).
func geluSlope(x float64) float64 {
	z := geluArgument(x)
	slope := (1 + 3*0.044715*x*x) * (2 * math.Sqrt2 / math.SqrtPi)
	return sigmoid(z) * (1 + x*slope*sigmoid(-z))
}

// siluSlope is the derivative of x·σ(x).
func siluSlope(x float64) float64 { return sigmoid(x) * (1 + x*sigmoid(-x)) }

// normal is Φ(x), the normal distribution, and density φ(x), its derivative.
func normal(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

func density(x float64) float64 { return math.Exp(-x*x/2) / (math.Sqrt2 * math.SqrtPi) }
