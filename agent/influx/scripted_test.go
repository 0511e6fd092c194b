package influx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realflops/realflops/agent/influx"
)

const secret = "s3cret-t0ken"

// scripted answers each request with the next of its answers, and with 204 after the last.
type scripted struct {
	*httptest.Server
	mu       sync.Mutex
	answers  []http.HandlerFunc
	requests [][]string // the lines of each
	accepted []string   // the lines of those answered with 204
	tokens   []string
}

func newScripted(t *testing.T, answers ...http.HandlerFunc) *scripted {
	s := &scripted{answers: answers}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP demands what the write API demands of every request.
func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	q := r.URL.Query()
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/api/v2/write" ||
		q.Get("org") != "o" || q.Get("bucket") != "b" || q.Get("precision") != "ns" {
		http.Error(w, fmt.Sprintf("not a write: %s %s %v", r.Method, r.URL, err), http.StatusTeapot)
		return
	}
	lines := strings.Split(string(body), "\n")
	s.requests = append(s.requests, lines)
	s.tokens = append(s.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Token "))
	answer := accept
	if len(s.answers) > 0 {
		answer, s.answers = s.answers[0], s.answers[1:]
	}
	noted := &noted{ResponseWriter: w}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer(noted, r)
	if noted.status == http.StatusNoContent {
		s.accepted = append(s.accepted, lines...)
	}
}

// noted remembers the status that was answered.
type noted struct {
	http.ResponseWriter
	status int
}

func (n *noted) WriteHeader(status int) { n.status = status; n.ResponseWriter.WriteHeader(status) }

// Unwrap lets http.NewResponseController reach the connection.
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// The answers.

func accept(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// status answers with the JSON that InfluxDB 2 sends, and headers given as name, value.
func status(code int, message string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"code":"x","message":%q}`, message)
	}
}

func html(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "<html>Please log in</html>")
	}
}

// reset breaks the connection.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// lost accepts the lines, but its answer never arrives.
func lost(w http.ResponseWriter, r *http.Request) {
	w.(*noted).status = http.StatusNoContent
	reset(w, r)
}

// stall answers nothing until the client gives up.
func stall(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// plainToTLS is what Go's HTTPS servers, InfluxDB's among them, send to plain HTTP.
func plainToTLS(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
	_ = conn.Close()
}

// refuseLines answers code if a line holds "bad".
func refuseLines(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte("bad")) {
			status(code, "unable to parse 'bad'")(w, r)
			return
		}
		accept(w, r)
	}
}

// atMost answers 413 to more than n lines or to a line that holds "huge".
func atMost(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Count(body, []byte("\n"))+1 > n || bytes.Contains(body, []byte("huge")) {
			status(http.StatusRequestEntityTooLarge, "too large")(w, r)
			return
		}
		accept(w, r)
	}
}

func times(n int, f http.HandlerFunc) []http.HandlerFunc {
	return slices.Repeat([]http.HandlerFunc{f}, n)
}

// clock is a time that only sleeping moves.
type clock struct {
	now   time.Time
	slept []time.Duration
}

func (c *clock) options() influx.Options {
	return influx.Options{
		Now: func() time.Time { return c.now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			c.slept = append(c.slept, d)
			c.now = c.now.Add(d)
			return ctx.Err()
		},
		Jitter: func() float64 { return 0 },
	}
}

func config(url string) influx.Config {
	return influx.Config{URL: url, Org: "o", Bucket: "b", Token: influx.TokenSource{Value: secret}}
}

func seconds(list ...float64) (d []time.Duration) {
	for _, s := range list {
		d = append(d, time.Duration(s*float64(time.Second)))
	}
	return d
}

func TestEveryAnswerOfTheClassificationTable(t *testing.T) {
	date := func(d time.Duration) string { return start.Add(d).UTC().Format(http.TimeFormat) }
	cases := []struct {
		name     string
		answers  []http.HandlerFunc
		lines    []string // default: l0 l1 l2 l3
		change   func(*influx.Options)
		want     influx.Report // without LastError
		says     string        // LastError, in part; "" for nil
		slept    []time.Duration
		requests []int    // lines of each request
		rejected []string // the lines
	}{
		{name: "204", want: influx.Report{Delivered: 4}, requests: []int{4}},

		// Kept, and tried again by itself.
		{
			name: "408", answers: times(1, status(408, "slow")), want: influx.Report{Delivered: 4}, slept: seconds(0.5), requests: []int{4, 4},
		},
		{
			name: "429 with seconds", answers: times(1, status(429, "quota", "Retry-After", "7")),
			want: influx.Report{Delivered: 4}, slept: seconds(7), requests: []int{4, 4},
		},
		{
			name: "429 with a date", answers: times(1, status(429, "quota", "Retry-After", date(9*time.Second))),
			want: influx.Report{Delivered: 4}, slept: []time.Duration{9*time.Second - 123456789}, requests: []int{4, 4},
		},
		{
			name: "429 that asks for more than our patience", answers: times(1, status(429, "quota", "Retry-After", "31")),
			want: influx.Report{Pending: 4}, says: "429 Too Many Requests (quota)", requests: []int{4},
		},
		{
			name: "429 with a date beyond our patience", answers: times(1, status(429, "quota", "Retry-After", date(time.Hour))),
			want: influx.Report{Pending: 4}, says: "429", requests: []int{4},
		},
		{
			name: "429 with a past date", answers: times(1, status(429, "quota", "Retry-After", date(-time.Hour))),
			want: influx.Report{Delivered: 4}, slept: seconds(0.5), requests: []int{4, 4},
		},
		{
			name: "500", answers: times(2, status(500, "oops")), want: influx.Report{Delivered: 4}, slept: seconds(0.5, 1), requests: []int{4, 4, 4},
		},
		{
			name: "503 for ever", answers: times(99, status(503, "down")),
			want: influx.Report{Pending: 4}, says: "503 Service Unavailable (down)", slept: seconds(0.5, 1, 2, 4, 8), requests: []int{4, 4, 4, 4, 4, 4},
		},
		{
			name: "503 with Retry-After", answers: times(1, status(503, "down", "Retry-After", "3")),
			want: influx.Report{Delivered: 4}, slept: seconds(3), requests: []int{4, 4},
		},
		{
			name: "502 of a proxy", answers: times(1, html(502)), want: influx.Report{Delivered: 4}, slept: seconds(0.5), requests: []int{4, 4},
		},
		{
			name: "reset", answers: times(1, reset), want: influx.Report{Delivered: 4}, slept: seconds(0.5), requests: []int{4, 4},
		},
		{
			name: "the answer is lost", answers: times(1, lost), want: influx.Report{Delivered: 4}, slept: seconds(0.5), requests: []int{4, 4},
		},
		{
			name: "reset, nothing left to wait", answers: times(1, reset), change: func(o *influx.Options) { o.MaxElapsed = 1 },
			want: influx.Report{Pending: 4}, says: "reset by peer", requests: []int{4},
		},
		{
			name: "stall", answers: times(1, stall), change: func(o *influx.Options) { o.Timeout = time.Second; o.MaxElapsed = 1 },
			want: influx.Report{Pending: 4}, says: "no answer within 1s", requests: []int{4},
		},

		// Kept, and told: a person must mend something.
		{
			name: "401", answers: times(1, status(401, "unauthorized access")),
			want: influx.Report{Pending: 4}, says: "401 Unauthorized: check the token (unauthorized access)", requests: []int{4},
		},
		{
			name: "403", answers: times(1, status(403, "forbidden")), want: influx.Report{Pending: 4}, says: "403 Forbidden: check that the token may write", requests: []int{4},
		},
		{
			name: "404", answers: times(1, status(404, `bucket "b" not found`)),
			want: influx.Report{Pending: 4}, says: `404 Not Found: check the URL, the organisation and the bucket (bucket "b" not found)`, requests: []int{4},
		},
		{
			name: "405", answers: times(1, status(405, "no")), want: influx.Report{Pending: 4}, says: "405", requests: []int{4},
		},
		{
			name: "301", answers: times(1, status(301, "", "Location", "/elsewhere")),
			want: influx.Report{Pending: 4}, says: "301 Moved Permanently to /elsewhere", requests: []int{4},
		},
		{
			name: "200 with HTML", answers: times(1, html(200)), want: influx.Report{Pending: 4}, says: "200 OK where InfluxDB answers 204", requests: []int{4},
		},
		{
			name: "202", answers: times(1, status(202, "")), want: influx.Report{Pending: 4}, says: "202", requests: []int{4},
		},
		{
			name: "400 of a web server", answers: times(1, html(400)), want: influx.Report{Pending: 4}, says: "should begin with https", requests: []int{4},
		},
		{
			name: "400 of an HTTPS server", answers: times(1, plainToTLS), want: influx.Report{Pending: 4}, says: "should begin with https", requests: []int{4},
		},

		// Too large: halves, and so for the batches after it.
		{
			name: "413", answers: times(99, atMost(2)), lines: []string{"l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7"},
			change: func(o *influx.Options) { o.BatchSize = 4 },
			want:   influx.Report{Delivered: 8}, requests: []int{4, 2, 2, 2, 2},
		},
		{
			name: "413 for one line", answers: times(99, atMost(9)), lines: []string{"l0", "huge", "l2"},
			want: influx.Report{Delivered: 2, Rejected: 1}, requests: []int{3, 1, 2, 1, 1}, rejected: []string{"huge"},
		},

		// Lines at fault: found by halving.
		{
			name: "400", answers: times(99, refuseLines(400)), lines: []string{"l0", "l1", "bad2", "l3"},
			want: influx.Report{Delivered: 3, Rejected: 1}, requests: []int{4, 2, 2, 1, 1}, rejected: []string{"bad2"},
		},
		{
			name: "422", answers: times(99, refuseLines(422)), lines: []string{"bad0", "l1", "l2", "bad3", "bad4"},
			want: influx.Report{Delivered: 2, Rejected: 3}, requests: []int{5, 2, 1, 1, 3, 1, 2, 1, 1}, rejected: []string{"bad0", "bad3", "bad4"},
		},
		{
			name:    "trouble in the middle of the search",
			answers: []http.HandlerFunc{refuseLines(400), status(503, "down"), refuseLines(400), reset, status(429, "", "Retry-After", "2"), refuseLines(400), status(401, "no")},
			lines:   []string{"l0", "l1", "bad2", "l3"},
			want:    influx.Report{Delivered: 2, Pending: 2}, says: "401", slept: seconds(0.5, 0.5, 2), requests: []int{4, 2, 2, 2, 2, 2, 1},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := newScripted(t, c.answers...)
			box := newBox(t)
			if c.lines == nil {
				c.lines = []string{"l0", "l1", "l2", "l3"}
			}
			for _, line := range c.lines {
				box.add(t, fullResult(0), line)
			}
			clock := &clock{now: start}
			o := clock.options()
			if c.change != nil {
				c.change(&o)
			}
			got, err := influx.Drain(t.Context(), config(server.URL), box, o)
			must(t, err)

			if said := fmt.Sprint(got.LastError); c.says == "" && got.LastError != nil || c.says != "" && !strings.Contains(said, c.says) || strings.Contains(said, "\n") {
				t.Errorf("LastError = %q, want one sentence with %q", said, c.says)
			}
			got.LastError = nil
			if got != c.want {
				t.Errorf("report %+v, want %+v", got, c.want)
			}
			if !reflect.DeepEqual(clock.slept, c.slept) {
				t.Errorf("slept %v, want %v", clock.slept, c.slept)
			}
			server.mu.Lock()
			defer server.mu.Unlock()
			var sizes []int
			for _, lines := range server.requests {
				sizes = append(sizes, len(lines))
			}
			if !reflect.DeepEqual(sizes, c.requests) {
				t.Errorf("requests of %v lines, want %v", sizes, c.requests)
			}
			wantAccounts(t, box, c.lines, server.accepted, c.rejected)
		})
	}
}

// wantAccounts demands that each line is in one place: accepted by the server, rejected, or waiting, in the old order.
func wantAccounts(t *testing.T, b box, lines, accepted, rejected []string) {
	t.Helper()
	refused := b.rejected(t)
	var waiting []string
	for _, line := range lines {
		message, isRefused := refused[line]
		switch {
		case isRefused != slices.Contains(rejected, line):
			t.Errorf("%s rejected: %v", line, isRefused)
		case isRefused && !strings.Contains(message, "unable to parse 'bad'") && !strings.Contains(message, "too large"):
			t.Errorf("%s was rejected without the server's message: %q", line, message)
		case !isRefused && !slices.Contains(accepted, line):
			waiting = append(waiting, line)
		}
	}
	if got := b.waiting(t); !reflect.DeepEqual(got, waiting) {
		t.Errorf("waiting %q, want %q", got, waiting)
	}
}

func TestConnectionRefusedKeepsEverything(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	url := "http://" + l.Addr().String()
	must(t, l.Close())
	box := newBox(t)
	box.add(t, fullResult(0), "l0")
	clock := &clock{now: start}
	got, err := influx.Drain(t.Context(), config(url), box, clock.options())
	must(t, err)
	if got.Pending != 1 || !strings.Contains(got.LastError.Error(), "InfluxDB at "+url) || !strings.Contains(got.LastError.Error(), "connection refused") {
		t.Errorf("%+v", got)
	}
	if want := seconds(0.5, 1, 2, 4, 8); !reflect.DeepEqual(clock.slept, want) {
		t.Errorf("slept %v, want %v", clock.slept, want)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	for code := 301; code <= 308; code++ {
		reached := false
		elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reached = true; accept(w, r) }))
		server := newScripted(t, status(code, "", "Location", elsewhere.URL))
		box := newBox(t)
		box.add(t, fullResult(0), "l0")
		got, err := influx.Drain(t.Context(), config(server.URL), box, impatient)
		elsewhere.Close()
		must(t, err)
		if reached || got.Delivered != 0 || got.Pending != 1 || !strings.Contains(got.LastError.Error(), fmt.Sprint(code)) {
			t.Errorf("%d: redirected %v, %+v", code, reached, got)
		}
	}
}

func TestWaitTriesAgainForAsLongAsItTakes(t *testing.T) {
	server := newScripted(t, times(14, status(503, "down"))...)
	box := newBox(t)
	box.add(t, fullResult(0), "l0")
	clock := &clock{now: start}
	o := clock.options()
	o.Wait = true
	o.Jitter = func() float64 { return 0.999 }
	got, err := influx.Drain(t.Context(), config(server.URL), box, o)
	must(t, err)
	if got.Delivered != 1 || got.LastError != nil {
		t.Errorf("%+v", got)
	}
	if len(clock.slept) != 14 {
		t.Fatalf("slept %v", clock.slept)
	}
	for i, d := range clock.slept {
		full := min(time.Second<<i, 10*time.Minute)
		if d <= full*99/100 || d > full {
			t.Errorf("wait %d is %v, want nearly %v", i, d, full)
		}
	}
}

func TestTheTokenFileIsReadAtEachTry(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) { must(t, os.WriteFile(file, []byte(text), 0o600)) }
	server := newScripted(t, status(401, "no"), status(401, "no"))
	box := newBox(t)
	box.add(t, fullResult(0), "l0")
	cfg := config(server.URL)
	cfg.Token = influx.TokenSource{File: file, Value: "not this one"}
	o := (&clock{now: start}).options()
	o.Wait = true
	tries := 0
	o.Sleep = func(context.Context, time.Duration) error {
		tries++
		write(map[int]string{1: "old\n", 2: "older", 3: " new\n"}[tries])
		return nil
	}
	got, err := influx.Drain(t.Context(), cfg, box, o) // the first try finds no file at all
	must(t, err)
	if want := []string{"old", "older", "new"}; got.Delivered != 1 || !reflect.DeepEqual(server.tokens, want) {
		t.Errorf("%+v with tokens %q, want %q", got, server.tokens, want)
	}

	must(t, os.Remove(file))
	box.add(t, fullResult(0), "l1")
	got, err = influx.Drain(t.Context(), cfg, box, impatient)
	must(t, err)
	if got.Pending != 1 || !strings.Contains(got.LastError.Error(), file+" does not exist") {
		t.Errorf("without a token file: %+v", got)
	}
}

func TestACancelledDrainKeepsWhatItHas(t *testing.T) {
	server := newScripted(t, accept, status(503, "down"))
	box := newBox(t)
	for i := range 3 {
		box.add(t, fullResult(i), fmt.Sprintf("l%d", i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	o := (&clock{now: start}).options()
	o.BatchSize = 2
	sleep := o.Sleep
	o.Sleep = func(ctx context.Context, d time.Duration) error { cancel(); return sleep(ctx, d) }
	got, err := influx.Drain(ctx, config(server.URL), box, o)
	if !errors.Is(err, context.Canceled) || got.Delivered != 2 || got.Pending != 1 || !strings.Contains(fmt.Sprint(got.LastError), "503") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTheTokenIsNeverShown(t *testing.T) {
	answers := []http.HandlerFunc{
		status(429, "your token "+secret+" is over its quota"), status(503, secret), reset,
		status(400, "unable to parse "+secret), status(302, secret, "Location", "http://x/?t="+secret),
	}
	var log bytes.Buffer
	var shown []string
	for range 2 {
		server := newScripted(t, answers...)
		answers = []http.HandlerFunc{status(401, "bad token "+secret)}
		box := newBox(t)
		box.add(t, fullResult(0), "l0")
		box.add(t, fullResult(0), "l1")
		cfg := config(server.URL)
		o := (&clock{now: start}).options()
		o.BatchSize = 1
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Log.Info("start", "config", cfg, "token", cfg.Token.Value)
		got, err := influx.Drain(t.Context(), cfg, box, o)
		must(t, err)
		shown = append(shown, fmt.Sprint(got.LastError), fmt.Sprintf("%v %+v %#v %s %q", cfg, cfg, cfg, cfg.Token.Value, cfg.Token.Value), fmt.Sprint(box.rejected(t)))
	}
	all := log.String() + strings.Join(shown, "\n")
	if strings.Contains(all, secret) {
		t.Errorf("the token is shown:\n%s", all)
	}
	for _, want := range []string{"401", "302", "429", "503", "unable to parse ***", "level=ERROR", "level=WARN"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing from\n%s", want, all)
		}
	}
}
