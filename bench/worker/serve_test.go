package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// requests are one of each verb, in order.
func requests() []Request {
	return []Request{
		{Do: Hello},
		{Do: Open, Open: &openRequest},
		{Do: Prepare, Prepare: &prepareRequest},
		{Do: Sample, Sample: &sampleRequest},
		{Do: Check},
		{Do: Release},
		{Do: Close},
	}
}

// connect runs a worker on pipes and returns a client of it; closing in ends the worker, whose
// error comes on the channel.
func connect(ctx context.Context, b Backend, heartbeat time.Duration) (c *Client, in io.Closer, ended <-chan error) {
	requests, toWorker := io.Pipe()
	fromWorker, out := io.Pipe()
	end := make(chan error, 1)
	go func() { end <- Serve(ctx, requests, out, b, heartbeat); _ = out.Close() }()
	return NewClient(toWorker, fromWorker), toWorker, end
}

func TestADialogueCarriesEveryVerb(t *testing.T) {
	b := &scripted{}
	c, _, ended := connect(t.Context(), b, time.Hour)
	want := []Reply{
		{Type: Done, Hello: &welcome},
		{Type: Done, Open: &opened},
		{Type: Done, Prepare: &prepared},
		{Type: Done, Sample: &sampled},
		{Type: Done, Checksum: prepared.Checksum},
		{Type: Done},
		{Type: Done},
	}
	var verbs []Verb
	for i, req := range requests() {
		got, err := c.Do(req, func() { t.Error("a heartbeat") })
		want[i].Seq = i + 1
		if err != nil || !reflect.DeepEqual(got, want[i]) {
			t.Errorf("%s: %+v, %v, want %+v", req.Do, got, err, want[i])
		}
		verbs = append(verbs, req.Do)
	}
	if err := <-ended; err != nil {
		t.Errorf("after close: %v", err)
	}
	if !slices.Equal(b.calls, verbs) {
		t.Errorf("called %v, want each once: %v", b.calls, verbs)
	}
}

func TestErrorsOfTheBackendReachTheClient(t *testing.T) {
	c, in, ended := connect(t.Context(), &scripted{}, 0)
	_, err := c.Do(Request{Do: Open, Open: &OpenRequest{Device: "GPU-0"}}, func() {})
	var said *Error
	if !errors.As(err, &said) || *said != (Error{Unsupported, "CUDA_ERROR_INVALID_DEVICE (101)", "no such device"}) || said.Error() != "no such device" {
		t.Errorf("%#v", err)
	}
	if err := errors.Join(in.Close(), <-ended); err != nil {
		t.Error(err)
	}
	// Beside the error there is no figure.
	got := serve(t, &scripted{}, `{"seq":1,"do":"open","open":{"device":"GPU-0"}}`)
	if len(got) != 1 || got[0].Type != Failed || got[0].Open != nil {
		t.Errorf("%+v", got)
	}
}

func TestBadRequestsAreAnsweredAndNothingIsDone(t *testing.T) {
	for _, c := range []struct {
		line string
		seq  int
		text string
	}{
		{``, 0, "not a request"},
		{`hello`, 0, "not a request"},
		{`[]`, 0, "not a request"},
		{`{"seq":3,"do":"hello","verbose":true}`, 3, `unknown field "verbose"`},
		{`{"seq":"x","do":"hello"}`, 0, "not a request"},
		{`{"seq":3,"do":"hello"} {"seq":4,"do":"hello"}`, 3, "more than one"},
		{`{"seq":3}`, 3, "want hello, open"},
		{`{"seq":3,"do":"reboot"}`, 3, `do "reboot"`},
		{`{"seq":3,"do":"open"}`, 3, "open"},
		{`{"seq":3,"do":"hello","open":{"device":"x"}}`, 3, "open"},
		{`{"seq":3,"do":"prepare","prepare":{"shape":"0x"}}`, 3, "shape"},
		{`{"seq":3,"do":"prepare","prepare":{"depth":1}}`, 3, `unknown field "depth"`},
		{`{"seq":3,"do":"sample","sample":{"passes":0,"samples":1}}`, 3, "1 samples of 0 passes"},
		{`{"seq":3,"do":"sample","sample":{"passes":1,"samples":5000}}`, 3, "5000 samples"},
		{`{"seq":3,"do":"sample","sample":{"passes":1,"samples":1e3}}`, 3, "not a request"},
		{`{"seq":3,"do":"hello","` + strings.Repeat("x", MaxLine) + `"}`, 0, "longer than the 1048576"},
	} {
		b := &scripted{}
		got := serve(t, b, c.line, `{"seq":9,"do":"check"}`)
		if len(got) != 2 || got[0].Error == nil || got[0].Type != Failed || got[0].Error.Kind != BadRequest || got[0].Seq != c.seq || !strings.Contains(got[0].Error.Text, c.text) {
			t.Errorf("%.60q: %+v %v, want seq %d and %q", c.line, got, got[0].Error, c.seq, c.text)
			continue
		}
		if got[1].Type != Done || got[1].Seq != 9 || !slices.Equal(b.calls, []Verb{Check}) {
			t.Errorf("%.60q: the next request: %+v, called %v", c.line, got[1], b.calls)
		}
	}
}

