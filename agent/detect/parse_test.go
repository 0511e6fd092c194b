package detect

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseCPUList(t *testing.T) {
	for in, cpus := range map[string][]int{
		"0-3,8\n": {0, 1, 2, 3, 8}, "": {}, "\n": {}, "5": {5}, "0,16": {0, 16}, "2-3,0-2": {0, 1, 2, 3},
	} {
		got, err := parseCPUList(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
		}
		want(t, in, got, cpus)
	}
	for _, in := range []string{"3-1", "a", "-", "1-", "0,,1", "-1", "0-8192", "0-4294967295", "99999999999999999999", "1 2", strings.Repeat("0-8191,", 9) + "0"} {
		if got, err := parseCPUList(in); err == nil {
			t.Errorf("%.40q gave %d CPUs and no error", in, len(got))
		}
	}
}

func TestParseSize(t *testing.T) {
	for in, bytes := range map[string]int64{"32K": 32 << 10, "2M\n": 2 << 20, "1G": 1 << 30, "4096": 4096, "107520K": 105 << 20} {
		got, err := parseSize(in)
		if err != nil || got != bytes {
			t.Errorf("%q: got %d, %v, want %d", in, got, err, bytes)
		}
	}
	for _, in := range []string{"", "K", "0", "0K", "-1K", "32k", "32KB", "1.5M", "9223372036854775807K", "M32"} {
		if got, err := parseSize(in); err == nil {
			t.Errorf("%q gave %d and no error", in, got)
		}
	}
}

func TestMeminfoField(t *testing.T) {
	const text = "MemTotal:       100 kB\nNode 0 MemFree:        7 kB\nHugePages_Free:        3\nBad: x kB\n: 1\n"
	want(t, "kB", *meminfoField(text, "MemTotal"), 100<<10)
	want(t, "of a node", *meminfoField(text, "MemFree"), 7<<10)
	want(t, "a count", *meminfoField(text, "HugePages_Free"), 3)
	want(t, "malformed", meminfoField(text, "Bad"), nil)
	want(t, "missing", meminfoField(text, "SwapTotal"), nil)
}

func TestQuotaAndLimit(t *testing.T) {
	for _, c := range [][2]string{{"max", "100000"}, {"-1", "100000"}, {"100000", "0"}, {"0", "100000"}, {"", ""}, {"100000", ""}} {
		want(t, "quota "+c[0]+" "+c[1], parseQuota(c[0], c[1]), nil)
	}
	want(t, "quota", *parseQuota("150000", "100000"), 1.5)
	for _, in := range []string{"max", "9223372036854771712", "9223372036854710272", "-1", "0", "", "99999999999999999999"} {
		want(t, "limit "+in, parseLimit(in), nil)
	}
	want(t, "limit", *parseLimit("524288000"), 524288000)
}

