/* Goes through the shim as the worker does: opened by dlopen, called by name.
 * usage: smoke SHIM PTX UUID          the whole of it
 *        smoke SHIM gone              what calls say once the emulator has gone: it waits for a line first
 *        smoke SHIM absent            what the first calls say where there is none
 * It prints a line and ends with 1 at the first answer that is not right. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *shim;
static int line;

static int call(int at, const char *name, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e) {
	int (*f)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t) = dlsym(shim, name);
	line = at;
	if (!f) printf("%s is missing\n", name), exit(1);
	return f(a, b, c, d, e);
}
#define P(x) ((uintptr_t)(x))
#define CALL5(name, a, b, c, d, e, ...) call(__LINE__, #name, P(a), P(b), P(c), P(d), P(e))
#define CALL(...) CALL5(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define WANT(code, ...)                                                                                                \
	do {                                                                                                               \
		int got = CALL(__VA_ARGS__);                                                                                   \
		if (got != (code)) printf("line %d: %s answers %d, want %d\n", line, #__VA_ARGS__, got, (code)), exit(1);      \
	} while (0)
#define CHECK(condition)                                                                                               \
	do {                                                                                                               \
		if (!(condition)) printf("line %d: not so: %s\n", __LINE__, #condition), exit(1);                              \
	} while (0)

static void launch(void *f, unsigned block, void **params) {
	int (*go)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **) = dlsym(shim, "cuLaunchKernel");
	CHECK(go(f, 1, 1, 1, block, 1, 1, 0, NULL, params, NULL) == 0);
}

static void products(uint64_t a, uint64_t b, uint64_t out) {
	void *lt, *desc, *layout, *preference;
	struct {
		uint64_t algo[8];
		size_t workspace;
		int state;
		float waves;
		int reserved[4];
	} found;
	int n = 0;
	float one = 1, zero = 0;
	size_t workspace = 4 << 20;
	WANT(0, cublasLtCreate, &lt);
	WANT(0, cublasLtMatmulDescCreate, &desc, 68, 0);
	WANT(0, cublasLtMatrixLayoutCreate, &layout, 0, 64, 64, 64);
	WANT(0, cublasLtMatmulPreferenceCreate, &preference);
	WANT(0, cublasLtMatmulPreferenceSetAttribute, preference, 1, &workspace, 8);
	int (*heuristic)(void *, void *, void *, void *, void *, void *, void *, int, void *, int *) = dlsym(shim, "cublasLtMatmulAlgoGetHeuristic");
	CHECK(heuristic(lt, desc, layout, layout, layout, layout, preference, 1, &found, &n) == 0 && n == 1 && found.waves > 0);
	int (*matmul)(void *, void *, void *, uint64_t, void *, uint64_t, void *, void *, uint64_t, void *, uint64_t, void *, void *, void *, size_t, void *) = dlsym(shim, "cublasLtMatmul");
	CHECK(matmul(lt, desc, &one, b, layout, a, layout, &zero, out, layout, out, layout, &found.algo, NULL, 0, NULL) == 0);
	CHECK(matmul(lt, desc, &one, b, layout, a, layout, &one, out, layout, out, layout, &found.algo, NULL, 0, NULL) == 15); /* beta is 0 here */
}

static void sensors(const char *uuid) {
	void *device;
	unsigned mhz = 0, n = 0, mig[2];
	unsigned long long mask = ~0ull, bytes[3];
	char text[80];
	WANT(0, nvmlInit_v2);
	WANT(6, nvmlDeviceGetHandleByUUID, "GPU-0", &device);
	WANT(0, nvmlDeviceGetHandleByUUID, uuid, &device);
	WANT(0, nvmlDeviceGetUUID, device, text, sizeof text);
	CHECK(!strcmp(text, uuid));
	WANT(0, nvmlDeviceGetClockInfo, device, 1, &mhz);
	CHECK(mhz == 1410);
	WANT(0, nvmlDeviceGetPowerUsage, device, &mhz);
	CHECK(mhz > 55000);
	WANT(0, nvmlDeviceGetCurrentClocksThrottleReasons, device, &mask);
	CHECK(mask == 0);
	WANT(0, nvmlDeviceGetMemoryInfo, device, bytes);
	CHECK(bytes[0] == bytes[1] + bytes[2]);
	WANT(0, nvmlDeviceGetMigMode, device, &mig[0], &mig[1]);
	CHECK(mig[0] == 0);
	WANT(7, nvmlDeviceGetComputeRunningProcesses_v3, device, &n, NULL);
	CHECK(n == 2);
	struct {
		unsigned pid;
		unsigned long long used;
		unsigned instance, compute;
	} list[4];
	n = 4;
	WANT(0, nvmlDeviceGetComputeRunningProcesses_v3, device, &n, list);
	CHECK(n == 2 && list[1].used == 1 << 30);
	const char *(*say)(int) = dlsym(shim, "nvmlErrorString");
	CHECK(!strcmp(say(15), "GPU is lost"));
}

