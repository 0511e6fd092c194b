//go:build unix

package cpu

import "syscall"

// involuntarySwitches counts how often the operating system took a CPU away from a
// thread of this process (getrusage(2), ru_nivcsw).
func involuntarySwitches() (int64, bool) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, false
	}
	return int64(u.Nivcsw), true
}
