package influx_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/agent/influx"
	"github.com/realflops/realflops/agent/influx/influxtest"
)

// realServer is one influxd for a test's parts, each with a bucket and an outbox of its own.
type realServer struct {
	*influxtest.Server
	buckets int
}

type realCase struct {
	server *influxtest.Server
	cfg    influx.Config
	box    box
}

func (s *realServer) newCase(t *testing.T) realCase {
	t.Helper()
	s.buckets++
	bucket := s.NewBucket(fmt.Sprintf("bucket%d", s.buckets))
	return realCase{
		server: s.Server, box: newBox(t),
		cfg: influx.Config{URL: s.URL, Org: s.Org, Bucket: bucket, Token: influx.TokenSource{Value: influx.Secret(s.Token)}},
	}
}

// impatient waits for nothing.
var impatient = influx.Options{MaxElapsed: time.Nanosecond}

func (c realCase) drain(t *testing.T, want influx.Report) influx.Report {
	t.Helper()
	got, err := influx.Drain(t.Context(), c.cfg, c.box, impatient)
	if err != nil {
		t.Fatal(err)
	}
	if got.Delivered != want.Delivered || got.Rejected != want.Rejected || got.Pending != want.Pending {
		t.Fatalf("drained %+v, want %+v", got, want)
	}
	return got
}

// rows is every point of a measurement, its fields in columns.
func (c realCase) rows(measurement string) []map[string]any {
	return c.server.Query(fmt.Sprintf(`from(bucket: %q) |> range(start: 0, stop: 2100-01-01T00:00:00Z)
		|> filter(fn: (r) => r._measurement == %q)
		|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")`, c.cfg.Bucket, measurement))
}

func TestRealInfluxDB(t *testing.T) {
	server := &realServer{Server: influxtest.Start(t)}

	t.Run("every point arrives once with its tags, fields and time", func(t *testing.T) {
		c := server.newCase(t)
		points := influx.NewPoints(influx.HostTags{Host: `no de,7="x"\`, InstanceType: "m7i.large", Cloud: "aws"}, "run-1", "1.0")
		const n = 30
		for range 2 { // the second time as a resend after a lost answer
			for i := range n {
				r := fullResult(i)
				line, err := influx.NewPoints(influx.HostTags{Host: `no de,7="x"\`, InstanceType: "m7i.large", Cloud: "aws"}, "run-1", "1.0").Result(r)
				must(t, err)
				c.box.add(t, r, line)
			}
			c.drain(t, influx.Report{Delivered: n})
		}
		rows := c.rows(influx.ResultMeasurement)
		if len(rows) != n {
			t.Fatalf("%d points, want %d", len(rows), n)
		}
		for i, row := range rows {
			r := fullResult(i)
			for name, want := range map[string]any{
				"_time": r.Time, "host": `no de,7="x"/`, "cloud": "aws", "region": nil, "device_model": r.DeviceModel, "kernel": "gemm",
				"precision": "fp16/fp32", "shape": "64x65x66", "threads": "2", "flop_per_s": *r.FlopPerS, "n": float64(r.N),
				"seconds": r.Seconds, "power_w": nil, "run_id": "run-1", "version": "1.0", "level": "l2", "warnings": "noisy,preempted", "status": "ok",
			} {
				if got := row[name]; got != want {
					t.Errorf("point %d: %s = %v (%T), want %v", i, name, got, got, want)
				}
			}
		}
		lines, err := points.Profile(fullProfile())
		must(t, err)
		for _, line := range lines {
			c.box.add(t, fullResult(0), line)
		}
		c.drain(t, influx.Report{Delivered: len(lines)})
		if got := len(c.rows(influx.ProfileMeasurement)); got != len(lines) {
			t.Errorf("%d profile points, want %d", got, len(lines))
		}
	})

	t.Run("a refused line is found among the others", func(t *testing.T) {
		c := server.newCase(t)
		for i := range 20 {
			line := resultLine(t, i)
			switch i {
			case 3:
				line = "garbage"
			case 4:
				line = "realflops,host=a flop_per_s=NaN 1"
			case 17: // a type conflict with the others
				line = strings.Replace(line, "flop_per_s=", `flop_per_s="x",q=`, 1)
			}
			c.box.add(t, fullResult(i), line)
		}
		c.drain(t, influx.Report{Delivered: 17, Rejected: 3})
		if got := len(c.rows(influx.ResultMeasurement)); got != 17 {
			t.Errorf("%d points, want the 17 good ones", got)
		}
		for line, message := range c.box.rejected(t) {
			if !strings.Contains(message, "400") || !strings.Contains(message, "unable to parse") && !strings.Contains(message, "field type conflict") {
				t.Errorf("%q was rejected with %q", line, message)
			}
		}
	})

	t.Run("a wrong token or bucket keeps everything", func(t *testing.T) {
		c := server.newCase(t)
		c.box.add(t, fullResult(0), resultLine(t, 0))
		good := c.cfg
		c.cfg.Token.Value = "admin:wrong"
		if got := c.drain(t, influx.Report{Pending: 1}); !strings.Contains(got.LastError.Error(), "401") {
			t.Errorf("wrong token: %v", got.LastError)
		}
		c.cfg = good
		c.cfg.Bucket = "nowhere/autogen"
		if got := c.drain(t, influx.Report{Pending: 1}); !strings.Contains(got.LastError.Error(), "404") {
			t.Errorf("wrong bucket: %v", got.LastError)
		}
		c.cfg = good
		c.drain(t, influx.Report{Delivered: 1})
	})

	t.Run("what waits while the server is down arrives once it is back", func(t *testing.T) {
		c := server.newCase(t)
		for i := range 10 {
			c.box.add(t, fullResult(i), resultLine(t, i))
		}
		entries, err := c.box.Pending(t.Context(), 4)
		must(t, err)
		// Four of them got there, but the answer was lost.
		ghost := newBox(t)
		for _, e := range entries {
			ghost.add(t, fullResult(0), e.Line)
		}
		if got, err := influx.Drain(t.Context(), c.cfg, ghost, impatient); err != nil || got.Delivered != 4 {
			t.Fatal(got, err)
		}
		c.server.Stop()
		if got := c.drain(t, influx.Report{Pending: 10}); !strings.Contains(got.LastError.Error(), "refused") {
			t.Errorf("server down: %v", got.LastError)
		}
		c.server.Restart()
		c.drain(t, influx.Report{Delivered: 10})
		rows := c.rows(influx.ResultMeasurement)
		if len(rows) != 10 {
			t.Fatalf("%d points, want 10", len(rows))
		}
		sum := 0.0
		for _, row := range rows {
			sum += row["n"].(float64)
		}
		if sum != 45 {
			t.Errorf("the points are not those that were sent: n sums to %g, want 45", sum)
		}
	})
}
