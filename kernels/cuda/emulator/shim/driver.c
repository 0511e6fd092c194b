/* The entry points of libcuda that the worker calls. */
#define _GNU_SOURCE
#include "shim.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef int CUresult, CUdevice;
typedef uint64_t CUdeviceptr;
typedef void *handle;
typedef struct {
	unsigned grid[3], block[3], shared;
	handle stream;
	void *attributes;
	unsigned count;
} launch_config;

enum { INVALID_VALUE = 1, NOT_INITIALIZED = 3, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, NOT_FOUND = 500 };

static __thread handle current;
static __thread handle stack[16];

/* The emulator numbers contexts from 1. Callers hold them as pointers, and a runtime may take a small one for none: Go
 * ends a program that has one below 4096 on a stack. */
#define FIRST_CONTEXT 0x10000
#define CONTEXT current_context()
uint64_t current_context(void) { return current ? U(current) - FIRST_CONTEXT : 0; }
static __thread int depth;

#define API EXPORT CUresult
#define CALL(op, ...) request(&driver, op, WORDS(__VA_ARGS__), NULL, 0, NULL, 0, NULL)
#define CALL_OUT(op, out, size, ...) request(&driver, op, WORDS(__VA_ARGS__), NULL, 0, out, size, NULL)

API cuInit(unsigned flags) { return CALL(OP_INIT, flags); }
API cuDriverGetVersion(int *version) { return CALL_OUT(OP_VERSION, version, 4, 0); }
API cuDeviceGetCount(int *n) { return CALL_OUT(OP_COUNT, n, 4, 0); }
API cuDeviceGet(CUdevice *d, int ordinal) {
	int n = 0;
	CUresult code = cuDeviceGetCount(&n);
	if (code) return code;
	if (ordinal < 0 || ordinal >= n) return INVALID_DEVICE;
	*d = ordinal;
	return 0;
}
static CUresult text(int op, char *s, int size, CUdevice d) {
	if (!s || size < 1) return INVALID_VALUE;
	memset(s, 0, (size_t)size);
	return CALL_OUT(op, s, (size_t)size - 1, (uint64_t)d);
}
API cuDeviceGetName(char *s, int size, CUdevice d) { return text(OP_NAME, s, size, d); }
API cuDeviceGetPCIBusId(char *s, int size, CUdevice d) { return text(OP_PCI, s, size, d); }
API cuDeviceGetAttribute(int *v, int attribute, CUdevice d) { return CALL_OUT(OP_ATTRIBUTE, v, 4, (uint64_t)attribute, (uint64_t)d); }
API cuDeviceTotalMem_v2(size_t *bytes, CUdevice d) { return CALL_OUT(OP_TOTAL_MEMORY, bytes, 8, (uint64_t)d); }
API cuDeviceGetUuid(void *uuid, CUdevice d) { return CALL_OUT(OP_UUID, uuid, 16, (uint64_t)d); }
API cuDeviceGetUuid_v2(void *uuid, CUdevice d) { return cuDeviceGetUuid(uuid, d); }

API cuDevicePrimaryCtxRetain(handle *ctx, CUdevice d) {
	uint64_t number = 0;
	CUresult code = CALL_OUT(OP_RETAIN, &number, 8, (uint64_t)d);
	if (!code) *ctx = (handle)(uintptr_t)(FIRST_CONTEXT + number);
	return code;
}
API cuDevicePrimaryCtxRelease_v2(CUdevice d) { return CALL(OP_RELEASE, (uint64_t)d); }
API cuDevicePrimaryCtxGetState(CUdevice d, unsigned *flags, int *active) {
	(void)d;
	*flags = 0, *active = current != NULL;
	return 0;
}
API cuDevicePrimaryCtxSetFlags_v2(CUdevice d, unsigned flags) { return (void)d, (void)flags, 0; }
API cuDevicePrimaryCtxReset_v2(CUdevice d) { return CALL(OP_RELEASE, (uint64_t)d); }
API cuCtxSetCurrent(handle ctx) { return current = ctx, 0; }
API cuCtxGetCurrent(handle *ctx) { return *ctx = current, 0; }
API cuCtxPushCurrent_v2(handle ctx) {
	if (depth == 16) return INVALID_VALUE;
	stack[depth++] = current, current = ctx;
	return 0;
}
API cuCtxPopCurrent_v2(handle *ctx) {
	if (depth == 0) return INVALID_CONTEXT;
	if (ctx) *ctx = current;
	current = stack[--depth];
	return 0;
}
API cuCtxGetDevice(CUdevice *d) { return current ? (*d = (int)CONTEXT - 1, 0) : INVALID_CONTEXT; }
API cuCtxGetApiVersion(handle ctx, unsigned *version) { return (void)ctx, *version = 3020, 0; }
API cuCtxGetFlags(unsigned *flags) { return *flags = 0, 0; }
API cuCtxSynchronize(void) { return CALL(OP_SYNCHRONIZE, CONTEXT); }

