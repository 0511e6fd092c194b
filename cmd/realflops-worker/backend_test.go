package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/driver"
	"github.com/realflops/realflops/kernels/cuda/ptxvm"
	"github.com/realflops/realflops/kernels/cuda/work"
)

// interpreted is a node whose one device interprets the kernels' PTX in this process.
type interpreted struct {
	closed  int
	openErr error
}

func (n *interpreted) welcome() worker.Welcome { return worker.Welcome{Backend: "cuda"} }

func (n *interpreted) open(string) (cuda.Device, work.Library, string, error) {
	if n.openErr != nil {
		return nil, nil, "", n.openErr
	}
	info := cuda.Info{Arch: 80, SMs: 1, L2Bytes: 1 << 20, MemoryBytes: 1 << 28, SharedOptIn: 160 << 10}
	return ptxvm.NewDevice(info), nil, "no library here", nil
}

func (n *interpreted) telemetry() func() worker.Telemetry {
	clock := 1.41e9
	return func() worker.Telemetry { return worker.Telemetry{ClockHz: &clock} }
}

func (n *interpreted) close() error { n.closed++; return nil }

func opened(t *testing.T) (*backend, *interpreted) {
	t.Helper()
	n := &interpreted{}
	b := &backend{node: n}
	o, e := b.Open(worker.OpenRequest{Device: "GPU-1"})
	if e != nil {
		t.Fatal(e)
	}
	if len(o.Offers) < 20 || o.LaunchS <= 0 || o.FreeBytes <= 0 || o.FreeBytes > 1<<28 {
		t.Errorf("%d offers, launch %g s, %d bytes free", len(o.Offers), o.LaunchS, o.FreeBytes)
	}
	if o.NoLibrary != "no library here" || !strings.Contains(o.JIT, "compute_80") {
		t.Errorf("no_library %q, jit %q: want that of the node, and that the driver compiled PTX", o.NoLibrary, o.JIT)
	}
	return b, n
}

func TestBackendMeasuresWithTheRealKernels(t *testing.T) {
	b, n := opened(t)
	for _, r := range []worker.PrepareRequest{
		{Kernel: kernels.GEMM, Precision: kernels.FP16FP32, Shape: kernels.Shape{M: 40, N: 48, K: 64}, Data: bench.Randn, Seed: 3},
		{Kernel: kernels.Sigmoid, Precision: kernels.BF16, Shape: kernels.Shape{N: 5000}, Data: bench.Uniform},
		{Kernel: kernels.FMA, Precision: kernels.FP32FP32, Shape: kernels.Shape{N: kernels.FMAQuantum}, Data: bench.Constant},
	} {
		p, e := b.Prepare(r)
		if e != nil {
			t.Fatalf("%s: %v", r.Kernel, e)
		}
		if p.PassS <= 0 || p.Engine == "" || p.Note == "" || p.Checksum == "" || p.Sets < 1 || p.Threads < 1 {
			t.Errorf("%s: prepared %+v", r.Kernel, p)
		}
		s, e := b.Sample(worker.SampleRequest{Passes: 2, Samples: 3})
		if e != nil {
			t.Fatal(e)
		}
		for i, sample := range s.Samples {
			if sample.Passes != 2 || sample.Seconds <= 0 || i > 0 && sample.StartS < s.Samples[i-1].StartS+s.Samples[i-1].Seconds*0.999 {
				t.Errorf("%s: samples %+v do not follow each other", r.Kernel, s.Samples)
			}
		}
		if len(s.Samples) != 3 || s.Telemetry.ClockHz == nil {
			t.Errorf("%s: %d samples, telemetry %+v", r.Kernel, len(s.Samples), s.Telemetry)
		}
		if sum, e := b.Check(); e != nil || sum != p.Checksum {
			t.Errorf("%s: a later pass has checksum %s, the first %s: %v", r.Kernel, sum, p.Checksum, e)
		}
		if e := b.Release(); e != nil {
			t.Error(e)
		}
	}
	if e := b.Close(); e != nil || n.closed != 1 {
		t.Errorf("close: %v, %d times", e, n.closed)
	}
}

