package detect

import (
	"context"
	"fmt"

	"github.com/shirou/gopsutil/v3/mem"
)

// cpuDeviceID is the id of the device that stands for all the host's processors.
const cpuDeviceID = "cpu"

// Detect takes the inventory of the machine that src shows. What cannot be read is
// unknown; the only error is a context that ended.
//
// CPUs and memory are read by gopsutil's cpu and mem. Its host package is not used: it asks
// the running kernel (uname) and remembers the first answer, so it cannot replay a dump.
func Detect(ctx context.Context, src *Source) (*Host, error) {
	name, ok := src.text("proc/sys/kernel/hostname")
	if !ok {
		name = "unknown"
	}
	h := &Host{
		ID: src.hostID(name), Name: name,
		OS: src.osName(), Arch: src.record.Arch,
		Container: known(src.container()),
	}
	h.Kernel, _ = src.text("proc/sys/kernel/osrelease")
	h.MemoryBytes = src.memory(ctx)
	src.platform(h)

	t := src.topology(ctx)
	h.Limits = src.limits(t.online)
	cpu := src.cpu(t)
	h.Devices = append(h.Devices, Device{ID: cpuDeviceID, Kind: "cpu", Model: src.cpuModel(t), CPU: cpu})
	h.Devices = append(h.Devices, src.gpus()...)

	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("detecting the machine: %w", err)
	}
	return h, nil
}

// memory is the total that /proc/meminfo shows.
func (s *Source) memory(ctx context.Context) *int64 {
	s.read("proc/meminfo") // so that a dump holds what gopsutil reads
	vm, err := mem.VirtualMemoryWithContext(s.gopsutil(ctx))
	if vm == nil || err != nil || vm.Total == 0 {
		return nil
	}
	total := int64(vm.Total)
	return &total
}

// CPUDevice is the device that stands for the host's processors, nil if there is none.
func (h *Host) CPUDevice() *Device {
	for i := range h.Devices {
		if h.Devices[i].CPU != nil {
			return &h.Devices[i]
		}
	}
	return nil
}
