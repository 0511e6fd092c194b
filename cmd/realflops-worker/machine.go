//go:build worker

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/driver"
	"github.com/realflops/realflops/kernels/cuda/work"
)

// emulatorVariable is what makes the emulator's library reach its emulator: without it that
// library shows no device.
const emulatorVariable = "REALFLOPS_EMULATOR"

// machine is the node behind NVIDIA's libraries.
type machine struct {
	version string
	device  *driver.Device
	library *driver.LT
	sensors *sensors
}

func newMachine(version string) *machine { return &machine{version: version} }

func (m *machine) welcome() worker.Welcome {
	status := driver.Open()
	w := worker.Welcome{Version: m.version, Backend: "cuda", Problem: status.Err, Absent: append([]string{}, status.Absent...), Devices: []worker.Device{}, Emulated: os.Getenv(emulatorVariable) != ""}
	if v := status.DriverVersion; v > 0 {
		w.Runtime = fmt.Sprintf("%d.%d", v/1000, v%1000/10)
	}
	if !status.OK() {
		return w
	}
	descriptions, err := driver.Devices()
	if err != nil {
		w.Problem = err.Error()
		return w
	}
	if len(descriptions) == 0 {
		w.Problem = "the NVIDIA driver shows no device to this process: see CUDA_VISIBLE_DEVICES and the container's settings"
	}
	answers := true
	for _, d := range descriptions {
		var told worker.Device
		told, answers = describe(d, answers)
		w.Devices = append(w.Devices, told)
	}
	return w
}

// firstReading is how long the first reading of a device's sensors is waited for: it loads the
// library and, without persistence mode, wakes the device.
const firstReading = time.Second

// describe is a device with what its sensors add, if they answer; those of another device did
// not if ask is false.
func describe(d driver.Description, ask bool) (device worker.Device, answered bool) {
	is := func(b bool) *bool { return &b }
	out := worker.Device{
		ID: d.UUID, Model: d.Name, Architecture: fmt.Sprintf("%d.%d", d.Arch/10, d.Arch%10), Bus: d.PCIBusID, Units: d.SMs,
		MemoryBytes: d.MemoryBytes, CacheBytes: d.L2Bytes, Partitioned: is(d.MIG),
		Exclusive: is(d.ComputeMode == "exclusive" || d.ComputeMode == "exclusive-process"), Prohibited: is(d.ComputeMode == "prohibited"),
	}
	if d.ClockHz > 0 {
		out.MaxClockHz = &d.ClockHz
	}
	if !ask {
		return out, false
	}
	sensors := newSensors(readSensors(d.UUID))
	sensors.begin()
	select {
	case r := <-sensors.pending:
		out.PowerLimitW, out.Processes, out.Utilization = r.PowerLimitW, r.ComputeProcesses, r.GPUUtilization
		if r.MaxSMClockHz != nil {
			out.MaxClockHz = r.MaxSMClockHz
		}
		if r.MIG != nil && *r.MIG {
			out.Partitioned = r.MIG
		}
		return out, true
	case <-time.After(firstReading):
		return out, false
	}
}

// readSensors opens NVML at its first call, in whatever goroutine that is.
func readSensors(uuid string) func() (driver.Telemetry, error) {
	var nvml *driver.NVML
	return func() (driver.Telemetry, error) {
		if nvml == nil {
			opened, err := driver.OpenNVML()
			if err != nil {
				return driver.Telemetry{}, err
			}
			nvml = opened
		}
		return nvml.Telemetry(uuid)
	}
}

func (m *machine) open(id string) (cuda.Device, work.Library, string, error) {
	if m.device != nil {
		return nil, nil, "", fmt.Errorf("device %s is open already: a worker works one device", m.device.Description().UUID)
	}
	device, err := driver.OpenDevice(id)
	if err != nil {
		return nil, nil, "", err
	}
	m.device, m.sensors = device, newSensors(readSensors(id))
	library, err := driver.OpenLT(device)
	if err != nil { // absent is no error: the own kernels run
		return device, nil, err.Error(), nil
	}
	m.library = library
	return device, library, "", nil
}

func (m *machine) telemetry() func() worker.Telemetry { return m.sensors.begin() }

func (m *machine) close() error {
	var errs []error
	if m.library != nil {
		errs = append(errs, m.library.Close())
	}
	if m.device != nil {
		errs = append(errs, m.device.Close())
	}
	m.library, m.device = nil, nil
	return errors.Join(errs...)
}
