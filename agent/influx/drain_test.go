package influx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/agent/influx"
)

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
		if tries++; tries > 3 {
			return errors.New("too many tries")
		}
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

func TestACancelledRequestIsNotTheServersFault(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := newScripted(t, func(w http.ResponseWriter, r *http.Request) { cancel(); stall(w, r) })
	box := newBox(t)
	box.add(t, fullResult(0), "l0")
	got, err := influx.Drain(ctx, config(server.URL), box, impatient)
	if !errors.Is(err, context.Canceled) || got.Pending != 1 || got.LastError != nil {
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
		document, err := json.Marshal(cfg)
		must(t, err)
		shown = append(shown, string(document), fmt.Sprint(got.LastError), fmt.Sprintf("%v %+v %#v %s %q", cfg, cfg, cfg, cfg.Token.Value, cfg.Token.Value), fmt.Sprint(box.rejected(t)))
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
