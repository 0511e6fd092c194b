package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// conventions are the notes under a table of figures: how each was counted.
type conventions struct {
	names []string
	texts []string
}

func (c *conventions) add(name, text string) {
	// What a convention shares with the one above it is not said twice.
	if n := len(c.texts); n > 0 {
		if rest, ok := strings.CutPrefix(text, c.texts[0]+"; "); ok {
			text = "as " + c.names[0] + "; " + rest
		}
	}
	c.names = append(c.names, name)
	c.texts = append(c.texts, text)
}

// textWidth is where notes are wrapped.
const textWidth = 110

func (c *conventions) write(w io.Writer, paint palette) error {
	width := 0
	for _, name := range c.names {
		width = max(width, utf8.RuneCountInString(name))
	}
	for i, name := range c.names {
		lead := fmt.Sprintf("%-*s  ", width, name)
		for _, line := range wrap(c.texts[i], textWidth-width-2) {
			if _, err := fmt.Fprintln(w, paint.faint(lead+line)); err != nil {
				return err
			}
			lead = strings.Repeat(" ", width+2)
		}
	}
	return nil
}

// wrap breaks text between words into lines of at most width runes; a longer word stands alone.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
