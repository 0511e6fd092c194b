package cpu

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Topology is how a machine's logical CPUs form cores, packages and memory nodes, as Linux tells
// it under /sys (Documentation/admin-guide/cputopology.rst, Documentation/ABI/stable/sysfs-devices-node).
type Topology struct {
	CPUs  []LogicalCPU // by number
	Nodes []MemoryNode // by number; at least one
}

// LogicalCPU is one hardware thread.
type LogicalCPU struct {
	ID       int
	Core     int    // the lowest number among the CPUs of its core
	Thread   int    // its place among those, from 0
	Package  int    // physical package
	Node     int    // memory node
	Capacity int    // relative throughput of its core: cpu_capacity, 1024 for the fastest; 0 if unknown
	Type     string // of its core: "core" and "atom" on a hybrid Intel CPU, else ""
}

// MemoryNode is a NUMA node. It may have no CPUs (HBM, CXL) or no memory.
type MemoryNode struct {
	ID          int
	CPUs        []int
	MemoryBytes int64
}

// ErrNoTopology is what the error of ReadTopology wraps where there is no /sys to read.
var ErrNoTopology = errors.New("this system does not tell how its CPUs are connected")

const (
	sysCPU  = "sys/devices/system/cpu"
	sysNode = "sys/devices/system/node"
)

// ReadTopology reads the topology of the machine whose /sys lies under root: "/" for this one. What the
// files leave out is taken to be the simplest: a core of its own for each CPU, one package, one node.
func ReadTopology(root string) (Topology, error) {
	online, err := readList(filepath.Join(root, sysCPU, "online"))
	if err != nil {
		return Topology{}, fmt.Errorf("%w: %w", ErrNoTopology, err)
	}
	var t Topology
	if t.Nodes, err = readNodes(root, online); err != nil {
		return Topology{}, err
	}
	nodeOf := map[int]int{}
	for _, n := range t.Nodes {
		for _, c := range n.CPUs {
			nodeOf[c] = n.ID
		}
	}
	types, err := coreTypes(root)
	if err != nil {
		return Topology{}, err
	}
	for _, id := range online {
		c := LogicalCPU{ID: id, Core: id, Node: nodeOf[id], Type: types[id]}
		dir := filepath.Join(root, sysCPU, fmt.Sprintf("cpu%d", id))
		siblings, err := firstList(filepath.Join(dir, "topology/core_cpus_list"), filepath.Join(dir, "topology/thread_siblings_list"))
		if err != nil {
			return Topology{}, err
		}
		if at := slices.Index(siblings, id); at >= 0 {
			c.Core, c.Thread = siblings[0], at
		}
		c.Package = max(0, readNumber(filepath.Join(dir, "topology/physical_package_id")))
		c.Capacity = readNumber(filepath.Join(dir, "cpu_capacity"))
		t.CPUs = append(t.CPUs, c)
	}
	return t, nil
}

// Host is the topology of this machine, as far as the process may run on it by its cpuset and affinity.
func Host() (Topology, error) {
	t, err := ReadTopology("/")
	if err != nil {
		return t, err
	}
	allowed, err := AllowedCPUs()
	if err != nil {
		return t, err
	}
	return t.Within(allowed), nil
}

