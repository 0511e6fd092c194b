package main

import (
	"fmt"
	"io"

	"github.com/schollz/progressbar/v3"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/bench"
)

// progress tells on stderr which kernel is in hand and how long is left: a bar on a
// terminal, a line for each measurement elsewhere.
type progress struct {
	w   io.Writer
	bar *progressbar.ProgressBar // nil off a terminal
}

func newProgress(w io.Writer, total float64) *progress {
	p := &progress{w: w}
	if isTerminal(w) {
		p.bar = progressbar.NewOptions(int(total*1000),
			progressbar.OptionSetWriter(w), progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false),
			progressbar.OptionSetWidth(24), progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(true))
	}
	return p
}

// show is called before and after each measurement.
func (p *progress) show(e agent.Event) {
	switch {
	case p.bar != nil:
		p.bar.Describe(fmt.Sprintf("%d/%d %s, %s, %s left", e.Index+1, e.Total, e.Case.Spec, where(e.Case), seconds(e.LeftS)))
		_ = p.bar.Set(int(e.DoneS * 1000)) // a bar that cannot be drawn is no reason to stop
	case e.Result != nil:
		fmt.Fprintf(p.w, "%d/%d %s, %s: %s, %s left\n", e.Index+1, e.Total, e.Case.Spec, where(e.Case), outcome(*e.Result), seconds(e.LeftS))
	}
}

func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// outcome is a result in a few words.
func outcome(r bench.Result) string {
	if rate, ok := r.Rate(); ok {
		return si(rate.Value, rate.Unit) + " " + plusMinus(rate.Value, rate.Lo, rate.Hi)
	}
	return "failed: " + r.Error
}
