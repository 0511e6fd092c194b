package twin

import (
	"math"

	"github.com/realflops/realflops/kernels"
)

// functions are all device functions by name.
var functions = table()

func table() map[string]function {
	t := map[string]function{
		"fill_1": {2, 1, 1, fill[uint8]},
		"fill_2": {2, 1, 1, fill[uint16]},
		"fill_4": {2, 1, 1, fill[uint32]},
		"fill_8": {2, 1, 1, fill[uint64]},

		"fold_bits_1":    {2, 1, 1, fold(func(v uint8) uint64 { return uint64(v) })},
		"fold_bits_2":    {2, 1, 1, fold(func(v uint16) uint64 { return uint64(v) })},
		"fold_bits_4":    {2, 1, 1, fold(func(v uint32) uint64 { return uint64(v) })},
		"fold_bits_8":    {2, 1, 1, fold(func(v uint64) uint64 { return v })},
		"fold_int_fp16":  {2, 1, 1, fold(func(v kernels.Float16) uint64 { return nearest(v.Float32()) })},
		"fold_int_bf16":  {2, 1, 1, fold(func(v kernels.BFloat16) uint64 { return nearest(v.Float32()) })},
		"fold_int_fp32":  {2, 1, 1, fold(nearest)},
		"fold_int_int32": {2, 1, 1, fold(func(v int32) uint64 { return uint64(int64(v)) })},

		"copy_fp64":  {2, 1, 0, copyFP64},
		"triad_fp64": {3, 1, 0, triadFP64},
		"read_fp64":  {2, 1, 0, readFP64},
	}
	for name, f := range activations {
		t[name+"_fp32"] = function{2, 1, 0, unary32(f)}
		t[name+"_fp16"] = function{2, 1, 0, unary16(f, float16)}
		t[name+"_bf16"] = function{2, 1, 0, unary16(f, bfloat16)}
	}
	t["relu_backward_fp32"] = function{3, 1, 0, reluBackward(func(x float32) bool { return x > 0 })}
	t["relu_backward_fp16"] = function{3, 1, 0, reluBackward(func(x kernels.Float16) bool { return x.Float32() > 0 })}
	t["relu_backward_bf16"] = function{3, 1, 0, reluBackward(func(x kernels.BFloat16) bool { return x.Float32() > 0 })}
	t["sigmoid_backward_fp32"] = function{3, 1, 0, sigmoidBackward(float)}
	t["sigmoid_backward_fp16"] = function{3, 1, 0, sigmoidBackward(float16)}
	t["sigmoid_backward_bf16"] = function{3, 1, 0, sigmoidBackward(bfloat16)}

	for _, name := range []string{
		"fma_fp32", "fma_fp64", "fma_fp16", "mma_fp16_fp32", "mma_fp16_fp16", "mma_bf16_fp32", "mma_tf32_fp32", "mma_int8_int32",
	} {
		t[name] = function{1, 2, 0, count}
	}
	for name, run := range map[string]func(*call){
		"gemm_fp32_fp32":  gemm(float, float),
		"gemm_fp16_fp32":  gemm(float16, float16),
		"gemm_fp16_fp16":  gemm(float16, float16),
		"gemm_bf16_fp32":  gemm(bfloat16, bfloat16),
		"gemm_tf32_fp32":  gemm(tensorFloat, float),
		"gemm_int8_int32": gemmInt8,
	} {
		for _, form := range []string{"", "_wide", "_any"} {
			t[name+form] = function{3, 3, 0, run}
		}
	}
	return t
}

// format is how a number is stored as T.
type format[T any] struct {
	widen func(T) float32
	round func(float32) T
}

var (
	float    = format[float32]{func(x float32) float32 { return x }, func(x float32) float32 { return x }}
	float16  = format[kernels.Float16]{kernels.Float16.Float32, kernels.ToFloat16}
	bfloat16 = format[kernels.BFloat16]{kernels.BFloat16.Float32, kernels.ToBFloat16}

	tensorFloat = format[float32]{widen: upper19}
)

// upper19 is an fp32 operand as a tensor core reads it: the lower 13 bits of the mantissa do
// not count.
func upper19(x float32) float32 {
	if x != x {
		return x
	}
	return math.Float32frombits(math.Float32bits(x) &^ 0x1fff)
}

// activations in float64, which is exact enough for a float32 to be within 0.51 ulp of the
// real value. Each has its limit at the infinities, and NaN at NaN.
var activations = map[string]func(x float64) float64{
	"relu":    relu,
	"sigmoid": func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
	"tanh":    math.Tanh,
	"gelu":    gelu,
	"silu":    silu,
}

func relu(x float64) float64 {
	if x > 0 || math.IsNaN(x) {
		return x
	}
	return 0
}

// silu is x/(1+exp(-x)).
func silu(x float64) float64 {
	if math.IsInf(x, -1) {
		return math.Copysign(0, -1)
	}
	return x / (1 + math.Exp(-x))
}

// gelu is x/2·(1+tanh(u)), u = √(2/π)·(x+0.044715·x³) (D. Hendrycks and K. Gimpel,
// arXiv:1606.08415, section 2), as x/(1+exp(-2u)): the sum with tanh would cancel for negative x.
func gelu(x float64) float64 {
	if math.IsInf(x, -1) {
		return math.Copysign(0, -1)
	}
	u := math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x)
	return x / (1 + math.Exp(-2*u))
}
