package detect

import (
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/realflops/realflops/kernels/cpu"
)

// lscpu runs util-linux's lscpu and flattens the tree that it prints as JSON.
func lscpu(t *testing.T) map[string]string {
	t.Helper()
	cmd := exec.Command("lscpu", "-J", "-B")
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("lscpu (of util-linux): %v", err)
	}
	type row struct {
		Field, Data string
		Children    []row
	}
	var doc struct{ Lscpu []row }
	if err := json.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}
	facts := map[string]string{}
	var walk func([]row)
	walk = func(rows []row) {
		for _, r := range rows {
			facts[strings.TrimSuffix(r.Field, ":")] = r.Data
			walk(r.Children)
		}
	}
	walk(doc.Lscpu)
	return facts
}

// native skips where the program does not run on the CPU that /proc describes.
func native(t *testing.T) {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOARCH == "arm64" && !strings.Contains(string(info), "CPU implementer") {
		t.Skip("arm64 under qemu-user: /proc/cpuinfo is the host's")
	}
}

// TestAgreesWithLscpu compares every fact that lscpu and detect both tell of this
// machine.
func TestAgreesWithLscpu(t *testing.T) {
	native(t)
	l := lscpu(t)
	h := detect(t, Live())
	c := h.CPUDevice().CPU

	compared := 0
	same := func(field, ours string) {
		t.Helper()
		theirs, ok := l[field]
		if !ok {
			return // lscpu does not show what it cannot read either
		}
		compared++
		if theirs != ours {
			t.Errorf("%s: lscpu says %q, detect says %q", field, theirs, ours)
		}
	}
	number := func(p *int) string {
		if p == nil {
			return "unknown"
		}
		return strconv.Itoa(*p)
	}
	same("Vendor ID", c.Vendor)
	same("Model name", h.CPUDevice().Model)
	if runtime.GOARCH == "amd64" { // on arm64 lscpu's words mean other fields
		same("CPU family", number(c.Family))
		same("Model", number(c.ModelNumber))
		same("Stepping", number(c.Stepping))
	}
	same("CPU(s)", strconv.Itoa(c.Threads))
	same("Socket(s)", strconv.Itoa(c.Packages))
	same("Core(s) per socket", strconv.Itoa(c.Cores/c.Packages))
	same("Thread(s) per core", strconv.Itoa(c.Threads/c.Cores))
	same("NUMA node(s)", strconv.Itoa(len(c.NUMANodes)))
	for _, n := range c.NUMANodes {
		theirs, err := parseCPUList(l["NUMA node"+strconv.Itoa(n.Node)+" CPU(s)"])
		if err != nil || !slices.Equal(theirs, n.CPUs) {
			t.Errorf("node %d: lscpu says CPUs %v (%v), detect says %v", n.Node, theirs, err, n.CPUs)
		}
	}
	names := map[string]map[int]string{"data": {1: "L1d"}, "instruction": {1: "L1i"}, "unified": {2: "L2", 3: "L3", 4: "L4"}}
	total, instances := map[string]int64{}, map[string]int{}
	for _, cache := range c.Caches {
		name := names[cache.Type][cache.Level]
		total[name] += cache.Bytes * int64(cache.Instances)
		instances[name] += cache.Instances
	}
	for field, theirs := range l {
		name, ok := strings.CutSuffix(field, " cache")
		if !ok {
			continue
		}
		// Newer versions add "(2 instances)".
		bytes, rest, _ := strings.Cut(theirs, " ")
		same(field, strings.TrimSpace(strconv.FormatInt(total[name], 10)+" "+rest))
		if rest != "" && !strings.HasPrefix(rest, "("+strconv.Itoa(instances[name])+" instance") {
			t.Errorf("%s: lscpu says %q, detect says %d instances", field, rest, instances[name])
		}
		if bytes == "0" {
			t.Errorf("%s is empty", field)
		}
	}
	flags := strings.Fields(l["Flags"])
	if len(c.Features) == 0 {
		t.Error("no instruction sets")
	}
	for _, f := range c.Features {
		if f == "neon" {
			f = "asimd"
		}
		if !slices.Contains(flags, f) {
			t.Errorf("instruction set %s is not among lscpu's flags", f)
		}
	}
	for _, set := range instructionSets[h.Arch] {
		if slices.Contains(flags, set.name) && !slices.Contains(c.Features, set.name) {
			t.Errorf("lscpu has the flag %s, detect lacks it", set.name)
		}
	}
	if vendor, ok := l["Hypervisor vendor"]; ok {
		ours := "unknown"
		if h.Hypervisor != nil {
			ours = *h.Hypervisor
		}
		theirs := map[string]string{"Microsoft": "hyperv"}[vendor]
		if theirs == "" {
			theirs = strings.ToLower(vendor)
		}
		if ours != theirs {
			t.Errorf("hypervisor: lscpu says %s, detect says %s", vendor, ours)
		}
	}
	if compared < 10 {
		t.Errorf("only %d facts were compared: %v", compared, l)
	}
}

// TestAgreesWithTheKernel compares with system calls what detect reads from files.
func TestAgreesWithTheKernel(t *testing.T) {
	h := detect(t, Live())
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	want(t, "kernel release", h.Kernel, unix.ByteSliceToString(u.Release[:]))
	want(t, "host name", h.Name, unix.ByteSliceToString(u.Nodename[:]))
	want(t, "architecture", h.Arch, runtime.GOARCH)

	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	var allowed []int
	for c := range 1024 {
		if set.IsSet(c) {
			allowed = append(allowed, c)
		}
	}
	want(t, "affinity mask", h.Limits.CPUs, allowed)

	// Both are the kernel's totalram_pages, which a balloon may change at any time: what is
	// between two equal readings must equal them.
	for range 10 {
		before := totalMemory(t)
		h := detect(t, Live())
		if before != totalMemory(t) {
			continue
		}
		if h.MemoryBytes == nil {
			t.Fatal("the memory is unknown")
		}
		want(t, "memory", *h.MemoryBytes, before)
		return
	}
	t.Error("the memory's size changed during each of ten readings")
}

func totalMemory(t *testing.T) int64 {
	t.Helper()
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		t.Fatal(err)
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// TestKernelsAndDetectMeanTheSame: what an engine needs is a name in detect's list, and
// both say alike whether this machine has it.
func TestKernelsAndDetectMeanTheSame(t *testing.T) {
	found := detect(t, Live()).CPUDevice().CPU.Features
	for _, i := range cpu.All() {
		for _, need := range i.Needs {
			if !slices.ContainsFunc(instructionSets[runtime.GOARCH], func(s instructionSet) bool { return s.name == need }) {
				t.Errorf("engine %s needs %s, which detect does not know", i.Engine, need)
			}
			if cpu.HasFeature(need) != slices.Contains(found, need) {
				t.Errorf("%s: kernels say %t, detect lists %v", need, cpu.HasFeature(need), found)
			}
		}
	}
}
