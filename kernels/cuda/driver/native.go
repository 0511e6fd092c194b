//go:build worker

package driver

// #include <cuda.h>
//
// static CUresult launch_cluster(CUfunction f, unsigned int grid, unsigned int block, unsigned int shared,
//                                unsigned int cluster, void **parameters)
// {
// 	CUlaunchAttribute attribute = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, .value.clusterDim = {cluster, 1, 1}};
// 	CUlaunchConfig config = {grid, 1, 1, block, 1, 1, shared, NULL, &attribute, 1};
// 	return cuLaunchKernelEx(&config, f, parameters, NULL);
// }
//
// /* parameters[i] becomes the address of values[i] */
// static CUresult launch_cluster_words(CUfunction f, unsigned int grid, unsigned int block, unsigned int shared,
//                                      unsigned int cluster, uint64_t *values, int count)
// {
// 	void *parameters[64];
// 	if (count > 64)
// 		return CUDA_ERROR_INVALID_VALUE;
// 	for (int i = 0; i < count; i++)
// 		parameters[i] = &values[i];
// 	return launch_cluster(f, grid, block, shared, cluster, parameters);
// }
import "C"

import (
	"errors"
	"reflect"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/realflops/realflops/kernels/cuda"
)

// This file holds what gorgonia.org/cu lacks: function attributes, pinned allocation, names of
// errors, launches with attributes, and entry points by version.

// failure makes a *DriverError of an error of package cu, whose results are numbers of an
// unexported type; nil stays nil.
func failure(op string, err error) error {
	if err == nil {
		return nil
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if v := reflect.ValueOf(e); v.CanInt() {
			return newError(op, int(v.Int()), errorName(int(v.Int())))
		}
	}
	return &DriverError{Op: op, Code: -1, Name: "no code", Text: err.Error()}
}

func resultOf(op string, code C.CUresult) error {
	if code == C.CUDA_SUCCESS {
		return nil
	}
	return newError(op, int(code), errorName(int(code)))
}

// errorName is what the driver calls a code; "" if it cannot say.
func errorName(code int) string {
	var name *C.char
	if C.cuGetErrorName(C.CUresult(code), &name) != C.CUDA_SUCCESS || name == nil {
		return ""
	}
	return C.GoString(name)
}

// raw is the driver's handle of f, which cu keeps in a struct of its own.
func raw(f cu.Function) C.CUfunction {
	return *(*C.CUfunction)(unsafe.Pointer(&f))
}

// The handle is the only field: this does not compile where that changes.
var _ = [1]struct{}{}[unsafe.Sizeof(cu.Function{})-unsafe.Sizeof(C.CUfunction(nil))]

// allowShared lets f be launched with bytes of dynamic shared memory, beyond the 48 KiB that need no
// permission.
func allowShared(f cu.Function, bytes int) error {
	return resultOf("allow dynamic shared memory",
		C.cuFuncSetAttribute(raw(f), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes)))
}

// launchCluster launches f in clusters of the given number of blocks (compute capability 9.0 and driver 11.8).
func launchCluster(f cu.Function, l cuda.Launch, cluster int) error {
	var values *C.uint64_t
	if len(l.Params) > 0 {
		values = (*C.uint64_t)(unsafe.Pointer(&l.Params[0]))
	}
	return resultOf("launch "+l.Entry, C.launch_cluster_words(raw(f), C.uint(l.Grid), C.uint(l.Block),
		C.uint(l.Shared), C.uint(cluster), values, C.int(len(l.Params))))
}

// allocPinned allocates page-locked host memory.
func allocPinned(bytes int64) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	err := resultOf("allocate pinned host memory", C.cuMemHostAlloc(&p, C.size_t(bytes), C.CU_MEMHOSTALLOC_PORTABLE))
	return p, err
}

// EntryPoint is the address of a driver function as of a CUDA version (12000 for 12.0), such as
// cuTensorMapEncodeTiled; a driver that lacks it answers with a DriverError of code 500.
func EntryPoint(name string, version int) (unsafe.Pointer, error) {
	symbol := C.CString(name)
	defer C.free(unsafe.Pointer(symbol))
	var p unsafe.Pointer
	var status C.uint
	code := C.cuGetProcAddress_v2(symbol, &p, C.int(version), 0, &status)
	if code == codeNotFound { // the form of CUDA 11.3 to 11.8
		code = C.cuGetProcAddress(symbol, &p, C.int(version), 0)
	}
	if code == C.CUDA_SUCCESS && p == nil {
		code = codeNotFound
	}
	return p, resultOf("look up "+name, code)
}

// uuid2 is the id of device d as a MIG instance; ok is false where the driver is older than 11.4.
func uuid2(d cu.Device) (id [16]byte, ok bool) {
	code := C.cuDeviceGetUuid_v2((*C.CUuuid)(unsafe.Pointer(&id)), C.CUdevice(d))
	return id, code == C.CUDA_SUCCESS
}
