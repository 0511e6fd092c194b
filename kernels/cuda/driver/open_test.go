//go:build worker

package driver

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryBadDriverIsASentence opens drivers that cannot be used: the process lives, shows no
// device, and says why.
func TestEveryBadDriverIsASentence(t *testing.T) {
	healthy, err := os.ReadFile(compile(t, "libcuda.c"))
	if err != nil {
		t.Fatal(err)
	}
	file := func(data []byte) string {
		path := filepath.Join(t.TempDir(), "libcuda.so.1")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bits32 := slices.Clone(healthy)
	bits32[4] = 1 // EI_CLASS
	for _, c := range []struct {
		name, library, want string
		loaded              bool
		init                int
	}{
		{"missing", "/nonexistent/libcuda.so.1", "no such file", false, 0},
		{"truncated", file(healthy[:len(healthy)/2]), "is truncated", false, 0},
		{"text", file([]byte("INPUT(libcuda.so.1)\n")), "is not a shared library (no ELF header)", false, 0},
		{"32-bit", file(bits32), "32-bit", false, 0},
		{"missing symbol", compile(t, "libcuda.c", "-DNO_ALLOC"), "lacks cuMemAlloc_v2", false, 0},
		{"another library", compile(t, "nvml.c"), "lacks cu", false, 500},
		{"needs a library", compile(t, "libcuda.c", "-Wl,--no-as-needed", buildNeeded(t)), "cannot be loaded", false, 0},
		{"undefined symbol", compile(t, "libcuda.c", "-DUNDEFINED"), "undefined symbol: rf_gone", false, 0},
		{"stub library", compile(t, "libcuda.c", "-DSTUB", "-DINIT=34"), "stub library", false, 34},
		{"no GPU", compile(t, "libcuda.c", "-DINIT=100"), "the driver sees no GPU", true, 100},
		{"versions differ", compile(t, "libcuda.c", "-DINIT=803"), "libcuda and the kernel module are of different driver versions; reboot", true, 803},
		{"fabric manager", compile(t, "libcuda.c", "-DINIT=802"), "nvidia-fabricmanager", true, 802},
		{"unknown", compile(t, "libcuda.c", "-DINIT=999"), "CUDA_ERROR_UNKNOWN, code 999", true, 999},
		{"from tomorrow", compile(t, "libcuda.c", "-DINIT=4711"), "CUDA_ERROR_FROM_TOMORROW, code 4711", true, 4711},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ask(t, c.library)
			if got.Status.Loaded != c.loaded || got.Status.InitCode != c.init {
				t.Errorf("loaded %t, cuInit %d; want %t, %d", got.Status.Loaded, got.Status.InitCode, c.loaded, c.init)
			}
			if !strings.Contains(got.Status.Err, c.want) || strings.Contains(got.Status.Err, "\n") {
				t.Errorf("error %q, want one line with %q", got.Status.Err, c.want)
			}
			if len(got.Devices) != 0 || got.Err != got.Status.Err {
				t.Errorf("%d devices and %q, want none and %q", len(got.Devices), got.Err, got.Status.Err)
			}
			if c.loaded && got.Status.DriverVersion != 12040 {
				t.Errorf("driver version %d, want 12040", got.Status.DriverVersion)
			}
		})
	}
}

// buildNeeded makes a library that the loader does not find when the one that needs it is loaded.
func buildNeeded(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "libgone.so")
	if err := compileTo(path, "nvml.c", "-Wl,-soname,libgone.so"); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOldDriverHasFewerCapabilities: what an older driver lacks is named, and it serves.
func TestOldDriverHasFewerCapabilities(t *testing.T) {
	got := ask(t, compile(t, "libcuda.c", "-DOLD"))
	if got.Status.Err != "" || len(got.Devices) != 1 {
		t.Fatalf("error %q, %d devices; want none and 1", got.Status.Err, len(got.Devices))
	}
	for _, name := range []string{"cuLaunchKernelEx", "cuFuncSetAttribute", "cuGetProcAddress_v2", "cuDeviceGetUuid_v2"} {
		if !slices.Contains(got.Status.Absent, name) {
			t.Errorf("absent %v, want %s among them", got.Status.Absent, name)
		}
	}
	for _, name := range got.Status.Absent {
		if strings.HasPrefix(name, "cuTex") || name == "cuMemAlloc_v2" {
			t.Errorf("%s is listed as absent: it is not used, or it is there", name)
		}
	}
}

func TestDeviceIsDescribed(t *testing.T) {
	got := ask(t, os.Getenv(cudaLibrary.env))
	if len(got.Devices) != 1 {
		t.Fatalf("%d devices (%s), want 1", len(got.Devices), got.Err)
	}
	d := got.Devices[0]
	if d.ECC == nil || !*d.ECC {
		t.Errorf("ECC %v, want on", d.ECC)
	}
	d.ECC = nil
	want := Description{
		UUID: "GPU-a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf", Name: "Double 100", Arch: 90, SMs: 132,
		MemoryBytes: 64 << 20, L2Bytes: 50 << 20, SharedOptIn: 232448, PCIBusID: "0001:3b:02.0",
		ClockHz: 1980e6, MemoryClockHz: 2619e6, MemoryBusBits: 5120, ComputeMode: "exclusive-process",
	}
	if d != want {
		t.Errorf("described as\n%+v, want\n%+v", d, want)
	}
}

func TestMIGInstanceHasItsOwnID(t *testing.T) {
	got := ask(t, compile(t, "libcuda.c", "-DMIG"))
	if len(got.Devices) != 1 || !got.Devices[0].MIG || got.Devices[0].UUID != "MIG-c0c1c2c3-c4c5-c6c7-c8c9-cacbcccdcecf" {
		t.Errorf("got %+v (%s), want a MIG instance by its own id", got.Devices, got.Err)
	}
}
