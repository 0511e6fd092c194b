//go:build worker

package driver

import (
	"errors"
	"strings"
	"testing"
)

func openNVMLDouble(t *testing.T, flags ...string) *NVML {
	t.Helper()
	v, err := openNVML(only(map[string]string{nvmlLibrary.env: compile(t, "nvml.c", flags...)}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// is says whether a reading is there and is want.
func is[T comparable](got *T, want T) bool { return got != nil && *got == want }

func TestTelemetryIsInSIUnits(t *testing.T) {
	v := openNVMLDouble(t)
	got, err := v.Telemetry(doubleID)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		ok   bool
	}{
		{"SM clock", is(got.SMClockHz, 1410e6)},
		{"max SM clock", is(got.MaxSMClockHz, 1980e6)},
		{"memory clock", is(got.MemoryClockHz, 2619e6)},
		{"power", is(got.PowerW, 698.5)},
		{"power limit", is(got.PowerLimitW, 700)},
		{"temperature", is(got.TemperatureC, 61)},
		{"throttle reasons", is(got.ThrottleReasons, 0x24)},
		{"utilization", is(got.GPUUtilization, 0.93)},
		{"memory used", is(got.MemoryUsedBytes, 20)},
		{"processes", is(got.ComputeProcesses, 3)},
		{"MIG", is(got.MIG, true)},
		{"persistence", is(got.Persistence, true)},
	} {
		if !c.ok {
			t.Errorf("%s is wrong in %+v", c.what, got)
		}
	}
	if version, err := v.DriverVersion(); err != nil || version != "550.54.15" {
		t.Errorf("driver version %q and %v", version, err)
	}
}

// TestWhatNVMLDoesNotTellIsNil: neither what the device does not support nor what an older
// library lacks ends anything, and a function's later name serves.
func TestWhatNVMLDoesNotTellIsNil(t *testing.T) {
	got, err := openNVMLDouble(t, "-DSPARSE").Telemetry(doubleID)
	if err != nil {
		t.Fatal(err)
	}
	if got.SMClockHz != nil || got.MemoryClockHz != nil || got.TemperatureC != nil || got.MIG != nil || got.Persistence != nil {
		t.Errorf("%+v, want no clock, temperature, MIG mode or persistence", got)
	}
	if !is(got.PowerW, 698.5) || !is(got.ThrottleReasons, 1) || !is(got.ComputeProcesses, 0) {
		t.Errorf("%+v, want power, reasons and processes", got)
	}
}

func TestNVMLErrorsAreSentences(t *testing.T) {
	for _, c := range []struct {
		library, want string
	}{
		{"/nonexistent/libnvidia-ml.so.1", "no such file"},
		{compile(t, "libcuda.c"), "lacks nvmlInit_v2"},
		{compile(t, "nvml.c", "-DINIT=9"), "kernel module is not loaded"},
		{compile(t, "nvml.c", "-DINIT=18"), "different driver versions"},
		{compile(t, "nvml.c", "-DINIT=4711"), "NVML code 4711"},
	} {
		_, err := openNVML(only(map[string]string{nvmlLibrary.env: c.library}))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	if _, err := openNVML(only(nil)); err == nil || !strings.Contains(err.Error(), "libnvidia-ml.so.1 is not on this machine") {
		t.Errorf("error %v, want that there is no library", err)
	}
	if _, err := openNVMLDouble(t).Telemetry("GPU-gone"); err == nil || !strings.Contains(err.Error(), "find GPU-gone: no such device") {
		t.Errorf("error %v, want that there is no such device", err)
	}
}

func TestLostDeviceIsErrLost(t *testing.T) {
	if _, err := openNVMLDouble(t, "-DLOST").Telemetry(doubleID); !errors.Is(err, ErrLost) {
		t.Errorf("error %v, want ErrLost", err)
	}
}
