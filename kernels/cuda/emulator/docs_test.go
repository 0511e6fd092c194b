package emulator

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/emulator.md")

// The tables of the documentation are made of the files.
func TestDocumentationListsEveryCardAndScenario(t *testing.T) {
	const path = "../../../docs/emulator.md"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cards, scenarios strings.Builder
	fmt.Fprint(&cards, "| card | model | | compute capability | SMs | clock GHz | memory GB | memory TB/s | L2 MB | power W |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range Cards() {
		fmt.Fprintf(&cards, "| %s | %s | %s | %d.%d | %d | %.3g | %.3g | %.3g | %.3g | %g |\n", c.Name, c.Model, c.Purpose, c.Arch/10, c.Arch%10, c.SMs,
			c.ClockHz/1e9, float64(c.MemoryBytes)/1e9, c.MemoryBytesPerS/1e12, float64(c.L2Bytes)/1e6, c.PowerLimitW)
	}
	fmt.Fprint(&scenarios, "| scenario | what is wrong | cards |\n|---|---|---|\n")
	for _, s := range Scenarios() {
		fmt.Fprintf(&scenarios, "| %s | %s | %d |\n", s.Name, s.Purpose, max(s.Cards, 1))
	}
	want := string(raw)
	for mark, table := range map[string]string{"cards": cards.String(), "scenarios": scenarios.String()} {
		re := regexp.MustCompile(`(?s)(<!-- ` + mark + ` -->\n)(\n\|.*?\n\n|\n)`)
		if !re.MatchString(want) {
			t.Fatalf("%s has no place for the %s", path, mark)
		}
		want = re.ReplaceAllLiteralString(want, "<!-- "+mark+" -->\n\n"+table+"\n")
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(raw) != want {
		t.Errorf("the tables of %s are not those of the files: go test ./kernels/cuda/emulator -run Documentation -update", path)
	}
}
