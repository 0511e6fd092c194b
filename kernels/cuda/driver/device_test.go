//go:build worker

package driver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels/cuda"
)

const doubleID = "GPU-a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf"

var goodPTX = cuda.Image{Name: "compute_80", Arch: 80, PTX: true, Data: []byte(".version 7.0\x00")}

// openDouble opens the double's device with an image loaded.
func openDouble(t *testing.T) *Device {
	t.Helper()
	d, err := OpenDevice(doubleID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.Load(goodPTX); err != nil {
		t.Fatal(err)
	}
	return d
}

func alloc(t *testing.T, d *Device, bytes int64) cuda.Ptr {
	t.Helper()
	p, err := d.Alloc(bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Free(p); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestUnknownDeviceNamesThoseThatAreThere(t *testing.T) {
	_, err := OpenDevice("GPU-gone")
	if err == nil || !strings.Contains(err.Error(), "GPU-gone") || !strings.Contains(err.Error(), doubleID) {
		t.Errorf("error %v, want one that names GPU-gone and %s", err, doubleID)
	}
}

func TestCopiesComeBack(t *testing.T) {
	d := openDouble(t)
	const n = 1000
	p := alloc(t, d, n)
	want, got := make([]byte, n), make([]byte, n)
	for i := range want {
		want[i] = byte(i * 7)
	}
	check := func(what string, err error) {
		t.Helper()
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s: %v, equal %t", what, err, bytes.Equal(got, want))
		}
		clear(got)
	}
	err := errors.Join(d.Upload(p, want), d.Download(got, p))
	check("upload and download", err)

	pinned, err := d.Pinned(n)
	if err != nil || len(pinned) != n {
		t.Fatalf("%d pinned bytes and %v, want %d", len(pinned), err, n)
	}
	copy(pinned, want)
	err = errors.Join(d.Memset(p, 0, n), d.UploadAsync(p, pinned), d.Synchronize())
	clear(pinned)
	err = errors.Join(err, d.DownloadAsync(pinned, p), d.Synchronize())
	copy(got, pinned)
	check("asynchronous copies", err)

	err = errors.Join(d.FreePinned(pinned), d.Memset(p, 0xa5, n), d.Download(got, p))
	copy(want, bytes.Repeat([]byte{0xa5}, n))
	check("memset", err)
	if err := d.Upload(p, make([]byte, n+1)); err == nil {
		t.Error("a copy beyond the allocation was taken")
	}
}

func TestTooLittleMemoryIsErrMemory(t *testing.T) {
	d := openDouble(t)
	free, err := d.FreeBytes()
	if err != nil || free != 64<<20 {
		t.Fatalf("%d bytes free and %v, want %d", free, err, 64<<20)
	}
	_, err = d.Alloc(free + 1)
	var e *DriverError
	if !errors.Is(err, cuda.ErrMemory) || !errors.As(err, &e) || e.Code != 2 || e.Sticky() {
		t.Errorf("error %v, want ErrMemory of a device that goes on", err)
	}
	if _, err = d.Alloc(0); err == nil || errors.Is(err, cuda.ErrMemory) {
		t.Errorf("error %v for 0 bytes, want another than ErrMemory", err)
	}
}

func TestImageThatDoesNotFitIsErrImage(t *testing.T) {
	d := openDouble(t)
	for _, c := range []struct {
		image cuda.Image
		want  string
	}{
		{cuda.Image{Name: "sm_90a", Arch: 90, Data: []byte("\x7fELF\x00\x00binary")}, "code 209"},
		{cuda.Image{Name: "compute_200", PTX: true, Data: []byte(".version 99.0\x00")}, "line 1; fatal : Unsupported .version 99.0"},
	} {
		err := d.Load(c.image)
		if !errors.Is(err, cuda.ErrImage) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.image.Name) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want ErrImage in one line with %q and %q", err, c.image.Name, c.want)
		}
	}
}

// sum launches the double's kernel, which adds its operands, its grid and 100 times its block.
func sum(out cuda.Ptr, shared int) cuda.Launch {
	return cuda.Launch{Entry: "sum", Grid: 6, Block: 256, Shared: shared, Params: []uint64{uint64(out), 1 << 40, 2}}
}

func word(t *testing.T, d *Device, p cuda.Ptr) uint64 {
	t.Helper()
	var b [8]byte
	if err := d.Download(b[:], p); err != nil {
		t.Fatal(err)
	}
	return binary.NativeEndian.Uint64(b[:])
}

