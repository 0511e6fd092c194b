// Package agent runs realflops from end to end: detect, bench, calibrate, store, push.
package agent

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/realflops/realflops/agent/detect"
	"github.com/realflops/realflops/agent/store"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
)

// Schema names the version of the Document's JSON form (docs/schema/realflops-1.schema.json).
const Schema = "realflops/1"

// Document is what `run --json` and `bench --json` print, and what export writes.
type Document struct {
	Schema    string             `json:"schema"`
	Run       Run                `json:"run"`
	Host      detect.Host        `json:"host"`
	Results   []bench.Result     `json:"results"`
	Overheads []bench.Overhead   `json:"overheads"`
	Profile   *calibrate.Profile `json:"profile,omitempty"` // of a run; bench has none
}

// Run is one pass of a suite over a host.
type Run struct {
	ID       string          `json:"id"` // UUIDv7
	Started  time.Time       `json:"started"`
	Finished *time.Time      `json:"finished"` // nil while it runs, or if it was killed
	Suite    string          `json:"suite"`
	Version  string          `json:"version"` // of realflops
	Status   string          `json:"status"`  // running, complete, interrupted, failed
	Warnings []bench.Warning `json:"warnings"`
}

// FromStore makes the document of a run again from what is kept of it.
func FromStore(s store.Stored) (Document, error) {
	doc := Document{
		Schema: Schema, Results: s.Results, Overheads: s.Overheads, Profile: s.Profile,
		Run: Run{ID: s.Run.ID, Started: s.Run.Started, Finished: s.Finished, Suite: s.Run.Suite, Version: s.Run.Version, Status: s.Status, Warnings: s.Warnings},
	}
	if err := json.Unmarshal(s.Run.Host, &doc.Host); err != nil {
		return doc, fmt.Errorf("run %s: the host kept with it cannot be read: %w", s.Run.ID, err)
	}
	return doc, nil
}
