package bench

import (
	"context"

	"github.com/realflops/realflops/kernels"
)

// Case is one line of a plan: what to measure and for how long.
type Case struct {
	kernels.Spec
	Device  string // id; "" is the host's CPU
	Threads int    // on the CPU; 0 on another device
	Engine  string // "" for the best that the machine can run

	// Placement names the part of the machine that the case runs on, as [Result.Placement] does; "" where threads and memory
	// are best put.
	Placement string

	Data  Data
	Seed  uint64  // of the data
	Level string  // level of the memory hierarchy that the working set is made for
	MinS  float64 // seconds measured at least
	MaxS  float64 // seconds measured at most; measuring stops between the two once the interval is narrow

	// Together names the devices that run the case at the same time; empty where Device runs it alone.
	Together []string
}

// Runner measures cases on one device.
type Runner interface {
	// Run measures c. A measurement that could not be made is a Result whose
	// Status is Failed; the error is for ctx alone: then what was sampled so far is in the Result.
	Run(ctx context.Context, c Case) (Result, error)
}
