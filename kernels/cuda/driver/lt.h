/* The part of cublasLt.h that is called: names and values as there, opened by dlopen. */
#ifndef RF_LT_H
#define RF_LT_H
#include <stdint.h>
#include <stdlib.h>

enum { LT_SUCCESS = 0, LT_NOT_INITIALIZED = 1, LT_ALLOC_FAILED = 3, LT_NOT_SUPPORTED = 15 };

/* cublasLtMatmulAlgo_t and cublasLtMatmulHeuristicResult_t: 64 and 96 bytes. */
typedef struct { uint64_t data[8]; } lt_algo;
typedef struct {
	lt_algo algo;
	size_t workspace;
	int state;
	float waves;
	int reserved[4];
} lt_choice;

/* A library's functions; every one is there. */
typedef struct {
	size_t (*version)(void);
	int (*create)(void **handle);
	int (*destroy)(void *handle);
	int (*desc_create)(void **desc, int compute, int scale);
	int (*desc_destroy)(void *desc);
	int (*desc_set)(void *desc, int attribute, const void *value, size_t size);
	int (*layout_create)(void **layout, int type, uint64_t rows, uint64_t columns, int64_t ld);
	int (*layout_destroy)(void *layout);
	int (*preference_create)(void **preference);
	int (*preference_destroy)(void *preference);
	int (*preference_set)(void *preference, int attribute, const void *value, size_t size);
	int (*heuristic)(void *handle, void *desc, void *a, void *b, void *c, void *d, void *preference, int wanted, lt_choice *choices, int *found);
	int (*config)(const lt_algo *algo, int attribute, void *value, size_t size, size_t *written); /* may be NULL */
	int (*matmul)(void *handle, void *desc, const void *alpha, const void *a, void *adesc, const void *b, void *bdesc, const void *beta,
	              const void *c, void *cdesc, void *d, void *ddesc, const lt_algo *algo, void *workspace, size_t size, void *stream);
} lt_functions;

/* One column-major matrix: its type (cudaDataType), rows, columns and leading dimension. */
typedef struct {
	int type;
	uint64_t rows, columns;
	int64_t ld;
} lt_matrix;

/* A product D = op(A)·B, column-major: op is T where transpose is set. */
typedef struct {
	int compute, scale; /* cublasComputeType_t, cudaDataType of alpha and beta */
	int transpose;
	lt_matrix a, b, d;
	uint64_t one[2]; /* alpha, in the scale type */
	size_t workspace;
} lt_product;

/* A product that is ready to run. */
typedef struct {
	void *desc, *a, *b, *d;
	lt_choice choice;
	int algo, tile, stages, split; /* -1: the library does not tell */
} lt_plan;

/* lt_prepare makes the descriptors of p and asks for an algorithm: LT_NOT_SUPPORTED if there is none. */
int lt_prepare(const lt_functions *f, void *handle, const lt_product *p, lt_plan *plan);
int lt_run(const lt_functions *f, void *handle, const lt_product *p, const lt_plan *plan,
           uint64_t a, uint64_t b, uint64_t d, uint64_t workspace);
void lt_release(const lt_functions *f, lt_plan *plan);

#endif
