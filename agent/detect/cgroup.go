package detect

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// cgroupMount is a cgroup hierarchy as /proc/self/mountinfo shows it.
type cgroupMount struct {
	v2          bool
	root        string   // the cgroup that is seen at the mount point
	point       string   // where
	controllers []string // v1 only
}

// parseMounts finds the cgroup mounts among the lines of mountinfo (proc(5)):
// ID parent major:minor root point options [fields...] - type source superoptions.
func parseMounts(text string) []cgroupMount {
	var mounts []cgroupMount
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 6 || len(g) < 3 || g[0] != "cgroup" && g[0] != "cgroup2" {
			continue
		}
		mounts = append(mounts, cgroupMount{
			v2: g[0] == "cgroup2", root: unescape(f[3]), point: unescape(f[4]),
			controllers: strings.Split(g[2], ","),
		})
	}
	return mounts
}

// unescape undoes mountinfo's octal escapes of blanks and backslashes.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace

// cgroupLine is a line of /proc/self/cgroup: where this process is in a hierarchy.
type cgroupLine struct {
	v2          bool
	controllers []string
	path        string
}

// parseCgroups reads lines of the form ID:controllers:path (cgroups(7)); v2 is 0::path.
func parseCgroups(text string) []cgroupLine {
	var lines []cgroupLine
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimRight(line, "\n"), ":", 3)
		if len(f) != 3 || !strings.HasPrefix(f[2], "/") {
			continue
		}
		lines = append(lines, cgroupLine{v2: f[0] == "0" && f[1] == "", controllers: strings.Split(f[1], ","), path: f[2]})
	}
	return lines
}

// cgroupDirs lists this process's cgroup in the hierarchy of a controller and all its
// ancestors up to the root of the mount, leaf first, as paths under the source's root.
// Limits stand on any of them: Slurm and Kubernetes set theirs on a parent of the leaf.
func cgroupDirs(mounts []cgroupMount, lines []cgroupLine, v2 bool, controller string) []string {
	at := slices.IndexFunc(lines, func(l cgroupLine) bool {
		return l.v2 == v2 && (v2 || slices.Contains(l.controllers, controller))
	})
	if at < 0 {
		return nil
	}
	leaf := path.Clean(lines[at].path)
	var mount *cgroupMount
	for i, m := range mounts {
		if m.v2 != v2 || !v2 && !slices.Contains(m.controllers, controller) {
			continue
		}
		// A container may see several mounts; the one that shows our own cgroup is best.
		if mount == nil || !within(leaf, mount.root) && within(leaf, m.root) {
			mount = &mounts[i]
		}
	}
	if mount == nil {
		return nil
	}
	rel := "/" // our cgroup is not below what is mounted: only the mount's root can be read
	if within(leaf, mount.root) {
		rel = path.Join("/", strings.TrimPrefix(leaf, path.Clean(mount.root)))
	}
	var dirs []string
	for ; ; rel = path.Dir(rel) {
		dirs = append(dirs, strings.TrimPrefix(path.Join("/", mount.point, rel), "/"))
		if rel == "/" {
			return dirs
		}
	}
}

// within reports whether cgroup p is root or below it.
func within(p, root string) bool {
	root = path.Clean(root)
	return root == "/" || p == root || strings.HasPrefix(p, root+"/")
}

// limits reads what binds this process: the affinity mask and the smallest quota and
// memory limit over all ancestors, in both cgroup versions, since a hybrid host has both.
func (s *Source) limits(online []int) Limits {
	var l Limits
	status, _ := s.read("proc/self/status")
	allowed, _ := keyValue(string(status), "Cpus_allowed_list", ":")
	// The mask may name CPUs that could be plugged in but are not there.
	cpus, _ := parseCPUList(allowed)
	l.CPUs = slices.DeleteFunc(slices.Clone(cpus), func(c int) bool { return !slices.Contains(online, c) })
	if len(l.CPUs) == 0 {
		l.CPUs = online
	}
	mountinfo, _ := s.read("proc/self/mountinfo")
	cgroup, _ := s.read("proc/self/cgroup")
	mounts, lines := parseMounts(string(mountinfo)), parseCgroups(string(cgroup))

	for _, dir := range cgroupDirs(mounts, lines, true, "") {
		text, _ := s.text(dir + "/cpu.max")
		quota, period, _ := strings.Cut(text, " ")
		l.CPUQuota = smaller(l.CPUQuota, parseQuota(quota, period))
		memory, _ := s.text(dir + "/memory.max")
		l.MemoryBytes = smaller(l.MemoryBytes, parseLimit(memory))
	}
	for _, dir := range cgroupDirs(mounts, lines, false, "cpu") {
		quota, _ := s.text(dir + "/cpu.cfs_quota_us")
		period, _ := s.text(dir + "/cpu.cfs_period_us")
		l.CPUQuota = smaller(l.CPUQuota, parseQuota(quota, period))
	}
	for _, dir := range cgroupDirs(mounts, lines, false, "memory") {
		memory, _ := s.text(dir + "/memory.limit_in_bytes")
		l.MemoryBytes = smaller(l.MemoryBytes, parseLimit(memory))
	}
	return l
}

// parseQuota turns microseconds of CPU time per period into CPUs; nil for "max" and -1.
func parseQuota(quota, period string) *float64 {
	q, errQ := strconv.ParseInt(quota, 10, 64)
	p, errP := strconv.ParseInt(period, 10, 64)
	if errQ != nil || errP != nil || q <= 0 || p <= 0 {
		return nil
	}
	cpus := float64(q) / float64(p)
	return &cpus
}

// parseLimit reads a memory limit; nil for "max" and for v1's way to say none, the
// largest multiple of the page size (near 2^63).
func parseLimit(text string) *int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n >= 1<<62 {
		return nil
	}
	return &n
}

func smaller[T int64 | float64](a, b *T) *T {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}
