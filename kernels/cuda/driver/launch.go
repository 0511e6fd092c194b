//go:build worker

package driver

import (
	"fmt"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/realflops/realflops/kernels/cuda"
)

// Launch implements [cuda.Device].
func (d *Device) Launch(l cuda.Launch) error {
	f, err := d.prepare(l)
	if err != nil {
		return err
	}
	params := make([]unsafe.Pointer, len(l.Params)) // cu reads 8 bytes at each
	for i := range l.Params {
		params[i] = unsafe.Pointer(&l.Params[i])
	}
	return failure("launch "+l.Entry, f.Launch(l.Grid, 1, 1, l.Block, 1, 1, l.Shared, cu.NoStream, params))
}

// LaunchCluster is Launch with the blocks in clusters of the given number, which a device of compute
// capability 9.0 or more runs on neighbouring SMs. Grid must be a multiple of it.
func (d *Device) LaunchCluster(l cuda.Launch, cluster int) error {
	f, err := d.prepare(l)
	if err != nil {
		return err
	}
	return launchCluster(f.Function, l, cluster)
}

// prepare finds the function and allows it the shared memory that it asks for.
func (d *Device) prepare(l cuda.Launch) (*function, error) {
	if l.Shared > d.description.SharedOptIn {
		return nil, fmt.Errorf("launch %s: %d bytes of shared memory, the device gives a block at most %d", l.Entry, l.Shared, d.description.SharedOptIn)
	}
	f, err := d.function(l.Entry)
	if err != nil {
		return nil, err
	}
	if l.Shared > max(defaultShared, f.shared) {
		if err := allowShared(f.Function, l.Shared); err != nil {
			return nil, fmt.Errorf("launch %s: %w", l.Entry, err)
		}
		f.shared = l.Shared
	}
	return f, nil
}

// function finds an entry point in the images that were loaded, the last one first.
func (d *Device) function(entry string) (*function, error) {
	if f, ok := d.functions[entry]; ok {
		return f, nil
	}
	if len(d.modules) == 0 {
		return nil, fmt.Errorf("find %s: no image is loaded", entry)
	}
	var last error
	for _, m := range slices.Backward(d.modules) {
		f, err := m.Function(entry)
		if err == nil {
			d.functions[entry] = &function{Function: f}
			return d.functions[entry], nil
		}
		last = err
	}
	return nil, failure("find "+entry, last)
}

// Resources of an entry point as the driver compiled or loaded it.
type Resources struct {
	Registers   int // a thread
	LocalBytes  int // a thread: spills and local arrays
	StaticBytes int // a block: shared memory beside the dynamic
}

// Resources asks the driver what entry takes.
func (d *Device) Resources(entry string) (Resources, error) {
	var r Resources
	f, err := d.function(entry)
	if err != nil {
		return r, err
	}
	for _, a := range []struct {
		which cu.FunctionAttribute
		value *int
	}{{cu.NumRegs, &r.Registers}, {cu.LocalSizeBytes, &r.LocalBytes}, {cu.SharedSizeBytes, &r.StaticBytes}} {
		if *a.value, err = f.Attribute(a.which); err != nil {
			return r, failure("ask for the resources of "+entry, err)
		}
	}
	return r, nil
}

// Synchronize implements [cuda.Device].
func (d *Device) Synchronize() error { return failure("synchronize", cu.Synchronize()) }

// Elapsed implements [cuda.Device]. Events resolve about half a microsecond (CUDA driver API,
// cuEventElapsedTime).
func (d *Device) Elapsed(enqueue func() error) (float64, error) {
	if err := d.begin.Record(cu.NoStream); err != nil {
		return 0, failure("record an event", err)
	}
	if err := enqueue(); err != nil {
		return 0, err
	}
	if err := d.end.Record(cu.NoStream); err != nil {
		return 0, failure("record an event", err)
	}
	if err := d.end.Synchronize(); err != nil {
		return 0, failure("wait for the device", err)
	}
	ms, err := d.begin.Elapsed(d.end)
	return ms / 1e3, failure("read the events", err)
}
