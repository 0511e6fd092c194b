package worker

import (
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// repeated gives so many bytes, then a line.
type repeated struct {
	left int64
	then io.Reader
}

func (r *repeated) Read(b []byte) (int, error) {
	if r.left == 0 {
		return r.then.Read(b)
	}
	n := copy(b[:min(int64(len(b)), r.left)], manyX)
	r.left -= int64(n)
	return n, nil
}

var manyX = strings.Repeat("x", 64<<10)

// ask is what a client makes of what a worker writes in answer to a request.
func ask(req Request, out io.Reader) (Reply, error) {
	return NewClient(io.Discard, out).Do(req, func() {})
}

func TestWhatIsNoAnswerIsOneSentence(t *testing.T) {
	sample := Request{Do: Sample, Sample: &sampleRequest}
	reply := func(r Reply) string { r.Seq, r.Type = 1, Done; return line(t, r) + "\n" }
	timed := func(change func(*Sampled)) string {
		s := Sampled{Samples: []Timed{sampled.Samples[0], sampled.Samples[1]}}
		change(&s)
		return reply(Reply{Sample: &s})
	}
	impossible := func(change func(*Prepared)) string {
		bad := prepared
		change(&bad)
		return reply(Reply{Prepare: &bad})
	}
	other := welcome
	other.Protocol = 7
	for _, c := range []struct {
		name string
		req  Request
		out  string
		want string
	}{
		{"garbage", Request{Do: Check}, "CUDA initialization \x1b[31mfailed\n", `no reply: "CUDA initialization \x1b[31mfailed"`},
		{"empty line", Request{Do: Check}, "\n", "no reply"},
		{"an array", Request{Do: Check}, "[1]\n", "no reply"},
		{"half a line", Request{Do: Check}, `{"seq":1,"ty`, "half a line of 12 bytes"},
		{"another request's", Request{Do: Check}, `{"seq":2,"type":"done","checksum":"x"}` + "\n", "answered request 2 where 1 was asked"},
		{"another request's heartbeat", Request{Do: Check}, `{"seq":2,"type":"heartbeat"}` + "\n", "answered request 2"},
		{"another type", Request{Do: Check}, `{"seq":1,"type":"perhaps"}` + "\n", `type "perhaps"`},
		{"failed without a reason", Request{Do: Check}, `{"seq":1,"type":"failed"}` + "\n", `type "failed" without`},
		{"no checksum", Request{Do: Check}, reply(Reply{}), "answered check without"},
		{"another verb's answer", Request{Do: Hello}, reply(Reply{Checksum: "c"}), "answered hello without"},
		{"nothing opened", Request{Do: Open, Open: &openRequest}, reply(Reply{}), "answered open without"},
		{"nothing prepared", Request{Do: Prepare, Prepare: &prepareRequest}, reply(Reply{}), "answered prepare without"},
		{"another version", Request{Do: Hello}, reply(Reply{Hello: &other}), "speaks version 7 of the protocol and this program version 1"},
		{"a pass in no time", Request{Do: Prepare, Prepare: &prepareRequest}, impossible(func(p *Prepared) { p.PassS = 0 }), "a pass of 0 s"},
		{"no first checksum", Request{Do: Prepare, Prepare: &prepareRequest}, impossible(func(p *Prepared) { p.Checksum = "" }), `checksum ""`},
		{"no engine", Request{Do: Prepare, Prepare: &prepareRequest}, impossible(func(p *Prepared) { p.Engine = "" }), `engine ""`},
		{"negative traffic", Request{Do: Prepare, Prepare: &prepareRequest}, impossible(func(p *Prepared) { p.Traffic = -1 }), "-1 bytes"},
		{"too few samples", sample, timed(func(s *Sampled) { s.Samples = s.Samples[:1] }), "1 samples where 2 were asked"},
		{"a sample in no time", sample, timed(func(s *Sampled) { s.Samples[1].Seconds = 0 }), "impossible sample 1: 4 passes in 0 s"},
		{"other passes", sample, timed(func(s *Sampled) { s.Samples[1].Passes = 5 }), "5 passes in 0.0032 s from 0.0031 s on, where 4 passes were asked"},
		{"back in time", sample, timed(func(s *Sampled) { s.Samples[1].StartS = -1 }), "from -1 s on"},
	} {
		_, err := ask(c.req, strings.NewReader(c.out))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n\x1b") || errors.As(err, new(*Error)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestTheEndIsTold(t *testing.T) {
	if _, err := ask(Request{Do: Check}, strings.NewReader("")); !errors.Is(err, io.EOF) {
		t.Errorf("an end before the answer: %v", err)
	}
	if _, err := ask(Request{Do: Check}, brokenPipe{}); err == nil || err.Error() != "input/output error" {
		t.Errorf("an error of the pipe: %v", err)
	}
	if _, err := NewClient(brokenPipe{}, strings.NewReader("")).Do(Request{Do: Check}, func() {}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a worker that takes nothing: %v", err)
	}
}

// TestALineOfAGigabyteTakesNoMemory, and the next line can be read.
func TestALineOfAGigabyteTakesNoMemory(t *testing.T) {
	const length = 1 << 30
	l := newLines(&repeated{length, strings.NewReader("\nnext\n")})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := l.next()
	runtime.ReadMemStats(&after)
	if err == nil || !strings.HasPrefix(err.Error(), "a line of 1073741824 bytes, longer than the 1048576 that a line may have: \"xxx") || len(err.Error()) > 200 {
		t.Errorf("%v", err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 16*MaxLine {
		t.Errorf("%d bytes were allocated for it", used)
	}
	if line, err := l.next(); err != nil || string(line) != "next" {
		t.Errorf("then %q, %v", line, err)
	}
	if _, err := l.next(); err != io.EOF {
		t.Errorf("and %v", err)
	}
}

func TestTheLongestLineIsRead(t *testing.T) {
	for length, taken := range map[int64]bool{MaxLine - 1: true, MaxLine: true, MaxLine + 1: false} {
		line, err := newLines(&repeated{length, strings.NewReader("\n")}).next()
		if (err == nil) != taken || taken && int64(len(line)) != length {
			t.Errorf("%d bytes: %d read, %v", length, len(line), err)
		}
	}
	if err := writeLine(io.Discard, Reply{Checksum: strings.Repeat("x", MaxLine)}); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a message that nobody would read was written: %v", err)
	}
}

// TestNewerRepliesAreRead: fields that this program does not know are passed over, so that
// the version in a newer worker's greeting can be told.
func TestNewerRepliesAreRead(t *testing.T) {
	got, err := ask(Request{Do: Check}, strings.NewReader(`{"seq":1,"type":"heartbeat"}`+"\n"+`{"seq":1,"type":"done","checksum":"c","mood":"good"}`+"\n"))
	if want := (Reply{Seq: 1, Type: Done, Checksum: "c"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}
