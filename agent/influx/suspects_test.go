package influx_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/agent/influx"
)

// refuseEach answers 400 with a message that quotes the first line that holds "bad", as InfluxDB 1.8 does.
func refuseEach(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	for line := range bytes.SplitSeq(body, []byte("\n")) {
		if bytes.Contains(line, []byte("bad")) {
			status(400, fmt.Sprintf("unable to parse 'bad': %s", line))(w, r)
			return
		}
	}
	accept(w, r)
}

func TestWaitOutlastsARequestAtFault(t *testing.T) {
	mended := false
	server := newScripted(t, times(999, func(w http.ResponseWriter, r *http.Request) {
		if mended {
			accept(w, r)
			return
		}
		status(400, "Please provide either orgID or org")(w, r)
	})...)
	box := newBox(t)
	for i := range 20 {
		box.add(t, fullResult(i), fmt.Sprintf("l%d", i))
	}
	clock := &clock{now: start}
	o := clock.options()
	o.Wait = true
	sleep := o.Sleep
	o.Sleep = func(ctx context.Context, d time.Duration) error {
		mended = len(clock.slept) == 2
		return sleep(ctx, d)
	}
	got, err := influx.Drain(t.Context(), config(server.URL), box, o)
	must(t, err)
	if want := (influx.Report{Delivered: 20}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if want := seconds(0.5, 1, 2); !reflect.DeepEqual(clock.slept, want) {
		t.Errorf("slept %v, want %v", clock.slept, want)
	}
}

func TestTheSearchForLinesAtFaultIsBounded(t *testing.T) {
	for _, c := range []struct {
		name string
		line func(i int) string
	}{
		{"every line", func(i int) string { return fmt.Sprintf("bad%d", i) }},
		{"every other line", func(i int) string { return fmt.Sprintf([]string{"l%d", "bad%d"}[i%2], i) }},
	} {
		server := newScripted(t)
		box := newBox(t)
		var lines []string
		for i := range 500 {
			lines = append(lines, c.line(i))
			box.add(t, fullResult(i), lines[i])
		}
		total, pushes := influx.Report{Pending: 500}, 0
		for ; total.Pending > 0 && pushes < 9; pushes++ {
			server.requests, server.answers = nil, times(1999, refuseEach)
			got, err := influx.Drain(t.Context(), config(server.URL), box, (&clock{now: start}).options())
			must(t, err)
			if n := len(server.requests); n > 400 {
				t.Errorf("%s: push %d made %d requests", c.name, pushes, n)
			}
			if said := fmt.Sprint(got.LastError); got.Pending > 0 && !strings.Contains(said, "the search for the points at fault goes on with the next push: InfluxDB at") {
				t.Errorf("%s: push %d: %+v", c.name, pushes, got)
			}
			total = influx.Report{Delivered: total.Delivered + got.Delivered, Rejected: total.Rejected + got.Rejected, Pending: got.Pending}
		}
		bad := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.HasPrefix(l, "bad") })
		if want := (influx.Report{Delivered: 500 - len(bad), Rejected: len(bad)}); total != want || pushes < 2 {
			t.Errorf("%s: %d pushes: %+v, want %+v", c.name, pushes, total, want)
		}
		wantAccounts(t, box, lines, server.accepted, bad)
	}
}

func TestPointsRefusedAlikeAreFewRequests(t *testing.T) {
	server := newScripted(t, times(1999, status(400, "Please provide either orgID or org"))...)
	box := newBox(t)
	for i := range 500 {
		box.add(t, fullResult(i), fmt.Sprintf("l%d", i))
	}
	got, err := influx.Drain(t.Context(), config(server.URL), box, impatient)
	must(t, err)
	if got.Pending != 500 || got.Rejected != 0 || len(server.requests) > 30 {
		t.Errorf("%d requests, %+v", len(server.requests), got)
	}
}
