package detect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v3/cpu"
)

const cpuRoot = "sys/devices/system/cpu/"

// topology is how the online logical CPUs form cores and packages.
type topology struct {
	info     []cpu.InfoStat // a row a CPU, as /proc/cpuinfo has them; may be empty
	online   []int
	packages int
	cores    int
}

// topology reads sysfs, and where that is hidden /proc/cpuinfo, and at last cpuid.
func (s *Source) topology(ctx context.Context) topology {
	s.read("proc/cpuinfo") // so that a dump holds what gopsutil reads
	var t topology
	// An error means a malformed line; the rows before it are good.
	t.info, _ = cpu.InfoWithContext(s.gopsutil(ctx))
	if online, ok := s.cpuList(cpuRoot + "online"); ok && len(online) > 0 {
		t.online = online
	} else {
		t.online = s.fallbackOnline(t.info)
	}

	packages, cores := map[string]bool{}, map[string]bool{}
	for _, c := range t.online {
		if p := s.siblings(c, "package_cpus_list", "core_siblings_list"); p != "" {
			packages[p] = true
		}
		if p := s.siblings(c, "core_cpus_list", "thread_siblings_list"); p != "" {
			cores[p] = true
		}
	}
	noPackages, noCores := len(packages) == 0, len(cores) == 0
	for _, row := range t.info {
		if noPackages && row.PhysicalID != "" {
			packages[row.PhysicalID] = true
		}
		if noCores && row.PhysicalID != "" {
			cores[row.PhysicalID+"/"+row.CoreID] = true
		}
	}
	t.packages = max(len(packages), 1)
	t.cores = len(cores)
	if t.cores == 0 {
		t.cores = max(len(t.online)/max(s.record.CPUID.Threads, 1), 1)
	}
	return t
}

// siblings reads the first of the topology files that there is for a CPU (the older name
// is the second; Documentation/admin-guide/cputopology.rst).
func (s *Source) siblings(cpu int, names ...string) string {
	for _, name := range names {
		if t, ok := s.text(fmt.Sprintf(cpuRoot+"cpu%d/topology/%s", cpu, name)); ok {
			return t
		}
	}
	return ""
}

func (s *Source) fallbackOnline(info []cpu.InfoStat) []int {
	online := []int{}
	for _, row := range info {
		online = append(online, int(row.CPU))
	}
	for len(online) < s.record.CPUID.Logical {
		online = append(online, len(online))
	}
	return online
}

// cpu describes the processors.
func (s *Source) cpu(t topology) *CPU {
	c := &CPU{
		Packages: t.packages, Cores: t.cores, Threads: len(t.online),
		SMT:       len(t.online) > t.cores,
		NUMANodes: s.numaNodes(),
		Caches:    s.caches(t),
		Governor:  s.governor(t.online),
	}
	var row cpu.InfoStat
	if len(t.info) > 0 {
		row = t.info[0]
	}
	c.Features = features(s.record, row.Flags)
	c.Vendor = cmp.Or(row.VendorID, s.record.CPUID.Vendor)
	s.identity(c, row)
	s.clocks(c, t.online, row)
	c.BoostEnabled = s.boost()
	return c
}

// identity fills in family, model number and stepping. On arm64 the model number is the
// part number and the stepping the revision of MIDR_EL1; a family there is none.
func (s *Source) identity(c *CPU, row cpu.InfoStat) {
	if id := s.record.CPUID; id.Family > 0 && s.record.Arch != "arm64" {
		c.Family, c.ModelNumber, c.Stepping = &id.Family, &id.Model, &id.Stepping
		return
	}
	stepping := int(row.Stepping)
	if family, err := strconv.Atoi(row.Family); err == nil {
		c.Family, c.Stepping = &family, &stepping
	}
	if model, err := strconv.ParseInt(row.Model, 0, 32); err == nil {
		m := int(model)
		c.ModelNumber, c.Stepping = &m, &stepping
	}
}

// armModels names cores that gopsutil does not know yet, by vendor and part number
// (the MIDR values in the cores' Technical Reference Manuals and Linux's cputype.h).
var armModels = map[string]string{
	"ARM 0xd4f": "Neoverse-V2", "ARM 0xd84": "Neoverse-V3", "ARM 0xd83": "Neoverse-V3AE",
	"ARM 0xd8e": "Neoverse-N3", "ARM 0xd80": "Cortex-A520", "ARM 0xd81": "Cortex-A720",
	"ARM 0xd82": "Cortex-X4", "ARM 0xd85": "Cortex-X925", "ARM 0xd87": "Cortex-A725",
	"Ampere 0xac3": "Ampere-1", "Ampere 0xac4": "Ampere-1a",
	"Fujitsu 0x001": "A64FX", "HiSilicon 0xd01": "TaiShan-v110", "NVIDIA 0x004": "Carmel",
}

