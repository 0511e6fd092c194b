package detect

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
)

// rule lets the files whose paths have its prefix and suffix into a dump, after edit.
type rule struct {
	prefix, suffix string
	edit           func(data []byte) []byte // nil result: the file is left out
}

// rules are tried in order; a file that none matches is left out, so that a file which
// detection learns to read later is private until someone has thought about it.
var rules = []rule{
	{"proc/cpuinfo", "", keepLines(":", "processor", "vendor_id", "cpu family", "model", "model name",
		"stepping", "cpu MHz", "physical id", "core id", "flags", "Features",
		"CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision")},
	{"proc/meminfo", "", keepLines(":", "MemTotal", "HugePages_Total", "HugePages_Free", "Hugepagesize")},
	{"proc/self/status", "", keepLines(":", "Cpus_allowed_list")},
	{"proc/sys/kernel/hostname", "", func([]byte) []byte { return []byte("host\n") }},
	{"proc/sys/kernel/osrelease", "", verbatim},
	{nvidiaProc + "version", "", keepLines(":", "NVRM version")},
	{nvidiaProc + "gpus/", "/information", func(data []byte) []byte {
		uuid, _ := keyValue(string(data), "GPU UUID", ":")
		data = keepLines(":", "Model")(data)
		if gpuUUID.MatchString(uuid) {
			data = fmt.Appendf(data, "GPU UUID: %s\n", randomGPU())
		}
		return data
	}},
	{"etc/os-release", "", keepLines("=", "PRETTY_NAME", "NAME")},
	{"usr/lib/os-release", "", keepLines("=", "PRETTY_NAME", "NAME")},
	{machineIDFiles[0], "", randomMachineID},
	{machineIDFiles[1], "", randomMachineID},
	{dmiVendor, "", verbatim},
	{dmiProduct, "", verbatim},
	{dmiAssetTag, "", func(data []byte) []byte {
		if _, ok := cloudAssetTags[strings.TrimSpace(string(data))]; !ok {
			return nil
		}
		return data
	}},
	{"sys/hypervisor/type", "", verbatim},
	{"sys/devices/system/node/", "/meminfo", func(data []byte) []byte {
		if n := meminfoField(string(data), "MemTotal"); n != nil {
			return fmt.Appendf(nil, "MemTotal: %d kB\n", *n>>10)
		}
		return nil
	}},
	{"sys/devices/system/node/", "/cpulist", verbatim},
	{cpuRoot, "", verbatim},
	{pciRoot, "/uevent", keepLines("=", "DRIVER")},
	{pciRoot, "/vendor", verbatim},
	{pciRoot, "/class", verbatim},
	{pciRoot, "/device", verbatim},
	{pciRoot, "/numa_node", verbatim},
	{thpFile, "", verbatim},
	{"run/host/container-manager", "", verbatim},
	{"run/systemd/container", "", verbatim},
	{"run/secrets/kubernetes.io/serviceaccount/", "", verbatim},
	{"run/.containerenv", "", verbatim},
	{".dockerenv", "", verbatim},
	{".singularity.d/", "", verbatim},
	{nvidiaControl, "", verbatim},
}

func verbatim(data []byte) []byte { return append([]byte{}, data...) } // not nil, also of nothing

