package estimate

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The golden document is the contract: fields may come, none may go or change.
func TestDocumentKeepsItsForm(t *testing.T) {
	f := flat()
	f.dispatch, f.width = 1e-6, 0.05
	e := estimate(t, load(t, "gpt2"), f, Setup{Task: Train, Batch: 2, Seq: 64, Device: "cpu", Tokens: 1e6, PricePerHour: 1})
	got, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "estimate.golden.json"), append(got, '\n'))
	var doc map[string]any
	if err := json.Unmarshal(got, &doc); err != nil {
		t.Fatal(err)
	}
	fields := []string{"schema", "model.name", "model.params", "model.params_active", "model.bytes", "task", "setup.batch", "unit", "ops", "warnings"}
	memory := []string{"weights", "gradients", "optimizer", "activations", "kv_cache", "workspace", "total"}
	figures := []string{"flop", "time_s", "total_time_s", "tokens_per_s", "cost"}
	for _, p := range memory {
		figures = append(figures, "memory_bytes."+p)
	}
	for _, p := range figures {
		for _, part := range []string{"value", "lo", "hi", "convention", "source"} {
			fields = append(fields, p+"."+part)
		}
	}
	for _, field := range fields {
		var at any = doc
		for part := range strings.SplitSeq(field, ".") {
			m, _ := at.(map[string]any)
			at = m[part]
		}
		if at == nil {
			t.Errorf("%s is missing", field)
		}
	}
	if energy, ok := doc["energy_j"]; !ok || energy != nil {
		t.Errorf("energy of an unknown power is %v, want null", energy)
	}
	for _, o := range doc["ops"].([]any) {
		for _, field := range []string{"name", "kind", "count", "flop", "bytes", "time_s", "bound", "source"} {
			if o.(map[string]any)[field] == nil {
				t.Errorf("operation %v has no %s", o, field)
			}
		}
	}
}

func figures(e *Document) map[string]Figure {
	m := e.MemoryBytes
	return map[string]Figure{
		"flop": e.FLOP, "time_s": e.TimeS, "tokens_per_s": e.TokensPerS,
		"weights": m.Weights, "gradients": m.Gradients, "optimizer": m.Optimizer, "activations": m.Activations,
		"kv_cache": m.KVCache, "workspace": m.Workspace, "total": m.Total,
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines, wanted := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(lines), len(wanted)) {
		if i >= len(lines) || i >= len(wanted) || lines[i] != wanted[i] {
			t.Fatalf("%s:%d differs; if that is meant, run the test with -update\ngot  %s\nwant %s", path, i+1,
				strings.Join(lines[min(i, len(lines)):min(i+1, len(lines))], ""), strings.Join(wanted[min(i, len(wanted)):min(i+1, len(wanted))], ""))
		}
	}
}
