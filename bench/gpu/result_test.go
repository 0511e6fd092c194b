package gpu

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels"
)

// TestResultsAreHeldAgainstTheDevicesOwnLimits: a product against fma in its own precision, the
// best engine's; an activation against fp32; a bandwidth against nothing; another device not at all.
func TestResultsAreHeldAgainstTheDevicesOwnLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		traffic := 0.0
		c.prepare = func(l *life, r worker.PrepareRequest) (worker.Prepared, *worker.Error) {
			p := l.prepared(r)
			p.Traffic = traffic
			return p, nil
		}
		r := runner(c)
		defer r.Close()
		at := func(passS float64, x bench.Case) bench.Result { c.passS = passS; return measure(t, r, x) }

		// 1000 threads of 786,432 multiply-adds a pass.
		limit := func(p kernels.Precision, passS float64) bench.Result {
			return at(passS, caseOf(kernels.FMA, p, n(786_432)))
		}
		if res := limit(kernels.FP16FP32, 0.01); !near(res.FlopPerS, 2*786_432*1000/0.01) || res.Bound != bench.ComputeBound || res.Data != bench.Constant || res.OfLimit != nil || res.BytesPerS != nil {
			t.Errorf("fma: %+v", res)
		}
		limit(kernels.FP16FP32, 0.02) // a slower engine is not the limit
		limit(kernels.FP32FP32, 0.1)

		gemm := func(p kernels.Precision) bench.Case { return caseOf(kernels.GEMM, p, mnk(1000, 1000, 1000)) }
		res := at(0.02, gemm(kernels.FP16FP32))
		if !near(res.OfLimit, 2e9/0.02/1.572864e11) || res.Bound != bench.ComputeBound || res.BytesPerS != nil {
			t.Errorf("gemm: of limit %v, bound %s", res.OfLimit, res.Bound)
		}
		if res := at(0.02, gemm(kernels.BF16FP32)); res.OfLimit != nil || res.Bound != bench.UnknownBound {
			t.Errorf("gemm without a limit of its precision: %v, %s", res.OfLimit, res.Bound)
		}
		if res := at(1.5e-5, caseOf(kernels.GEMM, kernels.FP16FP32, mnk(64, 64, 64))); res.Bound != bench.LatencyBound {
			t.Errorf("a product of 7 launches' time is bound by %s", res.Bound)
		}
		// The bandwidth at the product's level: 1.6 GB/s. Its traffic, not its operands, is what it moves.
		if res := at(0.01, caseOf(kernels.Copy, kernels.FP64, n(1_000_000))); res.Bound != bench.BandwidthBound || !near(res.BytesPerS, 1.6e9) || res.OfLimit != nil || res.FlopPerS != nil {
			t.Errorf("copy: %+v", res)
		}
		if traffic = 3.2e7; at(0.02, gemm(kernels.FP16FP32)).Bound != bench.BandwidthBound {
			t.Error("a product that moves as much as copy is bound by something else")
		}
		traffic = 0
		if res := at(0.01, caseOf(kernels.ReLU, kernels.FP16, n(1_000_000))); !near(res.OfLimit, 1e8/1.572864e10) {
			t.Errorf("relu fp16: of limit %v", res.OfLimit)
		}
		other := runner(newCard("GPU-2"))
		defer other.Close()
		if res := measure(t, other, gemm(kernels.FP16FP32)); res.OfLimit != nil {
			t.Error("another device's limit was used")
		}
	})
}

// TestThrottling: its share is of the batches with a reason that holds the clock down, whatever stands beside it.
func TestThrottling(t *testing.T) {
	reasons := func(list ...string) worker.Telemetry {
		return worker.Telemetry{ClockHz: ptr(1e9), Throttle: append([]string{}, list...)}
	}
	for name, x := range map[string]struct {
		batches []worker.Telemetry
		share   float64 // -1 is unknown
		text    string
	}{
		"none":                 {[]worker.Telemetry{reasons(), reasons()}, 0, ""},
		"no work, low setting": {[]worker.Telemetry{reasons("gpu_idle"), reasons("applications_clocks", "gpu_idle")}, 0, ""},
		"half":                 {[]worker.Telemetry{reasons("power_cap"), reasons()}, 0.5, "the clock was held down in 50% of the batches: power_cap in 50%"},
		"combined": {
			[]worker.Telemetry{reasons("power_cap", "sw_thermal"), reasons("gpu_idle", "power_cap"), reasons("power_cap", "power_cap"), reasons()},
			0.75, "the clock was held down in 75% of the batches: power_cap in 75%, sw_thermal in 25%",
		},
		"a new reason": {[]worker.Telemetry{reasons("moonlight")}, 1, "the clock was held down in 100% of the batches: moonlight in 100%"},
		"partly known": {[]worker.Telemetry{{ClockHz: ptr(1e9)}, reasons("hw_thermal")}, 1, "the clock was held down in 100% of the batches: hw_thermal in 100%"},
		"unknown":      {[]worker.Telemetry{{ClockHz: ptr(1e9)}}, -1, ""},
	} {
		var res bench.Result
		res.Warnings = sense(&res, x.batches)
		if known := res.ThrottleShare != nil; known != (x.share >= 0) || known && *res.ThrottleShare != x.share || text(res, bench.Throttled) != x.text {
			t.Errorf("%s: %v, %v", name, res.ThrottleShare, res.Warnings)
		}
	}
}

