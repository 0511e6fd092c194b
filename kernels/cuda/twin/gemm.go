package twin

import (
	"runtime"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// gemm computes C = A·B, row-major, of operands stored as in, summed in fp32 in the order
// of kernels/cpu and rounded once to out. That is so for fp16/fp16 too, whose kernel rounds its sums to
// fp16 as it goes: its results are less accurate than these.
func gemm[T, R any](in format[T], out format[R]) func(*call) {
	return func(c *call) {
		dst, a, b := operand[R](c, 0, c.M*c.N), operand[T](c, 1, c.M*c.K), operand[T](c, 2, c.K*c.N)
		if c.err != nil {
			return
		}
		wide := widened(b, in.widen)
		bands(c, func(lo, hi int) error {
			sums := make([]float32, (hi-lo)*c.N)
			if err := multiply(sums, widened(a[lo*c.K:hi*c.K], in.widen), wide, hi-lo, c.N, c.K); err != nil {
				return err
			}
			for i, x := range sums {
				dst[lo*c.N+i] = out.round(x)
			}
			return nil
		})
	}
}

// exactDepth is how many products of two int8 sum to at most 2^24, which fp32 counts exactly.
const exactDepth = 1 << 24 / (128 * 128)

// gemmInt8 computes C = A·Bᵀ with A m x k and B n x k, in int32 modulo 2^32.
func gemmInt8(c *call) {
	dst, a, b := operand[int32](c, 0, c.M*c.N), operand[int8](c, 1, c.M*c.K), operand[int8](c, 2, c.K*c.N)
	if c.err != nil {
		return
	}
	clear(dst)
	n := c.N
	for from := 0; from < c.K; from += exactDepth {
		depth := min(exactDepth, c.K-from)
		wide := make([]float32, depth*n) // the rows of Bᵀ
		parallel(n, max(1, grain/depth), func(lo, hi int) {
			for j := lo; j < hi; j++ {
				for p, x := range b[j*c.K+from:][:depth] {
					wide[p*n+j] = float32(x)
				}
			}
		})
		bands(c, func(lo, hi int) error {
			rows := make([]float32, (hi-lo)*depth)
			for i := range hi - lo {
				for p, x := range a[(lo+i)*c.K+from:][:depth] {
					rows[i*depth+p] = float32(x)
				}
			}
			sums := make([]float32, (hi-lo)*n)
			if err := multiply(sums, rows, wide, hi-lo, n, depth); err != nil {
				return err
			}
			for i, x := range sums {
				dst[lo*n+i] += int32(x)
			}
			return nil
		})
	}
}

func widened[T any](x []T, widen func(T) float32) []float32 {
	wide := make([]float32, len(x))
	parallel(len(x), grain, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			wide[i] = widen(x[i])
		}
	})
	return wide
}

// bands calls f on bands of C's rows, one a processor and at most 512 rows each, which bounds the buffers;
// the first error is c's.
func bands(c *call, f func(lo, hi int) error) {
	const rows = 512
	threads := runtime.GOMAXPROCS(0)
	errs := make(chan error, threads)
	size := (c.M + threads - 1) / threads
	parallel(c.M, size, func(lo, hi int) {
		for ; lo < hi; lo += rows {
			if err := f(lo, min(lo+rows, hi)); err != nil {
				errs <- err
				return
			}
		}
	})
	close(errs)
	for err := range errs {
		if c.err == nil {
			c.err = err
		}
	}
}

// multiply is c = a·b on the calling goroutine, by the best kernel of this CPU.
func multiply(c, a, b []float32, m, n, k int) error {
	best, err := cpu.Pick(kernels.GEMM, kernels.FP32FP32, "")
	if err != nil {
		return err
	}
	pool := cpu.NewPool(1)
	defer pool.Close()
	plan, err := best.Func.(*cpu.GEMM[float32, float32]).Plan(pool, cpu.Product{M: m, N: n, K: k})
	if err != nil {
		return err
	}
	defer plan.Close()
	plan.Run(c, a, b)
	return nil
}
