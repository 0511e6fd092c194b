/* A driver of one GPU whose memory is the host's and whose only kernels are the few below. It
 * takes what a driver takes and refuses what a driver refuses. Compiled by the tests:
 *   -DINIT=code      what cuInit answers
 *   -DSTUB           nothing but cuInit, as a toolkit's stub library
 *   -DNO_ALLOC       without cuMemAlloc_v2, which is required
 *   -DMIG            the device is a MIG instance
 *   -DUNDEFINED      with a function that calls one which no library has
 *   -DOLD            without what drivers before 11.8 lack */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef INIT
#define INIT 0
#endif

int cuInit(unsigned flags) { return flags ? 1 : INIT; }
enum { MEMORY = 64 << 20 };
#ifdef UNDEFINED
int rf_gone(void);
int cuUnused(void) { return rf_gone(); }
#endif
#ifndef STUB

typedef struct { const char *name; int shared; } function;
/* the first module has the first two, an image with the word .second makes one that has the third */
static function functions[] = {{"sum", 49152}, {"fail", 49152}, {"second", 49152}};
static int module, second, context, current, sticky;
static int live; /* events and modules that were not given back: the context is not released before */
static float now; /* ms */

int cuDriverGetVersion(int *v) { *v = 12040; return 0; }
int cuDeviceGetCount(int *n) { *n = 1; return INIT ? 3 : 0; }
int cuDeviceGet(int *d, int i) { *d = 40 + i; return i ? 101 : 0; }
int cuDeviceGetName(char *s, int n, int d) { strncpy(s, "Double 100", n); return d != 40 ? 101 : 0; }
int cuDeviceTotalMem_v2(size_t *b, int d) { *b = MEMORY; return d != 40 ? 101 : 0; }
static void id(unsigned char *u, int first) { for (int i = 0; i < 16; i++) u[i] = first + i; }
int cuDeviceGetUuid(void *u, int d) { id(u, 0xa0); return d != 40 ? 101 : 0; }
#ifdef MIG
int cuDeviceGetUuid_v2(void *u, int d) { id(u, 0xc0); return d != 40 ? 101 : 0; }
#elif !defined OLD
int cuDeviceGetUuid_v2(void *u, int d) { return cuDeviceGetUuid(u, d); }
#endif
int cuDeviceGetAttribute(int *v, int which, int d)
{
	static const int values[][2] = {{75, 9}, {76, 0}, {16, 132}, {38, 50 << 20}, {8, 49152}, {97, 232448}, {13, 1980000},
	                                {36, 2619000}, {37, 5120}, {20, 3}, {32, 1}, {50, 1}, {33, 0x3b}, {34, 2}};
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		if (values[i][0] == which) { *v = values[i][1]; return d != 40 ? 101 : 0; }
	return 1;
}
int cuDevicePrimaryCtxRetain(void **c, int d) { *c = &context; context++; return d != 40 ? 101 : 0; }
int cuDevicePrimaryCtxRelease_v2(int d) { return d != 40 ? 101 : live ? 401 : context-- <= 0 ? 201 : 0; }
int cuCtxSetCurrent(void *c) { current = c == &context; return current ? 0 : 201; }
#define ENTER if (!current) return 201; if (sticky) return sticky
int cuCtxSynchronize(void) { ENTER; return 0; }

static size_t used, sizes[64]; static void *blocks[64];
int cuMemGetInfo_v2(size_t *f, size_t *t) { ENTER; *t = MEMORY; *f = *t - used; return 0; }
#ifndef NO_ALLOC
int cuMemAlloc_v2(uint64_t *p, size_t n)
{
	ENTER;
	if (!n) return 1;
	if (used + n > MEMORY) return 2;
	for (int i = 0; i < 64; i++) if (!blocks[i]) { blocks[i] = aligned_alloc(256, (n + 255) & ~(size_t)255); sizes[i] = n; used += n; *p = (uintptr_t)blocks[i]; return 0; }
	return 2;
}
#endif
int cuMemFree_v2(uint64_t p)
{
	ENTER;
	for (int i = 0; i < 64; i++) if (blocks[i] && (uintptr_t)blocks[i] == p) { free(blocks[i]); blocks[i] = NULL; used -= sizes[i]; return 0; }
	return 1;
}
static int inside(uint64_t p, size_t n)
{
	for (int i = 0; i < 64; i++) if (blocks[i] && p >= (uintptr_t)blocks[i] && p + n <= (uintptr_t)blocks[i] + sizes[i]) return 1;
	return 0;
}
int cuMemcpyHtoD_v2(uint64_t d, const void *s, size_t n) { ENTER; if (!inside(d, n)) return 1; memcpy((void *)d, s, n); return 0; }
int cuMemcpyDtoH_v2(void *d, uint64_t s, size_t n) { ENTER; if (!inside(s, n)) return 1; memcpy(d, (void *)s, n); return 0; }
int cuMemcpyHtoDAsync_v2(uint64_t d, const void *s, size_t n, void *q) { return q ? 400 : cuMemcpyHtoD_v2(d, s, n); }
int cuMemcpyDtoHAsync_v2(void *d, uint64_t s, size_t n, void *q) { return q ? 400 : cuMemcpyDtoH_v2(d, s, n); }
int cuMemsetD8_v2(uint64_t d, unsigned char v, size_t n) { ENTER; if (!inside(d, n)) return 1; memset((void *)d, v, n); return 0; }
static void *pinned;
int cuMemHostAlloc(void **p, size_t n, unsigned flags) { ENTER; *p = pinned = malloc(n); return flags > 7; }
int cuMemFreeHost(void *p) { ENTER; if (p != pinned) return 1; free(p); return 0; }

