package cpu

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// affinity is the set of CPUs that a thread may run on.
type affinity struct{ set unix.CPUSetDynamic }

// threadAffinity is that of the calling thread.
func threadAffinity() (affinity, error) {
	a := affinity{unix.NewCPUSet(maxListed)}
	if err := unix.SchedGetaffinityDynamic(0, a.set); err != nil {
		return affinity{}, fmt.Errorf("cannot tell which CPUs this thread may run on: %w", err)
	}
	return a, nil
}

// only is the set of one CPU.
func only(cpu int) affinity {
	a := affinity{unix.NewCPUSet(maxListed)}
	a.set.Set(cpu)
	return a
}

// apply lets the calling thread, which must be locked to its goroutine, run on a alone.
func (a affinity) apply() error {
	if err := unix.SchedSetaffinityDynamic(0, a.set); err != nil {
		return fmt.Errorf("cannot move this thread to CPUs %v: %w", a.cpus(), err)
	}
	return nil
}

func (a affinity) cpus() []int {
	var cpus []int
	for c := range maxListed {
		if a.set.IsSet(c) {
			cpus = append(cpus, c)
		}
	}
	return cpus
}

// AllowedCPUs is what the calling thread may run on by its cpuset and affinity (sched_getaffinity(2)).
func AllowedCPUs() ([]int, error) {
	a, err := threadAffinity()
	if err != nil {
		return nil, err
	}
	return a.cpus(), nil
}

// threadID is the system's number of the calling thread.
func threadID() int { return unix.Gettid() }

// inLine is how long a thread of this process has been ready to run and did not: the second number of its schedstat
// (Documentation/scheduler/sched-stats.rst), in ns. A thread that has not begun has not waited.
func inLine(thread int64) (time.Duration, bool) {
	if thread == 0 {
		return 0, true
	}
	text, err := os.ReadFile("/proc/self/task/" + strconv.FormatInt(thread, 10) + "/schedstat")
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, false
	}
	ns, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return time.Duration(ns), err == nil
}
