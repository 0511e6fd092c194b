//go:build worker

package driver

// #include <stdint.h>
// #include <stdlib.h>
//
// typedef void *device;
//
// /* The forms of the functions that read, called through an address that dlsym gave. */
// static int call_u32(void *f, device d, unsigned int *out) { return ((int (*)(device, unsigned int *))f)(d, out); }
// static int call_select(void *f, device d, int which, unsigned int *out) { return ((int (*)(device, int, unsigned int *))f)(d, which, out); }
// static int call_words(void *f, device d, unsigned long long *out) { return ((int (*)(device, unsigned long long *))f)(d, out); }
// static int call_pair(void *f, device d, unsigned int *a, unsigned int *b) { return ((int (*)(device, unsigned int *, unsigned int *))f)(d, a, b); }
// static int call_count(void *f, device d, unsigned int *count) { return ((int (*)(device, unsigned int *, void *))f)(d, count, NULL); }
import "C"

import "unsafe"

// reading is one thing that NVML tells of a device: the function, by the names it has had,
// and how its answer becomes a field. read leaves t as it is where the function fails.
type reading struct {
	symbols []string
	read    func(f, device unsafe.Pointer, t *Telemetry) (code int)
}

// Values of nvml.h's enumerations.
const (
	clockSM     = 1 // nvmlClockType_t
	clockMemory = 2
	sensorGPU   = 0 // nvmlTemperatureSensors_t
)

// readings are in nvml.h's units: MHz, mW, degrees Celsius, percent, bytes.
var readings = []reading{
	{[]string{"nvmlDeviceGetClockInfo"}, selected(clockSM, func(t *Telemetry) **float64 { return &t.SMClockHz }, 1e6)},
	{[]string{"nvmlDeviceGetMaxClockInfo"}, selected(clockSM, func(t *Telemetry) **float64 { return &t.MaxSMClockHz }, 1e6)},
	{[]string{"nvmlDeviceGetClockInfo"}, selected(clockMemory, func(t *Telemetry) **float64 { return &t.MemoryClockHz }, 1e6)},
	{[]string{"nvmlDeviceGetTemperature"}, selected(sensorGPU, func(t *Telemetry) **float64 { return &t.TemperatureC }, 1)},
	{[]string{"nvmlDeviceGetPowerUsage"}, scalar(func(t *Telemetry) **float64 { return &t.PowerW }, 1e-3)},
	{[]string{"nvmlDeviceGetEnforcedPowerLimit"}, scalar(func(t *Telemetry) **float64 { return &t.PowerLimitW }, 1e-3)},
	{[]string{"nvmlDeviceGetCurrentClocksThrottleReasons", "nvmlDeviceGetCurrentClocksEventReasons"}, throttleReasons},
	{[]string{"nvmlDeviceGetUtilizationRates"}, utilization},
	{[]string{"nvmlDeviceGetMemoryInfo"}, memoryUsed},
	{[]string{"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetComputeRunningProcesses"}, processes},
	{[]string{"nvmlDeviceGetMigMode"}, migMode},
	{[]string{"nvmlDeviceGetPersistenceMode"}, persistence},
}

// scalar reads one number, which is unit of the field's unit.
func scalar(field func(*Telemetry) **float64, unit float64) func(f, device unsafe.Pointer, t *Telemetry) int {
	return func(f, device unsafe.Pointer, t *Telemetry) int {
		var v C.uint
		code := C.call_u32(f, C.device(device), &v)
		if code == 0 {
			*field(t) = new(float64(v) * unit)
		}
		return int(code)
	}
}

// selected is scalar for a function that is told which of several it is to read.
func selected(which int, field func(*Telemetry) **float64, unit float64) func(f, device unsafe.Pointer, t *Telemetry) int {
	return func(f, device unsafe.Pointer, t *Telemetry) int {
		var v C.uint
		code := C.call_select(f, C.device(device), C.int(which), &v)
		if code == 0 {
			*field(t) = new(float64(v) * unit)
		}
		return int(code)
	}
}

func throttleReasons(f, device unsafe.Pointer, t *Telemetry) int {
	var mask C.ulonglong
	code := C.call_words(f, C.device(device), &mask)
	if code == 0 {
		t.ThrottleReasons = new(uint64(mask))
	}
	return int(code)
}

func utilization(f, device unsafe.Pointer, t *Telemetry) int {
	var percent [2]C.uint // nvmlUtilization_t: gpu, memory
	code := C.call_u32(f, C.device(device), &percent[0])
	if code == 0 {
		t.GPUUtilization = new(float64(percent[0]) / 100)
	}
	return int(code)
}

func memoryUsed(f, device unsafe.Pointer, t *Telemetry) int {
	var bytes [3]C.ulonglong // nvmlMemory_t: total, free, used
	code := C.call_words(f, C.device(device), &bytes[0])
	if code == 0 {
		t.MemoryUsedBytes = new(uint64(bytes[2]))
	}
	return int(code)
}

// processes asks for no list: NVML then answers that it does not fit, with its length.
func processes(f, device unsafe.Pointer, t *Telemetry) int {
	var count C.uint
	code := C.call_count(f, C.device(device), &count)
	if code == 0 || code == nvmlInsufficient {
		t.ComputeProcesses = new(int(count))
	}
	return int(code)
}

func migMode(f, device unsafe.Pointer, t *Telemetry) int {
	var current, pending C.uint
	code := C.call_pair(f, C.device(device), &current, &pending)
	if code == 0 {
		t.MIG = new(current == 1)
	}
	return int(code)
}

func persistence(f, device unsafe.Pointer, t *Telemetry) int {
	var on C.uint
	code := C.call_u32(f, C.device(device), &on)
	if code == 0 {
		t.Persistence = new(on == 1)
	}
	return int(code)
}
