//go:build worker

package driver

// #include "lt.h"
//
// static int lt_create(const lt_functions *f, void **handle) { return f->create(handle); }
// static int lt_destroy(const lt_functions *f, void *handle) { return f->destroy(handle); }
// static size_t lt_version(const lt_functions *f) { return f->version(); }
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/realflops/realflops/kernels/cuda"
)

// ltCreate makes a handle. Its address is handed out from here, not from a Go struct that holds other pointers.
func ltCreate(f *C.lt_functions) (handle unsafe.Pointer, code C.int) {
	code = C.lt_create(f, &handle)
	return handle, code
}

func ltDestroy(f *C.lt_functions, handle unsafe.Pointer) C.int { return C.lt_destroy(f, handle) }

func ltGetVersion(f *C.lt_functions) C.size_t { return C.lt_version(f) }

// c is p as the C functions take it.
func (p product) c(workspace int64) C.lt_product {
	of := func(m matrix) C.lt_matrix {
		return C.lt_matrix{_type: C.int(m.kind), rows: C.uint64_t(m.rows), columns: C.uint64_t(m.columns), ld: C.int64_t(m.ld)}
	}
	r := C.lt_product{
		compute: C.int(p.compute), scale: C.int(p.scale),
		a: of(p.first), b: of(p.second), d: of(p.out),
		workspace: C.size_t(workspace),
	}
	r.one[0] = C.uint64_t(p.one)
	if p.transpose {
		r.transpose = 1
	}
	return r
}

// ltTexts are the values of cublasStatus_t (cublas_api.h).
var ltTexts = map[C.int]string{
	1:  "the library could not be initialized, for want of a GPU, a driver or memory",
	3:  "memory could not be allocated",
	7:  "an argument is not valid",
	8:  "the device's architecture is not supported",
	11: "the device's memory could not be reached",
	13: "the GPU program failed",
	14: "an internal operation failed",
	15: "not supported",
	16: "the library is not licensed",
}

func ltError(op string, code C.int) error {
	if code == C.LT_SUCCESS {
		return nil
	}
	text, known := ltTexts[code]
	if !known {
		text = "it failed"
	}
	err := fmt.Errorf("%s: %s (cuBLAS status %d)", op, text, code)
	if code == C.LT_ALLOC_FAILED {
		return fmt.Errorf("%w: %w", cuda.ErrMemory, err)
	}
	return err
}
