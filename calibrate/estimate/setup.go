package estimate

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate/model"
	"github.com/realflops/realflops/kernels"
)

// Task is what is priced.
type Task string

// The tasks: one forward pass; one prompt into the cache; one token for each sequence
// at a context; one training step.
const (
	Forward Task = "forward"
	Prefill Task = "prefill"
	Decode  Task = "decode"
	Train   Task = "train"
)

// task says how a task is counted, and what its time is of.
type task struct {
	name   Task
	counts model.Task
	unit   string
}

var tasks = []task{
	{Forward, model.Forward, "pass"},
	{Prefill, model.Prefill, "pass"},
	{Decode, model.Decode, "token"},
	{Train, model.Step, "step"},
}

func findTask(name Task) (task, error) {
	var names []string
	for _, t := range tasks {
		if t.name == name {
			return t, nil
		}
		names = append(names, string(t.name))
	}
	return task{}, kernels.Unknown("task", string(name), names)
}

// Setup is what an estimate is made for. Zero means the default that the field names,
// and in the answer's setup nothing is left at zero that has one.
type Setup struct {
	Task      Task              `json:"task"`      // "": forward
	Batch     int               `json:"batch"`     // sequences; 0: 1
	Seq       int               `json:"seq"`       // new positions a sequence; 0: the model's full context; of decode 1
	Context   int               `json:"context"`   // of decode: positions that the new token sees; 0: the full context
	Causal    *bool             `json:"causal"`    // nil: as the architecture is
	Precision kernels.Precision `json:"precision"` // stored weights and activations, fp32 or fp16; arithmetic is fp32; "": fp32
	Threads   int               `json:"threads"`   // 0: as many as the profile has
	Device    string            `json:"device"`    // named in the answer alone
	Optimizer string            `json:"optimizer,omitempty"`

	Tokens    float64 `json:"tokens,omitempty"`     // of the whole job; 0: not asked
	Samples   float64 `json:"samples,omitempty"`    // sequences of the whole job; 0: not asked
	NewTokens int     `json:"new_tokens,omitempty"` // of decode: tokens that follow the context; 0: one

	MemoryBytes  float64 `json:"memory_bytes,omitempty"`   // usable on the machine; 0: unknown
	PricePerHour float64 `json:"price_per_hour,omitempty"` // money an hour; 0: unknown
	PowerW       float64 `json:"power_w,omitempty"`        // drawn while it runs; 0: unknown
}

// counts is the setup that the model is counted for.
func (s Setup) counts(t task) model.Setup {
	return model.Setup{Task: t.counts, Batch: s.Batch, Seq: s.Seq, Context: s.Context, Causal: s.Causal, Precision: s.Precision}
}

// check refuses what means nothing, and settles the task and the threads.
func (s *Setup) check(machine Machine) (task, error) {
	if s.Task == "" {
		s.Task = Forward
	}
	t, err := findTask(s.Task)
	if err != nil {
		return t, err
	}
	for _, v := range []struct {
		name string
		x    float64
	}{
		{"tokens", s.Tokens},
		{"samples", s.Samples},
		{"new tokens", float64(s.NewTokens)},
		{"memory", s.MemoryBytes},
		{"price", s.PricePerHour},
		{"power", s.PowerW},
		{"threads", float64(s.Threads)},
	} {
		if math.IsNaN(v.x) || math.IsInf(v.x, 0) || v.x < 0 {
			return t, fmt.Errorf("%s %g: want a number above 0", v.name, v.x)
		}
	}
	switch {
	case s.Tokens > 0 && s.Samples > 0:
		return t, errors.New("tokens and samples both say how long the job is: want one of them")
	case s.Samples > 0 && s.Task == Decode:
		return t, errors.New("decode is counted in tokens: want tokens or new tokens, not samples")
	case s.NewTokens > 0 && s.Task != Decode:
		return t, fmt.Errorf("new tokens belong to task %s, not to %s", Decode, s.Task)
	case s.NewTokens > 0 && s.Tokens > 0:
		return t, errors.New("tokens and new tokens both say how long the job is: want one of them")
	}
	if s.Task == Train && s.Optimizer == "" {
		s.Optimizer = "adamw"
	}
	if s.Optimizer != "" && s.Optimizer != "adamw" {
		return t, kernels.Unknown("optimizer", s.Optimizer, []string{"adamw"})
	}
	return t, s.checkThreads(machine.ThreadCounts())
}

func (s *Setup) checkThreads(counts []int) error {
	if len(counts) == 0 {
		return errors.New("the profile holds no curve: run `realflops run` again")
	}
	if s.Threads == 0 {
		s.Threads = slices.Max(counts)
	}
	if slices.Contains(counts, s.Threads) {
		return nil
	}
	var have []string
	for _, c := range counts {
		have = append(have, fmt.Sprint(c))
	}
	return fmt.Errorf("threads %d were not calibrated: the profile has %s", s.Threads, strings.Join(have, ", "))
}

// units is how many units of time_s the whole job has; 0 where it was not asked.
func (s Setup) units() float64 {
	perUnit := float64(s.Batch) * float64(s.Seq) // Seq is 1 in decode
	switch {
	case s.Tokens > 0:
		return math.Ceil(s.Tokens / perUnit)
	case s.Samples > 0:
		return math.Ceil(s.Samples / float64(s.Batch))
	}
	return float64(s.NewTokens)
}

// warnings collects each doubt once.
type warnings []bench.Warning

func (w *warnings) add(code, format string, args ...any) {
	warning := bench.Warning{Code: code, Text: fmt.Sprintf(format, args...)}
	if !slices.Contains(*w, warning) {
		*w = append(*w, warning)
	}
}
