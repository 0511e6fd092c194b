package main

import (
	"slices"

	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/cpu"
	"github.com/realflops/realflops/kernels"
)

// machine is what the CPU runner must know of the host: what binds this process.
func machine(h *detect.Host) cpu.Machine {
	m := cpu.Machine{ID: "cpu", Threads: h.Limits.Threads(), MemoryBytes: usableMemory(h)}
	if d := h.CPUDevice(); d != nil {
		m.ID, m.Model = d.ID, d.Model
		for _, c := range d.CPU.Caches {
			if c.Type != "instruction" {
				m.Caches = append(m.Caches, bench.Cache{Level: c.Level, Bytes: c.Bytes, SharedBy: c.SharedBy})
			}
		}
	}
	return m
}

func planInput(h *detect.Host) bench.PlanInput {
	m := machine(h)
	return bench.PlanInput{Caches: m.Caches, Threads: m.Threads, MemoryBytes: m.MemoryBytes}
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

func contains(names []string, name string) bool { return slices.Contains(names, name) }

func unknownDevice(name string, known []string) error {
	return kernels.Unknown("device", name, known)
}