// TestCgroupDirs: from the leaf up to the root of the mount, however the process is
// placed in what it can see.
func TestCgroupDirs(t *testing.T) {
	v2 := []cgroupMount{{v2: true, root: "/", point: "/sys/fs/cgroup"}}
	v1 := []cgroupMount{
		{root: "/", point: "/sys/fs/cgroup/cpu,cpuacct", controllers: []string{"rw", "cpu", "cpuacct"}},
		{root: "/docker/1", point: "/sys/fs/cgroup/memory", controllers: []string{"rw", "memory"}},
	}
	for name, c := range map[string]struct {
		mounts     []cgroupMount
		cgroup     string
		controller string
		want       []string
	}{
		"v2":                   {v2, "0::/a/b\n", "", []string{"sys/fs/cgroup/a/b", "sys/fs/cgroup/a", "sys/fs/cgroup"}},
		"v2 root":              {v2, "0::/\n", "", []string{"sys/fs/cgroup"}},
		"outside the view":     {[]cgroupMount{{v2: true, root: "/x", point: "/cg"}}, "0::/../y\n", "", []string{"cg"}},
		"not a prefix by name": {[]cgroupMount{{v2: true, root: "/a", point: "/cg"}}, "0::/ab\n", "", []string{"cg"}},
		"v1 joined":            {v1, "2:cpuacct,cpu:/s\n1:memory:/docker/1\n", "cpu", []string{"sys/fs/cgroup/cpu,cpuacct/s", "sys/fs/cgroup/cpu,cpuacct"}},
		"v1 mount of a part":   {v1, "1:memory:/docker/1/in\n", "memory", []string{"sys/fs/cgroup/memory/in", "sys/fs/cgroup/memory"}},
		"best of two mounts": {
			[]cgroupMount{{v2: true, root: "/other", point: "/one"}, {v2: true, root: "/a", point: "/two"}}, "0::/a/b\n", "", []string{"two/b", "two"},
		},
		"no mount":  {nil, "0::/a\n", "", nil},
		"no line":   {v2, "3:cpu:/a\n", "", nil},
		"hybrid":    {v1, "0::/\n", "cpu", nil},
		"malformed": {v2, "0:\n::\n0::a\n", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := cgroupDirs(c.mounts, parseCgroups(c.cgroup), c.controller == "", c.controller)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestHybridTakesTheSmallerLimit: a host can have both cgroup versions, and each binds.
func TestHybridTakesTheSmallerLimit(t *testing.T) {
	h := detect(t, openFiles(t, map[string]string{
		recordFile:                record,
		"proc/self/cgroup":        "0::/b\n1:cpu:/a/c\n",
		"proc/self/mountinfo":     "1 0 0:1 / /v1 rw - cgroup cgroup rw,cpu\n2 0 0:2 / /v2\\040x rw shared:1 - cgroup2 none rw\nbad line\n",
		"v1/a/c/cpu.cfs_quota_us": "300000\n", "v1/a/c/cpu.cfs_period_us": "100000\n",
		"v1/a/cpu.cfs_quota_us": "100000\n", "v1/a/cpu.cfs_period_us": "50000\n",
		"v2 x/b/cpu.max": "250000 100000\n", "v2 x/b/memory.max": "1000000\n", "v2 x/memory.max": "max\n",
	}))
	want(t, "quota", *h.Limits.CPUQuota, 2.0)
	want(t, "memory", *h.Limits.MemoryBytes, 1000000)
}

func TestLittleAndBigCachesAreApart(t *testing.T) {
	files := map[string]string{recordFile: record, cpuRoot + "online": "0-3\n", cpuRoot + "cpu0/cache/uevent": ""}
	for cpu, c := range [][2]string{{"48K", "0"}, {"48K", "1"}, {"32K", "2-3"}, {"32K", "2-3"}} {
		dir := filepath.Join(cpuRoot, "cpu"+string(rune('0'+cpu)), "cache/index0") + "/"
		files[dir+"level"], files[dir+"type"], files[dir+"size"] = "1", "Data", c[0]
		files[dir+"shared_cpu_list"], files[dir+"coherency_line_size"] = c[1], "64"
	}
	files[cpuRoot+"cpu3/cache/index1/level"] = "x" // malformed: not listed
	got := detect(t, openFiles(t, files)).CPUDevice().CPU.Caches
	want(t, "caches", got, []Cache{{1, "data", 48 << 10, 2, 1, 64}, {1, "data", 32 << 10, 1, 2, 64}})
}

func TestModelsThatGopsutilDoesNotKnow(t *testing.T) {
	info := "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\nCPU revision\t: 0\n"
	d := detect(t, openFiles(t, map[string]string{recordFile: record, "proc/cpuinfo": info})).CPUDevice()
	want(t, "model", d.Model, "Neoverse-V2")
	info = strings.Replace(info, "0xd4f", "0xfff", 1)
	d = detect(t, openFiles(t, map[string]string{recordFile: record, "proc/cpuinfo": info})).CPUDevice()
	want(t, "unknown part", d.Model, "ARM 0xfff")
}

func FuzzParseCPUList(f *testing.F) {
	for _, s := range []string{"0-3,8", "", "3-1", "0-65535", "1,1,1", "0-4294967296"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		cpus, err := parseCPUList(s)
		if err == nil && (!slices.IsSorted(cpus) || len(cpus) > maxCPU || len(slices.Compact(slices.Clone(cpus))) != len(cpus)) {
			t.Errorf("%q: not a set of CPUs: %v", s, cpus)
		}
	})
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"32K", "1M", "9223372036854775807G", "-1", "K"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseSize(s); err == nil && n <= 0 {
			t.Errorf("%q: got %d", s, n)
		}
	})
}

