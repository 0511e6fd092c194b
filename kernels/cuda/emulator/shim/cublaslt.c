/* The entry points of libcublasLt that the worker calls. Descriptors are plain records on this side; a product is
 * one request that carries all of them. */
#include "shim.h"

#include <stdlib.h>
#include <string.h>

typedef int status;
typedef struct {
	int compute, scale, pointer_mode, trans[2];
} matmul;
typedef struct {
	int type, order;
	uint64_t rows, cols;
	int64_t ld;
} layout;
typedef struct {
	uint64_t workspace;
} preference;
typedef struct {
	uint64_t data[8];
} algorithm;
typedef struct {
	algorithm algo;
	size_t workspace;
	status state;
	float waves;
	int reserved[4];
} heuristic;

enum { OK = 0, NOT_INITIALIZED = 1, ALLOC_FAILED = 3, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };

enum { FP16 = 2 }; /* as a cudaDataType */

#define API EXPORT status


EXPORT size_t cublasLtGetVersion(void) { return 120804; }
EXPORT size_t cublasLtGetCudartVersion(void) { return 12080; }
EXPORT const char *cublasLtGetStatusString(status s) { return s == OK ? "CUBLAS_STATUS_SUCCESS" : s == NOT_SUPPORTED ? "CUBLAS_STATUS_NOT_SUPPORTED" : "CUBLAS_STATUS_EXECUTION_FAILED"; }
EXPORT const char *cublasLtGetStatusName(status s) { return cublasLtGetStatusString(s); }

static char the_library; /* its address is the handle */

API cublasLtCreate(void **h) {
	if (request(&driver, OP_LT_CREATE, WORDS(0), NULL, 0, NULL, 0, NULL)) return NOT_INITIALIZED;
	*h = &the_library;
	return OK;
}
API cublasLtDestroy(void *h) { return (void)h, OK; }

static status set(void *field, size_t want, const void *from, size_t bytes) {
	if (!from || bytes != want) return INVALID_VALUE;
	memcpy(field, from, want);
	return OK;
}
API cublasLtMatmulDescCreate(matmul **d, int compute, int scale) {
	if (!(*d = calloc(1, sizeof **d))) return ALLOC_FAILED;
	(*d)->compute = compute, (*d)->scale = scale;
	return OK;
}
API cublasLtMatmulDescDestroy(matmul *d) { return free(d), OK; }
API cublasLtMatmulDescSetAttribute(matmul *d, int attribute, const void *from, size_t bytes) {
	int epilogue;
	switch (attribute) {
	case 0: return set(&d->compute, 4, from, bytes);
	case 1: return set(&d->scale, 4, from, bytes);
	case 2: return set(&d->pointer_mode, 4, from, bytes);
	case 3: return set(&d->trans[0], 4, from, bytes);
	case 4: return set(&d->trans[1], 4, from, bytes);
	case 7: return set(&epilogue, 4, from, bytes) || epilogue != 1 ? NOT_SUPPORTED : OK;
	}
	return NOT_SUPPORTED;
}
API cublasLtMatrixLayoutCreate(layout **l, int type, uint64_t rows, uint64_t cols, int64_t ld) {
	if (!(*l = calloc(1, sizeof **l))) return ALLOC_FAILED;
	**l = (layout){type, 0, rows, cols, ld};
	return OK;
}
API cublasLtMatrixLayoutDestroy(layout *l) { return free(l), OK; }
API cublasLtMatrixLayoutSetAttribute(layout *l, int attribute, const void *from, size_t bytes) {
	switch (attribute) {
	case 0: return set(&l->type, 4, from, bytes);
	case 1: return set(&l->order, 4, from, bytes);
	case 2: return set(&l->rows, 8, from, bytes);
	case 3: return set(&l->cols, 8, from, bytes);
	case 4: return set(&l->ld, 8, from, bytes);
	}
	return NOT_SUPPORTED;
}
API cublasLtMatmulPreferenceCreate(preference **p) { return (*p = calloc(1, sizeof **p)) ? OK : ALLOC_FAILED; }
API cublasLtMatmulPreferenceDestroy(preference *p) { return free(p), OK; }
API cublasLtMatmulPreferenceSetAttribute(preference *p, int attribute, const void *from, size_t bytes) {
	return attribute == 1 ? set(&p->workspace, 8, from, bytes) : OK; /* alignments: 256 bytes here, always enough */
}

enum { DESCRIPTION = 17 };

/* describe is the product as words; lt.go reads them in the same order. */
static void describe(uint64_t *w, const matmul *d, const layout *a, const layout *b, const layout *c) {
	const layout *all[3] = {a, b, c};
	*w++ = (uint64_t)d->compute, *w++ = (uint64_t)d->scale, *w++ = (uint64_t)d->trans[0], *w++ = (uint64_t)d->trans[1];
	for (int i = 0; i < 3; i++) {
		*w++ = (uint64_t)all[i]->type | (uint64_t)all[i]->order << 32;
		*w++ = all[i]->rows, *w++ = all[i]->cols, *w++ = (uint64_t)all[i]->ld;
	}
	*w = current_context();
}
API cublasLtMatmulAlgoGetHeuristic(void *h, matmul *d, layout *a, layout *b, layout *c, layout *out, preference *p, int wanted, heuristic *results, int *found) {
	struct {
		float waves;
		uint32_t tile;
	} answer = {0, 0};
	uint64_t w[DESCRIPTION];
	(void)h, (void)c, (void)p;
	*found = 0;
	if (wanted < 1) return INVALID_VALUE;
	describe(w, d, a, b, out);
	int code = request(&driver, OP_LT_HEURISTIC, w, DESCRIPTION, NULL, 0, &answer, sizeof answer, NULL);
	if (code) return code == NOT_SUPPORTED ? NOT_SUPPORTED : EXECUTION_FAILED;
	memset(results, 0, sizeof *results);
	results->algo.data[0] = answer.tile, results->waves = answer.waves;
	*found = 1;
	return OK;
}
API cublasLtMatmulAlgoConfigGetAttribute(const algorithm *algo, int attribute, void *out, size_t bytes, size_t *written) {
	if (attribute > 1 || bytes < 4) return NOT_SUPPORTED; /* 0: algorithm, 1: tile */
	uint32_t v = attribute == 1 ? (uint32_t)algo->data[0] : 1;
	memcpy(out, &v, 4);
	if (written) *written = 4;
	return OK;
}
API cublasLtMatmul(void *h, matmul *d, const void *alpha, const void *a, layout *la, const void *b, layout *lb, const void *beta, const void *c, layout *lc, void *out, layout *lout, const algorithm *algo, void *workspace, size_t workspace_bytes, void *stream) {
	uint64_t w[DESCRIPTION + 3];
	int32_t one = 0, zero = 0; /* 1 as fp16, fp32 or int32; 0 is 0 in each */
	size_t scalar = d->scale == FP16 ? 2 : 4;
	(void)h, (void)c, (void)lc, (void)algo, (void)workspace, (void)workspace_bytes, (void)stream;
	memcpy(&one, alpha, scalar), memcpy(&zero, beta, scalar);
	if (d->pointer_mode || zero || (one != 1 && one != 0x3f800000 && one != 0x3c00)) return NOT_SUPPORTED;
	describe(w, d, la, lb, lout);
	w[DESCRIPTION] = U(a), w[DESCRIPTION + 1] = U(b), w[DESCRIPTION + 2] = U(out);
	return request(&driver, OP_LT_MATMUL, w, DESCRIPTION + 3, NULL, 0, NULL, 0, NULL) ? EXECUTION_FAILED : OK;
}
