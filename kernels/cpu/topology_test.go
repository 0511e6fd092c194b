package cpu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// machine writes a /sys with these files, paths below sys/devices, and returns its root.
func machine(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, "sys/devices", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func topologyOf(t *testing.T, files map[string]string) Topology {
	t.Helper()
	topology, err := ReadTopology(machine(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

// server is a machine of so many packages, each of as many nodes, and cores with two threads, numbered as Linux
// does: all first threads, then all second ones.
func server(packages, nodes, cores int) map[string]string {
	all := packages * nodes * cores
	files := map[string]string{
		"system/cpu/online":  fmt.Sprintf("0-%d", 2*all-1),
		"system/node/online": fmt.Sprintf("0-%d", packages*nodes-1),
	}
	for c := range 2 * all {
		core := c % all
		dir := fmt.Sprintf("system/cpu/cpu%d/topology/", c)
		files[dir+"core_cpus_list"] = fmt.Sprintf("%d,%d", core, core+all)
		files[dir+"physical_package_id"] = fmt.Sprint(core / cores / nodes)
	}
	for n := range packages * nodes {
		dir := fmt.Sprintf("system/node/node%d/", n)
		first := n * cores
		files[dir+"cpulist"] = fmt.Sprintf("%d-%d,%d-%d", first, first+cores-1, all+first, all+first+cores-1)
		files[dir+"meminfo"] = fmt.Sprintf("Node %d MemTotal:       %d kB\nNode %d MemFree: 7 kB", n, 1<<20, n)
	}
	return files
}

func TestTopologyOfServers(t *testing.T) {
	for _, c := range []struct {
		packages, nodes, cores int
		order                  []int
	}{
		{1, 1, 2, []int{0, 1, 2, 3}},
		{2, 1, 2, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{2, 4, 1, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
	} {
		topology := topologyOf(t, server(c.packages, c.nodes, c.cores))
		if got := topology.Order(); !slices.Equal(got, c.order) {
			t.Errorf("%+v: threads take the CPUs %v, want %v", c, got, c.order)
		}
		all := c.packages * c.nodes * c.cores
		if cores, threads := topology.Cores(); cores != all || threads != 2 {
			t.Errorf("%+v: %d cores of %d threads", c, cores, threads)
		}
		if len(topology.Nodes) != c.packages*c.nodes {
			t.Fatalf("%+v: %d nodes", c, len(topology.Nodes))
		}
		for _, n := range topology.Nodes {
			if len(n.CPUs) != 2*c.cores || n.MemoryBytes != 1<<30 {
				t.Errorf("%+v: node %d has CPUs %v and %d bytes", c, n.ID, n.CPUs, n.MemoryBytes)
			}
		}
		last := LogicalCPU{ID: 2*all - 1, Core: all - 1, Thread: 1, Package: c.packages - 1, Node: c.packages*c.nodes - 1}
		if got := topology.CPUs[2*all-1]; got != last {
			t.Errorf("%+v: the last CPU is %+v, want %+v", c, got, last)
		}
		if types := topology.CoreTypes(); len(types) != 1 || types[0].Name != "" || !slices.Equal(types[0].CPUs, c.order) {
			t.Errorf("%+v: types of cores %v", c, types)
		}
	}
}

// TestNodesWithoutCPUsAndWithoutMemory: high-bandwidth memory is a node without CPUs, and a socket without a
// module is one without memory.
func TestNodesWithoutCPUsAndWithoutMemory(t *testing.T) {
	files := server(1, 1, 2)
	files["system/node/online"] = "0,2-3"
	files["system/node/node0/cpulist"] = "0,2"
	files["system/node/node2/cpulist"] = "1,3"
	files["system/node/node2/meminfo"] = "Node 2 MemTotal:        0 kB"
	files["system/node/node3/cpulist"] = ""
	files["system/node/node3/meminfo"] = "Node 3 MemTotal: 16777216 kB"
	topology := topologyOf(t, files)
	want := []MemoryNode{{0, []int{0, 2}, 1 << 30}, {2, []int{1, 3}, 0}, {3, []int{}, 16 << 30}}
	if !reflect.DeepEqual(topology.Nodes, want) {
		t.Errorf("nodes %+v, want %+v", topology.Nodes, want)
	}
	if got := topology.CPUs[3].Node; got != 2 {
		t.Errorf("CPU 3 is on node %d, want 2", got)
	}
}

func TestPlacementsPairCPUsWithMemory(t *testing.T) {
	files := server(2, 1, 2)
	files["system/node/online"] = "0-3"
	files["system/node/node2/cpulist"] = ""
	files["system/node/node2/meminfo"] = "Node 2 MemTotal: 16777216 kB" // memory alone
	files["system/node/node3/cpulist"] = ""
	files["system/node/node3/meminfo"] = "Node 3 MemTotal: 0 kB" // nothing at all
	got := topologyOf(t, files).Within([]int{0, 1, 2, 4, 5, 6}).Placements()
	first, second := []int{0, 1, 4, 5}, []int{2, 6}
	want := []Placement{{0, 0, first}, {1, 1, second}, {0, 1, first}, {0, 2, first}, {1, 0, second}, {1, 2, second}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("placements %+v, want %+v", got, want)
	}
	if got := topologyOf(t, server(1, 1, 2)).Placements(); len(got) != 1 || !got[0].Local() {
		t.Errorf("one node: %+v", got)
	}
}

// TestHybridCores: fast cores first, the second threads of those last.
func TestHybridCores(t *testing.T) {
	intel := map[string]string{"system/cpu/online": "0-5", "cpu_core/cpus": "0-3", "cpu_atom/cpus": "4-5"}
	for c := range 4 {
		intel[fmt.Sprintf("system/cpu/cpu%d/topology/core_cpus_list", c)] = fmt.Sprintf("%d-%d", c/2*2, c/2*2+1)
	}
	arm := map[string]string{"system/cpu/online": "0-3"}
	for c, capacity := range []string{"446", "446", "1024", "1024"} {
		arm[fmt.Sprintf("system/cpu/cpu%d/cpu_capacity", c)] = capacity
	}
	for _, c := range []struct {
		files map[string]string
		order []int
		types []CoreType
	}{
		{intel, []int{0, 2, 4, 5, 1, 3}, []CoreType{{"core", []int{0, 2, 1, 3}}, {"atom", []int{4, 5}}}},
		{arm, []int{2, 3, 0, 1}, []CoreType{{"capacity-1024", []int{2, 3}}, {"capacity-446", []int{0, 1}}}},
	} {
		topology := topologyOf(t, c.files)
		if got := topology.Order(); !slices.Equal(got, c.order) {
			t.Errorf("threads take the CPUs %v, want %v", got, c.order)
		}
		if got := topology.CoreTypes(); !reflect.DeepEqual(got, c.types) {
			t.Errorf("types of cores %v, want %v", got, c.types)
		}
		if len(topology.Nodes) != 1 || len(topology.Nodes[0].CPUs) != len(topology.CPUs) {
			t.Errorf("a kernel without nodes: %+v, want one with all CPUs", topology.Nodes)
		}
	}
}

func TestTopologyWithinACpuset(t *testing.T) {
	part := topologyOf(t, server(2, 1, 2)).Within([]int{1, 2, 6, 99})
	if got, want := part.Order(), []int{1, 2, 6}; !slices.Equal(got, want) {
		t.Errorf("threads take the CPUs %v, want %v", got, want)
	}
	if got, want := part.Nodes[0].CPUs, []int{1}; !slices.Equal(got, want) {
		t.Errorf("node 0 has CPUs %v, want %v", got, want)
	}
	if cores, threads := part.Cores(); cores != 2 || threads != 2 {
		t.Errorf("%d cores of %d threads, want 2 of 2", cores, threads)
	}
}

func TestTopologySaysWhatIsDamaged(t *testing.T) {
	if _, err := ReadTopology(t.TempDir()); !errors.Is(err, ErrNoTopology) {
		t.Errorf("without /sys: %v", err)
	}
	for name, text := range map[string]string{
		"system/cpu/online":                        "0-x",
		"system/node/online":                       "1-0",
		"system/node/node0/cpulist":                "-1",
		"system/cpu/cpu1/topology/core_cpus_list":  "0-9999999",
		"cpu_atom/cpus":                            "0,,z",
		"system/cpu/cpu0/topology/core_cpus_list ": "",
	} {
		files := server(1, 1, 1)
		files[name] = text
		_, err := ReadTopology(machine(t, files))
		if damaged := text != ""; damaged && (err == nil || !strings.Contains(err.Error(), name)) {
			t.Errorf("%s is %q: %v", name, text, err)
		} else if !damaged && err != nil {
			t.Error(err)
		}
	}
}

func TestTopologyOfThisMachine(t *testing.T) {
	if runtime.GOOS != "linux" {
		if _, err := ReadTopology("/"); !errors.Is(err, ErrNoTopology) {
			t.Errorf("on %s: %v", runtime.GOOS, err)
		}
		return
	}
	topology, err := Host()
	if err != nil {
		t.Fatal(err)
	}
	cpus, err := AllowedCPUs()
	if err != nil {
		t.Fatal(err)
	}
	order := topology.Order()
	slices.Sort(order)
	if !slices.Equal(order, cpus) {
		t.Errorf("threads take the CPUs %v of those allowed, %v", order, cpus)
	}
}
