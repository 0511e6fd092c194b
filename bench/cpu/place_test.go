package cpu

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// twoNodes has two cores of two threads on either node, and memory alone on a third.
func twoNodes() cpu.Topology {
	t := cpu.Topology{Nodes: []cpu.MemoryNode{
		{ID: 0, CPUs: []int{0, 1, 4, 5}, MemoryBytes: 8 << 30}, {ID: 1, CPUs: []int{2, 3, 6, 7}, MemoryBytes: 4 << 30}, {ID: 2, MemoryBytes: 1 << 30},
	}}
	for id := range 8 {
		t.CPUs = append(t.CPUs, cpu.LogicalCPU{ID: id, Core: id % 4, Thread: id / 4, Package: id % 4 / 2, Node: id % 4 / 2})
	}
	return t
}

// hybrid has two fast cores of two threads and two slow ones.
func hybrid() cpu.Topology {
	t := cpu.Topology{Nodes: []cpu.MemoryNode{{CPUs: []int{0, 1, 2, 3, 4, 5}, MemoryBytes: 8 << 30}}}
	for id := range 4 {
		t.CPUs = append(t.CPUs, cpu.LogicalCPU{ID: id, Core: id / 2 * 2, Thread: id % 2, Type: "core"})
	}
	for id := 4; id < 6; id++ {
		t.CPUs = append(t.CPUs, cpu.LogicalCPU{ID: id, Core: id, Type: "atom"})
	}
	return t
}

