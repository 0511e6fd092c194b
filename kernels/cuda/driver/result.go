package driver

import (
	"fmt"

	"github.com/realflops/realflops/kernels/cuda"
)

// DriverError is a call to the CUDA driver that failed.
type DriverError struct {
	Op   string // what was being done: "launch gemm_fp32_fp32"
	Code int    // CUresult
	Name string // CUDA_ERROR_LAUNCH_FAILED
	Text string // what it means, and what to do where something can be done
}

func (e *DriverError) Error() string {
	return fmt.Sprintf("%s: %s (%s, code %d)", e.Op, e.Text, e.Name, e.Code)
}

// Sticky says that the process can no longer use the device: every later call answers the
// same, and only a new process, if any, can go on.
func (e *DriverError) Sticky() bool { return results[e.Code].sticky }

// Is makes a failure for want of memory an [cuda.ErrMemory].
func (e *DriverError) Is(target error) bool {
	return target == cuda.ErrMemory && e.Code == codeOutOfMemory
}

// newError describes code; name is what the driver itself calls it, or "" if it was not asked.
func newError(op string, code int, name string) *DriverError {
	r, known := results[code]
	if !known {
		r = result{name: name, text: "an error of a driver newer than this program"}
		if name == "" {
			r.name = "unknown"
		}
	}
	return &DriverError{Op: op, Code: code, Name: r.name, Text: r.text}
}

// The codes that this package decides on.
const (
	codeOutOfMemory    = 2
	codeNotInitialized = 3
	codeStubLibrary    = 34
	codeNotFound       = 500
)

// badImage are the codes of a module that this device or driver cannot take. Another
// image may do: PTX in place of a cubin, or older PTX.
var badImage = map[int]bool{200: true, 209: true, 218: true, 221: true, 222: true, 223: true, 224: true, 225: true, 300: true, 801: true}

// result is what one CUresult means.
type result struct {
	name   string
	text   string
	sticky bool // see DriverError.Sticky
}

