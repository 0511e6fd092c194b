package cpu

import (
	"fmt"
	"math"

	"github.com/realflops/realflops/kernels"
)

// NormEpsilon is the ε under the root of rmsnorm and layernorm.
const NormEpsilon = 1e-5

// Float is an element of an elementwise or rowwise kernel as it lies in memory. Arithmetic is in fp32
// at least.
type Float interface {
	float32 | kernels.Float16 | kernels.BFloat16
}

// Rows are the operands of a rowwise kernel: matrices of rows of Columns elements, one row after
// the other, all as many rows as X (or DY) has. What a kernel does not name may be nil. No operand that is
// written overlaps another, but that Y may be X, and DX may be DY.
type Rows[T Float] struct {
	Columns int

	X, Y       []T       // in, and out of a forward kernel; the latter goes into softmax-backward
	DY, DX     []T       // gradients, in and out of a backward kernel
	Gain, Bias []T       // of a norm, Columns each
	DGain      []float32 // sums over the rows are added to what these hold; Columns each
	DBias      []float32
}

// RowsFunc computes whole rows, each by itself:
//
//	softmax             Y = exp(X - max X) / Σ exp(X - max X)
//	rmsnorm             Y = Gain·X / √(mean X² + ε)
//	layernorm           Y = Gain·(X - mean X) / √(var X + ε) + Bias
//	softmax-backward    DX = Y·(DY - Σ DY·Y)
//	rmsnorm-backward    DX = r·(Gain·DY - X·r²·mean(Gain·DY·X)), DGain += DY·X·r, with r = 1/√(mean X² + ε)
//	layernorm-backward  DX = r·(Gain·DY - mean(Gain·DY) - x̂·mean(Gain·DY·x̂)), DGain += DY·x̂, DBias += DY,
//	                    with x̂ = (X - mean X)·r and r = 1/√(var X + ε)
//
// The variance is that of the population (divided by Columns). A row of softmax that holds a NaN or +Inf, or
// -Inf alone, is NaN throughout, as IEEE 754 makes it and frameworks have it. Sums are in fp32 at least: squares
// whose sum is beyond that may come out as infinite, and the row as 0 or NaN.
//
// Operands of other lengths than the kernel's formula asks for panic.
type RowsFunc[T Float] func(r *Rows[T])

func init() {
	registerRows[float32](kernels.FP32)
	registerRows[kernels.Float16](kernels.FP16)
	registerRows[kernels.BFloat16](kernels.BF16)
}

// registerRows registers the twins, which compute in float64 and round once.
func registerRows[T Float](p kernels.Precision) {
	for k, f := range map[kernels.Kernel]RowsFunc[T]{
		kernels.Softmax: softmaxGo[T], kernels.RMSNorm: rmsNormGo[T], kernels.LayerNorm: layerNormGo[T],
		kernels.SoftmaxBackward: softmaxBackwardGo[T], kernels.RMSNormBackward: rmsNormBackwardGo[T], kernels.LayerNormBackward: layerNormBackwardGo[T],
	} {
		checked := func(r *Rows[T]) {
			if r.check(k) > 0 {
				f(r)
			}
		}
		register(Impl{Kernel: k, Precision: p, Engine: Go, Func: RowsFunc[T](checked)})
	}
}

// operands is a set of those of Rows.
type operands uint

const (
	opX operands = 1 << iota
	opY
	opDY
	opDX
	opGain
	opBias
	opDGain
	opDBias
)

var operandsOf = map[kernels.Kernel]operands{
	kernels.Softmax: opX | opY, kernels.RMSNorm: opX | opY | opGain, kernels.LayerNorm: opX | opY | opGain | opBias,
	kernels.SoftmaxBackward: opY | opDY | opDX, kernels.RMSNormBackward: opX | opDY | opDX | opGain | opDGain,
	kernels.LayerNormBackward: opX | opDY | opDX | opGain | opDGain | opDBias,
}

// check returns how many rows k has to compute, and panics where an operand of k does not have its length.
func (r *Rows[T]) check(k kernels.Kernel) int {
	used, elements := operandsOf[k], len(r.X)
	if used&opDY != 0 {
		elements = len(r.DY)
	}
	if r.Columns < 0 || r.Columns == 0 && elements > 0 || r.Columns > 0 && elements%r.Columns != 0 {
		panic(fmt.Sprintf("cpu: %s of %d elements in rows of %d; want whole rows", k, elements, r.Columns))
	}
	for _, o := range []struct {
		name      string
		bit       operands
		got, want int
	}{
		{"X", opX, len(r.X), elements},
		{"Y", opY, len(r.Y), elements},
		{"DY", opDY, len(r.DY), elements},
		{"DX", opDX, len(r.DX), elements},
		{"Gain", opGain, len(r.Gain), r.Columns},
		{"Bias", opBias, len(r.Bias), r.Columns},
		{"DGain", opDGain, len(r.DGain), r.Columns},
		{"DBias", opDBias, len(r.DBias), r.Columns},
	} {
		if used&o.bit != 0 && o.got != o.want {
			panic(fmt.Sprintf("cpu: %s: %s has %d elements, want %d", k, o.name, o.got, o.want))
		}
	}
	if elements == 0 {
		return 0
	}
	return elements / r.Columns
}

