package bench

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestWarningsAreDocumented: docs/warnings.md has the codes of the program with their
// meanings, in the same order, and no others.
func TestWarningsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/warnings.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []WarningCode
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (.*?) \\| .+ \\|$").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, WarningCode{row[1], row[2]})
	}
	if codes := WarningCodes(); !slices.Equal(documented, codes) || len(codes) == 0 {
		t.Errorf("docs/warnings.md says\n%v\nthe program\n%v", documented, codes)
	}
}

// TestEveryCodeIsInTheTable: a constant of warning.go that the table lacks is found.
func TestEveryCodeIsInTheTable(t *testing.T) {
	text, err := os.ReadFile("warning.go")
	if err != nil {
		t.Fatal(err)
	}
	constants := regexp.MustCompile(`(?m)^\t[A-Z]\w+ += "([a-z_]+)"$`).FindAllStringSubmatch(string(text), -1)
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
