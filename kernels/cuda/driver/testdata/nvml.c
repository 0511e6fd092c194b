/* An NVML of one GPU. Compiled by the tests:
 *   -DINIT=code    what nvmlInit_v2 answers
 *   -DLOST         the device falls off the bus at the power reading
 *   -DSPARSE       the clock is not supported, the temperature and the newer functions are missing */
#include <string.h>

#ifndef INIT
#define INIT 0
#endif
typedef struct { int id; } device;
static device gpu = {7};

int nvmlInit_v2(void) { return INIT; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *s, unsigned n) { if (n < 10) return 7; strcpy(s, "550.54.15"); return 0; }
int nvmlDeviceGetHandleByUUID(const char *uuid, device **d) { if (strcmp(uuid, "GPU-a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf")) return 6; *d = &gpu; return 0; }
int nvmlDeviceGetClockInfo(device *d, int which, unsigned *v)
{
#ifdef SPARSE
	return 3;
#endif
	*v = which == 1 ? 1410 : which == 2 ? 2619 : 0; return d != &gpu;
}
int nvmlDeviceGetMaxClockInfo(device *d, int which, unsigned *v) { *v = which == 1 ? 1980 : 0; return d != &gpu; }
#ifndef SPARSE
int nvmlDeviceGetTemperature(device *d, int sensor, unsigned *v) { *v = 61; return d != &gpu || sensor; }
#endif
int nvmlDeviceGetPowerUsage(device *d, unsigned *v)
{
#ifdef LOST
	return 15;
#endif
	*v = 698500; return d != &gpu;
}
int nvmlDeviceGetEnforcedPowerLimit(device *d, unsigned *v) { *v = 700000; return d != &gpu; }
int nvmlDeviceGetUtilizationRates(device *d, unsigned *v) { v[0] = 93; v[1] = 40; return d != &gpu; }
int nvmlDeviceGetMemoryInfo(device *d, unsigned long long *v) { v[0] = 80; v[1] = 60; v[2] = 20; return d != &gpu; }
#ifdef SPARSE
int nvmlDeviceGetCurrentClocksEventReasons(device *d, unsigned long long *v) { *v = 1; return d != &gpu; }
int nvmlDeviceGetComputeRunningProcesses(device *d, unsigned *n, void *list) { (void)list; *n = 0; return d != &gpu; }
#else
int nvmlDeviceGetCurrentClocksThrottleReasons(device *d, unsigned long long *v) { *v = 0x24; return d != &gpu; }
int nvmlDeviceGetComputeRunningProcesses_v3(device *d, unsigned *n, void *list) { if (d != &gpu || list || *n) return 2; *n = 3; return 7; }
int nvmlDeviceGetMigMode(device *d, unsigned *current, unsigned *pending) { *current = 1; *pending = 0; return d != &gpu; }
int nvmlDeviceGetPersistenceMode(device *d, unsigned *v) { *v = 1; return d != &gpu; }
#endif
