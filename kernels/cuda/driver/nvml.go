//go:build worker

package driver

// #include <stdlib.h>
//
// typedef void *device;
//
// /* The forms of NVML's functions, called through an address that dlsym gave. */
// static int call_none(void *f) { return ((int (*)(void))f)(); }
// static int call_version(void *f, char *text, unsigned int size) { return ((int (*)(char *, unsigned int))f)(text, size); }
// static int call_handle(void *f, const char *uuid, device *d) { return ((int (*)(const char *, device *))f)(uuid, d); }
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// NVML reads a device's clock, power and health. It is opened by dlopen and called through a
// table of addresses that dlsym gave, not through go-nvml: that one leaves its functions
// undefined for the loader to find at the first call, so it must be linked with lazy binding, and a driver
// that lacks a function then ends the process at the call. Here it is a reading that is nil.
//
// Any call may hang when the driver does. There is no lock and no state: calls may come from
// any goroutine, and one that hangs holds up nobody but its caller.
type NVML struct {
	library handle
	path    string
	byUUID  unsafe.Pointer // nvmlDeviceGetHandleByUUID
	entries []unsafe.Pointer
}

// ErrLost is a device that NVML no longer reaches: it fell off the bus, or needs a reset.
var ErrLost = errors.New("the GPU is lost: it fell off the bus, or must be reset or rebooted")

// The values of nvmlReturn_t (nvml.h) that are decided on.
const (
	nvmlInsufficient = 7
	nvmlLost         = 15
)

// nvmlTexts are those nvmlReturn_t that opening NVML or finding a device may answer.
var nvmlTexts = map[int]string{
	1:   "not initialized",
	2:   "an argument is not valid",
	3:   "not supported by this device",
	4:   "no permission",
	6:   "no such device",
	8:   "a power cable of the GPU is not connected",
	9:   "the NVIDIA kernel module is not loaded; run nvidia-smi or modprobe nvidia",
	10:  "the call timed out",
	11:  "the GPU's interrupts do not arrive",
	12:  "the library is not to be found",
	13:  "the driver lacks this function",
	14:  "the GPU's info ROM is corrupt",
	15:  "the GPU is lost",
	16:  "the GPU needs a reset",
	17:  "the operating system or the container blocks access to the device",
	18:  "the library and the kernel module are of different driver versions; reboot after a driver update",
	999: "a failure that the driver does not know",
}

func nvmlError(op string, code C.int) error {
	switch code {
	case 0:
		return nil
	case nvmlLost:
		return fmt.Errorf("%s: %w (NVML code %d)", op, ErrLost, code)
	}
	text, known := nvmlTexts[int(code)]
	if !known {
		text = "it failed"
	}
	return fmt.Errorf("%s: %s (NVML code %d)", op, text, code)
}

// OpenNVML opens NVML and initializes it. It may hang where the driver does.
func OpenNVML() (*NVML, error) { return openNVML(thisNode) }

func openNVML(n node) (*NVML, error) {
	var lib handle
	path, err := n.open(nvmlLibrary, func(path string) (err error) {
		lib, err = load(path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("no NVML: %w", err)
	}
	v := &NVML{library: lib, path: path, byUUID: lib.symbol("nvmlDeviceGetHandleByUUID")}
	init := lib.symbol("nvmlInit_v2", "nvmlInit")
	if init == nil || v.byUUID == nil {
		return nil, fmt.Errorf("no NVML: %s lacks nvmlInit_v2 or nvmlDeviceGetHandleByUUID", path)
	}
	if err := nvmlError("start NVML of "+path, C.call_none(init)); err != nil {
		return nil, err
	}
	for _, r := range readings {
		v.entries = append(v.entries, lib.symbol(r.symbols...))
	}
	return v, nil
}

// Close ends the use of NVML.
func (v *NVML) Close() error {
	f := v.library.symbol("nvmlShutdown")
	if f == nil {
		return nil
	}
	return nvmlError("end NVML", C.call_none(f))
}

// DriverVersion is that of the kernel driver, such as 550.54.15.
func (v *NVML) DriverVersion() (string, error) {
	f := v.library.symbol("nvmlSystemGetDriverVersion")
	if f == nil {
		return "", fmt.Errorf("%s lacks nvmlSystemGetDriverVersion", v.path)
	}
	var text [96]C.char
	err := nvmlError("ask NVML for the driver's version", C.call_version(f, &text[0], C.uint(len(text))))
	return C.GoString(&text[0]), err
}

// Telemetry reads the device of that UUID. A reading that fails is nil; the error is for a
// device that NVML does not know or has lost ([ErrLost]).
func (v *NVML) Telemetry(uuid string) (Telemetry, error) {
	var t Telemetry
	name := C.CString(uuid)
	defer C.free(unsafe.Pointer(name))
	var d C.device
	if err := nvmlError("find "+uuid, C.call_handle(v.byUUID, name, &d)); err != nil {
		return t, err
	}
	for i, r := range readings {
		if v.entries[i] == nil {
			continue
		}
		if r.read(v.entries[i], unsafe.Pointer(d), &t) == nvmlLost {
			return t, nvmlError("read "+uuid, nvmlLost)
		}
	}
	return t, nil
}
