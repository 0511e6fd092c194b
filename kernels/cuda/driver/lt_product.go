package driver

import (
	"fmt"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda/work"
)

// dataType is a cudaDataType (library_types.h), computeType a cublasComputeType_t (cublas_api.h).
type (
	dataType    int
	computeType int
)

const (
	type32F  dataType = 0
	type16F  dataType = 2
	type8I   dataType = 3
	type32I  dataType = 10
	type16BF dataType = 14

	compute16F      computeType = 64
	compute32F      computeType = 68
	compute32I      computeType = 72
	computeFastTF32 computeType = 77 // fp32 operands, multiplied as tf32
)

// ltPrecision is how cuBLASLt is asked for a precision.
type ltPrecision struct {
	precision kernels.Precision
	minArch   int
	in, out   dataType
	compute   computeType
	scale     dataType // of alpha and beta
	one       uint64   // the bits of 1 in that type
	name      string   // of compute, as cublas_api.h has it
	transpose bool     // B is stored n×k, as the integer tensor cores want it
}

// ltPrecisions are those of the own gemm, with its operand and output types.
var ltPrecisions = []ltPrecision{
	{kernels.FP32FP32, 50, type32F, type32F, compute32F, type32F, 0x3f800000, "CUBLAS_COMPUTE_32F", false},
	{kernels.FP16FP32, 53, type16F, type16F, compute32F, type32F, 0x3f800000, "CUBLAS_COMPUTE_32F", false},
	{kernels.TF32FP32, 80, type32F, type32F, computeFastTF32, type32F, 0x3f800000, "CUBLAS_COMPUTE_32F_FAST_TF32", false},
	{kernels.BF16FP32, 80, type16BF, type16BF, compute32F, type32F, 0x3f800000, "CUBLAS_COMPUTE_32F", false},
	{kernels.FP16FP16, 53, type16F, type16F, compute16F, type16F, 0x3c00, "CUBLAS_COMPUTE_16F", false},
	{kernels.INT8INT32, 75, type8I, type32I, compute32I, type32I, 1, "CUBLAS_COMPUTE_32I", true},
}

// matrix is a column-major matrix.
type matrix struct {
	kind          dataType
	rows, columns int
	ld            int
}

// product is what cuBLASLt, which is column-major, is asked for.
type product struct {
	ltPrecision
	first, second, out matrix
}

// ltProduct turns row-major C = A·B into column-major Cᵀ = Bᵀ·Aᵀ: a row-major matrix is its transpose in
// column-major form, so nothing is copied and the first operand is B. A B that is stored n×k is Bᵀ's
// transpose there, so it is multiplied with op T.
func ltProduct(spec kernels.Spec, arch int) (product, string, error) {
	if spec.Kernel != kernels.GEMM {
		return product{}, "", fmt.Errorf("%s by cuBLASLt is %w: it runs gemm alone", spec.Kernel, work.ErrUnsupported)
	}
	for _, p := range ltPrecisions {
		if p.precision != spec.Precision || arch < p.minArch {
			continue
		}
		m, n, k := spec.Shape.M, spec.Shape.N, spec.Shape.K
		r := product{
			ltPrecision: p,
			first:       matrix{p.in, n, k, n},
			second:      matrix{p.in, k, m, k},
			out:         matrix{p.out, n, m, n},
		}
		ops, stored := "NN", "k×n"
		if p.transpose {
			r.first = matrix{p.in, k, n, k}
			ops, stored = "TN", "n×k"
		}
		return r, fmt.Sprintf("row-major with B stored %s, asked for as column-major Cᵀ = Bᵀ·Aᵀ (%s), %s", stored, ops, p.name), nil
	}
	return product{}, "", fmt.Errorf("cuBLASLt's gemm %s on compute capability %d.%d is %w", spec.Precision, arch/10, arch%10, work.ErrUnsupported)
}

// ltVersion reads cublasLtGetVersion's number: 120804 is 12.8.4. Version 11 had a digit less: 12103 is 11.11.3.
func ltVersion(v int64) string {
	if v < 100000 {
		return fmt.Sprintf("11.%d.%d", (v-11000)/100, v%100)
	}
	return fmt.Sprintf("%d.%d.%d", v/10000, v/100%100, v%100)
}
