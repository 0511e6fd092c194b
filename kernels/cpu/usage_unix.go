//go:build unix

package cpu

import (
	"syscall"
	"time"
)

// ProcessUsage reads what this process has had of the CPUs (getrusage(2)).
func ProcessUsage() (u Usage, ok bool) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return Usage{}, false
	}
	return Usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()), Involuntary: int64(r.Nivcsw)}, true
}
