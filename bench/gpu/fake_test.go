package gpu

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels"
)

func ptr[T any](v T) *T { return &v }

// newDevice is a card with 40 MB of cache that nobody else uses.
func newDevice(id string) worker.Device {
	return worker.Device{ID: id, Model: "Fake 100", Architecture: "8.0", Units: 108, MemoryBytes: 80 << 30, CacheBytes: 40 << 20, Processes: ptr(0)}
}

// card plays a device: what its workers answer, each in the time that it takes on the
// clock of a synctest bubble. The functions that are nil are those of a good one.
type card struct {
	welcome worker.Welcome
	opened  worker.Opened
	passS   float64       // what a pass takes
	slow    time.Duration // what any other verb takes

	prepare func(*life, worker.PrepareRequest) (worker.Prepared, *worker.Error)
	sample  func(*life, worker.SampleRequest) *worker.Error // before the samples
	sense   func(batch int) worker.Telemetry
	check   func(checks int) string
	open    func(*life) *worker.Error
	release func(*life) *worker.Error
	hello   func(*life)

	ownClock   bool // moves when it works alone
	deaf       bool // to SIGTERM
	unkillable bool
	words      string // on standard error

	mu     sync.Mutex
	lives  []*life
	checks int
}

// life is one worker process of a card.
type life struct {
	*card
	number  int // 1 is the first
	ctx     context.Context
	kill    context.CancelFunc
	in      *io.PipeReader
	out     *io.PipeWriter
	done    chan struct{}
	how     string
	batches int
	beganS  float64 // of the sampling, on the bubble's clock
	workedS float64
	prep    worker.PrepareRequest
	calls   []string
	signals []string
	sampled []worker.SampleRequest
	once    sync.Once
	muted   atomic.Bool
}

func newCard(id string) *card {
	return &card{
		welcome: worker.Welcome{Version: "1", Backend: "fake", Devices: []worker.Device{newDevice(id)}, Absent: []string{}},
		opened:  worker.Opened{LaunchS: 2e-6, Offers: []worker.Offer{{Kernel: kernels.ReLU, Precision: kernels.FP32, Engine: "fake-simt"}}},
		passS:   0.001,
		sense: func(int) worker.Telemetry {
			return worker.Telemetry{ClockHz: ptr(1.4e9), PowerW: ptr(300.0), TemperatureC: ptr(60.0), Throttle: []string{}}
		},
	}
}

// start starts a worker in this process.
func (c *card) start(Config) (*process, error) {
	ctx, kill := context.WithCancel(context.Background())
	requests, toWorker := io.Pipe()
	fromWorker, out := io.Pipe()
	c.mu.Lock()
	l := &life{card: c, number: len(c.lives) + 1, ctx: ctx, kill: kill, in: requests, out: out, done: make(chan struct{})}
	c.lives = append(c.lives, l)
	c.mu.Unlock()
	go func() {
		err := worker.Serve(ctx, requests, mutable{l}, l, time.Second)
		l.die(fmt.Sprintf("served: %v", err))
	}()
	return &process{
		in: toWorker, out: fromWorker, signal: l.signal, done: l.done,
		how:   func() string { return l.how },
		words: func() string { return c.words },
	}, nil
}

func (l *life) die(how string) {
	l.once.Do(func() {
		l.how = how
		l.kill()
		_, _ = l.in.Close(), l.out.Close()
		close(l.done)
	})
}

func (l *life) signal(s os.Signal) error {
	l.mu.Lock()
	l.signals = append(l.signals, s.String())
	l.mu.Unlock()
	if s == syscall.SIGTERM && !l.deaf || s == os.Kill && !l.unkillable {
		l.die("signal: " + s.String())
	}
	return nil
}

// mutable is the output of a worker that may be stopped: it says nothing more.
type mutable struct{ *life }

func (m mutable) Write(b []byte) (int, error) {
	if m.muted.Load() {
		return len(b), nil
	}
	return m.out.Write(b)
}

func (l *life) mute() { l.muted.Store(true) }

// hang never comes back while the process lives.
func (l *life) hang() { <-l.ctx.Done() }

// sleep takes time, unless the process dies.
func (l *life) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ctx.Done():
	}
}

func (l *life) called(verb string) {
	l.mu.Lock()
	l.calls = append(l.calls, verb)
	l.mu.Unlock()
	l.sleep(l.slow)
}

func (l *life) Hello() (worker.Welcome, *worker.Error) {
	l.called("hello")
	if l.card.hello != nil {
		l.card.hello(l)
	}
	return l.welcome, nil
}

