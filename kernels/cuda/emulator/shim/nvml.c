/* The entry points of libnvidia-ml that the worker calls. */
#include "shim.h"

#include <string.h>

typedef int nvmlReturn;
typedef void *device;
typedef struct {
	unsigned gpu, memory;
} utilization;
typedef struct {
	unsigned long long total, free, used;
} memory;
typedef struct {
	unsigned version;
	unsigned long long total, reserved, free, used;
} memory_v2;
typedef struct {
	unsigned pid;
	unsigned long long used;
} process_v1;
typedef struct {
	unsigned pid;
	unsigned long long used;
	unsigned instance, compute_instance;
} process_v2;

/* What OP_NVML_QUERY asks for; nvml.go has the same numbers. */
enum query {
	CLOCK = 1,
	MAX_CLOCK,
	POWER,
	POWER_LIMIT,
	TEMPERATURE,
	THROTTLE,
	UTILIZATION,
	MEMORY,
	PROCESSES,
	MIG,
	PERSISTENCE,
	COMPUTE_MODE,
	ENERGY,
};

enum { OK = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };

/* A device's handle is its index and this: no small number, which a caller's runtime would not take for a pointer. */
#define FIRST_DEVICE 0x10000

#define API EXPORT nvmlReturn

static nvmlReturn query(device d, enum query what, uint64_t argument, void *out, size_t size) {
	if (!d || !out) return INVALID_ARGUMENT;
	return request(&nvml, OP_NVML_QUERY, WORDS(U(d) - FIRST_DEVICE, what, argument), NULL, 0, out, size, NULL);
}
static nvmlReturn text(int op, uint64_t word, char *s, unsigned size) {
	if (!s || !size) return INVALID_ARGUMENT;
	memset(s, 0, size);
	return request(&nvml, op, WORDS(word), NULL, 0, s, size - 1, NULL);
}

API nvmlInit_v2(void) { return request(&nvml, OP_NVML_INIT, WORDS(0), NULL, 0, NULL, 0, NULL); }
API nvmlInitWithFlags(unsigned flags) { return (void)flags, nvmlInit_v2(); }
API nvmlShutdown(void) { return OK; }
API nvmlSystemGetDriverVersion(char *s, unsigned size) { return text(OP_NVML_DRIVER_VERSION, 0, s, size); }
API nvmlSystemGetNVMLVersion(char *s, unsigned size) { return text(OP_NVML_DRIVER_VERSION, 1, s, size); }
API nvmlSystemGetCudaDriverVersion_v2(int *v) { return request(&driver, OP_VERSION, WORDS(0), NULL, 0, v, 4, NULL); }
API nvmlDeviceGetCount_v2(unsigned *n) { return request(&nvml, OP_NVML_COUNT, WORDS(0), NULL, 0, n, 4, NULL); }
API nvmlDeviceGetHandleByIndex_v2(unsigned i, device *d) {
	unsigned n = 0;
	nvmlReturn code = nvmlDeviceGetCount_v2(&n);
	if (code) return code;
	if (i >= n) return INVALID_ARGUMENT;
	*d = (device)(uintptr_t)(FIRST_DEVICE + i);
	return OK;
}
API nvmlDeviceGetHandleByUUID(const char *uuid, device *d) {
	uint64_t index = 0;
	nvmlReturn code = request(&nvml, OP_NVML_FIND, NULL, 0, uuid, strlen(uuid), &index, 8, NULL);
	if (!code) *d = (device)(uintptr_t)(FIRST_DEVICE + index);
	return code;
}
API nvmlDeviceGetIndex(device d, unsigned *i) { return *i = (unsigned)U(d) - FIRST_DEVICE, OK; }
API nvmlDeviceGetMinorNumber(device d, unsigned *i) { return nvmlDeviceGetIndex(d, i); }
API nvmlDeviceGetUUID(device d, char *s, unsigned size) { return text(OP_NVML_UUID, U(d) - FIRST_DEVICE, s, size); }
API nvmlDeviceGetName(device d, char *s, unsigned size) { return text(OP_NVML_NAME, U(d) - FIRST_DEVICE, s, size); }

