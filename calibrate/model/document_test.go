package model

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
	d := count(t, load(t, filepath.Join("testdata", "llama-bias")), Setup{Task: Step, Batch: 2, Seq: 64})
	got, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "document.golden.json"), append(got, '\n'))
	var doc map[string]any
	if err := json.Unmarshal(got, &doc); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{
		"schema", "model", "setup", "flop", "bytes", "activations", "growth", "ops", "warnings",
		"model.name", "model.params", "model.params_active", "model.bytes", "model.parts",
		"setup.task", "setup.batch", "setup.seq", "setup.context", "setup.causal", "setup.precision",
		"flop.forward.value", "flop.forward.convention", "flop.backward.value", "flop.backward.convention", "flop.step.value", "flop.step.convention",
		"bytes.value", "bytes.convention",
	} {
		var at any = doc
		for part := range strings.SplitSeq(field, ".") {
			fields, _ := at.(map[string]any)
			at = fields[part]
		}
		if at == nil {
			t.Errorf("%s is missing", field)
		}
	}
	for _, o := range doc["ops"].([]any) {
		for _, field := range []string{"name", "kind", "count", "flop", "bytes"} {
			if o.(map[string]any)[field] == nil {
				t.Errorf("operation %v has no %s", o, field)
			}
		}
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
