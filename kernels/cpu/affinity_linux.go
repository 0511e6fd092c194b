package cpu

import (
	"fmt"

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
