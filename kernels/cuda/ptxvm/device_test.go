package ptxvm

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels/cuda"
)

const doubler = header + `.visible .entry twice(.param .u64 p0, .param .u64 p1) {
	.reg .b32 %r<4>; .reg .b64 %x<4>;
	ld.param.u64 %x1, [p0];
	mov.u32 %r1, %tid.x;
	mad.wide.u32 %x1, %r1, 4, %x1;
	ld.global.u32 %r2, [%x1];
	add.u32 %r2, %r2, %r2;
	st.global.u32 [%x1], %r2;
	ret;
}` + "\x00"

func newTestDevice(t *testing.T) *Device {
	t.Helper()
	d := NewDevice(cuda.Info{Arch: 80, SMs: 4, MemoryBytes: 1 << 20, SharedOptIn: 1000})
	if err := d.Load(cuda.Image{Name: "compute_80", Arch: 80, PTX: true, Data: []byte(doubler)}); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDevice(t *testing.T) {
	d := newTestDevice(t)
	p, err := d.Alloc(16)
	if err != nil {
		t.Fatal(err)
	}
	if free, err := d.FreeBytes(); err != nil || free != 1<<20-16 {
		t.Errorf("%d bytes free, %v", free, err)
	}
	pinned, err := d.Pinned(16)
	if err != nil {
		t.Fatal(err)
	}
	copy(pinned, []byte{1, 2, 3, 4, 5, 0, 0, 0, 6, 0, 0, 0})
	if err := errors.Join(d.UploadAsync(p, pinned), d.Memset(p+12, 0x11, 4)); err != nil {
		t.Fatal(err)
	}
	seconds, err := d.Elapsed(func() error {
		return d.Launch(cuda.Launch{Entry: "twice", Grid: 1, Block: 4, Params: []uint64{uint64(p), 0}})
	})
	if err != nil || seconds != float64(7*4)*1e-9 {
		t.Errorf("%v s, %v; want 7 instructions of 4 threads", seconds, err)
	}
	if c := d.LastCounts(); c.Blocks != 1 || c.GlobalLoadBytes != 16 || c.GlobalStoreBytes != 16 {
		t.Errorf("counted %+v", c)
	}
	got := make([]byte, 16)
	if err := errors.Join(d.DownloadAsync(got, p), d.Synchronize()); err != nil {
		t.Fatal(err)
	}
	if want := []byte{2, 4, 6, 8, 10, 0, 0, 0, 12, 0, 0, 0, 0x22, 0x22, 0x22, 0x22}; !bytes.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := errors.Join(d.FreePinned(pinned), d.Free(p)); err != nil {
		t.Error(err)
	}
	if err := d.FreePinned(pinned); err == nil {
		t.Error("no error for pinned memory given back twice")
	}
}

func TestDeviceRefuses(t *testing.T) {
	d := newTestDevice(t)
	p, err := d.Alloc(64)
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(doubler, "sm_80", "sm_90", 1)
	for name, c := range map[string]struct {
		err  error
		is   error
		text string
	}{
		"a cubin":             {d.Load(cuda.Image{Name: "sm_80", Arch: 80, Data: []byte("\x7fELF")}), cuda.ErrImage, "runs PTX alone"},
		"PTX for later":       {d.Load(cuda.Image{Name: "compute_90", PTX: true, Data: []byte(newer)}), cuda.ErrImage, "for compute capability 90, and the device has 80"},
		"what is no PTX":      {d.Load(cuda.Image{Name: "x", PTX: true, Data: []byte("hello")}), nil, "image x: ptx: line 1"},
		"too much memory":     {second(d.Alloc(1 << 20)), cuda.ErrMemory, "1048576 bytes asked for"},
		"an unknown entry":    {d.Launch(cuda.Launch{Entry: "thrice", Grid: 1, Block: 1}), nil, `"thrice", which no loaded image has`},
		"parameters":          {d.Launch(cuda.Launch{Entry: "twice", Grid: 1, Block: 1, Params: []uint64{1}}), nil, "takes 2 parameters, not 1"},
		"shared memory":       {d.Launch(cuda.Launch{Entry: "twice", Grid: 1, Block: 1, Shared: 1001, Params: []uint64{0, 0}}), nil, "1001 bytes of shared memory"},
		"a grid of nothing":   {d.Launch(cuda.Launch{Entry: "twice", Block: 1, Params: []uint64{0, 0}}), nil, "a grid of 0 blocks"},
		"an upload too long":  {d.Upload(p, make([]byte, 65)), nil, "65 bytes at"},
		"no pinned memory":    {second(d.Pinned(0)), nil, "0 bytes of pinned memory"},
		"a free of the inner": {d.Free(p + 4), nil, "the start of no allocation"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.text) || c.is != nil && !errors.Is(c.err, c.is) {
			t.Errorf("%s: got %v, want %q", name, c.err, c.text)
		}
	}
	if err := d.Launch(cuda.Launch{Entry: "twice", Grid: 1, Block: 16, Params: []uint64{uint64(p), 0}}); err != nil {
		t.Errorf("the device does not go on working: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestDeviceKeepsItsFault checks that after a kernel's misuse every call tells of it.
func TestDeviceKeepsItsFault(t *testing.T) {
	d := newTestDevice(t)
	p, err := d.Alloc(64)
	if err != nil {
		t.Fatal(err)
	}
	var fault *Fault
	if err := d.Launch(cuda.Launch{Entry: "twice", Grid: 1, Block: 17, Params: []uint64{uint64(p), 0}}); !errors.As(err, &fault) || fault.Thread != 16 {
		t.Fatalf("got %v, want a fault of thread 16", err)
	}
	for name, err := range map[string]error{
		"Synchronize": d.Synchronize(), "Upload": d.Upload(p, []byte{1}), "Alloc": second(d.Alloc(1)), "FreeBytes": second(d.FreeBytes()),
		"Launch": d.Launch(cuda.Launch{Entry: "twice", Grid: 1, Block: 1, Params: []uint64{uint64(p), 0}}),
	} {
		if !errors.As(err, &fault) {
			t.Errorf("%s: got %v, want the fault", name, err)
		}
	}
}
