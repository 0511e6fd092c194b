package gpu

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels"
)

// result fills in the figures.
func (m *measurement) result(res bench.Result) bench.Result {
	warn := func(code, format string, args ...any) {
		res.Warnings = append(res.Warnings, bench.Warn(code, format, args...))
	}
	res.Shape, res.Engine, res.Note, res.Checksum = m.c.Shape, m.prepared.Engine, m.prepared.Note, m.prepared.Checksum
	if m.reduced != "" {
		warn(bench.ShapeReduced, "%s was asked for and does not fit (%s): %s was measured", m.asked, m.reduced, m.c.Shape)
	}
	s := bench.Summarize(m.stop.Series())
	work := bench.Work{FLOP: m.c.FLOP(), Elements: m.c.Elements()}
	if m.c.Kernel == kernels.FMA {
		work.FLOP *= float64(m.prepared.Threads) // each thread has its own chains
	}
	if work.Elements > 0 {
		work.Bytes = m.c.Bytes()
	}
	res.SetRates(s, work)
	res.N, res.PlateauS = s.Sustained.N, s.PlateauS
	for _, sample := range m.stop.Series() {
		res.Seconds += sample.Seconds
	}
	res.Warnings = append(res.Warnings, s.Warnings...)
	res.Warnings = append(res.Warnings, sense(&res, m.telemetry)...)
	if m.opened.JIT != "" {
		warn(bench.JIT, "%s", m.opened.JIT)
	}
	if m.heldUp {
		warn(bench.HeldUp, "sampling was ended after %v here, of which the device says that it worked for %.3g s", m.wall.Round(time.Second), res.Seconds)
	}
	if m.ctx.Err() != nil {
		warn(bench.Interrupted, "interrupted after %d samples", len(m.stop.Series()))
	}
	if m.with == nil {
		m.r.roofs.Judge(&res, m.pass(s))
		return res
	}
	res.Together = m.together
	if rate, ok := res.Rate(); ok {
		if alone := m.r.alone[keyOf(res)]; alone > 0 {
			of := rate.Value / alone
			res.OfAlone = &of
		}
	}
	return res
}

// pass is what the roofline needs to know: an elementwise kernel computes in fp32 however its
// operands are stored, and a product in its own precision.
func (m *measurement) pass(s bench.Summary) bench.Pass {
	p := bench.Pass{Seconds: 1 / s.Sustained.Median, FixedS: m.opened.LaunchS, Bytes: m.c.Bytes(), Limit: kernels.FP32FP32}
	switch d, _ := kernels.Lookup(string(m.c.Kernel)); d.Class { // the case was checked
	case kernels.Register:
		p.Limit = m.c.Precision
	case kernels.Matrix:
		p.Limit = m.c.Precision
		if m.prepared.Traffic > 0 { // what its output takes is the engine's own
			p.Bytes = m.prepared.Traffic
		}
	}
	return p
}

// harmless are the reasons for a lower clock that nobody would call throttling: the device
// was asked for no more.
var harmless = map[string]bool{"gpu_idle": true, "idle": true, "applications_clocks": true}

// sense sets what the sensors said, as medians over the batches, and says what is doubtful.
func sense(res *bench.Result, batches []worker.Telemetry) []bench.Warning {
	var clocks, powers, temperatures []float64
	reasons, known, throttled := map[string]int{}, 0, 0
	problem := "the sensors were not read"
	for _, t := range batches {
		gather(&clocks, t.ClockHz)
		gather(&powers, t.PowerW)
		gather(&temperatures, t.TemperatureC)
		if t.Problem != "" {
			problem = t.Problem
		}
		if t.Throttle == nil {
			continue
		}
		known++
		held := false
		for _, reason := range slices.Compact(slices.Sorted(slices.Values(t.Throttle))) {
			if !harmless[reason] {
				reasons[reason]++
				held = true
			}
		}
		if held {
			throttled++
		}
	}
	res.ClockHz, res.PowerW, res.TemperatureC = median(clocks), median(powers), median(temperatures)
	var warnings []bench.Warning
	if res.ClockHz == nil {
		warnings = append(warnings, bench.Warn(bench.ClockUnknown, "the clock is unknown: %s", problem))
	}
	if known == 0 {
		return warnings
	}
	share := float64(throttled) / float64(known)
	res.ThrottleShare = &share
	if throttled > 0 {
		warnings = append(warnings, bench.Warn(bench.Throttled, "the clock was held down in %.0f%% of the batches: %s", 100*share, named(reasons, known)))
	}
	return warnings
}

// named lists the reasons with their shares, by name.
func named(reasons map[string]int, of int) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		list = append(list, fmt.Sprintf("%s in %.0f%%", name, 100*float64(reasons[name])/float64(of)))
	}
	return strings.Join(list, ", ")
}

func gather(list *[]float64, v *float64) {
	if v != nil {
		*list = append(*list, *v)
	}
}

// median is nil of nothing.
func median(list []float64) *float64 {
	if len(list) == 0 {
		return nil
	}
	e, _ := bench.Median(list)
	return &e.Median
}
