package kerneltest

import (
	"math"

	"github.com/realflops/realflops/kernels"
)

// normEpsilon is the ε under the root of the norms.
const normEpsilon = 1e-5

// rowOf is one row as an oracle sees it: exact values.
type rowOf struct{ x, y, dy, gain, bias []float64 }

// rowResult is what an oracle makes of a row, and by how much, in absolute terms, an implementation may be off before it
// rounds to 16 bits: out is y or dx, gain and bias what the row adds to the gradients of those.
type rowResult struct{ out, gain, bias []bounded }

type bounded struct{ value, allowed float64 }

// ulpRound is the largest relative error of one rounding in fp32, and tiny the distance of subnormals.
const (
	ulpRound = 0x1p-24
	tiny     = 0x1p-149
)

// sumError is the relative error of a sum of n terms, to the sum of their magnitudes: the longest way from a term to the result
// goes through n/32 additions to one of 32 lanes (AVX2: four vectors of 8; others have more), 3 of single vectors and 7 of
// single elements, which all fall to one vector, and 5 across the lanes; and one rounding of the term.
func sumError(n int) float64 { return (float64(n)/32 + 3 + 7 + 5 + 1) * ulpRound }

var rowOracles = map[kernels.Kernel]func(r rowOf) rowResult{
	kernels.Softmax: softmaxOracle, kernels.RMSNorm: rmsNormOracle, kernels.LayerNorm: layerNormOracle,
	kernels.SoftmaxBackward: softmaxBackwardOracle, kernels.RMSNormBackward: rmsNormBackwardOracle, kernels.LayerNormBackward: layerNormBackwardOracle,
}

// softmaxOracle. With d = x - max, rounded once, and log2 e, which is off by 0.22 of a rounding, exp(d) errs by
// 1.25·|d| roundings, and by 3 of its own (a table's entry, the last multiply-add, and the polynomial with the
// product before it). The sum errs as its terms do, weighted, and as a sum; its reciprocal and the product by two roundings more.
func softmaxOracle(r rowOf) rowResult {
	top := math.Inf(-1)
	for _, x := range r.x {
		top = math.Max(top, x)
	}
	e, total := make([]float64, len(r.x)), 0.0
	for i, x := range r.x {
		e[i] = math.Exp(x - top)
		total += e[i]
	}
	power := func(i int) float64 {
		if e[i] == 0 {
			return 0
		}
		return (1.25*(top-r.x[i]) + 3) * ulpRound
	}
	common := sumError(len(e)) + 2*ulpRound
	for i, v := range e {
		common += v / total * power(i)
	}
	out := make([]bounded, len(e))
	for i, v := range e {
		y := v / total
		out[i] = bounded{y, y*(power(i)+common) + tiny}
	}
	return rowResult{out: out}
}

// norm is what the norms and their gradients start from. Its errors are those of the mean, absolute, and of
// scale = 1/√(variance + ε), relative.
type norm struct {
	mean, scale           float64
	meanError, scaleError float64
}

// normOf takes the moments; an error of the mean adds its square to the variance. The scale's own roundings are of the
// division, the addition of ε, the root and the reciprocal, of which the first three are halved by the root.
func normOf(x []float64, centred bool) norm {
	var m norm
	n, s := float64(len(x)), sumError(len(x))
	if centred {
		spread := 0.0
		for _, v := range x {
			m.mean += (v - x[0]) / n
			spread += math.Abs(v-x[0]) / n
		}
		m.mean += x[0]
		m.meanError = (s+2*ulpRound)*spread + ulpRound*math.Abs(m.mean)
	}
	variance := 0.0
	for _, v := range x {
		variance += (v - m.mean) * (v - m.mean) / n
	}
	m.scale = 1 / math.Sqrt(variance+normEpsilon)
	m.scaleError = s/2 + 4*ulpRound + m.meanError*m.meanError/(2*(variance+normEpsilon))
	return m
}

