// Package conform holds every device function to what it must compute, on whatever runs it: a
// GPU, or the interpreter. Its oracles compute in float64 or in whole numbers and know nothing
// of how a kernel works. It looks for what GPU kernels get wrong: edges of tiles, tails of vectors,
// fragments in the wrong lane, data read before it arrived, writes outside an operand, NaN and
// infinities. It measures no speed.
package conform

import (
	"errors"
	"fmt"
	"slices"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

// Options say what to check. The zero value is everything, for the device's own architecture.
type Options struct {
	Arch  int  // of the image that is loaded; 0 is the device's
	Thin  bool // fewer shapes and values: for a second architecture whose sources are the same
	First bool // end at the first failure
	// Nearest says that the device rounds ex2.approx and rcp.approx to nearest, as the interpreter
	// does: limits are tighter then.
	Nearest bool
	// Large, if positive, adds checks with an operand of so many bytes, of which only the ends are
	// looked at. 5 GiB are more than 32 bits count; that takes up to 15 GiB of the device's memory.
	Large  int64
	Select func(cuda.Entry) bool // nil is every entry
	Each   func(Outcome)         // called as each check ends; may be nil
}

// Outcome is how one check of one device function ended.
type Outcome struct {
	Entry string // name of the device function
	Check string // the promise that is checked
	Cases int    // launches
	Worst string // how close the worst result came to its limit; empty where results are exact
	Err   error  // the first thing wrong: launch, element, what it is and what it should be; nil is a pass
}

// String is the outcome as a line of a report.
func (o Outcome) String() string {
	line := fmt.Sprintf("%s: %s: %d launches", o.Entry, o.Check, o.Cases)
	if o.Worst != "" {
		line += ", " + o.Worst
	}
	if o.Err != nil {
		line += ": " + o.Err.Error()
	}
	return line
}

// Failed are the outcomes that have an error.
func Failed(outcomes []Outcome) []Outcome {
	var failed []Outcome
	for _, o := range outcomes {
		if o.Err != nil {
			failed = append(failed, o)
		}
	}
	return failed
}

// Check holds the entries of the image that dev has loaded to their oracles, in a fixed order.
// A wrong result is the error of its outcome, and the other checks go on. An error of the
// device itself (which the last outcome has too) ends them all, since the device is
// not to be used after one: it is the error returned.
func Check(dev cuda.Device, o Options) ([]Outcome, error) {
	if o.Arch == 0 {
		o.Arch = dev.Info().Arch
	}
	var outcomes []Outcome
	for _, e := range cuda.Entries(o.Arch) {
		if o.Select != nil && !o.Select(e) {
			continue
		}
		todo := checks(e)
		if o.Large > 0 {
			todo = append(slices.Clone(todo), largeChecks(e, o.Large)...)
		}
		for _, c := range todo {
			s := &subject{dev: dev, entry: e, thin: o.Thin, nearest: o.Nearest}
			err := c.run(s)
			outcome := Outcome{Entry: e.Name, Check: c.promise, Cases: s.cases, Worst: s.worst.text, Err: err}
			outcomes = append(outcomes, outcome)
			if o.Each != nil {
				o.Each(outcome)
			}
			if broken := (*deviceError)(nil); errors.As(err, &broken) {
				return outcomes, fmt.Errorf("%s: %s: %w", e.Name, c.promise, err)
			}
			if err != nil && o.First {
				return outcomes, nil
			}
		}
	}
	return outcomes, nil
}

// check is one promise of a device function.
type check struct {
	promise string
	run     func(*subject) error
}

// checks are those of e, by its kernel or what helper it is.
func checks(e cuda.Entry) []check {
	switch {
	case e.Kernel == kernels.GEMM:
		return gemmChecks(e)
	case e.Kernel == kernels.FMA:
		return fmaChecks
	case activations[e.Kernel] != nil || gradients[e.Kernel] != nil:
		return elementwiseChecks
	case e.Kernel != "":
		return bandwidthChecks[e.Kernel]
	}
	return helperChecks(e.Name)
}

// subject is a device function under one check.
type subject struct {
	dev           cuda.Device
	entry         cuda.Entry
	thin, nearest bool

	cases int
	worst worst
}

// worst is the largest share of its limit that an error came to.
type worst struct {
	share float64
	text  string
}

// note keeps an error of the given share of its limit if it is the worst so far.
func (s *subject) note(share float64, text func() string) {
	if share > s.worst.share {
		s.worst = worst{share, fmt.Sprintf("worst %.3g of the limit: %s", share, text())}
	}
}
