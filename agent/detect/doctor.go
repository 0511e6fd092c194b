package detect

import (
	"fmt"
	"slices"
	"strings"
)

// Status of a check: OK needs nothing, Warn makes figures lower, noisier or narrower than
// the machine's, Fail makes them worthless or impossible.
const (
	OK   = "ok"
	Warn = "warn"
	Fail = "fail"
)

// Check is one thing that realflops needs or that sways its figures.
type Check struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok, warn or fail
	Text   string `json:"text"`   // one sentence: what is, and what to do about it
}

const (
	thpFile       = "sys/kernel/mm/transparent_hugepage/enabled"
	nvidiaControl = "dev/nvidiactl"

	// minMemory is what the quick suite needs (400 MB) with room to spare.
	minMemory = 512 << 20
)

// Doctor tells what works on the host h, as src shows it, and why the rest does not.
func Doctor(src *Source, h *Host) []Check {
	var checks []Check
	add := func(name, status, format string, args ...any) {
		checks = append(checks, Check{name, status, fmt.Sprintf(format, args...)})
	}
	if d := h.CPUDevice(); d != nil {
		add("cpu", OK, "%s with %s, %s and %s.", d.Model, count(d.CPU.Packages, "package"), count(d.CPU.Cores, "core"), count(d.CPU.Threads, "thread"))
		instructions(h.Arch, d.CPU, add)
		if d.CPU.SMT {
			add("smt", OK, "%d threads share %d cores, so twice the threads is not twice the figure.", d.CPU.Threads, d.CPU.Cores)
		}
		cpuLimits(h.Limits, d.CPU, add)
		clocks(h.Arch, d.CPU, add)
	}
	memoryChecks(src, h, add)
	surroundings(h, add)
	gpuChecks(src, h, add)
	return checks
}

// adder appends a check; the text is a format.
type adder func(name, status, format string, args ...any)

// vectors are the instruction sets that decide how fast floating point can be, widest
// first, with what realflops needs of each at once.
var vectors = map[string][]struct {
	name  string
	needs []string
}{
	"amd64": {
		{"AVX-512", []string{"avx512f", "avx512bw", "avx512dq", "avx512vl"}},
		{"AVX2", []string{"avx2", "fma", "f16c"}},
	},
	"arm64": {{"SVE", []string{"sve"}}, {"NEON", []string{"neon"}}},
}

func instructions(arch string, c *CPU, add adder) {
	for _, v := range vectors[arch] {
		if containsAll(c.Features, v.needs) {
			add("instruction sets", OK, "The widest vectors are %s (%s).", v.name, strings.Join(c.Features, " "))
			return
		}
	}
	add("instruction sets", Warn, "Neither AVX2 with FMA and F16C nor NEON is offered, so only the plain Go kernels run; in a VM, pass the host's CPU model through.")
}

func containsAll(have, want []string) bool {
	return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(have, w) })
}

func cpuLimits(l Limits, c *CPU, add adder) {
	if len(l.CPUs) < c.Threads {
		add("affinity", Warn, "This process may use %d of %d CPUs, so the figures are of a part of the machine; widen the affinity mask (taskset, cpuset, Slurm) to measure all of it.", len(l.CPUs), c.Threads)
	} else {
		add("affinity", OK, "This process may use all %s.", count(c.Threads, "CPU"))
	}
	switch q := l.CPUQuota; {
	case q == nil:
		add("cpu quota", OK, "No cgroup limits the CPU time.")
	case *q < 1:
		add("cpu quota", Fail, "A cgroup allows %.3g of one CPU, so even one thread is stopped again and again; raise the CPU limit to at least 1.", *q)
	case *q < float64(len(l.CPUs)):
		add("cpu quota", Warn, "A cgroup allows %.3g CPUs' worth of time on %d CPUs, so all threads run in bursts: their median rates are those between stops, and marked uneven; raise the CPU limit to %[2]d to measure the machine.", *q, len(l.CPUs))
	default:
		add("cpu quota", OK, "The cgroup's quota of %.3g CPUs does not bind.", *q)
	}
}

