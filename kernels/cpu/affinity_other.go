//go:build !linux

package cpu

import (
	"errors"
	"runtime"
	"time"
)

var errNoAffinity = errors.New("on " + runtime.GOOS + " threads cannot be put on CPUs")

type affinity struct{}

func threadAffinity() (affinity, error) { return affinity{}, errNoAffinity }

func only(int) affinity { return affinity{} }

func (affinity) apply() error { return errNoAffinity }

func (affinity) cpus() []int { return nil }

// AllowedCPUs is what the calling thread may run on, which this system does not tell.
func AllowedCPUs() ([]int, error) { return nil, errNoAffinity }

func threadID() int { return 0 }

func inLine(int64) (time.Duration, bool) { return 0, false }