API nvmlDeviceGetClockInfo(device d, unsigned type, unsigned *mhz) { return query(d, CLOCK, type, mhz, 4); }
API nvmlDeviceGetClock(device d, unsigned type, unsigned id, unsigned *mhz) { return (void)id, query(d, CLOCK, type, mhz, 4); }
API nvmlDeviceGetMaxClockInfo(device d, unsigned type, unsigned *mhz) { return query(d, MAX_CLOCK, type, mhz, 4); }
API nvmlDeviceGetPowerUsage(device d, unsigned *mw) { return query(d, POWER, 0, mw, 4); }
API nvmlDeviceGetEnforcedPowerLimit(device d, unsigned *mw) { return query(d, POWER_LIMIT, 0, mw, 4); }
API nvmlDeviceGetPowerManagementLimit(device d, unsigned *mw) { return query(d, POWER_LIMIT, 0, mw, 4); }
API nvmlDeviceGetTotalEnergyConsumption(device d, unsigned long long *mj) { return query(d, ENERGY, 0, mj, 8); }
API nvmlDeviceGetTemperature(device d, unsigned sensor, unsigned *celsius) { return query(d, TEMPERATURE, sensor, celsius, 4); }
API nvmlDeviceGetCurrentClocksThrottleReasons(device d, unsigned long long *mask) { return query(d, THROTTLE, 0, mask, 8); }
API nvmlDeviceGetCurrentClocksEventReasons(device d, unsigned long long *mask) { return query(d, THROTTLE, 0, mask, 8); }
API nvmlDeviceGetUtilizationRates(device d, utilization *u) { return query(d, UTILIZATION, 0, u, sizeof *u); }
API nvmlDeviceGetMemoryInfo(device d, memory *m) { return query(d, MEMORY, 0, m, sizeof *m); }
API nvmlDeviceGetMemoryInfo_v2(device d, memory_v2 *m) {
	memory v;
	nvmlReturn code = query(d, MEMORY, 0, &v, sizeof v);
	if (!code) m->total = v.total, m->reserved = 0, m->free = v.free, m->used = v.used;
	return code;
}
API nvmlDeviceGetComputeMode(device d, unsigned *mode) { return query(d, COMPUTE_MODE, 0, mode, 4); }
API nvmlDeviceGetPersistenceMode(device d, unsigned *on) { return query(d, PERSISTENCE, 0, on, 4); }
API nvmlDeviceGetMigMode(device d, unsigned *now, unsigned *pending) {
	unsigned v[2] = {0, 0};
	nvmlReturn code = query(d, MIG, 0, v, sizeof v);
	if (!code) *now = v[0], *pending = v[1];
	return code;
}

enum { MOST_PROCESSES = 64 };

/* processes asks for pairs of pid and bytes; count is the room on entry and the number on return. */
static nvmlReturn processes(device d, unsigned *count, uint64_t pairs[][2]) {
	size_t got = 0;
	if (!d || !count) return INVALID_ARGUMENT;
	nvmlReturn code = request(&nvml, OP_NVML_QUERY, WORDS(U(d) - FIRST_DEVICE, PROCESSES, 0), NULL, 0, pairs, MOST_PROCESSES * sizeof *pairs, &got);
	unsigned room = *count;
	if (code) return code;
	*count = (unsigned)(got / sizeof *pairs);
	return *count > room ? INSUFFICIENT_SIZE : OK;
}
API nvmlDeviceGetComputeRunningProcesses(device d, unsigned *count, process_v1 *out) {
	uint64_t p[MOST_PROCESSES][2];
	nvmlReturn code = processes(d, count, p);
	for (unsigned i = 0; !code && i < *count; i++) out[i] = (process_v1){(unsigned)p[i][0], p[i][1]};
	return code;
}
API nvmlDeviceGetComputeRunningProcesses_v3(device d, unsigned *count, process_v2 *out) {
	uint64_t p[MOST_PROCESSES][2];
	nvmlReturn code = processes(d, count, p);
	for (unsigned i = 0; !code && i < *count; i++) out[i] = (process_v2){(unsigned)p[i][0], p[i][1], ~0u, ~0u};
	return code;
}
API nvmlDeviceGetComputeRunningProcesses_v2(device d, unsigned *count, process_v2 *out) { return nvmlDeviceGetComputeRunningProcesses_v3(d, count, out); }

static const struct {
	int code;
	const char *text;
} errors[] = {
	{OK, "Success"},
	{1, "Uninitialized"},
	{INVALID_ARGUMENT, "Invalid Argument"},
	{NOT_SUPPORTED, "Not Supported"},
	{4, "Insufficient Permissions"},
	{NOT_FOUND, "Not Found"},
	{INSUFFICIENT_SIZE, "Insufficient Size"},
	{9, "Driver Not Loaded"},
	{15, "GPU is lost"},
	{999, "Unknown Error"},
};
EXPORT const char *nvmlErrorString(nvmlReturn code) {
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (errors[i].code == code) return errors[i].text;
	return "Unknown Error";
}