API cuMemGetInfo_v2(size_t *free_bytes, size_t *total) {
	size_t v[2] = {0, 0};
	CUresult code = CALL_OUT(OP_MEMORY_INFO, v, 16, CONTEXT);
	*free_bytes = v[0], *total = v[1];
	return code;
}
API cuMemAlloc_v2(CUdeviceptr *p, size_t n) { return CALL_OUT(OP_ALLOC, p, 8, CONTEXT, n); }
API cuMemFree_v2(CUdeviceptr p) { return CALL(OP_FREE, CONTEXT, p); }
API cuMemsetD8_v2(CUdeviceptr p, unsigned char v, size_t n) { return CALL(OP_MEMSET, CONTEXT, p, v, n, 1); }
API cuMemsetD8Async(CUdeviceptr p, unsigned char v, size_t n, handle s) { return (void)s, cuMemsetD8_v2(p, v, n); }
API cuMemsetD16_v2(CUdeviceptr p, unsigned short v, size_t n) { return CALL(OP_MEMSET, CONTEXT, p, v, n, 2); }
API cuMemsetD32_v2(CUdeviceptr p, unsigned v, size_t n) { return CALL(OP_MEMSET, CONTEXT, p, v, n, 4); }
API cuMemsetD32Async(CUdeviceptr p, unsigned v, size_t n, handle s) { return (void)s, cuMemsetD32_v2(p, v, n); }

/* Page-locked memory is shared with the emulator, so that an asynchronous copy carries no data. */
static struct pinned {
	char *at;
	size_t bytes;
	uint64_t id;
	struct pinned *next;
} *pinned;
static pthread_mutex_t pins = PTHREAD_MUTEX_INITIALIZER;