int cuModuleLoadDataEx(void **m, const void *image, unsigned n, int *options, void **values)
{
	ENTER;
	if (!memcmp(image, "\177ELF", 4)) return 209;
	for (unsigned i = 0; i < n; i++) if (options[i] == 5 && strstr(image, ".version 99")) {
		strcpy(values[i], "ptxas application ptx input, line 1; fatal : Unsupported .version 99.0\nsecond line"); return 222; }
	*m = strstr(image, ".second") ? &second : &module; live++;
	return 0;
}
int cuModuleUnload(void *m) { ENTER; live--; return m != &module && m != &second; }
int cuModuleGetFunction(void **f, void *m, const char *name)
{
	ENTER;
	for (int i = 0; i < 3; i++) if (m == (i < 2 ? &module : &second) && !strcmp(functions[i].name, name)) { *f = &functions[i]; return 0; }
	return 500;
}
int cuFuncGetAttribute(int *v, int which, function *f) { (void)f; *v = which == 4 ? 126 : which == 3 ? 8 : which == 1 ? 1024 : -1; return *v < 0; }
#ifndef OLD
int cuFuncSetAttribute(function *f, int which, int v) { if (which != 8 || v > 232448) return 1; f->shared = v; return 0; }
#endif
/* sum(out, a, b): *out = a + b + grid + 100·block, so that every argument of a launch is seen */
int cuLaunchKernel(function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *q, void **p, void **extra)
{
	ENTER;
	if (q || extra || gy != 1 || gz != 1 || by != 1 || bz != 1 || !gx || !bx) return 1;
	if ((int)shared > f->shared) return 1;
	now += 1.5f;
	if (!strcmp(f->name, "fail")) { sticky = 719; return 0; }
	if (!inside(*(uint64_t *)p[0], 8)) { sticky = 700; return 0; }
	**(uint64_t **)p[0] = *(uint64_t *)p[1] + *(uint64_t *)p[2] + gx + 100 * bx;
	return 0;
}
#ifndef OLD
typedef struct { int id; char pad[4]; unsigned cluster[16]; } attribute;
typedef struct { unsigned grid[3], block[3], shared; void *q; attribute *a; unsigned n; } config;
int cuLaunchKernelEx(const config *c, function *f, void **p, void **extra)
{
	if (c->n != 1 || c->a->id != 4 || c->a->cluster[1] != 1 || c->a->cluster[2] != 1 || c->grid[0] % c->a->cluster[0]) return 912;
	int rc = cuLaunchKernel(f, c->grid[0], c->grid[1], c->grid[2], c->block[0], c->block[1], c->block[2], c->shared, c->q, p, extra);
	if (!rc && !sticky) **(uint64_t **)p[0] += 1000000 * c->a->cluster[0];
	return rc;
}
int cuGetProcAddress_v2(const char *name, void **p, int version, uint64_t flags, unsigned *status)
{
	*status = 0; *p = NULL;
	if (!strcmp(name, "cuNowhere")) return 0; /* success without an address, as drivers answer for what they do not have */
	if (flags || version < 12000 || strcmp(name, "cuTensorMapEncodeTiled")) return 500;
	*p = &functions; return 0;
}
#endif
int cuGetErrorName(int code, const char **s) { *s = code == 4711 ? "CUDA_ERROR_FROM_TOMORROW" : NULL; return *s ? 0 : 1; }
typedef struct { float at; } event;
int cuEventCreate(event **e, unsigned flags) { ENTER; *e = calloc(1, sizeof **e); live++; return flags != 0; }
int cuEventDestroy_v2(event *e) { free(e); live--; return 0; }
int cuEventRecord(event *e, void *q) { ENTER; e->at = now; return q != NULL; }
int cuEventSynchronize(event *e) { ENTER; return e == NULL; }
int cuEventElapsedTime(float *ms, event *a, event *b) { ENTER; *ms = b->at - a->at; return 0; }
#endif