func TestPlacesAreThePairsOfNodesAndTheTypesOfCores(t *testing.T) {
	describe := func(m Machine) (list []string) {
		for _, p := range m.Places {
			list = append(list, fmt.Sprintf("%s kind %d, %d threads of %d cores on %v, %d GiB of node %d", p.Name, p.Kind, p.Threads, p.Cores, p.CPUs, p.MemoryBytes>>30, p.MemoryNode))
		}
		return list
	}
	simple := twoNodes().Within([]int{0, 1})
	simple.Nodes = simple.Nodes[:1]
	for _, c := range []struct {
		name           string
		topology       cpu.Topology
		threads, cores int
		want           []string
	}{
		{"two nodes", twoNodes(), 8, 4, []string{
			"node0-node0 kind 1, 4 threads of 2 cores on [0 1 4 5], 8 GiB of node 0", "node1-node1 kind 1, 4 threads of 2 cores on [2 3 6 7], 4 GiB of node 1",
			"node0-node1 kind 1, 4 threads of 2 cores on [0 1 4 5], 4 GiB of node 1", "node0-node2 kind 1, 4 threads of 2 cores on [0 1 4 5], 1 GiB of node 2",
			"node1-node0 kind 1, 4 threads of 2 cores on [2 3 6 7], 8 GiB of node 0", "node1-node2 kind 1, 4 threads of 2 cores on [2 3 6 7], 1 GiB of node 2",
		}},
		{"a quota of one CPU", hybrid(), 1, 1, []string{"core:core kind 2, 1 threads of 1 cores on [0 2 1 3], 0 GiB of node 0", "core:atom kind 2, 1 threads of 1 cores on [4 5], 0 GiB of node 0"}},
		{"hybrid", hybrid(), 6, 4, []string{"core:core kind 2, 4 threads of 2 cores on [0 2 1 3], 0 GiB of node 0", "core:atom kind 2, 2 threads of 2 cores on [4 5], 0 GiB of node 0"}},
		{"within a cpuset", hybrid().Within([]int{4, 5}), 2, 2, nil},
		{"one node", simple, 2, 2, nil},
	} {
		m := Machine{Threads: c.threads, Cores: 99}.On(c.topology)
		if got := describe(m); !slices.Equal(got, c.want) {
			t.Errorf("%s: places\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
		if m.Cores != c.cores || !slices.Equal(m.CPUs, c.topology.Order()) {
			t.Errorf("%s: %d cores, threads on %v", c.name, m.Cores, m.CPUs)
		}
		if in := m.PlanInput(); len(in.Places) != len(c.want) || len(c.want) > 0 && in.Places[1] != m.Places[1].Place {
			t.Errorf("%s: a plan is made for %+v", c.name, in.Places)
		}
	}
}

func TestPlacementsThatCannotBeSayWhy(t *testing.T) {
	clock := &fakeClock{}
	r := newFake(t, clock, unary(goRelu(clock, time.Millisecond)))
	r.machine.Threads = 8
	good := caseOf(kernels.ReLU, kernels.FP32, n(1000), 1)
	two, kinds := r.machine.On(twoNodes()), r.machine.On(hybrid())
	beyond := kinds
	beyond.Places = slices.Clone(kinds.Places)
	beyond.Places[0].CPUs = []int{8190}
	for _, c := range []struct {
		m         Machine
		placement string
		threads   int
		want      string
	}{
		{r.machine, "node0-node1", 1, "placement node0-node1: as far as is known here, there is one memory node and one kind of core"},
		{two, "node0-node7", 1, `unknown placement "node0-node7": did you mean "node0-node0"?`},
		{two, "node0-node1", 1, "placement node0-node1: memory nodes are measured by the bandwidth kernels and chase, not by relu"},
		{kinds, "core:atom", 3, "threads 3: this process may use 1 to 2"},
		{beyond, "core:core", 1, "placement core:core: thread 0: cannot move this thread to CPUs [8190]"},
	} {
		r.machine = c.m
		bad := good
		bad.Placement, bad.Threads = c.placement, c.threads
		res := run(t, r, bad)
		if runtime.GOOS != "linux" && c.placement == "core:core" {
			continue // threads are pinned nowhere
		}
		if res.Status != bench.Failed || !strings.HasPrefix(res.Error, c.want) || res.Placement != c.placement {
			t.Errorf("%s: %s %q, want %q", c.placement, res.Status, res.Error, c.want)
		}
	}
}

// TestAPlaceIsHeldAgainstItsOwnRoofs, not against those of the whole machine or of another place.
func TestAPlaceIsHeldAgainstItsOwnRoofs(t *testing.T) {
	home, err := cpu.Host()
	if errors.Is(err, cpu.ErrNoTopology) {
		return // threads are pinned nowhere
	}
	if err != nil {
		t.Fatal(err)
	}
	clock := &fakeClock{}
	r := newFake(t, clock, nil)
	first := home.Order()[:1]
	for _, name := range []string{"core:core", "core:atom"} {
		r.machine.Places = append(r.machine.Places, Place{Place: bench.Place{Name: name, Kind: bench.CoreKind, Threads: 1, Cores: 1}, CPUs: first})
	}
	fma := func(took time.Duration) cpu.FMAFunc {
		return func(n int) float64 { clock.work(took); return float64(n) }
	}
	at := func(place string, k kernels.Kernel, p kernels.Precision, s kernels.Shape, f any) bench.Result {
		r.pick = func(k kernels.Kernel, p kernels.Precision, _ string) (cpu.Impl, error) {
			return cpu.Impl{Kernel: k, Precision: p, Engine: "fake", Func: f}, nil
		}
		c := caseOf(k, p, s, 1)
		c.Placement = place
		return run(t, r, c)
	}
	product := planGEMM(func([]float32) { clock.work(time.Millisecond) })
	at("", kernels.FMA, kernels.FP32FP32, n(786_432), fma(10*time.Millisecond))
	at("core:core", kernels.FMA, kernels.FP32FP32, n(786_432), fma(5*time.Millisecond))
	shape := kernels.Shape{M: 32, N: 32, K: 32}
	whole, fast, slow := at("", kernels.GEMM, kernels.FP32FP32, shape, product), at("core:core", kernels.GEMM, kernels.FP32FP32, shape, product), at("core:atom", kernels.GEMM, kernels.FP32FP32, shape, product)
	if whole.OfLimit == nil || fast.OfLimit == nil || !near(fast.OfLimit, *whole.OfLimit/2) || slow.OfLimit != nil {
		t.Errorf("of the limits of 1, 2 and unknown: %+v, %+v, %+v", whole.OfLimit, fast.OfLimit, slow.OfLimit)
	}
}

// TestThreadsAndMemoryAreWhereThePlacementSays: every buffer of each bandwidth kernel and of chase, on every node of
// this machine that has both.
func TestThreadsAndMemoryAreWhereThePlacementSays(t *testing.T) {
	topology, err := cpu.Host()
	if errors.Is(err, cpu.ErrNoTopology) {
		return // nor are pages placed
	}
	if err != nil {
		t.Fatal(err)
	}
	clock := &fakeClock{}
	r := newFake(t, clock, nil)
	var mu sync.Mutex
	var problems []string
	var want Place
	look := func(data []float64) {
		mu.Lock()
		defer mu.Unlock()
		if cpus, err := cpu.AllowedCPUs(); err != nil || len(cpus) != 1 || !slices.Contains(want.CPUs, cpus[0]) {
			problems = append(problems, fmt.Sprintf("a thread may run on %v (%v), want one of %v", cpus, err, want.CPUs))
		}
		if node, err := cpu.NodeOf(data); err != nil || node != want.MemoryNode {
			problems = append(problems, fmt.Sprintf("an operand is on node %d (%v), want %d", node, err, want.MemoryNode))
		}
	}
	copied := cpu.CopyFunc(func(dst, src []float64) { copy(dst, src); look(dst); look(src); clock.work(time.Millisecond) })
	read := cpu.ReadFunc(func(src []float64) (sum uint64) {
		look(src)
		clock.work(time.Millisecond)
		impl, err := cpu.Pick(kernels.Read, kernels.FP64, cpu.Go)
		if err != nil {
			t.Error(err)
			return 0
		}
		return impl.Func.(cpu.ReadFunc)(src)
	})
	chase := &cpu.Chase{Walk: func(at *cpu.Line, loads int) *cpu.Line {
		look(unsafe.Slice((*float64)(unsafe.Pointer(at)), 1))
		clock.work(time.Millisecond)
		for range loads {
			at = at.Next
		}
		return at
	}}
	all := map[kernels.Kernel]any{kernels.Copy: copied, kernels.Read: read, kernels.Chase: chase}
	measure := func(k kernels.Kernel, f any) bench.Result {
		r.pick = func(k kernels.Kernel, p kernels.Precision, _ string) (cpu.Impl, error) {
			return cpu.Impl{Kernel: k, Precision: p, Engine: "fake", Func: f}, nil
		}
		r.machine.Places = []Place{want}
		c := caseOf(k, kernels.FP64, n(1000), want.Threads)
		c.Placement = want.Name
		return run(t, r, c)
	}
	for _, p := range topology.Placements() {
		if !p.Local() {
			continue
		}
		want = Place{Place: bench.Place{Name: "node", Kind: bench.NodePair, Threads: min(2, len(p.CPUs)), Cores: 1}, CPUs: p.CPUs, MemoryNode: p.MemoryNode}
		for k, f := range all {
			_, free, refused := cpu.AllocOn[float64](p.MemoryNode, 1)
			if refused == nil {
				free()
			}
			res := measure(k, f)
			switch {
			case errors.Is(refused, syscall.EPERM) || errors.Is(refused, syscall.ENOSYS): // where nobody may place pages nothing is measured
				if res.Status != bench.Failed || !strings.Contains(res.Error, "memory node") {
					t.Errorf("%s where pages cannot be placed: %s %q", k, res.Status, res.Error)
				}
			case res.Status != bench.OK:
				t.Errorf("%s: %s", k, res.Error)
			}
		}
	}
	want.MemoryNode = 8191 // which no machine has
	for k, f := range all {
		if res := measure(k, f); res.Status != bench.Failed || !strings.Contains(res.Error, "on memory node 8191: mbind: ") {
			t.Errorf("%s on a node that is not there: %s %q", k, res.Status, res.Error)
		}
	}
	if len(problems) > 0 {
		t.Errorf("%d times something is elsewhere: %s", len(problems), problems[0])
	}
}
