package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/realflops/realflops/kernels"
)

// report is all that was measured, and on what.
type report struct {
	Schema   string            `json:"schema"`
	Date     time.Time         `json:"date"`
	CPU      string            `json:"cpu"`
	OS       string            `json:"os"`
	Go       string            `json:"go"`
	Peers    map[string]string `json:"peers"` // what each says of itself
	Rows     []row             `json:"rows"`
	Slopes   []slope           `json:"slopes"`
	Skipped  []skip            `json:"skipped"`
	Outcomes []outcome         `json:"goals"`
}

var columns = []string{"precision", "shape", "threads", "engine", "against", "ours", "theirs", "unit", "ratio", "paired ratio", "95% interval", "of limit", "limit", "GHz", "rounds"}

// scales are how figures are told.
var scales = map[string]struct {
	unit string
	per  float64
}{"FLOP/s": {"GFLOP/s", 1e9}, "B/s": {"GB/s", 1e9}, "elements/s": {"G/s", 1e9}}

func (r row) cells() []string {
	interval := fmt.Sprintf("%.3f-%.3f", r.Lo, r.Hi)
	if r.Noisy {
		interval += " noisy"
	}
	if r.Preempted {
		interval += " preempted"
	}
	of, clock := "-", "-"
	if r.OfLimit != nil {
		of = fmt.Sprintf("%.3f", r.OfLimit.Paired)
	}
	if r.ClockHz != nil {
		clock = fmt.Sprintf("%.2f", *r.ClockHz/1e9)
	}
	limit := r.Limit
	if limit == "" {
		limit = "-"
	}
	engine := r.Engine
	if r.Who != self {
		engine = r.Who
	}
	scale := scales[r.Unit]
	unit := scale.unit
	if r.Precision == string(kernels.INT8INT32) {
		unit = "GOP/s"
	}
	return []string{
		r.Precision, r.Shape, fmt.Sprint(r.Threads), engine, r.Peer, figure(r.Ours / scale.per), figure(r.Theirs / scale.per), unit,
		fmt.Sprintf("%.3f", r.Ratio), fmt.Sprintf("%.3f", r.Paired), interval, of, limit, clock, fmt.Sprint(r.Rounds),
	}
}

// figure has three digits or four.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func (r report) heading() []string {
	lines := []string{r.Date.Format(time.DateOnly), "CPU: " + r.CPU + ", " + r.OS, "ours: " + r.Go}
	for _, name := range slices.Sorted(maps.Keys(r.Peers)) {
		lines = append(lines, name+": "+r.Peers[name])
	}
	return lines
}

// section is a table.
type section struct {
	title string
	lines [][]string // the first is the heading
}

// sections are the goals, a table of each kernel, slopes, and what was not compared.
func (r report) sections() []section {
	var out []section
	add := func(title string, lines [][]string) {
		if len(lines) > 1 {
			out = append(out, section{title, lines})
		}
	}
	goals := [][]string{{"goal", "at least", "is", "rows", "verdict", "the worst"}}
	for _, o := range r.Outcomes {
		goals = append(goals, []string{o.Goal, fmt.Sprintf("%.3f", o.Least), fmt.Sprintf("%.3f", o.Value), fmt.Sprint(o.Rows), o.Verdict, o.Worst})
	}
	add("Goals", goals)
	for _, d := range kernels.All() {
		lines := [][]string{columns}
		for _, row := range r.Rows {
			if row.Kernel == string(d.Kernel) {
				lines = append(lines, row.cells())
			}
		}
		add(string(d.Kernel)+": "+d.Computes, lines)
	}
	slopes := [][]string{{"sizes", "threads", "slope", "95% interval", "rounds"}}
	for _, s := range r.Slopes {
		slopes = append(slopes, []string{strings.Trim(fmt.Sprint(s.Sizes), "[]"), fmt.Sprint(s.Threads), fmt.Sprintf("%.3f", s.Slope), fmt.Sprintf("%.3f-%.3f", s.Lo, s.Hi), fmt.Sprint(s.Rounds)})
	}
	add("Growth of gemm fp32/fp32: log time over log n", slopes)
	skipped := [][]string{{"not compared", "why"}}
	for _, s := range r.Skipped {
		why := s.Why
		if s.Failed {
			why = "FAILED: " + why
		}
		skipped = append(skipped, []string{s.Case, why})
	}
	add("Not compared", skipped)
	return out
}

// text is aligned tables.
func (r report) text(w io.Writer) error {
	fmt.Fprintln(w, strings.Join(r.heading(), "\n"))
	for _, s := range r.sections() {
		fmt.Fprintf(w, "\n%s\n", s.title)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, cells := range s.lines {
			fmt.Fprintln(t, strings.Join(cells, "\t"))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// markdown is the same for a document.
func (r report) markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Beside the libraries people use\n\n%s\n\n", strings.Join(r.heading(), "  \n"))
	b.WriteString("All of a row work by turns in one run, a burst each round, and who goes first changes. Ours and theirs are medians of\n" +
		"the rounds, the ratio is that of these; the paired ratio, with its interval, is the median of the rounds' ratios, and so is\n" +
		"the part of the limit: a loop of ours that does nothing but the multiply-adds, or the reading, that the work cannot do without.\n" +
		"Results were checked against each other. Made by `make bench-peers`.\n")
	for _, s := range r.sections() {
		fmt.Fprintf(&b, "\n## %s\n\n", s.title)
		for i, cells := range s.lines {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
			if i == 0 {
				fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(cells)))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r report) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