func FuzzCgroups(f *testing.F) {
	f.Add("1 0 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/a/../../b\n", "150000 100000")
	f.Add("1 0 0:1 /../x /c rw - cgroup cgroup rw,cpu\n", "1:cpu:/../../..\n", "max")
	f.Fuzz(func(t *testing.T, mountinfo, cgroup, value string) {
		mounts, lines := parseMounts(mountinfo), parseCgroups(cgroup)
		for _, controller := range []string{"", "cpu"} {
			for _, dir := range cgroupDirs(mounts, lines, controller == "", controller) {
				if strings.HasPrefix(dir, "/") || dir == ".." || strings.HasPrefix(dir, "../") {
					t.Errorf("%q is not below the root", dir)
				}
			}
		}
		quota, period, _ := strings.Cut(value, " ")
		if q := parseQuota(quota, period); q != nil && !(*q > 0) {
			t.Errorf("quota %q gave %g", value, *q)
		}
	})
}

// FuzzDetect: whatever a file holds, detection ends without a crash and counts at least
// one core and package.
func FuzzDetect(f *testing.F) {
	f.Add("processor\t: 0\nvendor_id : GenuineIntel\nflags : avx2\n", "0-3", "Node 0 MemTotal: 1 kB", "0::/")
	f.Add("processor: 99999999\nstepping: x\nCPU part: 0xd40\nCPU implementer: 0x41\n", "0-", "MemTotal", "1:cpu:")
	f.Fuzz(func(t *testing.T, cpuinfo, list, meminfo, cgroup string) {
		dir := t.TempDir()
		writeFiles(t, dir, map[string]string{
			recordFile: record, "proc/cpuinfo": cpuinfo, cpuRoot + "online": list, "proc/meminfo": meminfo,
			"proc/self/cgroup": cgroup, "proc/self/status": "Cpus_allowed_list:\t" + list,
			"sys/devices/system/node/node0/cpulist": list, "sys/devices/system/node/node0/meminfo": meminfo,
			cpuRoot + "cpu0/cache/index0/level": list, cpuRoot + "cpu0/cache/index0/size": meminfo,
			cpuRoot + "cpu0/cache/index0/shared_cpu_list": list, "proc/self/mountinfo": cgroup,
		})
		src, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		h, err := Detect(context.Background(), src)
		if err != nil {
			t.Fatal(err)
		}
		if c := h.CPUDevice().CPU; c.Cores < 1 || c.Packages < 1 {
			t.Errorf("%d cores in %d packages", c.Cores, c.Packages)
		}
		if len(Doctor(src, h)) == 0 {
			t.Error("doctor said nothing")
		}
	})
}

