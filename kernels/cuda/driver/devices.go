//go:build worker

package driver

import (
	"errors"
	"fmt"

	"gorgonia.org/cu"
)

// sharedOptIn is CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, which cu has no name for.
const sharedOptIn cu.DeviceAttribute = 97

// Devices describes the devices that the driver shows to this process, in its order. A
// node without a driver has none, and the error is Status.Err of [Open].
func Devices() ([]Description, error) {
	s := Open()
	if !s.OK() {
		return nil, errors.New(s.Err)
	}
	count, err := cu.NumDevices()
	if err != nil {
		return nil, failure("count the devices", err)
	}
	descriptions := make([]Description, 0, count)
	for i := range count {
		_, d, err := describe(i)
		if err != nil {
			return nil, err
		}
		descriptions = append(descriptions, d)
	}
	return descriptions, nil
}

// describe asks the driver for all that it says of device i without a context. What makes a
// device usable must be told; the rest may be unknown.
func describe(i int) (cu.Device, Description, error) {
	d := Description{Ordinal: i}
	fail := func(what string, err error) (cu.Device, Description, error) {
		return 0, d, failure(fmt.Sprintf("ask device %d for its %s", i, what), err)
	}
	device, err := cu.GetDevice(i)
	if err != nil {
		return fail("handle", err)
	}
	if d.Name, err = device.Name(); err != nil {
		return fail("name", err)
	}
	if d.UUID, d.MIG, err = identify(device); err != nil {
		return fail("UUID", err)
	}
	if d.MemoryBytes, err = device.TotalMem(); err != nil {
		return fail("memory", err)
	}
	var major, minor int
	required := []struct {
		what  string
		which cu.DeviceAttribute
		value *int
	}{
		{"compute capability", cu.ComputeCapabilityMajor, &major},
		{"compute capability", cu.ComputeCapabilityMinor, &minor},
		{"SM count", cu.MultiprocessorCount, &d.SMs},
	}
	for _, a := range required {
		if *a.value, err = device.Attribute(a.which); err != nil {
			return fail(a.what, err)
		}
	}
	d.Arch = 10*major + minor
	d.attributes(device)
	return device, d, nil
}

// attributes fills in what a driver may not know.
func (d *Description) attributes(device cu.Device) {
	ask := func(which cu.DeviceAttribute, set func(int)) {
		if v, err := device.Attribute(which); err == nil {
			set(v)
		}
	}
	domain, bus, slot := 0, -1, 0
	ask(cu.L2CacheSize, func(v int) { d.L2Bytes = int64(v) })
	ask(cu.MaxSharedMemoryPerBlock, func(v int) { d.SharedOptIn = v })
	ask(sharedOptIn, func(v int) { d.SharedOptIn = max(v, d.SharedOptIn) })
	ask(cu.ClockRate, func(v int) { d.ClockHz = float64(v) * 1e3 }) // the driver tells kHz
	ask(cu.MemoryClockRate, func(v int) { d.MemoryClockHz = float64(v) * 1e3 })
	ask(cu.GlobalMemoryBusWidth, func(v int) { d.MemoryBusBits = v })
	ask(cu.ComputeMode, func(v int) { d.ComputeMode = computeModes[v] })
	ask(cu.EccEnabled, func(v int) { on := v != 0; d.ECC = &on })
	ask(cu.Integrated, func(v int) { d.Integrated = v != 0 })
	ask(cu.KernelExecTimeout, func(v int) { d.Watchdog = v != 0 })
	ask(cu.PciDomainID, func(v int) { domain = v })
	ask(cu.PciBusID, func(v int) { bus = v })
	ask(cu.PciDeviceID, func(v int) { slot = v })
	if bus >= 0 {
		d.PCIBusID = fmt.Sprintf("%04x:%02x:%02x.0", domain, bus, slot)
	}
}

// identify is a device's UUID. For a MIG instance the older call answers with the whole GPU's and the newer
// one, where there is one, with the instance's own.
func identify(device cu.Device) (id string, mig bool, err error) {
	whole, err := device.UUID()
	if err != nil {
		return "", false, err
	}
	if own, ok := uuid2(device); ok && own != whole {
		return formatUUID("MIG", own), true, nil
	}
	return formatUUID("GPU", whole), false, nil
}
