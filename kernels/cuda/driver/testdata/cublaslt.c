/* A cuBLASLt on the host's memory: column-major products, done element by element. Like the
 * real one it refuses what its integer products cannot do. Compiled by the tests:
 *   -DCREATE=code  what cublasLtCreate answers
 *   -DNO_MATMUL    without cublasLtMatmul */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef CREATE
#define CREATE 0
#endif
typedef struct { int compute, scale, transa, transb; } desc;
typedef struct { int type; uint64_t rows, columns; int64_t ld; } layout;
typedef struct { size_t workspace; } preference;
typedef struct { uint64_t algo[8]; size_t workspace; int state; float waves; int reserved[4]; } choice;
static int live; /* descriptors and layouts that were not destroyed */

size_t cublasLtGetVersion(void) { return 120804; }
int cublasLtCreate(void **h) { *h = &live; return CREATE; }
int cublasLtDestroy(void *h) { return h != &live ? 7 : live ? 14 : 0; }
int cublasLtMatmulDescCreate(desc **d, int compute, int scale) { *d = calloc(1, sizeof **d); (*d)->compute = compute; (*d)->scale = scale; live++; return 0; }
int cublasLtMatmulDescDestroy(desc *d) { free(d); live--; return 0; }
int cublasLtMatmulDescSetAttribute(desc *d, int which, const int *v, size_t n) { if (n != 4 || which < 3 || which > 4) return 7; *(which == 3 ? &d->transa : &d->transb) = *v; return 0; }
int cublasLtMatrixLayoutCreate(layout **l, int type, uint64_t rows, uint64_t columns, int64_t ld) { *l = malloc(sizeof **l); **l = (layout){type, rows, columns, ld}; live++; return 0; }
int cublasLtMatrixLayoutDestroy(layout *l) { free(l); live--; return 0; }
int cublasLtMatmulPreferenceCreate(preference **p) { *p = calloc(1, sizeof **p); live++; return 0; }
int cublasLtMatmulPreferenceDestroy(preference *p) { free(p); live--; return 0; }
int cublasLtMatmulPreferenceSetAttribute(preference *p, int which, const size_t *v, size_t n) { if (n != 8 || which != 1) return 7; p->workspace = *v; return 0; }

/* compute type, scale type, operand type, result type, as the library's table of supported products */
static const int supported[][4] = {{68, 0, 0, 0}, {77, 0, 0, 0}, {68, 0, 2, 2}, {64, 2, 2, 2}, {68, 0, 14, 14}, {72, 10, 3, 10}};

static int valid(const desc *d, const layout *a, const layout *b, const layout *c)
{
	uint64_t m = d->transa ? a->columns : a->rows, k = d->transa ? a->rows : a->columns;
	if (m != c->rows || k != b->rows || b->columns != c->columns || d->transb) return 7;
	if (a->ld < (int64_t)a->rows || b->ld < (int64_t)b->rows || c->ld < (int64_t)c->rows) return 7;
	for (int i = 0; i < 6; i++)
		if (supported[i][0] == d->compute && supported[i][1] == d->scale && supported[i][2] == a->type && a->type == b->type && supported[i][3] == c->type)
			return a->type == 3 && (!d->transa || a->ld % 4 || b->ld % 4) ? 15 : 0;
	return 15;
}
int cublasLtMatmulAlgoGetHeuristic(void *h, desc *d, layout *a, layout *b, layout *c, layout *out, preference *p, int wanted, choice *r, int *found)
{
	int rc = h != &live || c != out ? 7 : valid(d, a, b, c);
	if (rc || wanted < 3) return rc ? rc : 7;
	r[0].state = 15;
	r[1].workspace = p->workspace + 1;
	r[2].workspace = p->workspace; r[2].algo[0] = 6; r[2].waves = 0.75f;
	*found = 3;
	return 0;
}
int cublasLtMatmulAlgoConfigGetAttribute(const uint64_t *algo, int which, int *v, size_t n, size_t *written)
{
	if (n < 4 || algo[0] != 6) return 7;
	*v = which == 0 ? (int)algo[0] : which == 1 ? 20 : which == 2 ? 1 : 11; *written = 4;
	return 0;
}
static double get(const void *p, int type, uint64_t i)
{
	float f;
	switch (type) {
	case 0: return ((const float *)p)[i];
	case 2: return (double)((const _Float16 *)p)[i];
	case 3: return ((const int8_t *)p)[i];
	case 10: return ((const int32_t *)p)[i];
	default: { uint32_t w = (uint32_t)((const uint16_t *)p)[i] << 16; memcpy(&f, &w, 4); return f; }
	}
}
static void put(void *p, int type, uint64_t i, double v)
{
	float f = (float)v; uint32_t w;
	switch (type) {
	case 0: ((float *)p)[i] = f; break;
	case 2: ((_Float16 *)p)[i] = (_Float16)v; break;
	case 10: ((int32_t *)p)[i] = (int32_t)v; break;
	default: memcpy(&w, &f, 4); ((uint16_t *)p)[i] = w >> 16;
	}
}
#ifndef NO_MATMUL
int cublasLtMatmul(void *h, desc *d, const void *alpha, const void *a, layout *al, const void *b, layout *bl, const void *beta,
                   const void *c, layout *cl, void *out, layout *ol, const uint64_t *algo, void *workspace, size_t size, void *stream)
{
	if (h != &live || stream || algo[0] != 6 || !workspace || size != 32 << 20 || c != out || cl != ol) return 7;
	int rc = valid(d, al, bl, ol);
	if (rc) return rc;
	uint64_t k = bl->rows;
	for (uint64_t i = 0; i < ol->rows; i++)
		for (uint64_t j = 0; j < ol->columns; j++) {
			double sum = 0;
			for (uint64_t x = 0; x < k; x++)
				sum += get(a, al->type, d->transa ? x + i * al->ld : i + x * al->ld) * get(b, bl->type, x + j * bl->ld);
			sum *= get(alpha, d->scale, 0);
			if (get(beta, d->scale, 0) != 0) /* what C holds does not count otherwise, NaN or not */
				sum += get(beta, d->scale, 0) * get(c, ol->type, i + j * ol->ld);
			put(out, ol->type, i + j * ol->ld, sum);
		}
	return 0;
}
#endif