// TestClocksAndBoostFromWhereverTheyAre: each cpufreq driver, cpuid and /proc show
// another part.
func TestClocksAndBoostFromWhereverTheyAre(t *testing.T) {
	const freq = cpuRoot + "cpu0/cpufreq/"
	info := func(flags string) string { return "processor\t: 0\ncpu MHz\t\t: 2500.000\nflags\t\t: " + flags + "\n" }
	for name, c := range map[string]struct {
		files              map[string]string
		cpuid              string
		base, current, max float64 // 0: unknown
		boost              any
	}{
		"base_frequency":     {files: map[string]string{freq + "base_frequency": "2100000\n"}, cpuid: `"base_hz": 1`, base: 2.1e9},
		"cpuid":              {cpuid: `"base_hz": 2000000000, "boost_hz": 3800000000`, base: 2e9, max: 3.8e9},
		"cpufreq":            {files: map[string]string{freq + "scaling_cur_freq": "800000", freq + "cpuinfo_max_freq": "3000000", "proc/cpuinfo": info("aperfmperf")}, current: 0.8e9, max: 3e9},
		"maximum only":       {files: map[string]string{freq + "cpuinfo_max_freq": "3000000", "proc/cpuinfo": info("aperfmperf")}, max: 3e9},
		"measured by kernel": {files: map[string]string{"proc/cpuinfo": info("constant_tsc aperfmperf")}, current: 2.5e9},
		"time stamp counter": {files: map[string]string{"proc/cpuinfo": info("constant_tsc")}, base: 2.5e9},
		"neither":            {files: map[string]string{"proc/cpuinfo": info("tsc")}},
		"damaged":            {files: map[string]string{freq + "scaling_cur_freq": "<unknown>", freq + "cpuinfo_max_freq": "-1"}},
		"turbo off":          {files: map[string]string{cpuRoot + "intel_pstate/no_turbo": "1\n"}, boost: false},
		"turbo on":           {files: map[string]string{cpuRoot + "intel_pstate/no_turbo": "0\n"}, boost: true},
		"boost off":          {files: map[string]string{cpuRoot + "cpufreq/boost": "0\n"}, boost: false},
		"boost of a policy":  {files: map[string]string{freq + "boost": "1\n"}, boost: true},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{recordFile: strings.Replace(record, `"cpuid": {}`, `"cpuid": {`+c.cpuid+`}`, 1), cpuRoot + "online": "0\n"}
			maps.Copy(files, c.files)
			cpu := detect(t, openFiles(t, files)).CPUDevice().CPU
			for _, x := range []struct {
				what string
				got  *float64
				want float64
			}{{"base", cpu.BaseHz, c.base}, {"current", cpu.CurrentHz, c.current}, {"max", cpu.MaxHz, c.max}} {
				if x.want == 0 {
					want(t, x.what, x.got, nil)
				} else if x.got == nil || *x.got != x.want {
					want(t, x.what, x.got, x.want)
				}
			}
			if c.boost == nil {
				want(t, "boost", cpu.BoostEnabled, nil)
			} else if cpu.BoostEnabled == nil {
				t.Errorf("boost is unknown, want %v", c.boost)
			} else {
				want(t, "boost", *cpu.BoostEnabled, c.boost)
			}
		})
	}
}

// TestFeaturesTrustCpuidWhereItKnows: the kernels ask cpuid, so detect must not list what
// cpuid denies; the kernel's flags stand in where cpuid has no word.
func TestFeaturesTrustCpuidWhereItKnows(t *testing.T) {
	flags := []string{"sse2", "avx2", "avx512f", "sve", "svebf16", "asimd", "aes"}
	for name, c := range map[string]struct {
		arch  string
		cpuid []string
		want  []string
	}{
		"cpuid denies":   {"amd64", []string{"SSE2", "AVX2"}, []string{"sse2", "avx2"}},
		"cpuid is mute":  {"amd64", nil, []string{"sse2", "avx2", "avx512f"}},
		"cpuid is short": {"arm64", []string{"ASIMD", "SVE"}, []string{"neon", "sve", "svebf16"}},
		"flags alone":    {"arm64", nil, []string{"neon", "sve", "svebf16"}},
		"unknown":        {"riscv64", []string{"AVX2"}, []string{}},
	} {
		want(t, name, features(Record{Arch: c.arch, CPUID: CPUID{Features: c.cpuid}}, flags), c.want)
	}
}

// TestTopologyFromTwoSources: what sysfs leaves out is taken from /proc/cpuinfo, and
// neither is counted twice.
func TestTopologyFromTwoSources(t *testing.T) {
	row := func(cpu, pkg, core string) string {
		return "processor\t: " + cpu + "\nphysical id\t: " + pkg + "\ncore id\t\t: " + core + "\n\n"
	}
	files := map[string]string{
		recordFile: record, cpuRoot + "online": "0-3\n",
		"proc/cpuinfo": row("0", "0", "0") + row("1", "0", "0") + row("2", "1", "0") + row("3", "1", "0"),
	}
	for _, c := range []string{"cpu0", "cpu1", "cpu2", "cpu3"} {
		files[cpuRoot+c+"/topology/package_cpus_list"] = "0-3\n"
	}
	c := detect(t, openFiles(t, files)).CPUDevice().CPU
	want(t, "packages by sysfs, cores by cpuinfo", [2]int{c.Packages, c.Cores}, [2]int{1, 2})
	want(t, "SMT", c.SMT, true)
}
