// The four loops of STREAM, a fill and a sum, as the C compiler makes them of plain C with OpenMP. McCalpin, "Memory
// Bandwidth and Machine Balance in Current High Performance Computers", 1995: copy, scale, add and triad of doubles.
// As STREAM's static arrays do, the arguments tell the compiler that nothing overlaps.
#include <omp.h>

#include "server.h"

typedef double loop(double *restrict a, const double *restrict b, const double *restrict c, size_t n);
#define BODY(statement) \
	for (size_t i = 0; i < n; i++) \
		statement; \
	return a[n - 1];
#define LOOP(name, statement) \
	static double name(double *restrict a, const double *restrict b, const double *restrict c, size_t n) { \
		(void)b, (void)c; \
		BODY(statement) \
	} \
	static double name##_parallel(double *restrict a, const double *restrict b, const double *restrict c, size_t n) { \
		(void)b, (void)c; \
		_Pragma("omp parallel for schedule(static)") \
		BODY(statement) \
	}
LOOP(copy, a[i] = b[i])
LOOP(scale, a[i] = 3 * b[i])
LOOP(add, a[i] = b[i] + c[i])
LOOP(triad, a[i] = b[i] + 3 * c[i])
LOOP(fill, a[i] = 3)

static double sum(double *restrict a, const double *restrict b, const double *restrict c, size_t n) {
	(void)a, (void)c;
	double s = 0;
	for (size_t i = 0; i < n; i++)
		s += b[i];
	return s;
}

static double sum_parallel(double *restrict a, const double *restrict b, const double *restrict c, size_t n) {
	(void)a, (void)c;
	double s = 0;
#pragma omp parallel for schedule(static) reduction(+ : s)
	for (size_t i = 0; i < n; i++)
		s += b[i];
	return s;
}

static const struct { const char *kernel; loop *serial, *parallel; } loops[] = {
	{"copy", copy, copy_parallel}, {"scale", scale, scale_parallel}, {"add", add, add_parallel},
	{"triad", triad, triad_parallel}, {"write", fill, fill_parallel}, {"read", sum, sum_parallel}};

static double *a, *b, *c;
static volatile double last;
static size_t n;
static loop *work;

static void about(void) { printf("C, gcc %s -O3 -march=native -ffast-math, OpenMP\n", __VERSION__); }

static const char *prepare(const struct job *j) {
	work = NULL;
	for (size_t i = 0; i < sizeof loops / sizeof *loops; i++)
		if (NAME_IS(kernel, loops[i].kernel))
			work = omp_get_max_threads() > 1 ? loops[i].parallel : loops[i].serial;
	if (work == NULL || !NAME_IS(precision, "fp64") || j->m > 0 || j->sets != 1)
		return "it has copy, scale, add, triad, write and read at fp64";
	n = j->n;
	a = block(n * 8), b = block(n * 8), c = block(n * 8);
	for (size_t i = 0; i < n; i++)
		b[i] = small(i, 1), c[i] = small(i, 2);
	return NULL;
}

static void call(int set) {
	(void)set;
	last = work(a, b, c, n);
}

static double check(void) { return work == sum || work == sum_parallel ? last : checksum(a, F64, n); }

int main(void) {
	serve();
	return 0;
}
