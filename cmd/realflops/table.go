package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/fatih/color"
)

// table prints aligned columns. Columns are left-aligned unless their header starts
// with ">", which aligns them right.
type table struct {
	header []string
	right  []bool
	rows   [][]string
}

func newTable(header ...string) *table {
	t := &table{}
	for _, h := range header {
		name, right := strings.CutPrefix(h, ">")
		t.header = append(t.header, name)
		t.right = append(t.right, right)
	}
	return t
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer, paint palette) error {
	width := make([]int, len(t.header))
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	line := func(row []string, style func(string) string) error {
		var b strings.Builder
		for i, c := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if i > 0 {
				b.WriteString("  ")
			}
			if t.right[i] {
				b.WriteString(pad + c)
			} else {
				b.WriteString(c + pad)
			}
		}
		_, err := fmt.Fprintln(w, style(strings.TrimRight(b.String(), " ")))
		return err
	}
	if err := line(t.header, paint.faint); err != nil {
		return err
	}
	for _, row := range t.rows {
		if err := line(row, func(s string) string { return s }); err != nil {
			return err
		}
	}
	return nil
}

// palette colours text where the stream is a terminal and NO_COLOR is unset.
type palette struct{ on bool }

func (p palette) style(s string, a ...color.Attribute) string {
	c := color.New(a...)
	if p.on {
		c.EnableColor()
	} else {
		c.DisableColor()
	}
	return c.Sprint(s)
}

func (p palette) faint(s string) string  { return p.style(s, color.Faint) }
func (p palette) bold(s string) string   { return p.style(s, color.Bold) }
func (p palette) red(s string) string    { return p.style(s, color.FgRed) }
func (p palette) yellow(s string) string { return p.style(s, color.FgYellow) }
