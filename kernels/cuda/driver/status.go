package driver

import (
	"errors"
	"fmt"
)

// Status is what became of opening the CUDA driver.
type Status struct {
	Library       string   // path of the library that was opened, "" if none was
	Loaded        bool     // the library is open and has every entry point that a measurement needs
	Err           string   // why no GPU can be used, one sentence; "" if cuInit succeeded
	InitCode      int      // what cuInit answered; 0 is success
	DriverVersion int      // the CUDA version that the driver supports, 12040 for 12.4; 0 if unknown
	Absent        []string // entry points that would be used and that the driver lacks
}

// OK says that cuInit succeeded: there may be devices.
func (s Status) OK() bool { return s.Err == "" }

// notOpened is the sentence of Status.Err where no library could be opened.
func notOpened(err error) string {
	if errors.Is(err, errNoLibrary) {
		return fmt.Sprintf("no NVIDIA driver: %v; install the driver, or in a container pass the GPU and its libraries through", err)
	}
	return fmt.Sprintf("no usable NVIDIA driver: %v", err)
}

// Description is what the driver says of a device before a context is made. What the driver
// does not know is 0, "" or nil.
type Description struct {
	Ordinal       int    // the driver's number, which CUDA_VISIBLE_DEVICES changes
	UUID          string // GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, or MIG-... for a MIG instance
	Name          string
	Arch          int // compute capability: 90 is 9.0
	SMs           int
	MemoryBytes   int64
	L2Bytes       int64
	SharedOptIn   int     // bytes of shared memory that a block may ask for
	PCIBusID      string  // 0000:3b:00.0
	ClockHz       float64 // the highest SM clock
	MemoryClockHz float64
	MemoryBusBits int
	ComputeMode   string // default, exclusive, prohibited, exclusive-process
	ECC           *bool
	MIG           bool // the device is a MIG instance
	Integrated    bool // the device shares the host's memory
	Watchdog      bool // kernels have a time limit, because the device drives a display
}

// computeModes are the values of CU_DEVICE_ATTRIBUTE_COMPUTE_MODE.
var computeModes = map[int]string{0: "default", 1: "exclusive", 2: "prohibited", 3: "exclusive-process"}

// formatUUID writes the 16 bytes of a device's id as NVIDIA's tools do; prefix is GPU or MIG.
func formatUUID(prefix string, id [16]byte) string {
	return fmt.Sprintf("%s-%x-%x-%x-%x-%x", prefix, id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
