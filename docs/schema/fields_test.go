package schema_test

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
	"github.com/realflops/realflops/calibrate/estimate"
	"github.com/realflops/realflops/calibrate/model"
)

// The schemas and the Go types name the same fields, and require those that are always
// there: a field added to one alone is found here.
func TestSchemasNameTheFieldsOfTheTypes(t *testing.T) {
	for _, c := range []struct {
		file, def string // def "" is the document itself
		of        any
	}{
		{"realflops-1", "", agent.Document{}},
		{"realflops-1", "run", agent.Run{}},
		{"realflops-1", "warning", bench.Warning{}},
		{"realflops-1", "result", bench.Result{}},
		{"realflops-1", "overhead", bench.Overhead{}},
		{"realflops-host-1", "", detect.Host{}},
		{"realflops-host-1", "device", detect.Device{}},
		{"realflops-host-1", "cpu", detect.CPU{}},
		{"realflops-host-1", "numa", detect.NUMA{}},
		{"realflops-host-1", "cache", detect.Cache{}},
		{"realflops-host-1", "gpu", detect.GPU{}},
		{"realflops-profile-1", "", calibrate.Profile{}},
		{"realflops-profile-1", "figure", calibrate.Figure{}},
		{"realflops-profile-1", "device", calibrate.Device{}},
		{"realflops-profile-1", "limit", calibrate.Limit{}},
		{"realflops-profile-1", "gemm_curve", calibrate.GEMMCurve{}},
		{"realflops-profile-1", "gemm_point", calibrate.GEMMPoint{}},
		{"realflops-profile-1", "curve", calibrate.Curve{}},
		{"realflops-profile-1", "point", calibrate.Point{}},
		{"realflops-profile-1", "overhead", calibrate.Overhead{}},
		{"realflops-model-1", "", model.Document{}},
		{"realflops-model-1", "model", model.Info{}},
		{"realflops-model-1", "part", model.Part{}},
		{"realflops-model-1", "setup", model.Setup{}},
		{"realflops-model-1", "counted", model.Counted{}},
		{"realflops-model-1", "flop", model.FLOP{}},
		{"realflops-model-1", "growth", model.Growth{}},
		{"realflops-model-1", "term", model.Term{}},
		{"realflops-model-1", "op", model.Op{}},
		{"realflops-estimate-1", "", estimate.Document{}},
		{"realflops-estimate-1", "figure", estimate.Figure{}},
		{"realflops-estimate-1", "setup", estimate.Setup{}},
		{"realflops-estimate-1", "memory", estimate.Memory{}},
		{"realflops-estimate-1", "op", estimate.Op{}},
	} {
		node := load(t, c.file, c.def)
		fields, required := fieldsOf(reflect.TypeOf(c.of))
		if got := slices.Sorted(maps.Keys(node.Properties)); !slices.Equal(got, fields) {
			t.Errorf("%s %s has the properties\n%v\n%T has the fields\n%v", c.file, c.def, got, c.of, fields)
		}
		if got := slices.Sorted(slices.Values(node.Required)); !slices.Equal(got, required) {
			t.Errorf("%s %s requires\n%v\n%T always has\n%v", c.file, c.def, got, c.of, required)
		}
		if node.Additional == nil || *node.Additional {
			t.Errorf("%s %s takes fields that it does not name", c.file, c.def)
		}
	}
}

type node struct {
	Properties map[string]json.RawMessage
	Required   []string
	Additional *bool           `json:"additionalProperties"`
	Defs       map[string]node `json:"$defs"`
}

// fieldsOf lists the JSON names of a struct's fields, sorted, and of those that are
// never left out.
func fieldsOf(t reflect.Type) (all, always []string) {
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if t.Field(i).Anonymous {
			fields, required := fieldsOf(t.Field(i).Type)
			all, always = append(all, fields...), append(always, required...)
			continue
		}
		if name == "-" {
			continue
		}
		all = append(all, name)
		if options != "omitempty" {
			always = append(always, name)
		}
	}
	slices.Sort(all)
	slices.Sort(always)
	return all, always
}

func load(t *testing.T, file, def string) node {
	t.Helper()
	text, err := os.ReadFile(file + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var n node
	// A property may be false (refused here), which is no node: Properties stay raw.
	if err := json.Unmarshal(text, &n); err != nil {
		t.Fatal(err)
	}
	if def == "" {
		return n
	}
	d, ok := n.Defs[def]
	if !ok {
		t.Fatalf("%s has no definition %s", file, def)
	}
	return d
}
