package detect

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxCPU bounds the CPU numbers that a list may hold: Linux is built for at most
// 8192 (CONFIG_NR_CPUS), so a larger one is damage.
const maxCPU = 1 << 13

// parseCPUList reads the kernel's list format, "0-3,8": sorted, without repetition. The
// empty list is valid: a memory node may have no CPUs.
func parseCPUList(s string) ([]int, error) {
	cpus := []int{}
	s = strings.TrimSpace(s)
	if s == "" {
		return cpus, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, "-")
		lo, err := cpuNumber(first)
		hi := lo
		if err == nil && isRange {
			hi, err = cpuNumber(last)
		}
		if err != nil || hi < lo {
			return nil, fmt.Errorf("CPU list %q: %q is neither a CPU nor a range such as 0-3", s, part)
		}
		for c := lo; c <= hi; c++ {
			cpus = append(cpus, c)
		}
		if len(cpus) > 2*maxCPU { // repeated ranges
			return nil, fmt.Errorf("CPU list %.40q... names more than %d CPUs", s, maxCPU)
		}
	}
	slices.Sort(cpus)
	return slices.Compact(cpus), nil
}

func cpuNumber(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && n >= maxCPU {
		err = strconv.ErrRange
	}
	return int(n), err
}

// parseSize reads a cache size as sysfs writes it, "32K", "2M" or plain bytes.
func parseSize(s string) (int64, error) {
	s = strings.TrimSpace(s)
	unit := int64(1)
	if i := strings.IndexAny(s, "KMG"); i >= 0 && i == len(s)-1 {
		unit = map[byte]int64{'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}[s[i]]
		s = s[:i]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("size %q is not a number of bytes such as 32K", s)
	}
	return n * unit, nil
}

// meminfoField finds "MemTotal: 123 kB" in /proc/meminfo, or "Node 0 MemTotal: 123 kB" in
// a node's. A value without the unit (HugePages_Total) is a count.
func meminfoField(text, name string) *int64 {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		if !ok || len(strings.Fields(key)) == 0 || lastField(key) != name {
			continue
		}
		value, kilo := strings.CutSuffix(strings.TrimSpace(value), "kB")
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64>>10 {
			return nil
		}
		if kilo {
			n <<= 10
		}
		return &n
	}
	return nil
}

func lastField(s string) string {
	f := strings.Fields(s)
	return f[len(f)-1]
}

// keyValue finds "KEY=value" or "Key: value" in a file of such lines, without quotes.
func keyValue(text, key, sep string) (string, bool) {
	for line := range strings.Lines(text) {
		k, v, ok := strings.Cut(line, sep)
		if ok && strings.TrimSpace(k) == key {
			return strings.Trim(strings.TrimSpace(v), `"'`), true
		}
	}
	return "", false
}