// readNodes lists the memory nodes, or one with all CPUs where the kernel knows of none.
func readNodes(root string, online []int) ([]MemoryNode, error) {
	ids, err := readList(filepath.Join(root, sysNode, "online"))
	if errors.Is(err, os.ErrNotExist) {
		return []MemoryNode{{CPUs: online}}, nil
	}
	if err != nil {
		return nil, err
	}
	var nodes []MemoryNode
	for _, id := range ids {
		dir := filepath.Join(root, sysNode, fmt.Sprintf("node%d", id))
		n := MemoryNode{ID: id, MemoryBytes: memTotal(filepath.Join(dir, "meminfo"))}
		if n.CPUs, err = firstList(filepath.Join(dir, "cpulist")); err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// coreTypes reads which CPUs are of which kind from the performance monitors of a hybrid Intel CPU, of
// which there is one a kind (Documentation/arch/x86 and the perf_event drivers cpu_core and cpu_atom).
func coreTypes(root string) (map[int]string, error) {
	types := map[int]string{}
	for _, name := range []string{"core", "atom", "lowpower"} {
		cpus, err := firstList(filepath.Join(root, "sys/devices/cpu_"+name, "cpus"))
		if err != nil {
			return nil, err
		}
		for _, c := range cpus {
			types[c] = name
		}
	}
	return types, nil
}

// Within is the part of t that a process may run on. Nodes stay, without the other CPUs.
func (t Topology) Within(allowed []int) Topology {
	var part Topology
	for _, c := range t.CPUs {
		if slices.Contains(allowed, c.ID) {
			part.CPUs = append(part.CPUs, c)
		}
	}
	for _, n := range t.Nodes {
		n.CPUs = intersection(n.CPUs, allowed)
		part.Nodes = append(part.Nodes, n)
	}
	return part
}

func intersection(a, b []int) []int {
	var both []int
	for _, x := range a {
		if slices.Contains(b, x) {
			both = append(both, x)
		}
	}
	return both
}

// Order is the CPUs in the order in which threads are best put on them: one a core before any second
// one, of fast cores before slow ones, and node by node, so that few threads share a cache and a memory.
func (t Topology) Order() []int {
	cpus := slices.Clone(t.CPUs)
	slices.SortStableFunc(cpus, func(a, b LogicalCPU) int {
		return cmp.Or(
			cmp.Compare(a.Thread, b.Thread), cmp.Compare(typeRank(a.Type), typeRank(b.Type)), cmp.Compare(b.Capacity, a.Capacity),
			cmp.Compare(a.Node, b.Node), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Core, b.Core),
		)
	})
	order := make([]int, len(cpus))
	for i, c := range cpus {
		order[i] = c.ID
	}
	return order
}

func typeRank(name string) int {
	return max(0, slices.Index([]string{"core", "atom", "lowpower"}, name))
}

// Cores is how many physical cores there are, and Threads how many CPUs the best equipped of them has.
func (t Topology) Cores() (cores, threads int) {
	seen := map[int]bool{}
	for _, c := range t.CPUs {
		seen[c.Core] = true
		threads = max(threads, c.Thread+1)
	}
	return len(seen), threads
}

// Placement is threads on the CPUs of one memory node, and their operands on a node.
type Placement struct {
	CPUNode, MemoryNode int
	CPUs                []int // of CPUNode, in Order
}

// Local reports whether the threads reach their memory without leaving their node.
func (p Placement) Local() bool { return p.CPUNode == p.MemoryNode }

// Placements are all pairs of a node with CPUs and one with memory, those of a node with itself first: what one figure each
// of bandwidth and latency is taken for, by [Pool.Pin] and [AllocOn].
func (t Topology) Placements() []Placement {
	var all []Placement
	for _, from := range t.Nodes {
		cpus := t.Within(from.CPUs).Order()
		for _, to := range t.Nodes {
			if len(cpus) > 0 && to.MemoryBytes > 0 {
				all = append(all, Placement{from.ID, to.ID, cpus})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Placement) int {
		remote := func(p Placement) int {
			if p.Local() {
				return 0
			}
			return 1
		}
		return cmp.Compare(remote(a), remote(b))
	})
	return all
}

// CoreType is one kind of core of a machine that has several.
type CoreType struct {
	Name string // "core", "atom"; "capacity-446" where only capacities tell; "" if there is one kind
	CPUs []int  // in Order
}

// CoreTypes lists the kinds of cores, the fastest first.
func (t Topology) CoreTypes() []CoreType {
	of := map[int]LogicalCPU{}
	capacities := map[int]bool{}
	for _, c := range t.CPUs {
		of[c.ID] = c
		capacities[c.Capacity] = true
	}
	var types []CoreType
	for _, id := range t.Order() {
		c := of[id]
		name := c.Type
		if name == "" && len(capacities) > 1 {
			name = "capacity-" + strconv.Itoa(c.Capacity)
		}
		at := slices.IndexFunc(types, func(x CoreType) bool { return x.Name == name })
		if at < 0 {
			at = len(types)
			types = append(types, CoreType{Name: name})
		}
		types[at].CPUs = append(types[at].CPUs, id)
	}
	return types
}

// firstList reads the first of the files that there is; none is an empty list.
func firstList(names ...string) ([]int, error) {
	for _, name := range names {
		list, err := readList(name)
		if !errors.Is(err, os.ErrNotExist) {
			return list, err
		}
	}
	return nil, nil
}

func readList(name string) ([]int, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	list, err := parseList(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

// maxListed bounds the numbers of a list: Linux is built for at most 8192 CPUs and 1024 nodes.
const maxListed = 1 << 13

// parseList reads the kernel's list format, "0-3,8", which may be empty.
func parseList(text string) ([]int, error) {
	list := []int{}
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		if part == "" {
			continue
		}
		first, last, isRange := strings.Cut(part, "-")
		lo, err := strconv.Atoi(first)
		hi := lo
		if err == nil && isRange {
			hi, err = strconv.Atoi(last)
		}
		if err != nil || lo < 0 || hi < lo || hi >= maxListed || len(list) > maxListed {
			return nil, fmt.Errorf("list %.40q: %q is neither a number below %d nor a range such as 0-3", text, part, maxListed)
		}
		for ; lo <= hi; lo++ {
			list = append(list, lo)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// readNumber is the integer in a file, or 0.
func readNumber(name string) int {
	text, _ := os.ReadFile(name)
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// memTotal is the MemTotal of a node's meminfo, in bytes, or 0.
func memTotal(name string) int64 {
	text, _ := os.ReadFile(name)
	for line := range strings.Lines(string(text)) {
		if _, value, ok := strings.Cut(line, "MemTotal:"); ok {
			if fields := strings.Fields(value); len(fields) > 0 {
				kib, _ := strconv.ParseInt(fields[0], 10, 64)
				return kib << 10
			}
		}
	}
	return 0
}
