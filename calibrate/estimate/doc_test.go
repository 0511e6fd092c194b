package estimate

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/realflops/realflops/calibrate/model"
)

const page = "../../docs/estimate.md"

// The numbers on the page are those that the program counts.
func TestPageHoldsTheNumbersThatAreCounted(t *testing.T) {
	text := read(t, page)
	m := load(t, "gpt2")
	d, err := m.Count(model.Setup{})
	if err != nil {
		t.Fatal(err)
	}
	for what, v := range map[string]float64{
		"forward":    d.FLOP.Forward.Value,
		"a step":     d.FLOP.Step.Value,
		"parameters": float64(m.Params),
		"crossover":  *d.Growth.Crossover,
	} {
		if !strings.Contains(text, grouped(v)) {
			t.Errorf("%s: the page does not say %s", what, grouped(v))
		}
	}
	for what, v := range map[string]string{
		"spread":      fmt.Sprintf("±%.0f%%", 100*(spread-1)),
		"outside":     fmt.Sprintf("×%g", outside),
		"adamw":       fmt.Sprintf("%g FLOP a parameter", d.FLOP.Optimizer.Value/float64(m.Params)),
		"adamw bytes": fmt.Sprintf("AdamW %g bytes", model.OptimizerBytes("fp32")),
	} {
		if !strings.Contains(text, v) {
			t.Errorf("%s: the page does not say %q", what, v)
		}
	}
}

// Every warning code that the sources give has its row, and every row a source.
func TestPageExplainsEveryWarning(t *testing.T) {
	given := map[string]bool{}
	pattern := regexp.MustCompile(`(?:warn\(|\.add\(|Code:\s*)"([a-z_]+)"`)
	for _, dir := range []string{".", "../model"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			for _, match := range pattern.FindAllStringSubmatch(read(t, f), -1) {
				given[match[1]] = true
			}
		}
	}
	explained := map[string]bool{}
	_, table, _ := strings.Cut(read(t, page), "## Warnings")
	for _, match := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(table, -1) {
		explained[match[1]] = true
	}
	for code := range given {
		if !explained[code] {
			t.Errorf("%s is given and not explained", code)
		}
	}
	for code := range explained {
		if !given[code] {
			t.Errorf("%s is explained and never given", code)
		}
	}
	if len(given) < 11 {
		t.Errorf("found only %d codes in the sources", len(given))
	}
}

// grouped writes 1234567 as 1,234,567.
func grouped(x float64) string {
	s := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
