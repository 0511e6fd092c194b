//go:build unix

package cpu

import "syscall"

// processUsage reads what this process has had of the CPUs (getrusage(2)).
func processUsage() (usage, bool) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return usage{}, false
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return usage{cpuS: seconds(u.Utime) + seconds(u.Stime), switches: int64(u.Nivcsw)}, true
}
