package main

import (
	"fmt"

	"github.com/realflops/realflops/kernels"
)

// spec is what a contender is asked to work on: the same for every one of a contest, whoever it is.
type spec struct {
	kernels.Spec
	// Sets is how many copies of what is large calls go round: with enough of them weights come from memory.
	Sets int
}

// request is the line that asks a server for it.
func (s spec) request(passes, count int) string {
	return fmt.Sprintf("%s %s %s %d %d %d\n", s.Kernel, s.Precision, s.Shape, s.Sets, passes, count)
}

// answer is what a burst came to.
type answer struct {
	check   float64   // the weighted sum of the results, see checksum
	seconds []float64 // a call, of each repetition
}

// contender is one that can be timed.
type contender interface {
	// burst makes count repetitions of passes calls. An error of type *refusal says that it has no such work.
	burst(s spec, passes, count int) (answer, error)
	close() error
}

// refusal is a contender's word that it does not do what it is asked, and why.
type refusal struct{ who, why string }

func (r *refusal) Error() string { return r.who + ": " + r.why }

// work is what the rate of a spec counts, the unit of that rate, and how much a call does of it.
func (s spec) work(threads int) (unit string, amount float64) {
	d, _ := kernels.Lookup(string(s.Kernel)) // specs come from a table that a test holds against it
	switch d.Class {
	case kernels.Register:
		return "FLOP/s", s.FLOP() * float64(threads) // its shape is of one thread
	case kernels.Matrix:
		return "FLOP/s", s.FLOP()
	case kernels.Bandwidth:
		return "B/s", s.Bytes()
	}
	return "elements/s", float64(s.Shape.N * max(1, s.Shape.M))
}

// tolerance is by how much the checks of two correct contenders may differ. Products of integers are exact in any
// order; where weights are quantised, so are activations on some sides, and each rounds in its way; functions
// are not rounded correctly, and results of 16 bits are.
func (s spec) tolerance(check float64) float64 {
	d, _ := kernels.Lookup(string(s.Kernel))
	relative := max(check, -check)
	results := 4.5 * float64(s.Shape.N*max(1, s.Shape.M)) // the weights sum up to that, on average
	switch {
	case d.Class == kernels.Matrix && s.Precision == kernels.INT4FP32:
		return 2e-2 * relative
	case d.Class == kernels.Matrix && s.Precision == kernels.INT8FP32:
		return 2e-3 * relative
	case s.Kernel == kernels.Softmax:
		return 1e-3 * 4.5 * float64(s.Shape.M)
	case d.Class == kernels.Elementwise, d.Class == kernels.Rowwise:
		return map[kernels.Precision]float64{kernels.FP32: 2e-6, kernels.FP16: 1e-3, kernels.BF16: 1e-2}[s.Precision] * results
	}
	return 0
}
