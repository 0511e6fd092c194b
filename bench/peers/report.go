package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// report is all rows with what they were measured on.
type report struct {
	Schema string    `json:"schema"`
	Date   time.Time `json:"date"`
	CPU    string    `json:"cpu"`
	OS     string    `json:"os"`
	Ours   string    `json:"ours"`
	Peer   string    `json:"peer"`
	Rows   []row     `json:"rows"`
}

var columns = []string{"n", "threads", "ours GFLOP/s", "OpenBLAS GFLOP/s", "ratio", "paired ratio", "95% interval", "rounds"}

func (r row) cells() []string {
	interval := fmt.Sprintf("%.3f-%.3f", r.Lo, r.Hi)
	if r.Noisy {
		interval += " noisy"
	}
	return []string{
		fmt.Sprint(r.N), fmt.Sprint(r.Threads), fmt.Sprintf("%.1f", r.Ours/1e9), fmt.Sprintf("%.1f", r.Peer/1e9),
		fmt.Sprintf("%.3f", r.Ratio), fmt.Sprintf("%.3f", r.Paired), interval, fmt.Sprint(r.Rounds),
	}
}

func (r report) heading() string {
	return fmt.Sprintf("gemm fp32/fp32, n x n x n, %s\nCPU: %s, %s\nours: %s\npeer: %s\n",
		r.Date.Format(time.DateOnly), r.CPU, r.OS, r.Ours, r.Peer)
}

// text is an aligned table.
func (r report) text(w io.Writer) error {
	fmt.Fprintln(w, r.heading())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, cells := range r.table() {
		fmt.Fprintln(t, strings.Join(cells, "\t")+"\t")
	}
	return t.Flush()
}

// markdown is the same for a document.
func (r report) markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# GEMM against OpenBLAS\n\n%s\n", strings.ReplaceAll(r.heading(), "\n", "  \n"))
	for i, cells := range r.table() {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			fmt.Fprintf(&b, "|%s\n", strings.Repeat("---:|", len(cells)))
		}
	}
	b.WriteString("\nMedians of rounds in which both sides multiply by turns, a burst each; the ratio is that of the medians, the\n" +
		"paired ratio, with its interval, the median of the rounds' ratios. Made by `make bench-peers`.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (r report) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r report) table() [][]string {
	table := [][]string{columns}
	for _, row := range r.Rows {
		table = append(table, row.cells())
	}
	return table
}
