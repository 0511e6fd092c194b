// Package influx turns results into InfluxDB points and delivers the outbox to a
// server of the v2 write API (InfluxDB 2 and 3, 1.8, and what speaks the same).
// Nothing leaves the outbox but by the server's 204, and a refused line moves to the
// rejected ones: docs/influx.md has the schema and what happens on each answer. Of the
// environment it uses only what Go's HTTP client does, the proxy (HTTP_PROXY, HTTPS_PROXY,
// NO_PROXY) and the certificates (SSL_CERT_FILE, SSL_CERT_DIR). It follows no redirect.
package influx

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api/write"
	lineprotocol "github.com/influxdata/line-protocol"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
	"github.com/realflops/realflops/kernels"
)

// The measurements.
const (
	ResultMeasurement  = "realflops"
	ProfileMeasurement = "realflops_profile"
	RunMeasurement     = "realflops_run"
)

// HostTags are the tags that every point of a host carries; an empty one is left out.
type HostTags struct {
	Host, InstanceType, Cloud, Region string
}

// RunStatus is what a run's point tells.
type RunStatus struct {
	Started, Finished time.Time
	Suite, Status     string
	Results, Failed   int // measured, and those among them whose status is failed
	Warnings          []bench.Warning
}

// Points makes the points of one run, as lines of line protocol without the newline.
// A point's identity (measurement, tags, nanosecond time) is fixed here, when it is queued,
// so that sending it twice writes it once. No two points of one Points share an
// identity: where two would, the later one's time moves on by a nanosecond. Not for concurrent use.
type Points struct {
	host    map[string]string
	runID   string
	version string
	used    map[string]bool
}

// NewPoints starts the points of a run made by a version of realflops.
func NewPoints(host HostTags, runID, version string) *Points {
	return &Points{
		host:  map[string]string{"host": host.Host, "instance_type": host.InstanceType, "cloud": host.Cloud, "region": host.Region},
		runID: runID, version: version, used: map[string]bool{},
	}
}

// resultTags are the members of a result's JSON form that identify it; the others are fields.
var resultTags = []string{"device", "device_model", "kernel", "precision", "engine", "shape", "threads", "placement"}

// Result is the point of a result. Its fields are the result's JSON members, so that
// documents and database name them alike; null is left out. A NaN or an infinity is an error.
func (p *Points) Result(r bench.Result) (string, error) {
	document, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("result %s cannot be a point: %w", r.Spec(), err)
	}
	var fields map[string]any
	if err := json.Unmarshal(document, &fields); err != nil {
		return "", fmt.Errorf("result %s cannot be a point: %w", r.Spec(), err)
	}
	tags := map[string]string{}
	for _, name := range resultTags {
		if value, there := fields[name]; there { // devices other than a CPU have no threads, and most results no placement
			tags[name] = fmt.Sprint(value)
		}
		delete(fields, name)
	}
	delete(fields, "time")
	fields["warnings"] = codes(r.Warnings)
	line, err := p.line(ResultMeasurement, tags, fields, r.Time)
	if err != nil {
		return "", fmt.Errorf("result %s cannot be a point: %w", r.Spec(), err)
	}
	return line, nil
}

// Run is the one point of the run itself, at the time when it started.
func (p *Points) Run(s RunStatus) (string, error) {
	return p.line(RunMeasurement, nil, map[string]any{
		"suite": s.Suite, "status": s.Status, "seconds": s.Finished.Sub(s.Started).Seconds(),
		"results": float64(s.Results), "failed": float64(s.Failed), "warnings": codes(s.Warnings),
	}, s.Started)
}

// Profile is a point for every throughput that the estimator may use, at the time when the profile was made.
func (p *Points) Profile(profile calibrate.Profile) (lines []string, err error) {
	for _, d := range profile.Devices {
		add := func(k kernels.Kernel, precision kernels.Precision, engine, shape string, threads int, unit string, f calibrate.Figure) {
			tags := map[string]string{
				"device": d.ID, "device_model": d.Model, "kernel": string(k), "precision": string(precision),
				"engine": engine, "shape": shape,
			}
			if threads > 0 { // those of the CPU
				tags["threads"] = strconv.Itoa(threads)
			}
			line, lineErr := p.line(ProfileMeasurement, tags, map[string]any{"value": f.Value, "lo": f.Lo, "hi": f.Hi, "unit": unit}, profile.Created)
			if lineErr != nil {
				err = errors.Join(err, fmt.Errorf("calibrated %s %s %s cannot be a point: %w", k, precision, shape, lineErr))
			}
			lines = append(lines, line)
		}
		for _, l := range d.Limits {
			add(kernels.FMA, l.Precision, l.Engine, "", l.Threads, "flop_per_s", l.FlopPerS)
		}
		for _, c := range slices.Concat(d.GEMM, d.Products) {
			for _, x := range c.Points {
				add(cmp.Or(c.Kernel, kernels.GEMM), c.Precision, x.Engine, x.Shape.String(), c.Threads, "flop_per_s", x.FlopPerS)
			}
		}
		for _, curves := range []struct {
			unit string
			list []calibrate.Curve
		}{{"elements_per_s", d.Elementwise}, {"bytes_per_s", d.Bandwidth}, {"elements_per_s", d.Latency}} {
			for _, c := range curves.list {
				for _, x := range c.Points {
					add(c.Kernel, c.Precision, x.Engine, strconv.Itoa(x.N), c.Threads, curves.unit, x.Rate)
				}
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return lines, nil
}

func codes(warnings []bench.Warning) string {
	list := make([]string, len(warnings))
	for i, w := range warnings {
		list[i] = w.Code
	}
	return strings.Join(list, ",")
}

// line renders one point. Of the fields, nil is left out; numbers are floats.
func (p *Points) line(measurement string, tags map[string]string, fields map[string]any, at time.Time) (string, error) {
	if at.IsZero() {
		return "", errors.New("it has no time")
	}
	all := maps.Clone(p.host)
	maps.Copy(all, tags)
	for name, value := range all {
		// In a tag line protocol cannot tell a backslash from an escape: it has none for it.
		all[name] = strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(value, "?"), `\`, "/"))
	}
	kept := map[string]any{"run_id": p.runID, "version": p.version}
	for name, value := range fields {
		switch v := value.(type) {
		case nil:
			continue
		case float64:
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return "", fmt.Errorf("%s is %g", name, v)
			}
		case string:
			value = strings.Join(strings.Fields(strings.ToValidUTF8(v, "?")), " ") // line protocol has no newline
		default:
			return "", fmt.Errorf("%s is a %T, not a number or text", name, v)
		}
		kept[name] = value
	}
	identity := func() string { return fmt.Sprint(measurement, all, at.UnixNano()) } // a map prints in the order of its keys
	for p.used[identity()] {
		at = at.Add(1)
	}
	p.used[identity()] = true
	var b bytes.Buffer
	encoder := lineprotocol.NewEncoder(&b)
	encoder.FailOnFieldErr(true)
	if _, err := encoder.Encode(write.NewPoint(measurement, all, kept, at)); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