static void all(const char *ptx_file, const char *uuid) {
	enum { N = 64 * 64, BYTES = 4 * N };
	static char ptx[32 << 20];
	static float x[N], y[N];
	int n = 0, major = 0;
	char name[64], log[256];
	void *ctx, *module, *f, *e[2];
	uint64_t a, b, elements = N;
	FILE *in = fopen(ptx_file, "r");
	CHECK(in && fread(ptx, 1, sizeof ptx - 1, in) > 0);
	WANT(3, cuDeviceGetCount, &n);
	WANT(0, cuInit, 0);
	WANT(0, cuDeviceGetCount, &n);
	CHECK(n == 1);
	WANT(101, cuDeviceGet, &n, 1);
	WANT(0, cuDeviceGetName, name, sizeof name, 0);
	CHECK(strstr(name, "A100") && strstr(name, "EMULATED"));
	WANT(0, cuDeviceGetAttribute, &major, 75, 0);
	CHECK(major == 8);
	WANT(201, cuMemAlloc_v2, &a, BYTES);
	WANT(0, cuDevicePrimaryCtxRetain, &ctx, 0);
	WANT(0, cuCtxSetCurrent, ctx);

	int options[2] = {5, 6};
	void *values[2] = {log, (void *)sizeof log};
	WANT(222, cuModuleLoadDataEx, &module, ".version 9.9\n.target sm_80\n", 2, options, values);
	CHECK(strstr(log, "9.9"));
	WANT(209, cuModuleLoadData, &module, "\177ELF------------------------------------------------------------");
	WANT(0, cuModuleLoadData, &module, ptx);
	WANT(500, cuModuleGetFunction, &f, module, "no_such_function");
	WANT(0, cuModuleGetFunction, &f, module, "relu_fp32");
	WANT(0, cuMemAlloc_v2, &a, BYTES);
	WANT(0, cuMemAlloc_v2, &b, BYTES);

	for (int i = 0; i < N; i++) x[i] = (float)(i - 100);
	WANT(0, cuMemcpyHtoD_v2, a, x, BYTES);
	WANT(0, cuEventCreate, &e[0], 0);
	WANT(0, cuEventCreate, &e[1], 0);
	WANT(0, cuEventRecord, e[0], NULL);
	launch(f, 256, (void *[]){&b, &a, &elements});
	WANT(0, cuEventRecord, e[1], NULL);
	WANT(0, cuEventSynchronize, e[1]);
	float ms = 0;
	WANT(0, cuEventElapsedTime, &ms, e[0], e[1]);
	CHECK(ms > 0.002 && ms < 0.1);
	WANT(0, cuMemcpyDtoH_v2, y, b, BYTES);
	for (int i = 0; i < N; i++) CHECK(y[i] == (i > 100 ? (float)(i - 100) : 0));

	float *pinned; /* there and back in page-locked memory, whole and from the middle */
	WANT(0, cuMemHostAlloc, &pinned, 2 * BYTES, 0);
	for (int i = 0; i < N; i++) pinned[N + i] = 1;
	WANT(0, cuMemcpyHtoDAsync_v2, a, pinned + N, BYTES, NULL);
	WANT(0, cuMemcpyDtoHAsync_v2, pinned, a, BYTES, NULL);
	WANT(0, cuCtxSynchronize);
	for (int i = 0; i < N; i++) CHECK(pinned[i] == 1);
	WANT(0, cuMemcpyDtoHAsync_v2, y, a, BYTES, NULL);
	CHECK(y[7] == 1);
	WANT(0, cuMemFreeHost, pinned);
	WANT(1, cuMemFreeHost, pinned);

	products(a, a, b);
	WANT(0, cuMemcpyDtoH_v2, y, b, BYTES);
	for (int i = 0; i < N; i++) CHECK(y[i] == 64);
	sensors(uuid);

	elements = 1 << 20; /* beyond the operands: told by the next call, and by all from then on */
	launch(f, 256, (void *[]){&b, &a, &elements});
	WANT(700, cuCtxSynchronize);
	WANT(700, cuMemAlloc_v2, &a, BYTES);
}

int main(int count, char **arguments) {
	shim = dlopen(arguments[1], RTLD_NOW);
	if (!shim) return printf("%s\n", dlerror()), 1;
	if (!strcmp(arguments[2], "absent")) {
		WANT(atoi(arguments[3]), cuInit, 0);
		WANT(atoi(arguments[4]), nvmlInit_v2);
	} else if (!strcmp(arguments[2], "gone")) {
		void *ctx;
		WANT(0, cuInit, 0);
		WANT(0, cuDevicePrimaryCtxRetain, &ctx, 0);
		WANT(0, cuCtxSetCurrent, ctx);
		WANT(0, nvmlInit_v2);
		printf("ready\n"), fflush(stdout), getchar();
		for (int i = 0; i < 3; i++) WANT(999, cuCtxSynchronize);
		WANT(999, cuMemFree_v2, 0);
		WANT(15, nvmlInit_v2);
	} else {
		CHECK(count == 4);
		all(arguments[2], arguments[3]);
	}
	printf("ok\n");
	return 0;
}