/* locate finds the page-locked memory that holds n bytes at p: its id in words[0], the offset in words[1]. */
static int locate(const void *p, size_t n, uint64_t *words) {
	int found = 0;
	pthread_mutex_lock(&pins);
	for (struct pinned *q = pinned; q && !found; q = q->next) {
		if ((char *)p < q->at || (char *)p + n > q->at + q->bytes) continue;
		words[0] = q->id, words[1] = (uint64_t)((char *)p - q->at), found = 1;
	}
	pthread_mutex_unlock(&pins);
	return found;
}
API cuMemHostAlloc(void **p, size_t n, unsigned flags) {
	uint64_t v[3] = {0, 0, 0}; /* id, and the file: process and descriptor */
	(void)flags;
	CUresult code = CALL_OUT(OP_PIN, v, sizeof v, CONTEXT, n);
	if (code) return code;
	char path[64];
	snprintf(path, sizeof path, "/proc/%llu/fd/%llu", (unsigned long long)v[1], (unsigned long long)v[2]);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *at = fd < 0 ? MAP_FAILED : mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0) close(fd);
	struct pinned *q = at == MAP_FAILED ? NULL : malloc(sizeof *q);
	if (!q) {
		CALL(OP_UNPIN, CONTEXT, v[0]);
		return 2;
	}
	pthread_mutex_lock(&pins);
	*q = (struct pinned){at, n, v[0], pinned};
	pinned = q;
	pthread_mutex_unlock(&pins);
	*p = at;
	return 0;
}
API cuMemAllocHost_v2(void **p, size_t n) { return cuMemHostAlloc(p, n, 0); }
API cuMemFreeHost(void *p) {
	pthread_mutex_lock(&pins);
	struct pinned **q = &pinned, *found;
	while (*q && (*q)->at != p) q = &(*q)->next;
	if ((found = *q)) *q = found->next;
	pthread_mutex_unlock(&pins);
	if (!found) return INVALID_VALUE;
	CUresult code = CALL(OP_UNPIN, CONTEXT, found->id);
	munmap(found->at, found->bytes);
	free(found);
	return code;
}
API cuMemcpyHtoD_v2(CUdeviceptr d, const void *s, size_t n) { return request(&driver, OP_UPLOAD, WORDS(CONTEXT, d), s, n, NULL, 0, NULL); }
API cuMemcpyHtoDAsync_v2(CUdeviceptr d, const void *s, size_t n, handle stream) {
	uint64_t at[2];
	(void)stream;
	if (locate(s, n, at)) return CALL(OP_UPLOAD_PINNED, CONTEXT, d, at[0], at[1], n);
	return request(&driver, OP_UPLOAD_ASYNC, WORDS(CONTEXT, d), s, n, NULL, 0, NULL);
}
API cuMemcpyDtoH_v2(void *d, CUdeviceptr s, size_t n) { return CALL_OUT(OP_DOWNLOAD, d, n, CONTEXT, s, n); }
API cuMemcpyDtoHAsync_v2(void *d, CUdeviceptr s, size_t n, handle stream) {
	uint64_t at[2];
	(void)stream;
	if (locate(d, n, at)) return CALL(OP_DOWNLOAD_PINNED, CONTEXT, s, at[0], at[1], n);
	return cuMemcpyDtoH_v2(d, s, n);
}
API cuMemcpyDtoD_v2(CUdeviceptr d, CUdeviceptr s, size_t n) { return CALL(OP_COPY, CONTEXT, d, s, n); }
API cuMemcpyDtoDAsync_v2(CUdeviceptr d, CUdeviceptr s, size_t n, handle stream) { return (void)stream, cuMemcpyDtoD_v2(d, s, n); }

/* image_bytes is how much of an image is sent: PTX whole, of a binary the beginning, for no emulator runs it. */
static size_t image_bytes(const char *image) { return memcmp(image, "\177ELF", 4) ? strlen(image) : 64; }

API cuModuleLoadDataEx(handle *m, const void *image, unsigned count, int *options, void **values) {
	enum { ERROR_LOG = 5, ERROR_LOG_BYTES = 6 };
	char *log = NULL;
	size_t log_bytes = 0, got = 0;
	for (unsigned i = 0; i < count; i++) {
		if (options[i] == ERROR_LOG) log = values[i];
		if (options[i] == ERROR_LOG_BYTES) log_bytes = (unsigned)U(values[i]);
	}
	char answer[4096];
	CUresult code = request(&driver, OP_LOAD, WORDS(CONTEXT), image, image_bytes(image), answer, sizeof answer, &got);
	if (!code) {
		memcpy(m, answer, sizeof *m);
	} else if (log && log_bytes) {
		if (got > log_bytes - 1) got = log_bytes - 1;
		memcpy(log, answer, got);
		log[got] = 0;
	}
	return code;
}
API cuModuleLoadData(handle *m, const void *image) { return cuModuleLoadDataEx(m, image, 0, NULL, NULL); }
API cuModuleUnload(handle m) { return CALL(OP_UNLOAD, CONTEXT, U(m)); }
API cuModuleGetFunction(handle *f, handle m, const char *name) { return request(&driver, OP_FUNCTION, WORDS(CONTEXT, U(m)), name, strlen(name), f, 8, NULL); }
API cuFuncGetAttribute(int *v, int attribute, handle f) { return CALL_OUT(OP_FUNCTION_ATTRIBUTE, v, 4, CONTEXT, U(f), (uint64_t)attribute); }
API cuFuncSetAttribute(handle f, int attribute, int v) { return CALL(OP_SET_FUNCTION_ATTRIBUTE, CONTEXT, U(f), (uint64_t)attribute, (uint64_t)(int64_t)v); }
API cuFuncSetCacheConfig(handle f, int config) { return (void)f, (void)config, 0; }
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, handle f, int block, size_t shared) { return CALL_OUT(OP_OCCUPANCY, n, 4, CONTEXT, U(f), (uint64_t)block, shared); }

