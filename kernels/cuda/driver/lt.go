//go:build worker

package driver

// #include "lt.h"
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/work"
)

var _ work.Library = (*LT)(nil)

// LT is NVIDIA's cuBLASLt on a device: the matrix products that frameworks run. Its work goes
// to the device's default stream, as Device.Launch's.
type LT struct {
	device    cuda.Device
	path      string
	functions *C.lt_functions
	handle    unsafe.Pointer
	workspace cuda.Ptr
	bytes     int64 // of workspace
	plans     []*C.lt_plan
}

// Workspace is how many bytes cuBLASLt is given on a device of compute capability arch, as
// NVIDIA recommends for cuBLAS: 32 MiB from Hopper on, 4 MiB before (cuBLAS library
// documentation, cublasSetWorkspace).
func Workspace(arch int) int64 {
	if arch >= 90 {
		return 32 << 20
	}
	return 4 << 20
}

// OpenLT opens cuBLASLt where the node has it, and makes a handle and a workspace on the
// device, whose context must be the calling thread's.
func OpenLT(device cuda.Device) (*LT, error) { return openLT(thisNode, device) }

func openLT(n node, device cuda.Device) (*LT, error) {
	lt := &LT{device: device, functions: (*C.lt_functions)(C.calloc(1, C.sizeof_lt_functions))}
	var err error
	lt.path, err = n.open(ltLibrary, func(path string) error {
		lib, err := load(path)
		if err != nil {
			return err
		}
		return lt.resolve(lib, path)
	})
	if err != nil {
		C.free(unsafe.Pointer(lt.functions))
		return nil, fmt.Errorf("no cuBLASLt: %w", err)
	}
	var code C.int
	lt.handle, code = ltCreate(lt.functions)
	if err := ltError("make a handle of "+lt.path, code); err != nil {
		C.free(unsafe.Pointer(lt.functions))
		return nil, err
	}
	lt.bytes = Workspace(device.Info().Arch)
	if lt.workspace, err = device.Alloc(lt.bytes); err != nil {
		lt.bytes = 0
		return nil, errors.Join(fmt.Errorf("cuBLASLt's workspace: %w", err), lt.Close())
	}
	return lt, nil
}

// resolve fills in the addresses; all but that of the algorithm's configuration are needed.
func (lt *LT) resolve(lib handle, path string) error {
	f := lt.functions
	for _, s := range []struct {
		name    string
		address unsafe.Pointer
	}{
		{"cublasLtGetVersion", unsafe.Pointer(&f.version)},
		{"cublasLtCreate", unsafe.Pointer(&f.create)},
		{"cublasLtDestroy", unsafe.Pointer(&f.destroy)},
		{"cublasLtMatmulDescCreate", unsafe.Pointer(&f.desc_create)},
		{"cublasLtMatmulDescDestroy", unsafe.Pointer(&f.desc_destroy)},
		{"cublasLtMatmulDescSetAttribute", unsafe.Pointer(&f.desc_set)},
		{"cublasLtMatrixLayoutCreate", unsafe.Pointer(&f.layout_create)},
		{"cublasLtMatrixLayoutDestroy", unsafe.Pointer(&f.layout_destroy)},
		{"cublasLtMatmulPreferenceCreate", unsafe.Pointer(&f.preference_create)},
		{"cublasLtMatmulPreferenceDestroy", unsafe.Pointer(&f.preference_destroy)},
		{"cublasLtMatmulPreferenceSetAttribute", unsafe.Pointer(&f.preference_set)},
		{"cublasLtMatmulAlgoGetHeuristic", unsafe.Pointer(&f.heuristic)},
		{"cublasLtMatmul", unsafe.Pointer(&f.matmul)},
	} {
		p := lib.symbol(s.name)
		if p == nil {
			return fmt.Errorf("%s lacks %s: it is no cuBLASLt, or one older than 11.0", path, s.name)
		}
		*(*unsafe.Pointer)(s.address) = p
	}
	*(*unsafe.Pointer)(unsafe.Pointer(&f.config)) = lib.symbol("cublasLtMatmulAlgoConfigGetAttribute")
	return nil
}

// Close frees the plans, the workspace and the handle; what Plan returned is of no use then.
func (lt *LT) Close() error {
	for _, p := range lt.plans {
		C.lt_release(lt.functions, p)
		C.free(unsafe.Pointer(p))
	}
	lt.plans = nil
	var errs []error
	if lt.bytes > 0 {
		errs = append(errs, lt.device.Free(lt.workspace))
	}
	errs = append(errs, ltError("destroy the handle of "+lt.path, ltDestroy(lt.functions, lt.handle)))
	C.free(unsafe.Pointer(lt.functions))
	lt.functions = nil
	return errors.Join(errs...)
}

// Engine implements [work.Library].
func (lt *LT) Engine() string { return cuda.CuBLASLt }

// Version implements [work.Library]: "12.8.4".
func (lt *LT) Version() string { return ltVersion(int64(ltGetVersion(lt.functions))) }

// Precisions implements [work.Library].
func (lt *LT) Precisions() []kernels.Precision {
	var served []kernels.Precision
	for _, p := range ltPrecisions {
		if lt.device.Info().Arch >= p.minArch {
			served = append(served, p.precision)
		}
	}
	return served
}

// Plan implements [work.Library]: row-major C = A·B, A m×k, B k×n (n×k for int8), with the
// types that gemm's entries have. An operand's address must be a multiple of 256.
func (lt *LT) Plan(spec kernels.Spec, a, b, c cuda.Ptr) (run func() error, note string, err error) {
	product, convention, err := ltProduct(spec, lt.device.Info().Arch)
	if err != nil {
		return nil, "", err
	}
	p := product.c(lt.bytes)
	plan := (*C.lt_plan)(C.calloc(1, C.sizeof_lt_plan))
	switch code := C.lt_prepare(lt.functions, lt.handle, &p, plan); code {
	case C.LT_SUCCESS:
	case C.LT_NOT_SUPPORTED:
		C.free(unsafe.Pointer(plan))
		return nil, "", fmt.Errorf("cuBLASLt %s has no algorithm for %s: %w", lt.Version(), spec, work.ErrUnsupported)
	default:
		C.free(unsafe.Pointer(plan))
		return nil, "", ltError(fmt.Sprintf("plan %s", spec), code)
	}
	lt.plans = append(lt.plans, plan)
	run = func() error {
		// Column-major, so the operands change places: Cᵀ = Bᵀ·Aᵀ.
		return ltError(fmt.Sprintf("enqueue %s", spec),
			C.lt_run(lt.functions, lt.handle, &p, plan, C.uint64_t(b), C.uint64_t(a), C.uint64_t(c), C.uint64_t(lt.workspace)))
	}
	return run, convention + "; " + choiceNote(plan), nil
}

// choiceNote says which algorithm the heuristics took, by cuBLASLt's own numbers.
func choiceNote(plan *C.lt_plan) string {
	var parts []string
	for _, n := range []struct {
		what  string
		value C.int
	}{{"algorithm", plan.algo}, {"tile", plan.tile}, {"stages", plan.stages}, {"split-k", plan.split}} {
		if n.value >= 0 {
			parts = append(parts, fmt.Sprintf("%s %d", n.what, n.value))
		}
	}
	parts = append(parts, fmt.Sprintf("%d bytes of workspace", plan.choice.workspace), fmt.Sprintf("%.3g waves", float64(plan.choice.waves)))
	return strings.Join(parts, ", ")
}
