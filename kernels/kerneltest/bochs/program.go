package bochs

import (
	"fmt"
	"os"
	"strings"
)

// readOnly lists where this program lies in memory that it cannot write: its code and constants.
func readOnly() (ranges [][2]uint64, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	// 00400000-00a4f000 r-xp 00000000 fe:00 1234 /path
	for _, line := range strings.Split(string(maps), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[5] != self || strings.Contains(fields[1], "w") {
			continue
		}
		var from, to uint64
		if _, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); err != nil {
			return nil, fmt.Errorf("/proc/self/maps: %q: %w", line, err)
		}
		ranges = append(ranges, [2]uint64{from, to})
	}
	return ranges, nil
}

// constant reports whether the address is in one of them.
func (m *Machine) constant(at uint64) bool {
	for _, r := range m.readOnly {
		if at >= r[0] && at < r[1] {
			return true
		}
	}
	return false
}
