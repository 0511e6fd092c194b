/* A driver that owns nothing: each call is one request over a Unix socket to the emulator, which is realflops
 * itself. The frames are described in ../wire.go. */
#ifndef REALFLOPS_SHIM_H
#define REALFLOPS_SHIM_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum {
#define OP(name, number, answered) OP_##name = number,
#include "ops.h"
#undef OP
};

/* What kind of library a connection serves; the first word of OP_HELLO. */
enum { KIND_DRIVER = 1, KIND_NVML = 2 };

/* A connection is made at the first request. NVML has one of its own, so that neither waits for
 * the other. */
struct connection {
	int kind, fd, lost;
	int unset;  /* the answer where no emulator is named */
	int broken; /* the answer where it does not answer */
	pthread_mutex_t lock;
	size_t pending; /* bytes of unanswered requests that were not sent yet */
	char buffer[1 << 16];
};

extern struct connection driver, nvml;

/* request sends the words and the data and returns the answer's code. Up to size bytes of the answer's data
 * go to out, and got (where it is not NULL) is how many came. */
int request(struct connection *c, int op, const uint64_t *words, int count, const void *data, size_t bytes, void *out, size_t size, size_t *got);

/* current_context is the emulator's number of the calling thread's context, 0 for none. */
uint64_t current_context(void);

#define WORDS(...) (uint64_t[]){__VA_ARGS__}, (int)(sizeof((uint64_t[]){__VA_ARGS__}) / 8)
#define U(x) ((uint64_t)(uintptr_t)(x))
#define EXPORT __attribute__((visibility("default")))

#endif
