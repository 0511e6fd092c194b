// Package detect finds out what machine this is: CPUs (cpuid, /proc, /sys), memory,
// NVIDIA GPUs on the PCI bus, and the limits that bind this process. It measures
// nothing and needs no privilege; what it cannot read is unknown (nil, null in JSON), not an error.
package detect

import (
	"fmt"
	"strings"
)

// Host is the inventory of one machine: what `realflops detect --json` prints and what
// every run carries. Sizes are bytes, clocks Hz.
type Host struct {
	ID           string   `json:"id"`   // stable: derived from the machine id, never the machine id itself
	Name         string   `json:"name"` // host name
	OS           string   `json:"os"`   // "Debian GNU/Linux 12 (bookworm)"
	Kernel       string   `json:"kernel"`
	Arch         string   `json:"arch"`          // GOARCH
	Cloud        *string  `json:"cloud"`         // aws, gcp, azure, ...
	Region       *string  `json:"region"`        //
	InstanceType *string  `json:"instance_type"` //
	Hypervisor   *string  `json:"hypervisor"`    // kvm, xen, vmware, ...; nil on bare metal or unknown
	Container    *string  `json:"container"`     // docker, podman, kubernetes, lxc, ...
	MemoryBytes  *int64   `json:"memory_bytes"`
	Limits       Limits   `json:"limits"`
	Devices      []Device `json:"devices"`
}

// Limits is what binds this process, over all ancestors of its cgroup.
type Limits struct {
	CPUs        []int    `json:"cpus"`         // affinity mask: logical CPUs this process may use
	CPUQuota    *float64 `json:"cpu_quota"`    // CPUs' worth of time, 1.5; nil without a quota
	MemoryBytes *int64   `json:"memory_bytes"` // smallest cgroup memory limit; nil without one
}

// Threads is how many threads can run at once: the affinity mask, and the quota rounded up.
func (l Limits) Threads() int {
	n := len(l.CPUs)
	if l.CPUQuota != nil {
		whole := int(*l.CPUQuota)
		if float64(whole) < *l.CPUQuota {
			whole++
		}
		n = min(n, whole)
	}
	return max(n, 1)
}

// Device is a CPU package set or a GPU. One of CPU and GPU is set, by Kind.
type Device struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"` // cpu or gpu
	Model string `json:"model"`
	CPU   *CPU   `json:"cpu,omitempty"`
	GPU   *GPU   `json:"gpu,omitempty"`
}

// CPU is what was detected of the host's processors.
type CPU struct {
	Vendor       string   `json:"vendor"` // GenuineIntel, AuthenticAMD, ARM, ...
	Family       *int     `json:"family"`
	ModelNumber  *int     `json:"model_number"`
	Stepping     *int     `json:"stepping"`
	Packages     int      `json:"packages"`
	Cores        int      `json:"cores"`   // physical
	Threads      int      `json:"threads"` // logical, online
	SMT          bool     `json:"smt"`     // some core shows more than one thread
	NUMANodes    []NUMA   `json:"numa_nodes"`
	Caches       []Cache  `json:"caches"`
	Features     []string `json:"features"` // instruction sets, one list: avx2, fma, f16c, avx512f, ...
	BaseHz       *float64 `json:"base_hz"`
	CurrentHz    *float64 `json:"current_hz"`
	MaxHz        *float64 `json:"max_hz"`
	Governor     *string  `json:"governor"`
	BoostEnabled *bool    `json:"boost_enabled"`
}

// NUMA is one memory node with its logical CPUs.
type NUMA struct {
	Node        int    `json:"node"`
	CPUs        []int  `json:"cpus"`
	MemoryBytes *int64 `json:"memory_bytes"`
}

// Cache is one level: the size of each instance, how many there are, and how many
// logical CPUs share one.
type Cache struct {
	Level     int    `json:"level"`
	Type      string `json:"type"` // data, instruction, unified
	Bytes     int64  `json:"bytes"`
	Instances int    `json:"instances"`
	SharedBy  int    `json:"shared_by"`
	LineBytes int    `json:"line_bytes"`
}

// GPU is a graphics device: what the PCI bus shows of it, and what its driver adds where a
// worker asked it.
type GPU struct {
	PCI    string `json:"pci"`    // 0000:3b:00.0
	Vendor string `json:"vendor"` // 10de
	Device string `json:"device"` // 20b5; "" if the bus does not show it
	NUMA   *int   `json:"numa"`
	Driver string `json:"driver"` // "nvidia 535.104.05", or "no driver"

	Runtime      string   `json:"runtime,omitempty"`      // interface and version: "cuda 12.4"
	Architecture string   `json:"architecture,omitempty"` // compute capability: "9.0"
	Units        *int     `json:"units,omitempty"`        // multiprocessors
	MemoryBytes  *int64   `json:"memory_bytes,omitempty"`
	CacheBytes   *int64   `json:"cache_bytes,omitempty"` // last level
	MaxHz        *float64 `json:"max_hz,omitempty"`
	PowerLimitW  *float64 `json:"power_limit_w,omitempty"`
	Partitioned  *bool    `json:"partitioned,omitempty"` // a part of a device, or one that is cut into parts
}

// AddGPU adds what the driver says of a GPU to the one at that place on the bus, or as a new
// device where the bus shows none there (a container, WSL, an emulated one).
func (h *Host) AddGPU(id, model, bus string, g GPU) {
	for i := range h.Devices {
		if d := &h.Devices[i]; d.GPU != nil && (d.ID == id || strings.EqualFold(d.GPU.PCI, bus)) {
			g.PCI, g.Vendor, g.Device, g.NUMA, g.Driver = d.GPU.PCI, d.GPU.Vendor, d.GPU.Device, d.GPU.NUMA, d.GPU.Driver
			*d = Device{ID: id, Kind: "gpu", Model: model, GPU: &g}
			return
		}
	}
	g.PCI, g.Vendor, g.Driver = strings.ToLower(bus), fmt.Sprintf("%04x", nvidiaVendor), "unknown"
	h.Devices = append(h.Devices, Device{ID: id, Kind: "gpu", Model: model, GPU: &g})
}