func TestLaunchPassesEveryParameter(t *testing.T) {
	d := openDouble(t)
	p := alloc(t, d, 8)
	const want = 1<<40 + 2 + 6 + 25600
	for _, shared := range []int{0, 48 << 10, 48<<10 + 1, 232448} {
		err := errors.Join(d.Memset(p, 0, 8), d.Launch(sum(p, shared)), d.Synchronize())
		if got := word(t, d, p); err != nil || got != want {
			t.Errorf("with %d bytes of shared memory: %d and %v, want %d", shared, got, err, uint64(want))
		}
	}
	if err := d.Launch(sum(p, 232449)); err == nil || !strings.Contains(err.Error(), "at most 232448") {
		t.Errorf("error %v, want one that tells the most shared memory", err)
	}
	if err := d.LaunchCluster(sum(p, 0), 2); err != nil || word(t, d, p) != want+2e6 {
		t.Errorf("in clusters of 2: %d and %v, want %d", word(t, d, p), err, uint64(want+2e6))
	}
	var e *DriverError
	if err := d.LaunchCluster(sum(p, 0), 4); !errors.As(err, &e) || e.Code != 912 {
		t.Errorf("error %v for a grid of 6 in clusters of 4, want code 912", err)
	}
	if err := d.Launch(cuda.Launch{Entry: "none", Grid: 1, Block: 1}); !errors.As(err, &e) || e.Code != 500 || !strings.Contains(err.Error(), "find none") {
		t.Errorf("error %v, want code 500 of an entry that is not there", err)
	}
}

func TestEveryImageServes(t *testing.T) {
	d := openDouble(t)
	p := alloc(t, d, 8)
	second := sum(p, 0)
	second.Entry = "second"
	if err := d.Launch(second); err == nil {
		t.Error("an entry of an image that was not loaded was launched")
	}
	if err := d.Load(cuda.Image{Name: "second", PTX: true, Data: []byte(".second\x00")}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Launch(second), d.Launch(sum(p, 0)), d.Synchronize()); err != nil {
		t.Error(err)
	}
}

func TestElapsedIsInSeconds(t *testing.T) {
	d := openDouble(t)
	p := alloc(t, d, 8)
	seconds, err := d.Elapsed(func() error { return errors.Join(d.Launch(sum(p, 0)), d.Launch(sum(p, 0))) })
	if err != nil || seconds != 3e-3 {
		t.Errorf("%g s and %v, want two launches of 1.5 ms", seconds, err)
	}
	broken := errors.New("not enqueued")
	if _, err := d.Elapsed(func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error %v, want that of enqueue", err)
	}
}

func TestResourcesAndEntryPoints(t *testing.T) {
	d := openDouble(t)
	if r, err := d.Resources("sum"); err != nil || r != (Resources{Registers: 126, LocalBytes: 8, StaticBytes: 1024}) {
		t.Errorf("%+v and %v", r, err)
	}
	if p, err := EntryPoint("cuTensorMapEncodeTiled", 12000); err != nil || p == nil {
		t.Errorf("cuTensorMapEncodeTiled of 12.0: %v and %v", p, err)
	}
	var e *DriverError
	for _, name := range []string{"cuFromTomorrow", "cuNowhere"} {
		if _, err := EntryPoint(name, 12000); !errors.As(err, &e) || e.Code != 500 {
			t.Errorf("%s: error %v, want code 500", name, err)
		}
	}
}

// TestKernelFaultIsStickyAndToldLater runs in a process of its own, which the fault spoils.
func TestKernelFaultIsStickyAndToldLater(t *testing.T) {
	if os.Getenv("REALFLOPS_TEST_FAULT") == "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self, "-test.run", "^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "REALFLOPS_TEST_FAULT=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	d, err := OpenDevice(doubleID)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Load(goodPTX), d.Launch(cuda.Launch{Entry: "fail", Grid: 1, Block: 1})); err != nil {
		t.Fatal(err)
	}
	var e *DriverError
	for range 2 {
		if err := d.Synchronize(); !errors.As(err, &e) || e.Code != 719 || !e.Sticky() || e.Name != "CUDA_ERROR_LAUNCH_FAILED" {
			t.Errorf("error %v, want a sticky 719", err)
		}
	}
	if _, err := d.FreeBytes(); !errors.As(err, &e) || e.Code != 719 {
		t.Errorf("error %v of a later call, want 719", err)
	}
}
