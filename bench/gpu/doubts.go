package gpu

import (
	"fmt"

	"github.com/realflops/realflops/bench/worker"
)

// busyUtilization is the share of a second at work from which on a device is called busy, where
// its processes are not known, as in a container.
const busyUtilization = 0.1

// Doubts says, a sentence each, why figures measured on the device now would not be those
// of the whole device alone. A Runner measures there only if it is forced to.
func Doubts(d worker.Device) []string {
	var doubts []string
	add := func(format string, args ...any) { doubts = append(doubts, fmt.Sprintf(format, args...)) }
	if is(d.Prohibited) {
		add("its compute mode lets no process compute on it")
	}
	if is(d.Partitioned) {
		add("it is cut into parts, or is a part of a device: a figure would be that of a part")
	}
	busy := d.Processes != nil && *d.Processes > 0
	if busy && *d.Processes == 1 {
		add("1 other process computes on it")
	} else if busy {
		add("%d other processes compute on it", *d.Processes)
	}
	if busy && is(d.Exclusive) {
		add("its compute mode lets one process alone compute on it, and that is another")
	}
	if !busy && d.Utilization != nil && *d.Utilization > busyUtilization {
		add("it was at work for %.0f%% of the last second", 100**d.Utilization)
	}
	return doubts
}

func is(b *bool) bool { return b != nil && *b }
