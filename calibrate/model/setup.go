package model

import (
	"fmt"
	"math"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// Task is what a model is run for.
type Task string

// The tasks. Forward gives every position's output; prefill fills the cache and gives
// the last position's alone; decode gives one token for each sequence; backward is
// the gradients alone; step is forward, backward and the optimizer.
const (
	Forward  Task = "forward"
	Backward Task = "backward"
	Step     Task = "step"
	Prefill  Task = "prefill"
	Decode   Task = "decode"
)

var tasks = []string{string(Forward), string(Backward), string(Step), string(Prefill), string(Decode)}

// Setup is what a count is made for. The zero value is one sequence of the model's
// full context, forward, in fp32.
type Setup struct {
	Task      Task              `json:"task"`
	Batch     int               `json:"batch"`     // sequences; 0: 1
	Seq       int               `json:"seq"`       // new positions a sequence; 0: the model's full context; of decode always 1
	Context   int               `json:"context"`   // positions a query may see; 0: Seq, and of decode the full context
	Causal    *bool             `json:"causal"`    // nil: as the architecture is
	Precision kernels.Precision `json:"precision"` // weights and activations as stored: fp32 or fp16; "": fp32
}

// maxPositions keeps batch × seq × context exact in a float64.
const maxPositions = 1 << 53

// resolve fills s's defaults for m and refuses what means nothing.
func (m *Model) resolve(s Setup) (Setup, []bench.Warning, error) {
	if s.Task == "" {
		s.Task = Forward
	}
	known := false
	for _, t := range tasks {
		known = known || t == string(s.Task)
	}
	if !known {
		return s, nil, kernels.Unknown("task", string(s.Task), tasks)
	}
	for _, v := range []struct {
		name string
		n    int
	}{{"batch", s.Batch}, {"seq", s.Seq}, {"context", s.Context}} {
		if v.n < 0 {
			return s, nil, fmt.Errorf("%s %d: want at least 1", v.name, v.n)
		}
	}
	switch s.Precision {
	case "":
		s.Precision = kernels.FP32
	case kernels.FP32, kernels.FP16:
	case kernels.FP32FP32, kernels.FP16FP32:
		s.Precision = s.Precision.Storage()
	default:
		return s, nil, fmt.Errorf("model precision: %w",
			kernels.Unknown("precision", string(s.Precision), []string{string(kernels.FP32), string(kernels.FP16)}))
	}
	if s.Causal == nil {
		s.Causal = &m.Architecture.Causal
	}
	s.Batch = max(s.Batch, 1)
	return m.positions(s)
}

// positions settles Seq and Context.
func (m *Model) positions(s Setup) (Setup, []bench.Warning, error) {
	full := m.Architecture.Context
	if full > math.MaxInt32 {
		full = math.MaxInt32
	}
	var warnings []bench.Warning
	warn := func(code, format string, args ...any) {
		warnings = append(warnings, bench.Warning{Code: code, Text: fmt.Sprintf(format, args...)})
	}
	switch {
	case s.Task == Decode && m.Architecture.Pooler:
		return s, nil, fmt.Errorf("%s is an encoder and decodes nothing: want task %s, %s or %s", m.Name, Forward, Backward, Step)
	case s.Task == Decode:
		if s.Seq > 1 && s.Context == 0 {
			s.Context = s.Seq
			warn("seq_as_context", "decode takes one new token a sequence: seq %d is taken for the context", s.Seq)
		} else if s.Seq > 1 {
			warn("seq_unused", "decode takes one new token a sequence: seq %d has no part in it", s.Seq)
		}
		s.Seq = 1
		if s.Context == 0 {
			s.Context = int(full)
		}
	default:
		if s.Seq == 0 {
			s.Seq = int(full)
		}
		if s.Context != 0 && s.Context != s.Seq {
			warn("context_unused", "%s sees its own sequence of %d: context %d has no part in it", s.Task, s.Seq, s.Context)
		}
		s.Context = s.Seq
	}
	if float64(s.Batch)*float64(s.Seq)*float64(s.Context) > maxPositions {
		return s, nil, fmt.Errorf("batch %d with seq %d and context %d: their product must be at most 2^53", s.Batch, s.Seq, s.Context)
	}
	if int64(s.Context) > full {
		warn("beyond_context", "%s is made for at most %d positions: %d is counted as if it took them", m.Name, full, s.Context)
	}
	if w := m.Architecture.Window; w > 0 && int64(s.Context) > w {
		warn("sliding_window", "attention sees a window of %d of the %d positions", w, s.Context)
	}
	return s, warnings, nil
}

// point is a setup as numbers: where symbolic sizes are evaluated.
type point struct {
	batch, seq, context float64
	share               float64 // of the seq × context pairs that attention counts
	elementBytes        float64
}

// at evaluates a resolved setup. A causal mask lets half of the pairs through (the
// usual count, s²/2), a window w < s of a causal mask s·w - w²/2.
func (m *Model) at(s Setup) point {
	p := point{
		batch: float64(s.Batch), seq: float64(s.Seq), context: float64(s.Context),
		share: 1, elementBytes: float64(s.Precision.Bytes()),
	}
	w := float64(m.Architecture.Window)
	switch {
	case s.Task == Decode:
		if w > 0 {
			p.context = min(p.context, w)
		}
	case *s.Causal && w > 0 && w < p.seq:
		p.share = (p.seq*w - w*w/2) / (p.seq * p.seq)
	case *s.Causal:
		p.share = 0.5
	}
	return p
}
