// Package estimate says what a model costs on a measured machine: every operation
// that package model lists is priced at the throughput that was measured for its own
// shape, and the prices are summed into time, memory, energy and money, each with a
// range and its convention.
//
// It measures nothing, prices no framework (the time that a runtime spends beside its
// kernels), and knows no machine that was not calibrated.
package estimate

import (
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate/model"
)

// Schema names the version of the Document's JSON form.
const Schema = "realflops-estimate/1"

// ErrNoProfile is for a machine of which nothing is known.
var ErrNoProfile = errors.New("no stored profile: run `realflops run` first")

// Source says where a figure comes from.
type Source string

// The sources. Counted is for what follows from the model alone, such as FLOP and
// memory; the others are of the throughput that a time rests on.
const (
	Measured  Source = "measured"
	Datasheet Source = "datasheet"
	Mixed     Source = "mixed"
	Counted   Source = "counted"
)

// Figure is a prediction with its range.
type Figure struct {
	Value      float64 `json:"value"`
	Lo         float64 `json:"lo"`
	Hi         float64 `json:"hi"`
	Convention string  `json:"convention"`
	Source     Source  `json:"source"`
}

// counted is a figure that no measurement moves.
func counted(value float64, convention string) Figure {
	return Figure{value, value, value, convention, Counted}
}

// scaled is f by a factor that is known exactly.
func (f Figure) scaled(by float64, convention string) *Figure {
	return &Figure{f.Value * by, f.Lo * by, f.Hi * by, convention, f.Source}
}

// Document is what `estimate --json` prints. Times are in seconds, of one Unit: a
// pass, a token (one for each sequence of the batch) or a step.
type Document struct {
	Schema string     `json:"schema"`
	Model  model.Info `json:"model"`
	Task   Task       `json:"task"`
	Setup  Setup      `json:"setup"` // defaults filled in
	Unit   string     `json:"unit"`

	FLOP        Figure  `json:"flop"` // of one unit
	TimeS       Figure  `json:"time_s"`
	TotalTimeS  *Figure `json:"total_time_s"` // nil where the length of the job was not asked
	TokensPerS  Figure  `json:"tokens_per_s"`
	MemoryBytes Memory  `json:"memory_bytes"`
	EnergyJ     *Figure `json:"energy_j"` // nil where the power is unknown
	Cost        *Figure `json:"cost"`     // nil where the price is unknown

	Ops      []Op            `json:"ops"`
	Warnings []bench.Warning `json:"warnings"` // never nil
}

// spread is the range that the assumptions add on both sides of a time: operations
// run one after the other, none fused, caches as the curves were measured. The same
// case, timed 30 minutes apart, moves by 7-14% in the median on a shared machine.
const spread = 1.2

// Estimate prices m on a machine. Without a machine the error is [ErrNoProfile]; what
// the machine's profile lacks (a precision, a thread count) is told with what it has.
func Estimate(m *model.Model, machine Machine, s Setup) (*Document, error) {
	if machine == nil || reflect.ValueOf(machine).Kind() == reflect.Pointer && reflect.ValueOf(machine).IsNil() {
		return nil, ErrNoProfile
	}
	t, err := s.check(machine)
	if err != nil {
		return nil, err
	}
	ops, counts, doubts, err := m.Ops(s.counts(t))
	if err != nil {
		return nil, err
	}
	s.Batch, s.Seq, s.Context, s.Causal, s.Precision = counts.Batch, counts.Seq, counts.Context, counts.Causal, counts.Precision
	warn := warnings(doubts)
	e := &Document{
		Schema: Schema, Model: m.Info(s.Precision), Task: s.Task, Setup: s, Unit: t.unit,
		MemoryBytes: memory(m, s, t, counts, ops),
	}
	p := &pricer{machine: machine, stored: s.Precision, threads: s.Threads, streamed: e.MemoryBytes.streamed(), warn: &warn}
	var time span
	if e.Ops, time, err = p.sum(ops); err != nil {
		return nil, err
	}
	e.FLOP = counted(products(ops), "of one "+t.unit+": "+m.Convention(counts))
	e.TimeS = timeFigure(time, fmt.Sprintf("one %s, %s; ", unitText(t, s), stored(s)))
	e.rates(s)
	if err := e.job(m, p, s, t, time); err != nil {
		return nil, err
	}
	e.money(s)
	p.tell()
	for _, d := range machine.Doubts() {
		warn.add(d.Code, "%s", d.Text)
	}
	e.fits(s, &warn)
	if e.Warnings = warn; e.Warnings == nil {
		e.Warnings = []bench.Warning{}
	}
	return e, nil
}

