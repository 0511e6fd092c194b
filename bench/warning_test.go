package bench

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documented lists the rows of one section of docs/warnings.md.
func documented(t *testing.T, section string) []WarningCode {
	t.Helper()
	text, err := os.ReadFile("../docs/warnings.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := bytes.Cut(text, []byte("\n## "+section+"\n"))
	if !found {
		t.Fatalf("docs/warnings.md has no section %q", section)
	}
	text, _, _ = bytes.Cut(text, []byte("\n## "))
	var rows []WarningCode
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (.*?) \\| .+ \\|$").FindAllStringSubmatch(string(text), -1) {
		rows = append(rows, WarningCode{row[1], row[2]})
	}
	return rows
}

// TestWarningsAreDocumented: docs/warnings.md has the codes of measurements with their
// meanings, in the same order, and no others.
func TestWarningsAreDocumented(t *testing.T) {
	rows := documented(t, "Measurements and runs")
	if codes := WarningCodes(); !slices.Equal(rows, codes) || len(codes) == 0 {
		t.Errorf("docs/warnings.md says\n%v\nthe program\n%v", rows, codes)
	}
}

// TestWarningsOfEstimatesAreDocumented: the codes that stand in the sources of calibrate are
// those of the page.
func TestWarningsOfEstimatesAreDocumented(t *testing.T) {
	used := map[string]bool{}
	use := regexp.MustCompile(`(?:Code:\s*|\bwarn\(|\bwarn\.add\()"([a-z_]+)"`)
	for _, pattern := range []string{"../calibrate/*.go", "../calibrate/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, m := range use.FindAllSubmatch(text, -1) {
				used[string(m[1])] = true
			}
		}
	}
	var rows []string
	for _, row := range documented(t, "Counts and estimates") {
		rows = append(rows, row.Code)
	}
	slices.Sort(rows)
	if codes := slices.Sorted(maps.Keys(used)); !slices.Equal(codes, rows) {
		t.Errorf("docs/warnings.md says\n%v\nthe sources\n%v", rows, codes)
	}
}

// TestEveryCodeIsInTheTable: a constant of warning.go that the table lacks is found.
func TestEveryCodeIsInTheTable(t *testing.T) {
	text, err := os.ReadFile("warning.go")
	if err != nil {
		t.Fatal(err)
	}
	constants := regexp.MustCompile(`(?m)^\t[A-Z]\w+ += "([a-z_]+)"`).FindAllStringSubmatch(string(text), -1)
	var inTable []string
	for _, c := range WarningCodes() {
		inTable = append(inTable, c.Code)
	}
	for _, c := range constants {
		if !slices.Contains(inTable, c[1]) {
			t.Errorf("%s is not in the table of warnings", c[1])
		}
	}
	if len(constants) != len(inTable) {
		t.Errorf("%d constants, %d rows", len(constants), len(inTable))
	}
}
