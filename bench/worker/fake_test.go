package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// scripted is a Backend whose methods answer what the test says and keep count.
type scripted struct {
	calls  []Verb
	sample func(SampleRequest) (Sampled, *Error)
	close  func() *Error
}

func (s *scripted) called(v Verb) { s.calls = append(s.calls, v) }

func (s *scripted) Hello() (Welcome, *Error) { s.called(Hello); return welcome, nil }

func (s *scripted) Open(r OpenRequest) (Opened, *Error) {
	s.called(Open)
	if r.Device != welcome.Devices[0].ID {
		return Opened{FreeBytes: 1}, &Error{Kind: Unsupported, Code: "CUDA_ERROR_INVALID_DEVICE (101)", Text: "no such device"}
	}
	return opened, nil
}

func (s *scripted) Prepare(PrepareRequest) (Prepared, *Error) {
	s.called(Prepare)
	return prepared, nil
}

func (s *scripted) Sample(r SampleRequest) (Sampled, *Error) {
	s.called(Sample)
	if s.sample != nil {
		return s.sample(r)
	}
	return sampled, nil
}

func (s *scripted) Check() (string, *Error) { s.called(Check); return prepared.Checksum, nil }

func (s *scripted) Release() *Error { s.called(Release); return nil }

func (s *scripted) Close() *Error {
	s.called(Close)
	if s.close != nil {
		return s.close()
	}
	return nil
}

func p[T any](v T) *T { return &v }

// One dialogue, which docs/worker.md shows.
var (
	welcome = Welcome{
		Protocol: Version, Version: "v1.2.0", Backend: "cuda", Runtime: "12.4", Absent: []string{"cuGraphInstantiate"},
		Devices: []Device{{
			ID: "GPU-5f0c9a52-8f0e-4c53-9f3c-0d1e2f3a4b5c", Model: "NVIDIA A100-SXM4-80GB", Architecture: "8.0", Bus: "0000:3b:00.0",
			Units: 108, MemoryBytes: 85899345920, CacheBytes: 41943040, MaxClockHz: p(1.41e9), PowerLimitW: p(400.0),
			Partitioned: p(false), Exclusive: p(false), Prohibited: p(false), Processes: p(0), Utilization: p(0.0),
		}},
	}
	openRequest = OpenRequest{Device: welcome.Devices[0].ID}
	opened      = Opened{
		FreeBytes: 84825604096, LaunchS: 2.1e-6,
		Offers: []Offer{{Kernel: kernels.GEMM, Precision: kernels.FP16FP32, Engine: "ptx-mma", Instruction: "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"}},
	}
	prepareRequest = PrepareRequest{
		Kernel: kernels.GEMM, Precision: kernels.FP16FP32, Shape: kernels.Shape{M: 4096, N: 4096, K: 4096},
		Engine: "ptx-mma", Data: bench.Randn, Seed: 7,
	}
	prepared = Prepared{
		Engine: "ptx-mma", Note: "A, B and C row-major, C in fp16", PassS: 0.0008, Sets: 1,
		Checksum: "9c56cc51b374c3ba", Traffic: 100663296,
	}
	sampleRequest = SampleRequest{Passes: 4, Samples: 2}
	sampled       = Sampled{
		Samples:   []Timed{{StartS: 0, Seconds: 0.0031, Passes: 4}, {StartS: 0.0031, Seconds: 0.0032, Passes: 4}},
		Telemetry: Telemetry{ClockHz: p(1.41e9), PowerW: p(385.5), TemperatureC: p(61.0), Throttle: []string{"power_cap"}},
	}
	noMemory = Error{Kind: NoMemory, Code: "CUDA_ERROR_OUT_OF_MEMORY (2)", Text: "98304 MB are needed and 80896 MB are free"}
)

// serve gives lines to a worker until they end, without heartbeats, and returns its replies.
func serve(t *testing.T, b Backend, lines ...string) []Reply {
	t.Helper()
	var out bytes.Buffer
	if err := Serve(context.Background(), strings.NewReader(strings.Join(lines, "\n")+"\n"), &out, b, 0); err != nil {
		t.Fatalf("serve: %v", err)
	}
	return replies(t, out.String())
}

func replies(t *testing.T, text string) []Reply {
	t.Helper()
	var all []Reply
	for line := range strings.Lines(text) {
		var r Reply
		if err := json.Unmarshal([]byte(line), &r); err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("%q is no whole line of a reply: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

func line(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
