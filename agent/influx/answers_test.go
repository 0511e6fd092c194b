package influx_test

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/agent/influx"
)

// date is the time a while after start, as Retry-After tells it.
func date(after time.Duration) string { return start.Add(after).UTC().Format(http.TimeFormat) }

// answerCases are the rows of the table in docs/influx.md, each with what leads up to it.
var answerCases = []struct {
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
		name: "400 for every line alike", answers: times(99, status(400, "Please provide either orgID or org")),
		want: influx.Report{Pending: 4}, says: "every point is refused alike", requests: []int{4, 2, 1, 1, 2, 1, 1},
	},
	{
		name: "400 for every line of many", answers: times(99, status(400, "Please provide either orgID or org")),
		lines: []string{"l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7", "l8", "l9", "l10", "l11", "l12", "l13", "l14", "l15", "l16", "l17", "l18", "l19"},
		want:  influx.Report{Pending: 20}, says: "either orgID or org", requests: []int{20, 10, 5, 2, 1, 1, 3, 1, 2, 1, 1, 5, 2, 1, 1, 3, 1, 1},
	},
	{
		name: "422 for many old lines", answers: times(99, refuseLines(422)), // as beyond the retention
		lines:  []string{"bad0", "bad1", "bad2", "bad3", "bad4", "bad5", "bad6", "bad7", "bad8", "bad9", "l10"},
		change: func(o *influx.Options) { o.BatchSize = 10 },
		want:   influx.Report{Delivered: 1, Rejected: 10}, requests: []int{10, 5, 2, 1, 1, 3, 1, 2, 1, 1, 5, 2, 1, 1, 3, 1, 1, 2, 1, 1},
		rejected: []string{"bad0", "bad1", "bad2", "bad3", "bad4", "bad5", "bad6", "bad7", "bad8", "bad9"},
	},
	{
		name: "400 for the only line", answers: times(99, status(400, "unable to parse 'bad'")), lines: []string{"l0"},
		want: influx.Report{Rejected: 1}, requests: []int{1}, rejected: []string{"l0"},
	},
	{
		name:    "trouble in the middle of the search",
		answers: []http.HandlerFunc{refuseLines(400), status(503, "down"), refuseLines(400), reset, status(429, "", "Retry-After", "2"), refuseLines(400), status(401, "no")},
		lines:   []string{"l0", "l1", "bad2", "l3"},
		want:    influx.Report{Delivered: 2, Pending: 2}, says: "401", slept: seconds(0.5, 0.5, 2), requests: []int{4, 2, 2, 2, 2, 2, 1},
	},
}

func TestEveryAnswerOfTheClassificationTable(t *testing.T) {
	for _, c := range answerCases {
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