func TestSensorsAreMediansAndMayBeAbsent(t *testing.T) {
	var res bench.Result
	warnings := sense(&res, []worker.Telemetry{
		{ClockHz: ptr(1.0e9), PowerW: ptr(100.0)}, {ClockHz: ptr(3e9), PowerW: ptr(300.0)}, {ClockHz: ptr(1.5e9), TemperatureC: ptr(50.0)},
	})
	if !near(res.ClockHz, 1.5e9) || !near(res.PowerW, 200) || !near(res.TemperatureC, 50) || len(warnings) != 0 {
		t.Errorf("%v %v %v, %v", res.ClockHz, res.PowerW, res.TemperatureC, warnings)
	}
	for want, batches := range map[string][]worker.Telemetry{
		"the clock is unknown: the sensors were not read":         nil,
		"the clock is unknown: libnvidia-ml.so.1 does not answer": {{}, {Problem: "libnvidia-ml.so.1 does not answer"}},
	} {
		var res bench.Result
		res.Warnings = sense(&res, batches)
		if !slices.Equal(codes(res), []string{bench.ClockUnknown}) || res.Warnings[0].Text != want || res.ClockHz != nil || res.PowerW != nil || res.ThrottleShare != nil {
			t.Errorf("%+v", res)
		}
	}
}

// TestSustainedLiesBelowBurst where the device slows down, and the sensors say why.
func TestSustainedLiesBelowBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		c.sample = func(l *life, _ worker.SampleRequest) *worker.Error {
			if l.batches > 20 {
				c.passS = 0.00125
			}
			return nil
		}
		c.sense = func(batch int) worker.Telemetry {
			if batch >= 20 {
				return worker.Telemetry{ClockHz: ptr(1.1e9), Throttle: []string{"hw_thermal"}}
			}
			return worker.Telemetry{ClockHz: ptr(1.4e9), Throttle: []string{}}
		}
		r := runner(c)
		defer r.Close()
		x := relu()
		x.MinS, x.MaxS = 4, 4
		res := measure(t, r, x)
		if !near(res.FlopPerS, 8e8) || !near(res.FlopPerSBurst, 1e9) || !near(res.ClockHz, 1.1e9) || *res.ThrottleShare < 0.75 || !slices.Equal(codes(res), []string{bench.Throttled}) {
			t.Errorf("%v, burst %v, clock %v, share %v, %v", *res.FlopPerS, *res.FlopPerSBurst, *res.ClockHz, *res.ThrottleShare, res.Warnings)
		}
	})
}

// TestWhatBelongsBesideEveryFigure: that the device is emulated, even beside a failure, and what the worker noted.
func TestWhatBelongsBesideEveryFigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		c.welcome.Emulated = true
		c.opened.JIT = "the driver compiled the kernels from PTX"
		r := runner(c)
		defer r.Close()
		res := measure(t, r, relu())
		if !slices.Equal(codes(res), []string{bench.JIT, bench.Emulated}) || res.Warnings[0].Text != c.opened.JIT {
			t.Errorf("%v", res.Warnings)
		}
		c.prepare = func(*life, worker.PrepareRequest) (worker.Prepared, *worker.Error) {
			return worker.Prepared{}, &worker.Error{Kind: worker.Wrong, Text: "all zeros"}
		}
		if res := measure(t, r, relu()); !slices.Equal(codes(res), []string{bench.WrongResult, bench.Emulated}) {
			t.Errorf("%v", res.Warnings)
		}
	})
}
