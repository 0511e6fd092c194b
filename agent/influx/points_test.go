package influx_test

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	protocol "github.com/influxdata/line-protocol"

	"github.com/realflops/realflops/agent/influx"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
)

// point is a parsed line.
type point struct {
	name   string
	tags   map[string]string
	fields map[string]any
	time   time.Time
}

func parse(t *testing.T, line string) point {
	t.Helper()
	metrics, err := protocol.NewParser(protocol.NewMetricHandler()).Parse([]byte(line))
	if err != nil || len(metrics) != 1 || strings.Contains(line, "\n") {
		t.Fatalf("%q is not one line of line protocol: %v", line, err)
	}
	p := point{name: metrics[0].Name(), tags: map[string]string{}, fields: map[string]any{}, time: metrics[0].Time()}
	for _, tag := range metrics[0].TagList() {
		p.tags[tag.Key] = tag.Value
	}
	for _, f := range metrics[0].FieldList() {
		p.fields[f.Key] = f.Value
	}
	return p
}

var host = influx.HostTags{Host: "node7", InstanceType: "m7i.large", Cloud: "aws", Region: "eu-central-1"}

func TestResultPoint(t *testing.T) {
	r := fullResult(7)
	line, err := influx.NewPoints(host, "run-1", "1.0").Result(r)
	must(t, err)
	want := point{
		name: "realflops", time: r.Time.UTC(),
		tags: map[string]string{
			"host": "node7", "instance_type": "m7i.large", "cloud": "aws", "region": "eu-central-1", "device": "cpu",
			"device_model": "AMD EPYC 9354, 32-Core", "kernel": "gemm", "precision": "fp16/fp32", "engine": "go-avx512", "shape": "64x65x66", "threads": "2",
		},
		fields: map[string]any{
			"run_id": "run-1", "version": "1.0", "data": "randn", "level": "l2", "bound": "compute", "status": "ok", "warnings": "noisy,preempted", "checksum": "c0ffee",
			"flop_per_s": *r.FlopPerS, "flop_per_s_lo": 1e12, "flop_per_s_hi": 1.1e12, "flop_per_s_burst": 1.2e12,
			"elements_per_s": 2e9, "elements_per_s_lo": 1.9e9, "elements_per_s_hi": 2.1e9, "elements_per_s_burst": 2.2e9,
			"bytes_per_s": 3e9, "bytes_per_s_lo": 2.9e9, "bytes_per_s_hi": 3.1e9, "bytes_per_s_burst": 3.2e9,
			"of_limit": 0.8, "of_datasheet": 0.7, "clock_hz": 3.25e9, "temperature_c": 61.5, "throttle_share": 0.0,
			"n": 7.0, "seconds": 0.25, "plateau_s": 0.1,
		},
	}
	got := parse(t, line)
	got.time = got.time.UTC()
	for name := range got.fields {
		if _, listed := want.fields[name]; !listed {
			t.Errorf("field %s is new: list it here and in docs/influx.md", name)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestPlacementIsATag of those points alone that have one, so that the series of others stay what they were.
func TestPlacementIsATag(t *testing.T) {
	points := influx.NewPoints(host, "run-1", "1.0")
	for _, want := range []string{"", "node0-node1"} {
		r := fullResult(7)
		r.Placement = want
		line, err := points.Result(r)
		must(t, err)
		p := parse(t, line)
		if got, there := p.tags["placement"]; got != want || there != (want != "") {
			t.Errorf("placement %q: the tag is %q, there: %v", want, got, there)
		}
		if p.fields["placement"] != nil {
			t.Errorf("placement %q is a field too", want)
		}
		if !p.time.Equal(r.Time) {
			t.Errorf("placement %q shares its identity with another: it is at %v", want, p.time)
		}
	}
}

// TestPointOfADeviceWithoutThreads: a GPU's result and profile have no such tag; what it did
// beside others, and its engine's convention, are fields.
func TestPointOfADeviceWithoutThreads(t *testing.T) {
	r := fullResult(7)
	r.Device, r.Threads, r.Together, r.Note = "GPU-1", 0, 8, "row-major"
	r.OfAlone = ptr(0.97)
	points := influx.NewPoints(host, "run-1", "1.0")
	line, err := points.Result(r)
	must(t, err)
	p := parse(t, line)
	if v, found := p.tags["threads"]; found {
		t.Errorf("the tag threads is there as %q", v)
	}
	if p.tags["device"] != "GPU-1" || p.fields["together"] != 8.0 || p.fields["of_alone"] != 0.97 || p.fields["note"] != "row-major" {
		t.Errorf("%+v", p)
	}
	profile := fullProfile()
	profile.Devices[0].Limits[0].Threads = 0
	lines, err := points.Profile(profile)
	must(t, err)
	if v, found := parse(t, lines[0]).tags["threads"]; found {
		t.Errorf("the tag threads of a limit is there as %q", v)
	}
}

func TestFailedResultPointSaysWhy(t *testing.T) {
	line, err := influx.NewPoints(influx.HostTags{Host: "n"}, "run-1", "1.0").Result(bench.Result{
		Time: start, Kernel: "gemm", Status: bench.Failed, Error: "a \"quoted\"\n reason\\", Warnings: []bench.Warning{},
	})
	must(t, err)
	p := parse(t, line)
	if p.fields["status"] != "failed" || p.fields["error"] != `a "quoted" reason\` || p.fields["warnings"] != "" || p.fields["flop_per_s"] != nil {
		t.Errorf("%+v", p)
	}
	for _, absent := range []string{"cloud", "region", "instance_type", "engine", "device"} {
		if v, found := p.tags[absent]; found {
			t.Errorf("the empty tag %s is there as %q", absent, v)
		}
	}
}

func TestNumbersThatAreNoneAreRefused(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		points := influx.NewPoints(host, "r", "1")
		r := fullResult(0)
		r.PowerW = &v
		if line, err := points.Result(r); err == nil {
			t.Errorf("%g made %s", v, line)
		}
		p := fullProfile()
		p.Devices[0].Bandwidth[0].Points[0].Rate.Lo = v
		if lines, err := points.Profile(p); err == nil || lines != nil || !strings.Contains(err.Error(), "triad fp64 4096") || !strings.Contains(err.Error(), fmt.Sprintf("lo is %g", v)) {
			t.Errorf("%g made %q, %v", v, lines, err)
		}
	}
	if line, err := influx.NewPoints(host, "r", "1").Result(bench.Result{Kernel: "gemm"}); err == nil {
		t.Errorf("a result without a time made %s", line)
	}
}

func TestNoTwoPointsOfARunShareAnIdentity(t *testing.T) {
	points := influx.NewPoints(host, "r", "1")
	seen := map[string]bool{}
	for i := range 9 {
		r := fullResult(0) // the same time
		r.Data = []bench.Data{bench.Randn, bench.Zeros}[i%2]
		if i >= 6 { // other tags: their time stays
			r.Threads = i
		}
		line, err := points.Result(r)
		must(t, err)
		p := parse(t, line)
		want := start.Add(time.Duration(i))
		if i >= 6 {
			want = start
		}
		if !p.time.Equal(want) {
			t.Errorf("point %d stands at %v, want %v", i, p.time, want)
		}
		seen[fmt.Sprint(p.tags, p.time)] = true
	}
	if len(seen) != 9 {
		t.Errorf("%d identities of 9 points", len(seen))
	}
}

func TestRunPoint(t *testing.T) {
	line, err := influx.NewPoints(host, "run-1", "1.0").Run(influx.RunStatus{
		Started: start, Finished: start.Add(90 * time.Second), Suite: "quick", Status: "complete", Results: 20, Failed: 1,
		Warnings: []bench.Warning{{Code: "preempted"}},
	})
	must(t, err)
	got := parse(t, line)
	want := map[string]any{
		"run_id": "run-1", "version": "1.0", "suite": "quick", "status": "complete", "seconds": 90.0, "results": 20.0, "failed": 1.0, "warnings": "preempted",
	}
	if got.name != "realflops_run" || !got.time.Equal(start) || len(got.tags) != 4 || !reflect.DeepEqual(got.fields, want) {
		t.Errorf("%+v, want fields %v", got, want)
	}
}

func TestProfilePoints(t *testing.T) {
	lines, err := influx.NewPoints(host, "run-1", "1.0").Profile(fullProfile())
	must(t, err)
	var got []string
	for _, line := range lines {
		p := parse(t, line)
		fields := map[string]any{"run_id": "run-1", "version": "1.0", "value": 2.0, "lo": 1.0, "hi": 3.0, "unit": p.fields["unit"]}
		if p.name != "realflops_profile" || !p.time.Equal(start) || !reflect.DeepEqual(p.fields, fields) || p.tags["host"] != "node7" || p.tags["device_model"] != "Some CPU" {
			t.Errorf("%+v", p)
		}
		got = append(got, fmt.Sprint(p.tags["device"], p.tags["kernel"], p.tags["precision"], p.tags["engine"], p.tags["shape"], p.tags["threads"], p.fields["unit"]))
	}
	want := []string{
		fmt.Sprint("cpu", "fma", "fp32/fp32", "go-avx2", "", "1", "flop_per_s"),
		fmt.Sprint("cpu", "gemm", "fp32/fp32", "go-avx2", "1x2x3", "2", "flop_per_s"),
		fmt.Sprint("cpu", "gemm", "fp32/fp32", "go-avx2", "4x5x6", "2", "flop_per_s"),
		fmt.Sprint("cpu", "relu", "fp32", "go-avx2", "1024", "1", "elements_per_s"),
		fmt.Sprint("cpu", "triad", "fp64", "go-avx2", "4096", "1", "bytes_per_s"),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if lines, err := influx.NewPoints(host, "r", "1").Profile(calibrate.Profile{}); err != nil || len(lines) != 0 {
		t.Errorf("an empty profile: %q, %v", lines, err)
	}
}

// TestTheSchemaIsDocumented holds docs/influx.md to the points that are made.
func TestTheSchemaIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/influx.md")
	must(t, err)
	points := influx.NewPoints(host, "r", "1")
	failed := fullResult(0)
	failed.Error, failed.PowerW, failed.Placement = "why", ptr(1), "node0-node1"
	result, err := points.Result(failed)
	must(t, err)
	run, err := points.Run(influx.RunStatus{Started: start, Finished: start})
	must(t, err)
	profile, err := points.Profile(fullProfile())
	must(t, err)
	for _, line := range append(profile, result, run) {
		p := parse(t, line)
		_, section, found := strings.Cut(string(text), "### `"+p.name+"`")
		if !found {
			t.Fatalf("docs/influx.md has no section ### `%s`", p.name)
		}
		section, _, _ = strings.Cut(section, "\n### ")
		section, _, _ = strings.Cut(section, "\n## ")
		names := slices.Collect(func(yield func(string) bool) {
			for name := range p.fields {
				if !yield(name) {
					return
				}
			}
			for name := range p.tags {
				if !yield(name) {
					return
				}
			}
		})
		for _, name := range names {
			if !strings.Contains(section, "`"+name+"`") {
				t.Errorf("docs/influx.md does not tell %s of %s", name, p.name)
			}
		}
	}
}
