package cpu

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// cacheL1 and cacheL2 are the bytes of a core's L1 data cache and of its share of an L2, 0 or less where not
// known: as cpuid has them, and as Linux lists them where it has none (arm64).
var cacheL1, cacheL2 = coreCaches(cpuid.CPU.Cache.L1D, cpuid.CPU.Cache.L2, "/sys/devices/system/cpu/cpu0/cache")

func coreCaches(l1, l2 int, folder string) (int, int) {
	if l1 > 0 && l2 > 0 {
		return l1, l2
	}
	caches, _ := filepath.Glob(filepath.Join(folder, "index*")) // the pattern is sound
	for _, c := range caches {
		switch read(c, "level") + read(c, "type") {
		case "1Data":
			l1 = kibibytes(read(c, "size"))
		case "2Unified", "2Data":
			l2 = kibibytes(read(c, "size")) / listed(read(c, "shared_cpu_list"))
		}
	}
	return l1, l2
}

func read(folder, file string) string {
	text, _ := os.ReadFile(filepath.Join(folder, file)) // what cannot be read is not known
	return strings.TrimSpace(string(text))
}

// kibibytes is a size in the form "64K", 0 if it has another.
func kibibytes(size string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(size, "K"))
	if err != nil || !strings.HasSuffix(size, "K") {
		return 0
	}
	return n << 10
}

// listed is how many CPUs a list such as "0-3,8" holds, at least 1.
func listed(list string) int {
	count := 0
	for part := range strings.SplitSeq(list, ",") {
		first, last, span := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		if err != nil {
			continue
		}
		to := from
		if span {
			if to, err = strconv.Atoi(last); err != nil || to < from {
				continue
			}
		}
		count += to - from + 1
	}
	return max(1, count)
}
