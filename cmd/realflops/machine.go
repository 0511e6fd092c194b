package main

import (
	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/bench/cpu"
	kcpu "github.com/realflops/realflops/kernels/cpu"
)

// machine is what the CPU runner must know of the host: what binds this process.
func machine(h *detect.Host) cpu.Machine {
	m := cpu.Machine{ID: "cpu", Threads: h.Limits.Threads(), MemoryBytes: usableMemory(h)}
	if d := h.CPUDevice(); d != nil {
		m.ID, m.Model, m.Cores = d.ID, d.Model, min(d.CPU.Cores, m.Threads)
		for _, c := range d.CPU.Caches {
			if c.Type != "instruction" {
				m.Caches = append(m.Caches, cpu.Cache{Level: c.Level, Bytes: c.Bytes, SharedBy: c.SharedBy})
			}
		}
	}
	if t, err := kcpu.Host(); err == nil { // no Linux, or no /sys: the system puts threads where it likes
		m = m.On(t)
	}
	return m
}

// usableMemory is the memory that this process may use: the machine's, or its cgroup's limit.
// 0 if neither is known.
func usableMemory(h *detect.Host) int64 {
	var usable int64
	for _, limit := range []*int64{h.MemoryBytes, h.Limits.MemoryBytes} {
		if limit != nil && (usable == 0 || *limit < usable) {
			usable = *limit
		}
	}
	return usable
}

func cpuModel(h *detect.Host) string {
	if d := h.CPUDevice(); d != nil && d.Model != "" {
		return d.Model
	}
	return "this CPU"
}