func (l *life) Open(worker.OpenRequest) (worker.Opened, *worker.Error) {
	l.called("open")
	if l.card.open != nil {
		if err := l.card.open(l); err != nil {
			return worker.Opened{}, err
		}
	}
	return l.opened, nil
}

func (l *life) Prepare(r worker.PrepareRequest) (worker.Prepared, *worker.Error) {
	l.called("prepare")
	l.prep, l.beganS = r, -1
	if l.card.prepare != nil {
		return l.card.prepare(l, r)
	}
	return l.prepared(r), nil
}

func (l *life) prepared(r worker.PrepareRequest) worker.Prepared {
	p := worker.Prepared{Engine: r.Engine, Note: "row-major", PassS: l.passS, Sets: 1, Checksum: "c0ffee"}
	if p.Engine == "" {
		p.Engine = "fake-simt"
	}
	if r.Kernel == kernels.FMA {
		p.Threads = 1000
	}
	return p
}

func (l *life) Sample(r worker.SampleRequest) (worker.Sampled, *worker.Error) {
	l.called("sample")
	l.batches++
	l.sampled = append(l.sampled, r)
	if l.card.sample != nil {
		if err := l.card.sample(l, r); err != nil {
			return worker.Sampled{}, err
		}
	}
	return l.samples(r), nil
}

func (l *life) samples(r worker.SampleRequest) worker.Sampled {
	if l.beganS < 0 {
		l.beganS = nowS()
	}
	var s worker.Sampled
	for range r.Samples {
		t := worker.Timed{StartS: nowS() - l.beganS, Passes: r.Passes, Seconds: float64(r.Passes) * l.passS}
		if l.ownClock {
			t.StartS = l.workedS
		}
		l.workedS += t.Seconds
		l.sleep(seconds(t.Seconds))
		s.Samples = append(s.Samples, t)
	}
	s.Telemetry = l.sense(l.batches - 1)
	return s
}

func nowS() float64 { return float64(time.Now().UnixNano()) / 1e9 }

func (l *life) Check() (string, *worker.Error) {
	l.called("check")
	l.sleep(seconds(l.passS))
	l.card.mu.Lock()
	defer l.card.mu.Unlock()
	l.checks++
	if l.card.check != nil {
		return l.card.check(l.checks), nil
	}
	return "c0ffee", nil
}

func (l *life) Release() *worker.Error {
	l.called("release")
	if l.card.release != nil {
		return l.card.release(l)
	}
	return nil
}

func (l *life) Close() *worker.Error { l.called("close"); return nil }

// broken is an error after which a worker is of no more use.
func broken() *worker.Error {
	return &worker.Error{Kind: worker.Broken, Code: "CUDA_ERROR_ILLEGAL_ADDRESS (700)", Text: "the device stopped"}
}

// runner is a Runner of a card, in the bubble of the test.
func runner(c *card, change ...func(*Config)) *Runner {
	config := Config{Version: "1", start: c.start, bootID: func() string { return "boot-1" }}
	for _, f := range change {
		f(&config)
	}
	return New(config, c.welcome.Devices[0])
}

func caseOf(k kernels.Kernel, p kernels.Precision, s kernels.Shape) bench.Case {
	return bench.Case{Spec: kernels.Spec{Kernel: k, Precision: p, Shape: s}, Data: bench.Randn, Seed: 7, MinS: 1, MaxS: 1.3}
}

func n(elements int) kernels.Shape { return kernels.Shape{N: elements} }

func mnk(m, n, k int) kernels.Shape { return kernels.Shape{M: m, N: n, K: k} }

func relu() bench.Case { return caseOf(kernels.ReLU, kernels.FP32, n(1_000_000)) }

func measure(t *testing.T, r *Runner, c bench.Case) bench.Result {
	t.Helper()
	res, err := r.Run(t.Context(), c)
	if err != nil {
		t.Errorf("%v: %v", c.Spec, err)
	}
	return res
}

func codes(res bench.Result) []string {
	list := []string{}
	for _, w := range res.Warnings {
		list = append(list, w.Code)
	}
	return list
}

// text is that of the warning with this code.
func text(res bench.Result, code string) string {
	at := slices.IndexFunc(res.Warnings, func(w bench.Warning) bool { return w.Code == code })
	if at < 0 {
		return ""
	}
	return res.Warnings[at].Text
}

func near(p *float64, want float64) bool { return p != nil && math.Abs(*p/want-1) < 1e-6 }

// contextIn ends after a time of the bubble.
func contextIn(t *testing.T, after time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), after)
}