func rmsNormOracle(r rowOf) rowResult {
	m := normOf(r.x, false)
	out := make([]bounded, len(r.x))
	for i, x := range r.x {
		y := r.gain[i] * (x * m.scale)
		out[i] = bounded{y, math.Abs(y)*(m.scaleError+2*ulpRound) + tiny*(1+math.Abs(r.gain[i]))}
	}
	return rowResult{out: out}
}

func layerNormOracle(r rowOf) rowResult {
	m := normOf(r.x, true)
	out := make([]bounded, len(r.x))
	for i, x := range r.x {
		gain, normed := r.gain[i], (x-m.mean)*m.scale
		y := gain*normed + r.bias[i]
		allowed := math.Abs(gain)*m.normedError(normed) + math.Abs(y)*ulpRound + tiny*(1+math.Abs(gain))
		out[i] = bounded{y, allowed}
	}
	return rowResult{out: out}
}

// normedError is that of (x - mean)·scale, of which the difference and the product are rounded.
func (m norm) normedError(normed float64) float64 {
	return m.meanError*m.scale + math.Abs(normed)*(m.scaleError+2*ulpRound)
}

func softmaxBackwardOracle(r rowOf) rowResult {
	dot, size := 0.0, 0.0
	for i, y := range r.y {
		dot += y * r.dy[i]
		size += math.Abs(y * r.dy[i])
	}
	out := make([]bounded, len(r.y))
	for i, y := range r.y {
		left := r.dy[i] - dot
		allowed := math.Abs(y)*(sumError(len(r.y))*size+2*ulpRound*math.Abs(left)+tiny*float64(len(r.y)+1)) + tiny
		out[i] = bounded{y * left, allowed}
	}
	return rowResult{out: out}
}

func rmsNormBackwardOracle(r rowOf) rowResult { return normBackwardOracle(r, false) }

func layerNormBackwardOracle(r rowOf) rowResult { return normBackwardOracle(r, true) }

// normBackwardOracle: dx = scale·(h - mean h - d·c), h = gain·dy, d = x - mean and c = scale²·mean(h·d), and
// without the means for rmsnorm.
func normBackwardOracle(r rowOf, centred bool) rowResult {
	m := normOf(r.x, centred)
	count, s := float64(len(r.x)), sumError(len(r.x))
	h, mean, size, dot, dotSize := make([]float64, len(r.x)), 0.0, 0.0, 0.0, 0.0
	for i, x := range r.x {
		h[i] = r.gain[i] * r.dy[i]
		mean += h[i] / count
		size += math.Abs(h[i]) / count
		dot += h[i] * (x - m.mean) / count
		dotSize += math.Abs(h[i]*(x-m.mean)) / count
	}
	meanError := (s + 2*ulpRound) * size
	dotError := (s+3*ulpRound)*dotSize + m.meanError*size
	if !centred {
		mean, meanError = 0, 0
	}
	c := m.scale * m.scale * dot
	cError := m.scale*m.scale*dotError + math.Abs(c)*(2*m.scaleError+4*ulpRound)
	result := rowResult{out: make([]bounded, len(r.x)), gain: make([]bounded, len(r.x))}
	if centred {
		result.bias = make([]bounded, len(r.x))
	}
	for i, x := range r.x {
		d, dy := x-m.mean, r.dy[i]
		dx := m.scale * (h[i] - mean - d*c)
		terms := math.Abs(h[i]) + math.Abs(mean) + math.Abs(d*c)
		allowed := m.scale*(meanError+math.Abs(d)*cError+math.Abs(c)*m.meanError+2*ulpRound*terms) + math.Abs(dx)*(m.scaleError+2*ulpRound)
		result.out[i] = bounded{dx, allowed + tiny*(1+3*m.scale)}
		normed := d * m.scale
		result.gain[i] = bounded{dy * normed, math.Abs(dy)*(m.normedError(normed)+math.Abs(normed)*ulpRound+tiny) + tiny}
		if centred {
			result.bias[i] = bounded{dy, 0}
		}
	}
	return result
}
