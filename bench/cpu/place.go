package cpu

import (
	"fmt"
	"slices"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// Place is a part of the machine that is measured on its own.
type Place struct {
	bench.Place
	CPUs       []int // that threads are held on, the first thread on the first; at least Threads
	MemoryNode int   // that the operands are on, of a [bench.NodePair]
}

// On is m with its threads on t, what this process may use of the machine: in which order they are best put on its CPUs,
// and the parts that are measured on their own where t has several memory nodes or kinds of cores.
func (m Machine) On(t cpu.Topology) Machine {
	m.CPUs = t.Order()
	cores, _ := t.Cores()
	m.Cores = min(cores, m.Threads)
	m.Places = nil
	if pairs := t.Placements(); len(pairs) > 1 {
		for _, p := range pairs {
			place := m.part(t, fmt.Sprintf("node%d-node%d", p.CPUNode, p.MemoryNode), bench.NodePair, p.CPUs)
			place.MemoryNode = p.MemoryNode
			at := slices.IndexFunc(t.Nodes, func(n cpu.MemoryNode) bool { return n.ID == p.MemoryNode })
			place.MemoryBytes = t.Nodes[at].MemoryBytes
			m.Places = append(m.Places, place)
		}
	}
	if types := t.CoreTypes(); len(types) > 1 {
		for _, c := range types {
			m.Places = append(m.Places, m.part(t, "core:"+c.Name, bench.CoreKind, c.CPUs))
		}
	}
	return m
}

// part is the place of some CPUs of t, in [cpu.Topology.Order]. Where this process may run fewer threads than it has CPUs (a
// quota), the part has no more than those.
func (m Machine) part(t cpu.Topology, name string, kind bench.PlaceKind, cpus []int) Place {
	threads := min(len(cpus), m.Threads)
	cores, _ := t.Within(cpus).Cores()
	return Place{Place: bench.Place{Name: name, Kind: kind, Threads: threads, Cores: min(cores, threads)}, CPUs: cpus}
}

// place is the one of that name, nil for the whole machine.
func (m Machine) place(name string) *Place {
	at := slices.IndexFunc(m.Places, func(p Place) bool { return p.Name == name })
	if at < 0 {
		return nil
	}
	return &m.Places[at]
}

// node is where the operands are to be, nil where the threads that use them are.
func (p *Place) node() *int {
	if p == nil || p.Kind != bench.NodePair {
		return nil
	}
	return &p.MemoryNode
}

// ThreadsAt is how many threads may run at a placement that [Machine.CheckPlacement] passes.
func (m Machine) ThreadsAt(placement string) int {
	if p := m.place(placement); p != nil {
		return p.Threads
	}
	return m.Threads
}

// CheckPlacement refuses a placement that this machine does not have, and a memory node for kernels that allocate
// memory of their own beside their operands: products are packed.
func (m Machine) CheckPlacement(c bench.Case) error {
	if c.Placement == "" {
		return nil
	}
	p := m.place(c.Placement)
	if p == nil {
		names := make([]string, len(m.Places))
		for i, p := range m.Places {
			names[i] = p.Name
		}
		if len(names) == 0 {
			return fmt.Errorf("placement %s: as far as is known here, there is one memory node and one kind of core", c.Placement)
		}
		return kernels.Unknown("placement", c.Placement, names)
	}
	if d, _ := kernels.Lookup(string(c.Kernel)); p.node() != nil && d.Class != kernels.Bandwidth && d.Class != kernels.Latency {
		return fmt.Errorf("placement %s: memory nodes are measured by the bandwidth kernels and chase, not by %s", p.Name, c.Kernel)
	}
	return nil
}