// cpuModel is the model's name as its maker gives it.
func (s *Source) cpuModel(t topology) string {
	var row cpu.InfoStat
	if len(t.info) > 0 {
		row = t.info[0]
	}
	name := row.ModelName
	if name == "" || name == "Undefined" {
		name = cmp.Or(armModels[row.VendorID+" "+row.Model], s.record.CPUID.Brand,
			strings.TrimSpace(cmp.Or(row.VendorID, s.record.CPUID.Vendor)+" "+row.Model), "unknown")
	}
	return strings.Join(strings.Fields(name), " ") // brand strings are padded
}

// numaNodes lists the memory nodes, also those without CPUs (HBM, CXL).
func (s *Source) numaNodes() []NUMA {
	nodes := []NUMA{}
	for _, name := range s.list("sys/devices/system/node") {
		digits, ok := strings.CutPrefix(name, "node")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || n < 0 {
			continue
		}
		dir := "sys/devices/system/node/" + name
		cpus, ok := s.cpuList(dir + "/cpulist")
		if !ok {
			continue
		}
		memory, _ := s.read(dir + "/meminfo")
		nodes = append(nodes, NUMA{Node: n, CPUs: cpus, MemoryBytes: meminfoField(string(memory), "MemTotal")})
	}
	slices.SortFunc(nodes, func(a, b NUMA) int { return cmp.Compare(a.Node, b.Node) })
	return nodes
}

// clocks fills in what the kernel and cpuid say of the frequencies.
//
// Without cpufreq, "cpu MHz" in /proc/cpuinfo is a measured clock only where the kernel
// has APERF/MPERF; elsewhere (most VMs) it is the rate of the time stamp counter, which is
// the rated frequency, so it is taken for the base and the current clock stays unknown.
func (s *Source) clocks(c *CPU, online []int, row cpu.InfoStat) {
	first := 0
	if len(online) > 0 {
		first = online[0]
	}
	freq := fmt.Sprintf(cpuRoot+"cpu%d/cpufreq/", first)
	c.CurrentHz = s.kiloHertz(freq + "scaling_cur_freq")
	c.MaxHz = s.kiloHertz(freq + "cpuinfo_max_freq")
	c.BaseHz = s.kiloHertz(freq + "base_frequency")

	if hz := float64(s.record.CPUID.BaseHz); c.BaseHz == nil && hz > 0 {
		c.BaseHz = &hz
	}
	if hz := float64(s.record.CPUID.BoostHz); c.MaxHz == nil && hz > 0 {
		c.MaxHz = &hz
	}
	// gopsutil puts cpuinfo_max_freq in place of "cpu MHz" where there is one.
	if hz := row.Mhz * 1e6; hz > 0 && s.kiloHertz(freq+"cpuinfo_max_freq") == nil {
		switch {
		case slices.Contains(row.Flags, "aperfmperf"):
			c.CurrentHz = cmp.Or(c.CurrentHz, &hz)
		case slices.Contains(row.Flags, "constant_tsc"):
			c.BaseHz = cmp.Or(c.BaseHz, &hz)
		}
	}
}

func (s *Source) kiloHertz(name string) *float64 {
	n, ok := s.number(name)
	if !ok || n <= 0 {
		return nil
	}
	hz := float64(n) * 1e3
	return &hz
}

// governor names the cpufreq governor, all of them with commas where CPUs differ.
func (s *Source) governor(online []int) *string {
	var names []string
	for _, c := range online {
		if g, ok := s.text(fmt.Sprintf(cpuRoot+"cpu%d/cpufreq/scaling_governor", c)); ok && !slices.Contains(names, g) {
			names = append(names, g)
		}
	}
	slices.Sort(names)
	return known(strings.Join(names, ","))
}

// boost reads the switch of turbo or boost, which each cpufreq driver keeps elsewhere.
func (s *Source) boost() *bool {
	for _, f := range []struct {
		name string
		on   int64
	}{{"intel_pstate/no_turbo", 0}, {"cpufreq/boost", 1}, {"cpu0/cpufreq/boost", 1}} {
		if n, ok := s.number(cpuRoot + f.name); ok {
			on := n == f.on
			return &on
		}
	}
	return nil
}
