package influx_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
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