/* A function's handle holds the number of its parameters, 8 bytes each, in the low byte: so nothing is kept here. */
static CUresult launch(handle f, const unsigned *grid, const unsigned *block, unsigned shared, void **params) {
	uint64_t w[9 + 256] = {CONTEXT, U(f), grid[0], grid[1], grid[2], block[0], block[1], block[2], shared};
	int count = (int)(U(f) & 255);
	if (!f) return 400;
	if (count && !params) return INVALID_VALUE;
	for (int i = 0; i < count; i++) memcpy(&w[9 + i], params[i], 8);
	return request(&driver, OP_LAUNCH, w, 9 + count, NULL, 0, NULL, 0, NULL);
}
API cuLaunchKernel(handle f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, handle stream, void **params, void **extra) {
	(void)stream, (void)extra;
	return launch(f, (unsigned[]){gx, gy, gz}, (unsigned[]){bx, by, bz}, shared, params);
}
API cuLaunchKernelEx(const launch_config *c, handle f, void **params, void **extra) {
	(void)extra;
	return launch(f, c->grid, c->block, c->shared, params);
}

/* Streams are in order, and there is one: the device's. Its handle is an address, as callers' runtimes expect of a pointer. */
static char the_stream;
API cuStreamCreate(handle *s, unsigned flags) { return (void)flags, *s = &the_stream, 0; }
API cuStreamCreateWithPriority(handle *s, unsigned flags, int priority) { return (void)priority, cuStreamCreate(s, flags); }
API cuStreamDestroy_v2(handle s) { return (void)s, 0; }
API cuStreamSynchronize(handle s) { return (void)s, cuCtxSynchronize(); }
API cuStreamQuery(handle s) { return (void)s, cuCtxSynchronize(); }
API cuStreamWaitEvent(handle s, handle e, unsigned flags) { return (void)s, (void)e, (void)flags, 0; }
API cuEventCreate(handle *e, unsigned flags) { return CALL_OUT(OP_EVENT_CREATE, e, 8, CONTEXT, flags); }
API cuEventDestroy_v2(handle e) { return CALL(OP_EVENT_DESTROY, CONTEXT, U(e)); }
API cuEventRecord(handle e, handle s) { return (void)s, CALL(OP_EVENT_RECORD, CONTEXT, U(e)); }
API cuEventSynchronize(handle e) { return (void)e, cuCtxSynchronize(); }
API cuEventQuery(handle e) { return (void)e, cuCtxSynchronize(); }
API cuEventElapsedTime(float *ms, handle from, handle to) { return CALL_OUT(OP_EVENT_ELAPSED, ms, 4, CONTEXT, U(from), U(to)); }

static const struct {
	int code;
	const char *name, *text;
} errors[] = {
	{0, "CUDA_SUCCESS", "no error"},
	{1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
	{2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
	{3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
	{34, "CUDA_ERROR_STUB_LIBRARY", "stub library in place of the driver"},
	{46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "device busy or unavailable"},
	{100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device"},
	{101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
	{200, "CUDA_ERROR_INVALID_IMAGE", "invalid image"},
	{201, "CUDA_ERROR_INVALID_CONTEXT", "invalid context"},
	{209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no binary for this GPU"},
	{214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error"},
	{218, "CUDA_ERROR_INVALID_PTX", "PTX does not compile"},
	{222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "PTX of a version that this driver does not know"},
	{400, "CUDA_ERROR_INVALID_HANDLE", "invalid handle"},
	{500, "CUDA_ERROR_NOT_FOUND", "name not found"},
	{700, "CUDA_ERROR_ILLEGAL_ADDRESS", "illegal address"},
	{701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
	{702, "CUDA_ERROR_LAUNCH_TIMEOUT", "launch timed out"},
	{716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
	{719, "CUDA_ERROR_LAUNCH_FAILED", "launch failed"},
	{803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "display driver and CUDA driver do not match"},
	{999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};
static CUresult name_error(CUresult code, const char **s, int text_wanted) {
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (errors[i].code == code) return *s = text_wanted ? errors[i].text : errors[i].name, 0;
	return *s = NULL, INVALID_VALUE;
}
API cuGetErrorName(CUresult code, const char **s) { return name_error(code, s, 0); }
API cuGetErrorString(CUresult code, const char **s) { return name_error(code, s, 1); }
