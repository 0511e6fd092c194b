// Activations in plain C, which gcc vectorises with glibc's libmvec (-O3 -march=native -ffast-math), and OpenMP.
#include <omp.h>

#include "server.h"

// Each loop as plain C, and divided among threads: a region of OpenMP costs more than a loop over what fits in L1.
typedef void loop(float *restrict y, const float *restrict x, size_t n);
#define LOOP(name, expression) \
	static void name(float *restrict y, const float *restrict x, size_t n) { \
		for (size_t i = 0; i < n; i++) { \
			float v = x[i]; \
			y[i] = expression; \
		} \
	} \
	static void name##_parallel(float *restrict y, const float *restrict x, size_t n) { \
		_Pragma("omp parallel for simd schedule(static)") \
		for (size_t i = 0; i < n; i++) { \
			float v = x[i]; \
			y[i] = expression; \
		} \
	}
LOOP(relu, v > 0 ? v : 0)
LOOP(sigmoid, 1 / (1 + expf(-v)))
LOOP(hyperbolic, tanhf(v))
LOOP(gelu, v / 2 * (1 + tanhf(0.7978845608028654f * (v + 0.044715f * v * v * v))))
LOOP(gelu_erf, v / 2 * (1 + erff(v * 0.7071067811865476f)))
LOOP(silu, v / (1 + expf(-v)))

static const struct { const char *kernel; loop *serial, *parallel; } loops[] = {
	{"relu", relu, relu_parallel}, {"sigmoid", sigmoid, sigmoid_parallel}, {"tanh", hyperbolic, hyperbolic_parallel},
	{"gelu", gelu, gelu_parallel}, {"gelu-erf", gelu_erf, gelu_erf_parallel}, {"silu", silu, silu_parallel}};

static float *x, *y;
static size_t n;
static loop *work;

static void about(void) { printf("C with libmvec, gcc %s -O3 -march=native -ffast-math, OpenMP\n", __VERSION__); }

static const char *prepare(const struct job *j) {
	work = NULL;
	for (size_t i = 0; i < sizeof loops / sizeof *loops; i++)
		if (NAME_IS(kernel, loops[i].kernel))
			work = omp_get_max_threads() > 1 ? loops[i].parallel : loops[i].serial;
	if (work == NULL || !NAME_IS(precision, "fp32") || j->m > 0 || j->sets != 1)
		return "it has relu, sigmoid, tanh, gelu, gelu-erf and silu at fp32";
	n = j->n;
	x = block(n * 4), y = block(n * 4);
	for (size_t i = 0; i < n; i++)
		x[i] = (float)wave(i, 1);
	return NULL;
}

static void call(int set) {
	(void)set;
	work(y, x, n);
}

static double check(void) { return checksum(y, F32, n); }

int main(void) {
	serve();
	return 0;
}