// sum prices every operation; they run one after the other.
func (p *pricer) sum(ops []model.Op) ([]Op, span, error) {
	priced := make([]Op, 0, len(ops))
	var time span
	for _, o := range ops {
		op, err := p.price(o)
		if err != nil {
			return nil, span{}, err
		}
		priced = append(priced, op)
		time = time.plus(span{op.TimeS, op.TimeSLo, op.TimeSHi})
	}
	return priced, time, nil
}

func products(ops []model.Op) float64 {
	var sum float64
	for _, phase := range []model.Phase{model.ForwardPhase, model.BackwardPhase} {
		n, _ := model.Sum(ops, phase)
		sum += n
	}
	return sum
}

func timeFigure(t span, what string) Figure {
	return Figure{
		Value: t.value, Lo: t.lo / spread, Hi: t.hi * spread, Source: Measured,
		Convention: what + fmt.Sprintf("operations one after the other, none fused, each at the measured throughput of its shape; "+
			"range: the curves' intervals and ±%.0f%% for these assumptions; the framework's own time is not in", 100*(spread-1)),
	}
}

func unitText(t task, s Setup) string {
	if t.name == Decode {
		return fmt.Sprintf("token for each sequence, batch %d, context %d", s.Batch, s.Context)
	}
	return fmt.Sprintf("%s, batch %d, sequence %d", t.unit, s.Batch, s.Seq)
}

func stored(s Setup) string {
	text := fmt.Sprintf("%s stored, fp32 arithmetic", s.Precision)
	if s.Threads > 0 { // of a CPU
		text += fmt.Sprintf(", %d threads", s.Threads)
	}
	return text
}

// rates fills in tokens per second.
func (e *Document) rates(s Setup) {
	tokens := float64(s.Batch) * float64(s.Seq)
	what := "positions of all sequences over time_s"
	if s.Task == Decode {
		what = "new tokens of all sequences over time_s"
	}
	e.TokensPerS = Figure{tokens / e.TimeS.Value, tokens / e.TimeS.Hi, tokens / e.TimeS.Lo, what, Measured}
}

// job is the time of everything that was asked for.
func (e *Document) job(m *model.Model, p *pricer, s Setup, t task, one span) error {
	units := s.units()
	switch {
	case units == 0:
		return nil
	case s.NewTokens == 0:
		e.TotalTimeS = e.TimeS.scaled(units, fmt.Sprintf("%.0f times time_s, without restarts and idle time", units))
		return nil
	}
	last := s
	if last.Context > math.MaxInt-s.NewTokens {
		return fmt.Errorf("context %d and %d new tokens overflow", s.Context, s.NewTokens)
	}
	last.Context += s.NewTokens - 1
	ops, counts, doubts, err := m.Ops(last.counts(t))
	if err != nil {
		return err
	}
	for _, d := range doubts {
		p.warn.add(d.Code, "%s", d.Text)
	}
	_, end, err := p.sum(ops)
	if err != nil {
		return err
	}
	e.MemoryBytes = memory(m, s, t, counts, ops)
	mean := timeFigure(one.plus(end).times(units/2), fmt.Sprintf("%.0f tokens for each sequence, context %d to %d, the mean of first and last; ", units, s.Context, last.Context))
	e.TotalTimeS = &mean
	return nil
}

// money is energy and cost, of the whole job where it was asked for.
func (e *Document) money(s Setup) {
	time, of := e.TimeS, "one "+e.Unit
	if e.TotalTimeS != nil {
		time, of = *e.TotalTimeS, "the whole job"
	}
	if s.PowerW > 0 {
		e.EnergyJ = time.scaled(s.PowerW, fmt.Sprintf("of %s at %g W", of, s.PowerW))
	}
	if s.PricePerHour > 0 {
		e.Cost = time.scaled(s.PricePerHour/3600, fmt.Sprintf("of %s at %g an hour, in the price's currency", of, s.PricePerHour))
	}
}
