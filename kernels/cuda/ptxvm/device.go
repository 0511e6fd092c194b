package ptxvm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/realflops/realflops/kernels/cuda"
)

// Device is a [cuda.Device] whose kernels the interpreter runs, in the process that asks.
// Launches are done when Launch returns. Its clock is not time: a nanosecond is one
// instruction of one thread.
type Device struct {
	Memory *Memory
	Seed   uint64 // of the order in which blocks and warps run
	Budget int64  // warp instructions a block; 0: DefaultBudget

	Exclusive bool // of launches, see there

	info      cuda.Info
	functions map[string]*Function
	pinned    map[*byte]bool
	total     Counts
	last      Counts
	failed    error
}

var _ cuda.Device = (*Device)(nil)

// NewDevice makes a device that says info of itself; its memory has info.MemoryBytes, or 1 GiB.
func NewDevice(info cuda.Info) *Device {
	if info.MemoryBytes == 0 {
		info.MemoryBytes = 1 << 30
	}
	return &Device{
		Memory: NewMemory(info.MemoryBytes), info: info,
		functions: map[string]*Function{}, pinned: map[*byte]bool{},
	}
}

// Info is what the device was made with.
func (d *Device) Info() cuda.Info { return d.info }

// Counts is what all launches since the device was made did, and LastCounts what the last one did.
func (d *Device) Counts() Counts { return d.total }

// LastCounts is what the last launch did.
func (d *Device) LastCounts() Counts { return d.last }

// Function is a loaded entry point, or nil.
func (d *Device) Function(name string) *Function { return d.functions[name] }

// FreeBytes is how many bytes can be allocated.
func (d *Device) FreeBytes() (int64, error) { return d.Memory.FreeBytes(), d.failed }

// Load parses PTX. A cubin, and PTX for a later architecture than the device's, is refused with cuda.ErrImage.
func (d *Device) Load(image cuda.Image) error {
	if d.failed != nil {
		return d.failed
	}
	if !image.PTX {
		return fmt.Errorf("image %s: %w: a cubin, and the interpreter runs PTX alone", image.Name, cuda.ErrImage)
	}
	m, err := Parse(string(image.Data))
	if err != nil {
		return fmt.Errorf("image %s: %w", image.Name, err)
	}
	if d.info.Arch != 0 && m.Target > d.info.Arch {
		return fmt.Errorf("image %s: %w: for compute capability %d, and the device has %d",
			image.Name, cuda.ErrImage, m.Target, d.info.Arch)
	}
	for name, f := range m.Functions {
		d.functions[name] = f
	}
	return nil
}

// Alloc reserves memory. The error wraps cuda.ErrMemory if it does not fit.
func (d *Device) Alloc(bytes int64) (cuda.Ptr, error) {
	if d.failed != nil {
		return 0, d.failed
	}
	addr, err := d.Memory.Alloc(bytes)
	var full *OutOfMemoryError
	if errors.As(err, &full) {
		return 0, fmt.Errorf("%w: %w", cuda.ErrMemory, err)
	}
	return cuda.Ptr(addr), err
}

// Free gives memory back.
func (d *Device) Free(p cuda.Ptr) error { return d.Memory.Free(uint64(p)) }

// Upload copies host memory to the device.
func (d *Device) Upload(dst cuda.Ptr, src []byte) error {
	to, err := d.bytes(dst, int64(len(src)))
	copy(to, src)
	return err
}

// Download copies device memory to the host.
func (d *Device) Download(dst []byte, src cuda.Ptr) error {
	from, err := d.bytes(src, int64(len(dst)))
	copy(dst, from)
	return err
}

// Memset sets bytes of device memory.
func (d *Device) Memset(dst cuda.Ptr, value byte, bytes int64) error {
	to, err := d.bytes(dst, bytes)
	if err != nil {
		return err
	}
	fill(to, value)
	return nil
}

func (d *Device) bytes(p cuda.Ptr, n int64) ([]byte, error) {
	if d.failed != nil {
		return nil, d.failed
	}
	if n == 0 {
		return nil, nil
	}
	return d.Memory.Bytes(uint64(p), n)
}

// Launch runs a launch to its end. After a [*Fault] every call returns it.
func (d *Device) Launch(l cuda.Launch) error {
	if d.failed != nil {
		return d.failed
	}
	f := d.functions[l.Entry]
	if f == nil {
		return fmt.Errorf("launch of %q, which no loaded image has", l.Entry)
	}
	params, err := f.PackParams(l.Params)
	if err != nil {
		return err
	}
	if d.info.SharedOptIn > 0 && l.Shared+f.SharedBytes > d.info.SharedOptIn {
		return fmt.Errorf("launch of %s: %d bytes of shared memory, where a block may have %d", l.Entry, l.Shared+f.SharedBytes, d.info.SharedOptIn)
	}
	d.last, err = Run(context.Background(), d.Memory, Launch{
		Function: f, Grid: l.Grid, Block: l.Block, Shared: l.Shared, Params: params,
		Seed: d.Seed, Budget: d.Budget, SMs: d.info.SMs, Exclusive: d.Exclusive,
	})
	d.total.Add(d.last)
	if err != nil {
		err = fmt.Errorf("launch of %s: %w", l.Entry, err)
		var fault *Fault
		if errors.As(err, &fault) && fault.Kind != FaultLaunch {
			d.failed = err
		}
	}
	return err
}

// PackParams lays values out as the function's parameter block. Each parameter must take 8 bytes.
func (f *Function) PackParams(values []uint64) ([]byte, error) {
	if len(values) != len(f.Params) {
		return nil, fmt.Errorf("%s takes %d parameters, not %d", f.Name, len(f.Params), len(values))
	}
	block := make([]byte, f.ParamBytes)
	for i, p := range f.Params {
		if p.Size != 8 {
			return nil, fmt.Errorf("parameter %s of %s has %d bytes, not 8", p.Name, f.Name, p.Size)
		}
		binary.LittleEndian.PutUint64(block[p.Offset:], values[i])
	}
	return block, nil
}

// Synchronize has nothing to wait for; it tells of an earlier fault.
func (d *Device) Synchronize() error { return d.failed }

// Elapsed is the thread instructions that enqueue's launches ran, as nanoseconds.
func (d *Device) Elapsed(enqueue func() error) (float64, error) {
	before := d.total.ThreadInstructions
	if err := enqueue(); err != nil {
		return 0, err
	}
	return float64(d.total.ThreadInstructions-before) * 1e-9, d.failed
}

// Pinned is plain host memory.
func (d *Device) Pinned(bytes int64) ([]byte, error) {
	if bytes < 1 {
		return nil, fmt.Errorf("%d bytes of pinned memory, not 1 or more", bytes)
	}
	b := make([]byte, bytes)
	d.pinned[&b[0]] = true
	return b, d.failed
}

// FreePinned takes back what Pinned gave.
func (d *Device) FreePinned(b []byte) error {
	if len(b) == 0 || !d.pinned[&b[0]] {
		return errors.New("host memory that Pinned did not give")
	}
	delete(d.pinned, &b[0])
	return d.failed
}

// UploadAsync is Upload.
func (d *Device) UploadAsync(dst cuda.Ptr, src []byte) error { return d.Upload(dst, src) }

// DownloadAsync is Download.
func (d *Device) DownloadAsync(dst []byte, src cuda.Ptr) error { return d.Download(dst, src) }