func clocks(arch string, c *CPU, add adder) {
	if c.CurrentHz == nil && c.MaxHz == nil {
		text := "The system hides the clock (usual in a VM), so shares of a datasheet peak rest on the clock that realflops measures itself."
		if arch != "amd64" { // kernels/cpu knows the latency of its clock chain only there
			text = "The system hides the clock (usual in a VM), so a share of a datasheet peak cannot be told from a low clock."
		}
		add("clocks", Warn, "%s", text)
	} else {
		add("clocks", OK, "The system shows the clock.")
	}
	if g := c.Governor; g != nil {
		if *g == "performance" {
			add("governor", OK, "The frequency governor is performance.")
		} else {
			add("governor", Warn, "The frequency governor is %s, which may lower the clock between samples; set it with cpupower frequency-set -g performance.", *g)
		}
	}
	if b := c.BoostEnabled; b != nil {
		text := "Boost is off: figures are steady, and below what the machine can do in a burst."
		if *b {
			text = "Boost is on: figures depend on heat and power, and burst and sustained will differ."
		}
		add("boost", OK, "%s", text)
	}
}

func memoryChecks(src *Source, h *Host, add adder) {
	memory := smaller(h.MemoryBytes, h.Limits.MemoryBytes)
	switch {
	case memory == nil:
		add("memory", Warn, "The size of the memory is unknown, so shapes that do not fit cannot be told beforehand.")
	case *memory < minMemory:
		add("memory", Fail, "%d MiB can be used, the quick suite needs %d; raise the memory limit.", *memory>>20, minMemory>>20)
	default:
		add("memory", OK, "%.1f GiB can be used.", float64(*memory)/(1<<30))
	}
	thp, _ := src.text(thpFile)
	meminfo, _ := src.read("proc/meminfo")
	free := meminfoField(string(meminfo), "HugePages_Free")
	switch {
	case strings.Contains(thp, "[always]") || strings.Contains(thp, "[madvise]"):
		add("huge pages", OK, "Transparent huge pages can be had.")
	case free != nil && *free > 0:
		add("huge pages", OK, "%d huge pages are free, but not the transparent ones.", *free)
	case thp == "":
		add("huge pages", Warn, "Whether there are huge pages is unknown: /%s cannot be read.", thpFile)
	default:
		add("huge pages", Warn, "There are no transparent huge pages, so large matrices pay for TLB misses; write madvise to /%s.", thpFile)
	}
}

func surroundings(h *Host, add adder) {
	if h.Hypervisor != nil {
		add("virtual machine", OK, "This is a guest of %s: neighbours may take CPU time, which shows as noise.", *h.Hypervisor)
	}
	if h.Container != nil {
		add("container", OK, "This process is in a container (%s): its limits are named above, the host may be larger.", *h.Container)
	}
}

func gpuChecks(src *Source, h *Host, add adder) {
	control := src.exists(nvidiaControl)
	found := false
	for _, d := range h.Devices {
		if d.GPU == nil {
			continue
		}
		found = true
		name := "gpu " + d.GPU.PCI
		switch driver := d.GPU.Driver; {
		case driver == NoDriver:
			add(name, Warn, "%s has no driver: install NVIDIA's (nvidia-driver or nvidia-open), load it with modprobe nvidia, and look for errors in dmesg.", d.Model)
		case !strings.HasPrefix(driver, "nvidia"):
			add(name, Warn, "%s is held by the driver %s, which cannot compute for us; bind it to NVIDIA's driver.", d.Model, driver)
		case !control:
			add(name, Warn, "%s has the driver %s, but /%s is missing here; start the container with the GPU (--gpus all) or run nvidia-modprobe.", d.Model, driver, nvidiaControl)
		default:
			add(name, OK, "%s with the driver %s.", d.Model, driver)
		}
	}
	if !found {
		add("gpu", OK, "There is no NVIDIA GPU on the PCI bus.")
	}
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