// keepLines keeps the lines with these keys, and empty lines, which part the CPUs.
func keepLines(sep string, keys ...string) func([]byte) []byte {
	return func(data []byte) []byte {
		kept := []byte{}
		for line := range bytes.Lines(data) {
			key, _, ok := bytes.Cut(line, []byte(sep))
			if len(bytes.TrimSpace(line)) == 0 || ok && slices.Contains(keys, string(bytes.TrimSpace(key))) {
				kept = append(kept, line...)
			}
		}
		return kept
	}
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

func randomMachineID(data []byte) []byte {
	if !machineID.MatchString(strings.TrimSpace(string(data))) {
		return nil
	}
	return []byte(randomHex(16) + "\n")
}

func randomGPU() string {
	return fmt.Sprintf("GPU-%s-%s-%s-%s-%s", randomHex(4), randomHex(2), randomHex(2), randomHex(2), randomHex(6))
}

// scrub makes the dump's files of those that detection has seen.
func scrub(seen map[string][]byte) map[string][]byte {
	files := map[string][]byte{}
	for name, data := range seen {
		at := slices.IndexFunc(rules, func(r rule) bool {
			return strings.HasPrefix(name, r.prefix) && strings.HasSuffix(name, r.suffix)
		})
		if at < 0 {
			continue
		}
		if data = rules[at].edit(data); data != nil {
			files[name] = data
		}
	}
	scrubCgroups(seen, files)
	return files
}

// cgroupNames numbers the names of cgroups, which hold users, jobs, pods and containers.
type cgroupNames map[string]string

// plainCgroups are names that say nothing about anyone.
var plainCgroups = []string{
	"", ".", "..", "sys", "fs", "cgroup", "unified", "cpu", "cpuacct", "cpu,cpuacct", "memory",
	"docker", "lxc", "lxc.payload", "kubepods", "kubepods.slice", "burstable", "besteffort",
	"kubepods-burstable.slice", "kubepods-besteffort.slice",
	"init.scope", "system.slice", "user.slice", "machine.slice", "slurm",
}

// path replaces every name in p: the same name by the same number each time, with the
// prefix by which its container manager is known.
func (n cgroupNames) path(p string) string {
	names := strings.Split(p, "/")
	for i, name := range names {
		if slices.Contains(plainCgroups, name) {
			continue
		}
		if n[name] == "" {
			prefix := "g"
			for _, m := range containerMarks {
				if strings.HasPrefix(name, m.prefix) {
					prefix = strings.TrimRight(m.prefix, "-_") + "-"
				}
			}
			n[name] = fmt.Sprintf("%s%d", prefix, len(n)+1)
		}
		names[i] = n[name]
	}
	return strings.Join(names, "/")
}

// scrubCgroups writes mountinfo, the process's cgroups and the limit files anew: only the
// lines that detection uses, with every name numbered alike in all of them.
func scrubCgroups(seen, files map[string][]byte) {
	names := cgroupNames{}
	var mountinfo, cgroup strings.Builder
	mounts := parseMounts(string(seen["proc/self/mountinfo"]))
	for i, m := range mounts {
		kind, controllers := "cgroup2", []string{"rw"}
		if !m.v2 {
			kind = "cgroup"
			controllers = usedControllers(m.controllers)
			if len(controllers) == 0 {
				continue
			}
		}
		fmt.Fprintf(&mountinfo, "%d 1 0:%d %s %s rw - %s cgroup %s\n", i+2, i+2,
			names.path(m.root), names.path(m.point), kind, strings.Join(controllers, ","))
	}
	for i, l := range parseCgroups(string(seen["proc/self/cgroup"])) {
		switch controllers := usedControllers(l.controllers); {
		case l.v2:
			fmt.Fprintf(&cgroup, "0::%s\n", names.path(l.path))
		case len(controllers) > 0:
			fmt.Fprintf(&cgroup, "%d:%s:%s\n", i+1, strings.Join(controllers, ","), names.path(l.path))
		}
	}
	files["proc/self/mountinfo"] = []byte(mountinfo.String())
	files["proc/self/cgroup"] = []byte(cgroup.String())

	for name, data := range seen {
		dir, file := path.Split(name)
		if !slices.Contains([]string{"cpu.max", "memory.max", "cpu.cfs_quota_us", "cpu.cfs_period_us", "memory.limit_in_bytes"}, file) {
			continue
		}
		files[names.path(dir)+file] = data
	}
}

func usedControllers(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(c string) bool { return c != "cpu" && c != "memory" })
}