// TestHeartbeatsGoOutWhileTheBackendHangs: one a second for 3.5 s, and none when no request is in work.
func TestHeartbeatsGoOutWhileTheBackendHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &scripted{sample: func(SampleRequest) (Sampled, *Error) {
			time.Sleep(3500 * time.Millisecond)
			return sampled, nil
		}}
		c, in, ended := connect(t.Context(), b, time.Second)
		beats := 0
		if _, err := c.Do(Request{Do: Sample, Sample: &sampleRequest}, func() { beats++ }); err != nil || beats != 3 {
			t.Errorf("%d heartbeats, %v, want 3", beats, err)
		}
		time.Sleep(time.Minute)
		if _, err := c.Do(Request{Do: Check}, func() { t.Error("a heartbeat without work") }); err != nil {
			t.Error(err)
		}
		if err := errors.Join(in.Close(), <-ended); err != nil {
			t.Error(err)
		}
	})
}

// lineWriter takes whole lines alone, and not two at the same time.
type lineWriter struct {
	t     *testing.T
	mu    sync.Mutex
	lines int
}

func (w *lineWriter) Write(b []byte) (int, error) {
	if !w.mu.TryLock() {
		w.t.Error("two writes at once")
		return len(b), nil
	}
	defer w.mu.Unlock()
	if strings.Count(string(b), "\n") != 1 || b[len(b)-1] != '\n' {
		w.t.Errorf("%q is not one line", b)
	}
	w.lines++
	time.Sleep(time.Millisecond) // in the test's own time: others could come in between
	return len(b), nil
}

func TestRepliesAreWholeLinesBesideHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &scripted{sample: func(SampleRequest) (Sampled, *Error) {
			time.Sleep(10 * time.Millisecond)
			return sampled, nil
		}}
		w := &lineWriter{t: t}
		request := line(t, Request{Seq: 1, Do: Sample, Sample: &sampleRequest}) + "\n"
		if err := Serve(t.Context(), strings.NewReader(strings.Repeat(request, 50)), w, b, 2*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if w.lines < 50*4 {
			t.Errorf("%d lines: 50 replies and a few heartbeats each were due", w.lines)
		}
	})
}

func TestAPanicIsABrokenWorker(t *testing.T) {
	b := &scripted{sample: func(SampleRequest) (Sampled, *Error) { panic("index out of range [3]") }}
	got := serve(t, b,
		line(t, Request{Seq: 1, Do: Open, Open: &openRequest}), line(t, Request{Seq: 2, Do: Sample, Sample: &sampleRequest}),
		`{"seq":3,"do":"check"}`, `{"seq":4,"do":"close"}`, `{"seq":5,"do":"hello"}`)
	if len(got) != 4 || got[1].Error == nil || got[1].Error.Kind != Broken || got[1].Type != Failed || got[1].Seq != 2 || got[1].Error.Text != "the worker panicked in sample: index out of range [3]" {
		t.Fatalf("%+v", got)
	}
	if got[2].Error == nil || *got[2].Error != *got[1].Error || got[2].Seq != 3 || got[3].Type != Done {
		t.Errorf("afterwards: %+v", got[2:])
	}
	if !slices.Equal(b.calls, []Verb{Open, Sample}) {
		t.Errorf("called %v: the backend of a broken device is not to be called", b.calls)
	}
}

// TestTheDeviceIsLeftAtTheEnd, once, whichever way it ends; a device that was not opened is not closed.
func TestTheDeviceIsLeftAtTheEnd(t *testing.T) {
	open := line(t, Request{Seq: 1, Do: Open, Open: &openRequest})
	for _, c := range []struct {
		lines []string
		want  []Verb
	}{
		{[]string{open}, []Verb{Open, Close}},
		{[]string{open, `{"seq":2,"do":"close"}`}, []Verb{Open, Close}},
		{[]string{`{"seq":2,"do":"close"}`}, nil},
		{[]string{`{"seq":2,"do":"hello"}`}, []Verb{Hello}},
	} {
		b := &scripted{}
		serve(t, b, c.lines...)
		if !slices.Equal(b.calls, c.want) {
			t.Errorf("%v: called %v, want %v", c.lines, b.calls, c.want)
		}
	}
}

func TestAReplyThatIsNoJSONSaysSo(t *testing.T) {
	b := &scripted{sample: func(SampleRequest) (Sampled, *Error) {
		return Sampled{Samples: []Timed{{Seconds: math.NaN()}}}, nil
	}}
	got := serve(t, b, line(t, Request{Seq: 1, Do: Sample, Sample: &sampleRequest}))
	if len(got) != 1 || got[0].Seq != 1 || got[0].Error == nil || got[0].Error.Kind != Wrong || !strings.Contains(got[0].Error.Text, "NaN") {
		t.Errorf("%+v", got)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, in, ended := connect(ctx, &scripted{}, 0)
	if _, err := c.Do(Request{Do: Hello}, func() {}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

// brokenPipe takes no more bytes, or has none to give.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
func (brokenPipe) Read([]byte) (int, error)  { return 0, fmt.Errorf("input/output error") }

func TestServeEndsWithItsPipes(t *testing.T) {
	err := Serve(t.Context(), strings.NewReader("{\"seq\":1,\"do\":\"hello\"}\n{\"seq\":2,\"do\":\"hello\"}\n"), brokenPipe{}, &scripted{}, 0)
	if !errors.Is(err, io.ErrClosedPipe) || !strings.Contains(err.Error(), "reply") {
		t.Errorf("without a reader: %v", err)
	}
	if err := Serve(t.Context(), brokenPipe{}, io.Discard, &scripted{}, 0); err == nil || !strings.Contains(err.Error(), "requests cannot be read: input/output error") {
		t.Errorf("without requests: %v", err)
	}
}