// results are the codes of CUresult as of CUDA 13 (cuda.h, enum cudaError_enum), in our own
// words. Sticky are those which the driver API's reference says leave the process in an
// inconsistent state, and those after which there is no device or context to go on with.
var results = map[int]result{
	1:   {name: "CUDA_ERROR_INVALID_VALUE", text: "an argument is out of range"},
	2:   {name: "CUDA_ERROR_OUT_OF_MEMORY", text: "the device has not enough free memory"},
	3:   {name: "CUDA_ERROR_NOT_INITIALIZED", text: "the driver is not open"},
	4:   {name: "CUDA_ERROR_DEINITIALIZED", text: "the driver is shutting down", sticky: true},
	5:   {name: "CUDA_ERROR_PROFILER_DISABLED", text: "the profiler is not running"},
	6:   {name: "CUDA_ERROR_PROFILER_NOT_INITIALIZED", text: "the profiler was not initialized"},
	7:   {name: "CUDA_ERROR_PROFILER_ALREADY_STARTED", text: "the profiler runs already"},
	8:   {name: "CUDA_ERROR_PROFILER_ALREADY_STOPPED", text: "the profiler is stopped already"},
	34:  {name: "CUDA_ERROR_STUB_LIBRARY", text: "this is a CUDA toolkit's stub library, made to link against, not the driver; take the lib64/stubs folder out of LD_LIBRARY_PATH"},
	36:  {name: "CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER", text: "the driver is too old for this call"},
	46:  {name: "CUDA_ERROR_DEVICE_UNAVAILABLE", text: "the device is taken: another process holds it in exclusive compute mode, or its mode prohibits compute (see nvidia-smi -q -d COMPUTE)"},
	100: {name: "CUDA_ERROR_NO_DEVICE", text: "the driver sees no GPU; check nvidia-smi, CUDA_VISIBLE_DEVICES and the container's device access"},
	101: {name: "CUDA_ERROR_INVALID_DEVICE", text: "there is no such device; check CUDA_VISIBLE_DEVICES"},
	102: {name: "CUDA_ERROR_DEVICE_NOT_LICENSED", text: "the virtual GPU has no licence for compute"},
	200: {name: "CUDA_ERROR_INVALID_IMAGE", text: "the image is no kernel image that the driver knows"},
	201: {name: "CUDA_ERROR_INVALID_CONTEXT", text: "the thread has no valid context", sticky: true},
	202: {name: "CUDA_ERROR_CONTEXT_ALREADY_CURRENT", text: "the context is current already"},
	205: {name: "CUDA_ERROR_MAP_FAILED", text: "mapping failed"},
	206: {name: "CUDA_ERROR_UNMAP_FAILED", text: "unmapping failed"},
	207: {name: "CUDA_ERROR_ARRAY_IS_MAPPED", text: "the array is mapped"},
	208: {name: "CUDA_ERROR_ALREADY_MAPPED", text: "the resource is mapped already"},
	209: {name: "CUDA_ERROR_NO_BINARY_FOR_GPU", text: "the image has no code for this GPU's architecture"},
	210: {name: "CUDA_ERROR_ALREADY_ACQUIRED", text: "the resource was acquired already"},
	211: {name: "CUDA_ERROR_NOT_MAPPED", text: "the resource is not mapped"},
	212: {name: "CUDA_ERROR_NOT_MAPPED_AS_ARRAY", text: "the resource is not mapped as an array"},
	213: {name: "CUDA_ERROR_NOT_MAPPED_AS_POINTER", text: "the resource is not mapped as a pointer"},
	214: {name: "CUDA_ERROR_ECC_UNCORRECTABLE", text: "the GPU's memory has an error that ECC could not correct", sticky: true},
	215: {name: "CUDA_ERROR_UNSUPPORTED_LIMIT", text: "the device has no such limit"},
	216: {name: "CUDA_ERROR_CONTEXT_ALREADY_IN_USE", text: "the context is bound to another thread"},
	217: {name: "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED", text: "the devices cannot access each other"},
	218: {name: "CUDA_ERROR_INVALID_PTX", text: "the driver's compiler refused the PTX"},
	219: {name: "CUDA_ERROR_INVALID_GRAPHICS_CONTEXT", text: "the graphics context is not valid"},
	220: {name: "CUDA_ERROR_NVLINK_UNCORRECTABLE", text: "NVLink had an error that could not be corrected", sticky: true},
	221: {name: "CUDA_ERROR_JIT_COMPILER_NOT_FOUND", text: "the driver's PTX compiler (libnvidia-ptxjitcompiler.so.1) is not installed"},
	222: {name: "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", text: "the PTX is newer than the driver's compiler; update the driver"},
	223: {name: "CUDA_ERROR_JIT_COMPILATION_DISABLED", text: "compiling PTX is switched off (CUDA_DISABLE_PTX_JIT)"},
	224: {name: "CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY", text: "the device has no such execution affinity"},
	225: {name: "CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC", text: "the PTX synchronizes on the device, which this driver does not support"},
	226: {name: "CUDA_ERROR_CONTAINED", text: "the GPU contained a hardware error", sticky: true},
	300: {name: "CUDA_ERROR_INVALID_SOURCE", text: "the kernel source is not valid"},
	301: {name: "CUDA_ERROR_FILE_NOT_FOUND", text: "a file is missing"},
	302: {name: "CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND", text: "a library of the driver lacks a symbol; reinstall the driver"},
	303: {name: "CUDA_ERROR_SHARED_OBJECT_INIT_FAILED", text: "a library of the driver did not initialize; reinstall the driver"},
	304: {name: "CUDA_ERROR_OPERATING_SYSTEM", text: "a call to the operating system failed; check the rights on /dev/nvidia* and the container's limits"},
	400: {name: "CUDA_ERROR_INVALID_HANDLE", text: "the handle is not valid"},
	401: {name: "CUDA_ERROR_ILLEGAL_STATE", text: "the resource is not in a state for this"},
	402: {name: "CUDA_ERROR_LOSSY_QUERY", text: "the answer would lose information"},
	500: {name: "CUDA_ERROR_NOT_FOUND", text: "there is no such symbol, or the driver lacks this entry point"},
	600: {name: "CUDA_ERROR_NOT_READY", text: "the work is not done yet"},
	700: {name: "CUDA_ERROR_ILLEGAL_ADDRESS", text: "a kernel accessed memory that is not its own", sticky: true},
	701: {name: "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", text: "the launch asks for more registers, shared memory or threads than an SM has"},
	702: {name: "CUDA_ERROR_LAUNCH_TIMEOUT", text: "a kernel ran longer than the driver's watchdog allows (a GPU that drives a display has one)", sticky: true},
	703: {name: "CUDA_ERROR_LAUNCH_INCOMPATIBLE_TEXTURING", text: "the launch uses an incompatible texturing mode"},
	704: {name: "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", text: "peer access is on already"},
	705: {name: "CUDA_ERROR_PEER_ACCESS_NOT_ENABLED", text: "peer access is not on"},
	708: {name: "CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", text: "the primary context is in use already"},
	709: {name: "CUDA_ERROR_CONTEXT_IS_DESTROYED", text: "the context was destroyed", sticky: true},
	710: {name: "CUDA_ERROR_ASSERT", text: "an assertion in a kernel failed", sticky: true},
	711: {name: "CUDA_ERROR_TOO_MANY_PEERS", text: "no further peer can be mapped"},
	712: {name: "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", text: "the host memory is registered already"},
	713: {name: "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", text: "the host memory is not registered"},
	714: {name: "CUDA_ERROR_HARDWARE_STACK_ERROR", text: "a kernel's call stack is corrupt", sticky: true},
	715: {name: "CUDA_ERROR_ILLEGAL_INSTRUCTION", text: "a kernel met an illegal instruction", sticky: true},
	716: {name: "CUDA_ERROR_MISALIGNED_ADDRESS", text: "a kernel accessed a misaligned address", sticky: true},
	717: {name: "CUDA_ERROR_INVALID_ADDRESS_SPACE", text: "a kernel accessed the wrong address space", sticky: true},
	718: {name: "CUDA_ERROR_INVALID_PC", text: "a kernel's program counter left the program", sticky: true},
	719: {name: "CUDA_ERROR_LAUNCH_FAILED", text: "a kernel failed on the device", sticky: true},
	720: {name: "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", text: "the cooperative launch does not fit the device at once"},
	721: {name: "CUDA_ERROR_TENSOR_MEMORY_LEAK", text: "a kernel ended without freeing its tensor memory", sticky: true},
	800: {name: "CUDA_ERROR_NOT_PERMITTED", text: "this is not permitted"},
	801: {name: "CUDA_ERROR_NOT_SUPPORTED", text: "the device or the system does not support this"},
	802: {name: "CUDA_ERROR_SYSTEM_NOT_READY", text: "the system is not ready; on an NVSwitch machine start nvidia-fabricmanager"},
	803: {name: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", text: "libcuda and the kernel module are of different driver versions; reboot, or reload the nvidia modules, after a driver update, and match the versions in a container"},
	804: {name: "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", text: "the forward-compatibility libcuda does not support this GPU; take the cuda-compat folder out of LD_LIBRARY_PATH"},
	805: {name: "CUDA_ERROR_MPS_CONNECTION_FAILED", text: "the MPS server cannot be reached"},
	806: {name: "CUDA_ERROR_MPS_RPC_FAILURE", text: "a call to the MPS server failed"},
	807: {name: "CUDA_ERROR_MPS_SERVER_NOT_READY", text: "the MPS server is not ready; try again"},
	808: {name: "CUDA_ERROR_MPS_MAX_CLIENTS_REACHED", text: "the MPS server takes no more clients"},
	809: {name: "CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED", text: "the MPS server takes no more connections"},
	810: {name: "CUDA_ERROR_MPS_CLIENT_TERMINATED", text: "the MPS server ended this client", sticky: true},
	811: {name: "CUDA_ERROR_CDP_NOT_SUPPORTED", text: "the device cannot launch kernels from kernels"},
	812: {name: "CUDA_ERROR_CDP_VERSION_MISMATCH", text: "kernels of different launch interfaces are mixed"},
	900: {name: "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", text: "the call is not allowed in a stream capture"},
	901: {name: "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", text: "the stream capture is no longer valid"},
	902: {name: "CUDA_ERROR_STREAM_CAPTURE_MERGE", text: "two stream captures would be merged"},
	903: {name: "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", text: "the stream capture was not begun here"},
	904: {name: "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", text: "the stream capture has a fork that was not joined"},
	905: {name: "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", text: "a dependency would cross the stream capture's border"},
	906: {name: "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", text: "the default stream would be made part of a stream capture"},
	907: {name: "CUDA_ERROR_CAPTURED_EVENT", text: "the event was recorded in a stream capture"},
	908: {name: "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", text: "the stream capture was begun by another thread"},
	909: {name: "CUDA_ERROR_TIMEOUT", text: "the wait timed out"},
	910: {name: "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE", text: "the graph cannot be updated this way"},
	911: {name: "CUDA_ERROR_EXTERNAL_DEVICE", text: "a device outside the GPU failed", sticky: true},
	912: {name: "CUDA_ERROR_INVALID_CLUSTER_SIZE", text: "the device cannot launch clusters of this size"},
	913: {name: "CUDA_ERROR_FUNCTION_NOT_LOADED", text: "the function is not loaded yet"},
	914: {name: "CUDA_ERROR_INVALID_RESOURCE_TYPE", text: "the resource is of the wrong type"},
	915: {name: "CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION", text: "the resources do not suffice or do not fit each other"},
	916: {name: "CUDA_ERROR_KEY_ROTATION", text: "rotating a confidential-computing key failed"},
	917: {name: "CUDA_ERROR_STREAM_DETACHED", text: "the stream is detached"},
	918: {name: "CUDA_ERROR_GRAPH_RECAPTURE_FAILURE", text: "the graph could not be captured again"},
	999: {name: "CUDA_ERROR_UNKNOWN", text: "the driver failed for a reason that it does not know; the kernel log (dmesg, NVRM lines) may: a GPU that fell off the bus reads like this", sticky: true},
}
