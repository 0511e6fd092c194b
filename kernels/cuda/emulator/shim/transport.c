#define _GNU_SOURCE
#include "shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { NO_DEVICE = 100, UNKNOWN = 999, NVML_NO_DRIVER = 9, NVML_LOST = 15 };

struct connection driver = {.kind = KIND_DRIVER, .fd = -1, .unset = NO_DEVICE, .broken = UNKNOWN, .lock = PTHREAD_MUTEX_INITIALIZER};
struct connection nvml = {.kind = KIND_NVML, .fd = -1, .unset = NVML_NO_DRIVER, .broken = NVML_LOST, .lock = PTHREAD_MUTEX_INITIALIZER};

static const char answered[256] = {
#define OP(name, number, is_answered) [number] = is_answered,
#include "ops.h"
#undef OP
};

struct header {
	uint32_t op, words;
	uint64_t bytes;
};

struct answer {
	int32_t code;
	uint32_t zero;
	uint64_t bytes;
};

static int write_all(int fd, const void *from, size_t n) {
	for (const char *p = from; n > 0;) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
		if (k <= 0) return -1;
		p += k, n -= (size_t)k;
	}
	return 0;
}

static int read_all(int fd, void *to, size_t n) {
	for (char *p = to; n > 0;) {
		ssize_t k = recv(fd, p, n, 0);
		if (k <= 0) return -1;
		p += k, n -= (size_t)k;
	}
	return 0;
}

static int flush(struct connection *c) {
	size_t n = c->pending;
	c->pending = 0;
	return n ? write_all(c->fd, c->buffer, n) : 0;
}

/* put collects small pieces, so that a thousand launches are not a thousand system calls. */
static int put(struct connection *c, const void *from, size_t n) {
	if (n == 0) return 0;
	if (c->pending + n > sizeof c->buffer && flush(c)) return -1;
	if (n > sizeof c->buffer) return write_all(c->fd, from, n);
	memcpy(c->buffer + c->pending, from, n);
	c->pending += n;
	return 0;
}

static int read_answer(struct connection *c, int *code, void *out, size_t size, size_t *got) {
	struct answer a;
	if (flush(c) || read_all(c->fd, &a, sizeof a)) return -1;
	*code = a.code;
	size_t take = a.bytes < size ? a.bytes : size;
	if (take && read_all(c->fd, out, take)) return -1;
	if (got) *got = take;
	char rest[512];
	for (uint64_t left = a.bytes - take; left > 0;) {
		size_t k = left < sizeof rest ? left : sizeof rest;
		if (read_all(c->fd, rest, k)) return -1;
		left -= k;
	}
	return 0;
}

static int put_request(struct connection *c, int op, const uint64_t *words, int count, const void *data, size_t bytes) {
	struct header h = {(uint32_t)op, (uint32_t)count, bytes};
	return put(c, &h, sizeof h) || put(c, words, 8 * (size_t)count) || put(c, data, bytes) ? -1 : 0;
}

/* connect_to opens the socket and says hello; 0, or the code that the call has to answer. */
static int connect_to(struct connection *c) {
	const char *path = getenv("REALFLOPS_EMULATOR"), *visible = getenv("CUDA_VISIBLE_DEVICES");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (!path || !*path) return c->unset;
	if (strlen(path) >= sizeof to.sun_path) return c->broken;
	strcpy(to.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int code = 0;
	if (c->fd < 0 || connect(c->fd, (void *)&to, sizeof to) ||
	    put_request(c, OP_HELLO, WORDS((uint64_t)c->kind, 1, (uint64_t)getpid(), visible != NULL), visible, visible ? strlen(visible) : 0) ||
	    read_answer(c, &code, NULL, 0, NULL))
		return c->broken;
	return code;
}

int request(struct connection *c, int op, const uint64_t *words, int count, const void *data, size_t bytes, void *out, size_t size, size_t *got) {
	if (got) *got = 0;
	pthread_mutex_lock(&c->lock);
	int code = c->lost;
	if (!code && c->fd < 0) code = c->lost = connect_to(c);
	if (!code && (put_request(c, op, words, count, data, bytes) || (answered[op] && read_answer(c, &code, out, size, got)))) {
		close(c->fd); /* what is lost stays lost: a device that fell off the bus does not come back */
		code = c->lost = c->broken;
	}
	pthread_mutex_unlock(&c->lock);
	return code;
}