func TestRequestsOutOfOrderAreRefused(t *testing.T) {
	b := &backend{node: &interpreted{}}
	_, prepare := b.Prepare(worker.PrepareRequest{})
	_, sample := b.Sample(worker.SampleRequest{Passes: 1, Samples: 1})
	_, check := b.Check()
	ready, _ := opened(t)
	_, nothing := ready.Sample(worker.SampleRequest{Passes: 1, Samples: 1})
	if _, e := ready.Prepare(worker.PrepareRequest{Kernel: kernels.FMA, Precision: kernels.FP32FP32, Shape: kernels.Shape{N: kernels.FMAQuantum}}); e != nil {
		t.Fatal(e)
	}
	_, none := ready.Sample(worker.SampleRequest{})
	for what, e := range map[string]*worker.Error{"prepare": prepare, "sample": sample, "check": check, "sample before prepare": nothing, "no passes": none} {
		if e == nil || e.Kind != worker.BadRequest {
			t.Errorf("%s: %v, want a bad request", what, e)
		}
	}
}

func TestErrorsAreToldByWhatTheyMean(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind worker.ErrorKind
		code string
	}{
		{&work.WrongError{Text: "C[0,0] is 1, want 2"}, worker.Wrong, ""},
		{fmt.Errorf("bf16: %w", work.ErrUnsupported), worker.Unsupported, ""},
		{fmt.Errorf("allocate: %w", &driver.DriverError{Op: "allocate", Code: 2, Name: "CUDA_ERROR_OUT_OF_MEMORY"}), worker.NoMemory, "CUDA_ERROR_OUT_OF_MEMORY (2)"},
		{&driver.DriverError{Op: "wait", Code: 719, Name: "CUDA_ERROR_LAUNCH_FAILED"}, worker.Broken, "CUDA_ERROR_LAUNCH_FAILED (719)"},
		{errors.New("something else"), worker.Broken, ""},
	} {
		e := failure(c.err)
		if e.Kind != c.kind || e.Code != c.code || e.Text != c.err.Error() {
			t.Errorf("%v is told as %+v, want %s %q", c.err, e, c.kind, c.code)
		}
	}
	if failure(nil) != nil {
		t.Error("no error was told as one")
	}
	b := &backend{node: &interpreted{openErr: errors.New("gone")}}
	if _, e := b.Open(worker.OpenRequest{}); e == nil || e.Text != "gone" {
		t.Errorf("open: %v", e)
	}
}

// TestSensorsThatHangAreAskedOnce: the reading is left behind, and its late answer is taken for the next one.
func TestSensorsThatHangAreAskedOnce(t *testing.T) {
	answer, asked := make(chan driver.Telemetry), make(chan bool, 3)
	s := newSensors(func() (driver.Telemetry, error) { asked <- true; return <-answer, nil })
	expired := make(chan time.Time)
	close(expired)
	s.wait = func() <-chan time.Time { return expired }
	for range 2 {
		if got := s.begin()(); got.ClockHz != nil || !strings.Contains(got.Problem, "does not answer") {
			t.Errorf("sensors that hang said %+v", got)
		}
	}
	clock, mask := 1.5e9, uint64(0x4|0x20)
	s.wait = func() <-chan time.Time { return nil } // for ever
	go func() { answer <- driver.Telemetry{SMClockHz: &clock, ThrottleReasons: &mask} }()
	got := s.begin()()
	if got.ClockHz == nil || *got.ClockHz != clock || strings.Join(got.Throttle, " ") != "sw_power_cap sw_thermal" {
		t.Errorf("the late answer was told as %+v", got)
	}
	if len(asked) != 1 {
		t.Errorf("the sensors were asked %d times while they hung, want once", len(asked))
	}
}
