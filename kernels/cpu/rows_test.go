package cpu

import "github.com/realflops/realflops/kernels/kerneltest"

func rowsSuite[T Float](f RowsFunc[T]) func(r *kerneltest.RowOperands[T]) {
	return func(r *kerneltest.RowOperands[T]) { f((*Rows[T])(r)) }
}
