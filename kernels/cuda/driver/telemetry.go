package driver

// Telemetry is what NVML reads of a device at one moment. What the device, its driver or
// the rights of this process do not tell is nil.
type Telemetry struct {
	SMClockHz        *float64
	MaxSMClockHz     *float64
	MemoryClockHz    *float64
	PowerW           *float64
	PowerLimitW      *float64 // the limit that is enforced
	TemperatureC     *float64
	ThrottleReasons  *uint64  // a mask; see ReasonNames and Throttled
	GPUUtilization   *float64 // share of the last sample period in which a kernel ran, 0 to 1
	MemoryUsedBytes  *uint64
	ComputeProcesses *int  // processes with a context on the device, this one too
	MIG              *bool // the device is split into MIG instances
	Persistence      *bool // the driver stays loaded while nobody uses the device
}

// reason is a bit of NVML's mask of why the clock is where it is.
type reason struct {
	bit  uint64
	name string
	hold bool // the clock is held below what the device could run at
}

// reasons are nvmlClocksThrottleReason* of nvml.h.
var reasons = []reason{
	{0x1, "gpu_idle", false},
	{0x2, "applications_clocks", true},
	{0x4, "sw_power_cap", true},
	{0x8, "hw_slowdown", true},
	{0x10, "sync_boost", true},
	{0x20, "sw_thermal", true},
	{0x40, "hw_thermal", true},
	{0x80, "hw_power_brake", true},
	{0x100, "display", true},
}

// ReasonNames names every bit that is set in mask, in the order of the bits; bits that this
// program does not know are one name, "unknown".
func ReasonNames(mask uint64) []string {
	var names []string
	for _, r := range reasons {
		if mask&r.bit != 0 {
			names = append(names, r.name)
			mask &^= r.bit
		}
	}
	if mask != 0 {
		names = append(names, "unknown")
	}
	return names
}

// Throttled says that one of the reasons in mask holds the clock down: all but idleness do.
func Throttled(mask uint64) bool {
	for _, r := range reasons {
		if r.hold && mask&r.bit != 0 {
			return true
		}
	}
	return false
}
