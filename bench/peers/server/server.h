// What the servers share: the protocol, the clock, memory and the data. A server is a library in a process of
// its own, timed by whoever writes to its standard input; it prints one line that says what it is, and then answers
// each line
//
//	KERNEL PRECISION SHAPE SETS PASSES COUNT
//
// with one, either
//
//	ok CHECK SECONDS...   one time a call for each of COUNT repetitions of PASSES calls
//	no SENTENCE           what it cannot do
//
// KERNEL and PRECISION are the names of package kernels, SHAPE is MxNxK, MxN or N. Calls go round SETS copies of
// what is large, so that SETS times their size decides from where in the memory hierarchy they come. CHECK is the
// weighted sum of the results (checksum), which are the same of each call.
#ifndef SERVER_H
#define SERVER_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { MOST = 1000 }; // repetitions

struct job {
	char kernel[32], precision[32], shape[64];
	size_t m, n, k; // of the shape: MxNxK, MxN or N
	int sets;
};

// A server is these four. prepare makes ready for a job, dropping the last one, and returns NULL or why it cannot;
// call works on one set; check is the checksum of set 0's results.
static void about(void);
static const char *prepare(const struct job *);
static void call(int set);
static double check(void);

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

// Blocks of memory, all given back by release.
static void *blocks[256];
static int nblocks;

// Huge pages, as the other side has.
__attribute__((unused)) static void *block(size_t bytes) {
	const size_t huge = 2 << 20;
	bytes = (bytes + huge) / huge * huge;
	void *x = nblocks < 256 ? aligned_alloc(huge, bytes) : NULL;
	if (x == NULL) {
		fprintf(stderr, "no memory for a block of %zu bytes\n", bytes);
		exit(1);
	}
	madvise(x, bytes, MADV_HUGEPAGE);
	memset(x, 0, bytes);
	return blocks[nblocks++] = x;
}

static void release(void) {
	while (nblocks > 0)
		free(blocks[--nblocks]);
}

// What type an element is stored as.
enum type { F64, F32, BF16, F16, I8, I32 };
__attribute__((unused)) static const size_t bytes_of[] = {8, 4, 2, 2, 1, 4};

static uint32_t scramble(size_t i, uint32_t seed) { return ((uint32_t)i + seed) * 2654435761u; }

// Matrices are of integers from -4 to 3: every product and sum is exact in every precision, in any order.
__attribute__((unused)) static double small(size_t i, uint32_t seed) { return (double)(scramble(i, seed) >> 29) - 4; }

// Vectors are of numbers in [-4, 4), exact in fp32.
__attribute__((unused)) static double wave(size_t i, uint32_t seed) { return (scramble(i, seed) >> 8) * 0x1p-21 - 4; }

// A step of AdamW changes what it works on: its check is that of one step from the beginning. The gradient is not near 0 and never
// negative, the moments are not negative, and the rate is so large that the step shows in a sum over all.
#define ADAMW_RATE 1.0
__attribute__((unused)) static double adamw_g(size_t i) { return fabs(wave(i, 2)) + 0.125; }
__attribute__((unused)) static double adamw_m(size_t i) { return fabs(wave(i, 3)) / 8; }
__attribute__((unused)) static double adamw_v(size_t i) { return wave(i, 4) * wave(i, 4) / 16; }

// Weights that are quantised, in groups of 32 along k: integers from -8 to 7 with a -8 in every group, so that a
// scale of 1 holds them exactly; and what they are multiplied by, -127 to 127 with a 127 in every group.
__attribute__((unused)) static double nibble(size_t along, size_t i, uint32_t seed) { return along % 32 == 0 ? -8 : (double)(scramble(i, seed) >> 28) - 8; }
__attribute__((unused)) static double octet(size_t along, size_t i, uint32_t seed) { return along % 32 == 0 ? 127 : (double)((scramble(i, seed) >> 24) % 255) - 127; }

__attribute__((unused)) static void store(void *x, enum type t, size_t i, double v) {
	switch (t) {
	case F64: ((double *)x)[i] = v; break;
	case F32: ((float *)x)[i] = (float)v; break;
	case I8: ((int8_t *)x)[i] = (int8_t)v; break;
	case I32: ((int32_t *)x)[i] = (int32_t)v; break;
	case BF16: { // v is exact in bf16, or cut
		float f = (float)v;
		uint32_t u;
		memcpy(&u, &f, 4);
		((uint16_t *)x)[i] = (uint16_t)(u >> 16);
		break;
	}
	case F16: { // v is a small integer
		_Float16 h = (_Float16)v;
		memcpy((uint16_t *)x + i, &h, 2);
		break;
	}
	}
}

__attribute__((unused)) static double load(const void *x, enum type t, size_t i) {
	switch (t) {
	case F64: return ((const double *)x)[i];
	case F32: return ((const float *)x)[i];
	case I8: return ((const int8_t *)x)[i];
	case I32: return ((const int32_t *)x)[i];
	case BF16: {
		uint32_t u = (uint32_t)((const uint16_t *)x)[i] << 16;
		float f;
		memcpy(&f, &u, 4);
		return f;
	}
	case F16: {
		_Float16 h;
		memcpy(&h, (const uint16_t *)x + i, 2);
		return (double)h;
	}
	}
	return 0;
}

// checksum weighs results with 1 to 8, so that those in each other's place are noticed. Of integers it is exact.
__attribute__((unused)) static double checksum(const void *x, enum type t, size_t count) {
	double sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += load(x, t, i) * (1 + (scramble(i, 0) >> 29));
	return sum;
}

static int parse(const char *line, struct job *j, int *passes, int *count) {
	memset(j, 0, sizeof *j);
	if (sscanf(line, "%31s %31s %63s %d %d %d", j->kernel, j->precision, j->shape, &j->sets, passes, count) != 6)
		return 0;
	size_t d[3];
	int dims = sscanf(j->shape, "%zux%zux%zu", &d[0], &d[1], &d[2]);
	if (dims == 1)
		j->n = d[0];
	if (dims >= 2)
		j->m = d[0], j->n = d[1];
	if (dims == 3)
		j->k = d[2];
	return dims >= 1 && j->n > 0 && j->sets > 0 && *passes > 0 && *count > 0 && *count <= MOST;
}

static void serve(void) {
	static char line[256];
	static double seconds[MOST];
	struct job last, j;
	memset(&last, 0, sizeof last);
	int passes, count, set = 0, fresh;
	double longest = 0;
	about();
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		if (!parse(line, &j, &passes, &count)) {
			printf("no request is of the form KERNEL PRECISION SHAPE SETS PASSES COUNT: %s", line);
			fflush(stdout);
			continue;
		}
		fresh = memcmp(&j, &last, sizeof j) != 0;
		if (fresh) {
			memset(&last, 0, sizeof last);
			release();
			const char *why = prepare(&j);
			if (why != NULL) {
				printf("no %s\n", why);
				fflush(stdout);
				continue;
			}
			last = j;
		}
		// The first call of a set of data makes it ready; a short call more, and caches and clock are.
		if (fresh || longest < 0.05)
			call(0);
		longest = 0;
		for (int i = 0; i < count; i++) {
			double start = now();
			for (int p = 0; p < passes; p++)
				call(set = (set + 1) % j.sets);
			seconds[i] = (now() - start) / passes;
			longest = fmax(longest, seconds[i]);
		}
		printf("ok %.17g", check());
		for (int i = 0; i < count; i++)
			printf(" %.6g", seconds[i]);
		printf("\n");
		fflush(stdout);
	}
}

#define NAME_IS(field, name) (strcmp(j->field, name) == 0)
#endif