// rowsOf calls f for the offset of each row of x.
func rowsOf[T Float](columns int, x []T, f func(at int)) {
	for at := 0; columns > 0 && at+columns <= len(x); at += columns {
		f(at)
	}
}

func softmaxGo[T Float](r *Rows[T]) {
	rowsOf(r.Columns, r.X, func(at int) {
		x, y := r.X[at:][:r.Columns], r.Y[at:][:r.Columns]
		top := math.Inf(-1)
		for _, v := range x {
			top = math.Max(top, kernels.Value(v)) // NaN where any is
		}
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(kernels.Value(v) - top)
		}
		for i, v := range x {
			y[i] = kernels.Rounded[T](math.Exp(kernels.Value(v)-top) / sum)
		}
	})
}

// scaleOf is 1/√(mean (x-mean)² + ε).
func scaleOf[T Float](x []T, mean float64) float64 {
	sum := 0.0
	for _, v := range x {
		d := kernels.Value(v) - mean
		sum += d * d
	}
	return 1 / math.Sqrt(sum/float64(len(x))+NormEpsilon)
}

func meanOf[T Float](x []T) float64 {
	sum := 0.0
	for _, v := range x {
		sum += kernels.Value(v)
	}
	return sum / float64(len(x))
}

func rmsNormGo[T Float](r *Rows[T]) {
	rowsOf(r.Columns, r.X, func(at int) {
		x, y := r.X[at:][:r.Columns], r.Y[at:][:r.Columns]
		scale := scaleOf(x, 0)
		for i, v := range x {
			y[i] = kernels.Rounded[T](kernels.Value(r.Gain[i]) * kernels.Value(v) * scale)
		}
	})
}

func layerNormGo[T Float](r *Rows[T]) {
	rowsOf(r.Columns, r.X, func(at int) {
		x, y := r.X[at:][:r.Columns], r.Y[at:][:r.Columns]
		mean := meanOf(x)
		scale := scaleOf(x, mean)
		for i, v := range x {
			y[i] = kernels.Rounded[T](kernels.Value(r.Gain[i])*(kernels.Value(v)-mean)*scale + kernels.Value(r.Bias[i]))
		}
	})
}

func softmaxBackwardGo[T Float](r *Rows[T]) {
	rowsOf(r.Columns, r.DY, func(at int) {
		y, dy, dx := r.Y[at:][:r.Columns], r.DY[at:][:r.Columns], r.DX[at:][:r.Columns]
		dot := 0.0
		for i := range y {
			dot += kernels.Value(y[i]) * kernels.Value(dy[i])
		}
		for i := range y {
			dx[i] = kernels.Rounded[T](kernels.Value(y[i]) * (kernels.Value(dy[i]) - dot))
		}
	})
}

func rmsNormBackwardGo[T Float](r *Rows[T]) {
	centreless := *r
	centreless.DBias = nil
	normBackward(&centreless, func([]T) float64 { return 0 }, func(float64) float64 { return 0 })
}

func layerNormBackwardGo[T Float](r *Rows[T]) {
	normBackward(r, meanOf[T], func(sum float64) float64 { return sum / float64(r.Columns) })
}

// normBackward is both backward norms: mean is what the norm subtracts from its input, and
// centre what that makes the gradient subtract, from the sum of Gain·DY.
func normBackward[T Float](r *Rows[T], mean func(x []T) float64, centre func(sum float64) float64) {
	rowsOf(r.Columns, r.DY, func(at int) {
		x, dy, dx := r.X[at:][:r.Columns], r.DY[at:][:r.Columns], r.DX[at:][:r.Columns]
		m := mean(x)
		scale := scaleOf(x, m)
		sum, dot := 0.0, 0.0
		for i := range x {
			g := kernels.Value(r.Gain[i]) * kernels.Value(dy[i])
			sum += g
			dot += g * (kernels.Value(x[i]) - m) * scale
		}
		for i := range x {
			d, normed := kernels.Value(dy[i]), (kernels.Value(x[i])-m)*scale
			r.DGain[i] += float32(d * normed)
			if r.DBias != nil {
				r.DBias[i] += float32(d)
			}
			dx[i] = kernels.Rounded[T](scale * (kernels.Value(r.Gain[i])*d - centre(sum) - normed*dot/float64(r.Columns)))
		}
	})
}
