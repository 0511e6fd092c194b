//go:build worker

package driver

// #include <stdlib.h>
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/realflops/realflops/kernels/cuda"
)

var _ cuda.Device = (*Device)(nil)

// Device is a GPU of the CUDA driver with its primary context, which is the one that NVIDIA's
// libraries use. All work goes to the default stream.
type Device struct {
	description Description
	device      cu.Device
	modules     []cu.Module
	functions   map[string]*function // by entry, filled in at the first launch
	begin, end  cu.Event             // of Elapsed
}

// function is an entry point that was looked up.
type function struct {
	cu.Function
	shared int // the most dynamic shared memory that it was allowed, in bytes
}

// defaultShared is the dynamic shared memory that every launch may ask for (CUDA programming guide,
// compute capabilities): more must be allowed first.
const defaultShared = 48 << 10

// OpenDevice makes a context on the device of that UUID and ties the calling goroutine to
// its thread until Close. The error names the devices there are if none is of that id.
func OpenDevice(uuid string) (*Device, error) {
	descriptions, err := Devices()
	if err != nil {
		return nil, err
	}
	var there []string
	for _, d := range descriptions {
		if d.UUID == uuid {
			return openDevice(d.Ordinal)
		}
		there = append(there, d.UUID)
	}
	if len(there) == 0 {
		return nil, fmt.Errorf("no device %s: the driver shows none", uuid)
	}
	return nil, fmt.Errorf("no device %s: the driver shows %s", uuid, strings.Join(there, ", "))
}

func openDevice(ordinal int) (*Device, error) {
	device, description, err := describe(ordinal)
	if err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	d := &Device{description: description, device: device, functions: map[string]*function{}}
	if err := d.enter(); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return d, nil
}

func (d *Device) enter() error {
	context, err := d.device.RetainPrimaryCtx()
	if err != nil {
		return failure("make a context on "+d.description.UUID, err)
	}
	if err := cu.SetCurrentContext(context); err != nil {
		return errors.Join(failure("enter the context", err), d.leave())
	}
	for _, e := range []*cu.Event{&d.begin, &d.end} {
		if *e, err = cu.MakeEvent(cu.DefaultEvent); err != nil {
			return errors.Join(failure("make an event", err), d.leave())
		}
	}
	return nil
}

func (d *Device) leave() error {
	return failure("release the context", d.device.ReleasePrimaryCtx())
}

// Close releases the context with all that was allocated in it, and the goroutine from its
// thread. After a sticky error it may fail or hang: end the process instead.
func (d *Device) Close() error {
	defer runtime.UnlockOSThread()
	var errs []error
	for _, e := range []*cu.Event{&d.begin, &d.end} {
		errs = append(errs, failure("destroy an event", cu.DestroyEvent(e)))
	}
	for _, m := range d.modules {
		errs = append(errs, failure("unload a module", m.Unload()))
	}
	return errors.Join(append(errs, d.leave())...)
}

// Description is what the driver said of the device when it was opened.
func (d *Device) Description() Description { return d.description }

// Info implements [cuda.Device].
func (d *Device) Info() cuda.Info {
	return cuda.Info{
		Arch:        d.description.Arch,
		SMs:         d.description.SMs,
		L2Bytes:     d.description.L2Bytes,
		MemoryBytes: d.description.MemoryBytes,
		SharedOptIn: d.description.SharedOptIn,
	}
}

// FreeBytes implements [cuda.Device].
func (d *Device) FreeBytes() (int64, error) {
	free, _, err := cu.MemInfo()
	return free, failure("ask for free memory", err)
}

// Load implements [cuda.Device]. The error of PTX that the driver's compiler refuses ends in
// the first line of what the compiler says.
func (d *Device) Load(image cuda.Image) error {
	const size = 8 << 10
	log := (*byte)(C.calloc(1, size)) // the driver keeps the address for the length of the call
	defer C.free(unsafe.Pointer(log))
	buffer := unsafe.Slice(log, size)
	m, err := cu.LoadDataEx(string(image.Data), &cu.JITErrorLogBuffer{Buffer: buffer})
	if err == nil {
		d.modules = append(d.modules, m)
		clear(d.functions)
		return nil
	}
	err = failure("load image "+image.Name, err)
	if said := firstLine(cString(buffer, 0)); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	var e *DriverError
	if errors.As(err, &e) && badImage[e.Code] {
		return fmt.Errorf("%w: %w", cuda.ErrImage, err)
	}
	return err
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(line)
}

// Alloc implements [cuda.Device]: the driver aligns to 256 bytes or more.
func (d *Device) Alloc(bytes int64) (cuda.Ptr, error) {
	p, err := cu.MemAlloc(bytes)
	return cuda.Ptr(p), failure(fmt.Sprintf("allocate %d bytes", bytes), err)
}

// Free implements [cuda.Device].
func (d *Device) Free(p cuda.Ptr) error {
	return failure("free device memory", cu.MemFree(cu.DevicePtr(p)))
}

// Upload implements [cuda.Device].
func (d *Device) Upload(dst cuda.Ptr, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	return failure("copy to the device", cu.MemcpyHtoD(cu.DevicePtr(dst), unsafe.Pointer(&src[0]), int64(len(src))))
}

// Download implements [cuda.Device].
func (d *Device) Download(dst []byte, src cuda.Ptr) error {
	if len(dst) == 0 {
		return nil
	}
	return failure("copy from the device", cu.MemcpyDtoH(unsafe.Pointer(&dst[0]), cu.DevicePtr(src), int64(len(dst))))
}

// Memset implements [cuda.Device].
func (d *Device) Memset(dst cuda.Ptr, value byte, bytes int64) error {
	if bytes == 0 {
		return nil
	}
	return failure("set device memory", cu.MemsetD8(cu.DevicePtr(dst), value, bytes))
}

// Pinned implements [cuda.Device].
func (d *Device) Pinned(bytes int64) ([]byte, error) {
	if bytes <= 0 {
		return nil, fmt.Errorf("allocate pinned host memory: %d bytes, want more than 0", bytes)
	}
	p, err := allocPinned(bytes)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), bytes), nil
}

// FreePinned implements [cuda.Device].
func (d *Device) FreePinned(b []byte) error {
	return failure("free pinned host memory", cu.MemFreeHost(unsafe.Pointer(unsafe.SliceData(b))))
}

// UploadAsync implements [cuda.Device]; src is of Pinned.
func (d *Device) UploadAsync(dst cuda.Ptr, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	return failure("copy to the device", cu.MemcpyHtoDAsync(cu.DevicePtr(dst), unsafe.Pointer(&src[0]), int64(len(src)), cu.NoStream))
}

// DownloadAsync implements [cuda.Device]; dst is of Pinned.
func (d *Device) DownloadAsync(dst []byte, src cuda.Ptr) error {
	if len(dst) == 0 {
		return nil
	}
	return failure("copy from the device", cu.MemcpyDtoHAsync(unsafe.Pointer(&dst[0]), cu.DevicePtr(src), int64(len(dst)), cu.NoStream))
}
