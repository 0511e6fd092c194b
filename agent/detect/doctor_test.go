package detect

import (
	"slices"
	"strings"
	"testing"
)

// TestDoctorTellsWhatIsWrong: each trouble gets its status and a sentence that names the
// figure and the remedy.
func TestDoctorTellsWhatIsWrong(t *testing.T) {
	base := func() *Host {
		memory, ghz := int64(8<<30), 3e9
		return &Host{Arch: "amd64", MemoryBytes: &memory, Limits: Limits{CPUs: []int{0, 1}}, Devices: []Device{{
			ID: "cpu", Kind: "cpu", Model: "Test CPU",
			CPU: &CPU{Packages: 1, Cores: 2, Threads: 2, Features: []string{"avx2", "fma", "f16c"}, CurrentHz: &ghz},
		}}}
	}
	quota := func(q float64) func(*Host) { return func(h *Host) { h.Limits.CPUQuota = &q } }
	gpu := func(driver string) func(*Host) {
		return func(h *Host) {
			h.Devices = append(h.Devices, Device{Model: "NVIDIA X", GPU: &GPU{PCI: "0000:01:00.0", Driver: driver}})
		}
	}
	thpOn := map[string]string{recordFile: record, thpFile: "always [madvise] never\n"}
	with := func(name, content string) map[string]string {
		return map[string]string{recordFile: record, name: content}
	}
	for name, c := range map[string]struct {
		files                map[string]string
		change               func(*Host)
		check, status, words string
	}{
		"quota":               {change: quota(1.5), check: "cpu quota", status: Warn, words: "1.5 CPUs"},
		"quota below one":     {change: quota(0.5), check: "cpu quota", status: Fail, words: "0.5"},
		"quota that is ample": {change: quota(2), check: "cpu quota", status: OK, words: "does not bind"},
		"no quota":            {check: "cpu quota", status: OK, words: "No cgroup"},
		"affinity":            {change: func(h *Host) { h.Limits.CPUs = []int{1} }, check: "affinity", status: Warn, words: "1 of 2"},
		"all CPUs":            {check: "affinity", status: OK, words: "all 2 CPUs"},
		"no vectors":          {change: func(h *Host) { h.Devices[0].CPU.Features = []string{"avx2", "fma"} }, check: "instruction sets", status: Warn, words: "F16C"},
		"AVX2":                {check: "instruction sets", status: OK, words: "AVX2"},
		"AVX-512": {change: func(h *Host) {
			h.Devices[0].CPU.Features = []string{"avx512f", "avx512bw", "avx512dq", "avx512vl"}
		}, check: "instruction sets", status: OK, words: "AVX-512"},
		"hidden clock":   {change: func(h *Host) { h.Devices[0].CPU.CurrentHz = nil }, check: "clocks", status: Warn, words: "hides"},
		"powersave":      {change: func(h *Host) { h.Devices[0].CPU.Governor = known("powersave") }, check: "governor", status: Warn, words: "cpupower"},
		"performance":    {change: func(h *Host) { h.Devices[0].CPU.Governor = known("performance") }, check: "governor", status: OK, words: "performance"},
		"boost":          {change: func(h *Host) { on := true; h.Devices[0].CPU.BoostEnabled = &on }, check: "boost", status: OK, words: "on"},
		"SMT":            {change: func(h *Host) { h.Devices[0].CPU.SMT, h.Devices[0].CPU.Threads = true, 4 }, check: "smt", status: OK, words: "4 threads share 2"},
		"small limit":    {change: func(h *Host) { n := int64(256 << 20); h.Limits.MemoryBytes = &n }, check: "memory", status: Fail, words: "256 MiB"},
		"ample limit":    {change: func(h *Host) { n := int64(64 << 30); h.Limits.MemoryBytes = &n }, check: "memory", status: OK, words: "8.0 GiB"},
		"unknown memory": {change: func(h *Host) { h.MemoryBytes = nil }, check: "memory", status: Warn, words: "unknown"},
		"huge pages":     {files: thpOn, check: "huge pages", status: OK, words: "Transparent"},
		"reserved pages": {files: with("proc/meminfo", "HugePages_Free: 8\n"), check: "huge pages", status: OK, words: "8 huge pages"},
		"no huge pages":  {files: with(thpFile, "always madvise [never]\n"), check: "huge pages", status: Warn, words: "madvise"},
		"hidden sysfs":   {check: "huge pages", status: Warn, words: "unknown"},
		"arm64 clock":    {change: func(h *Host) { h.Arch, h.Devices[0].CPU.CurrentHz = "arm64", nil }, check: "clocks", status: Warn, words: "cannot be told"},
		"guest":          {change: func(h *Host) { h.Hypervisor = known("kvm") }, check: "virtual machine", status: OK, words: "kvm"},
		"container":      {change: func(h *Host) { h.Container = known("podman") }, check: "container", status: OK, words: "podman"},
		"no GPU":         {check: "gpu", status: OK, words: "no NVIDIA GPU"},
		"no driver":      {change: gpu(NoDriver), check: "gpu 0000:01:00.0", status: Warn, words: "modprobe nvidia"},
		"other driver":   {change: gpu("nouveau"), check: "gpu 0000:01:00.0", status: Warn, words: "nouveau"},
		"hidden GPU":     {change: gpu("nvidia 535.1"), check: "gpu 0000:01:00.0", status: Warn, words: "--gpus all"},
		"GPU":            {change: gpu("nvidia 535.1"), files: with(nvidiaControl, ""), check: "gpu 0000:01:00.0", status: OK, words: "nvidia 535.1"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.files == nil {
				c.files = map[string]string{recordFile: record}
			}
			h := base()
			if c.change != nil {
				c.change(h)
			}
			checks := Doctor(openFiles(t, c.files), h)
			at := slices.IndexFunc(checks, func(k Check) bool { return k.Name == c.check })
			if at < 0 {
				t.Fatalf("no check %q in %+v", c.check, checks)
			}
			if k := checks[at]; k.Status != c.status || !strings.Contains(k.Text, c.words) {
				t.Errorf("got %+v, want status %s and %q", k, c.status, c.words)
			}
			for _, k := range checks {
				if !strings.HasSuffix(k.Text, ".") || strings.Contains(k.Text, "%!") || strings.Contains(k.Text, "\n") {
					t.Errorf("not one sentence: %+v", k)
				}
			}
		})
	}
}
