package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/agent/store"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
)

func (a *app) compareCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compare A B",
		Short: "Hold two runs against each other, kernel by kernel",
		Long: `compare prints a row for each measurement of two runs: both figures, the ratio B / A
with its interval, and the verdict. The interval is that within the two runs, 3% wider (10% in
memory) for what moves between runs of an unchanged machine; where it holds 1, no difference was seen.

A run is an id of "realflops history" or the start of one, "latest", or a file
written by "run --out" or "run --json".`,
		Args: exactArgs(2, "two runs"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var docs [2]agent.Document
			for i, name := range args {
				var err error
				if docs[i], err = a.loadRun(cmd.Context(), name); err != nil {
					return err
				}
			}
			rows := calibrate.Compare(docs[0].Results, docs[1].Results)
			if a.json {
				return a.printJSON(struct {
					Schema string                 `json:"schema"`
					A      agent.Run              `json:"a"`
					B      agent.Run              `json:"b"`
					Rows   []calibrate.Comparison `json:"rows"`
				}{"realflops-compare/1", docs[0].Run, docs[1].Run, rows})
			}
			return a.printComparison(docs, rows)
		},
	}
}

func (a *app) printComparison(docs [2]agent.Document, rows []calibrate.Comparison) error {
	for i, d := range docs {
		if _, err := fmt.Fprintf(a.stdout, "%c: run %s on %s, %s suite\n", 'A'+rune(i), d.Run.ID, d.Host.Name, d.Run.Suite); err != nil {
			return err
		}
	}
	t := newTable("kernel", "precision", ">shape", "level", ">threads", ">A", ">B", ">B / A", ">interval", "verdict", "engine")
	for _, r := range rows {
		known := r.A
		if known == nil {
			known = r.B
		}
		threads := fmt.Sprint(known.Threads)
		if known.Placement != "" {
			threads += " at " + known.Placement
		}
		ratio, interval := "", ""
		if r.Ratio != nil {
			ratio = fmt.Sprintf("%.3f", r.Ratio.Value)
			interval = fmt.Sprintf("%.3f-%.3f", r.Ratio.Lo, r.Ratio.Hi)
		}
		t.add(string(r.Kernel), string(r.Precision), known.Shape.String(), r.Level, threads, figure(r.A), figure(r.B), ratio, interval, r.Verdict, engines(r))
	}
	return t.write(a.stdout, a.outPaint())
}

// engines names what ran both sides.
func engines(c calibrate.Comparison) string {
	switch {
	case c.A == nil:
		return c.B.Engine
	case c.B == nil || c.A.Engine == c.B.Engine:
		return c.A.Engine
	}
	return c.A.Engine + ", " + c.B.Engine
}

// figure is the rate of a result, or why there is none.
func figure(r *bench.Result) string {
	if r == nil {
		return "-"
	}
	if rate, ok := r.Rate(); ok {
		return si(rate.Value, rate.Unit)
	}
	return "failed"
}

// maxDocument bounds what is read of a run's file: a full run is under 1 MB.
const maxDocument = 64 << 20

// loadRun finds a run by file, id, start of an id, or "latest".
func (a *app) loadRun(ctx context.Context, name string) (agent.Document, error) {
	if isFile(name) {
		return readDocument(name)
	}
	if strings.ContainsRune(name, os.PathSeparator) || strings.HasSuffix(name, ".json") {
		return agent.Document{}, fmt.Errorf("%s is no file: want one written by `realflops run --out`, an id of `realflops history`, or latest", name)
	}
	var doc agent.Document
	err := a.withStore(ctx, func(s *store.Store) error {
		stored, err := s.Load(ctx, name)
		if err != nil {
			return err
		}
		doc, err = agent.FromStore(stored)
		return err
	})
	return doc, err
}

func readDocument(path string) (agent.Document, error) {
	text, err := readRegular(path, maxDocument)
	if err != nil {
		return agent.Document{}, fmt.Errorf("%w: want a file written by `realflops run --out`", err)
	}
	return parseDocument(path, text)
}

// parseDocument reads the text of a run's file; path is for the error alone.
func parseDocument(path string, text []byte) (agent.Document, error) {
	var doc agent.Document
	if err := json.Unmarshal(text, &doc); err != nil {
		return doc, fmt.Errorf("%s is no run: %w; want a file written by `realflops run --out`", path, err)
	}
	if doc.Schema != agent.Schema {
		return doc, fmt.Errorf("%s has schema %q, want %q: a file written by `realflops run --out`", path, doc.Schema, agent.Schema)
	}
	if doc.Run.ID == "" || len(doc.Results) == 0 {
		return doc, fmt.Errorf("%s holds no run with results: want a file written by `realflops run --out`", path)
	}
	return doc, nil
}
