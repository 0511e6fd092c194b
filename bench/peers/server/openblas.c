// A server of OpenBLAS's sgemm, so that it can be timed beside another program without
// sharing a process. It prints what it is, then answers each line "n count" with the sum of C's
// elements and the seconds of each of count products of n x n matrices.
#define _GNU_SOURCE
#include <cblas.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

extern char *openblas_get_config(void);

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

// Huge pages, as the other side has.
static float *matrix(size_t n) {
	const size_t huge = 2 << 20;
	size_t bytes = (n * n * sizeof(float) + huge - 1) / huge * huge;
	float *x = aligned_alloc(huge, bytes);
	if (x == NULL) {
		fprintf(stderr, "no memory for a matrix of %zu bytes\n", bytes);
		exit(1);
	}
	madvise(x, bytes, MADV_HUGEPAGE);
	return x;
}

// Integers from -4 to 3: every product and sum is exact, in any order.
static void fill(float *x, size_t count, uint32_t seed) {
	for (size_t i = 0; i < count; i++)
		x[i] = (float)((((uint32_t)i + seed) * 2654435761u) >> 29) - 4;
}

int main(void) {
	int n, count, size = 0;
	float *a = NULL, *b = NULL, *c = NULL;
	printf("%s\n", openblas_get_config());
	fflush(stdout);
	while (scanf("%d %d", &n, &count) == 2) {
		if (n != size) {
			free(a), free(b), free(c);
			a = matrix(n), b = matrix(n), c = matrix(n), size = n;
			fill(a, (size_t)n * n, 1), fill(b, (size_t)n * n, 2), fill(c, (size_t)n * n, 3);
		}
		double sum = 0;
		for (int i = -1; i < count; i++) { // the first warms up
			double start = now();
			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, b, n, 0, c, n);
			double end = now();
			if (i < 0) {
				for (size_t j = 0; j < (size_t)n * n; j++)
					sum += c[j];
				printf("%.17g", sum);
			} else {
				printf(" %.9f", end - start);
			}
		}
		printf("\n");
		fflush(stdout);
	}
	return 0;
}
