package calibrate

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedExamplesAreOfTheGoldenProfile: every JSON example of docs/profile.md stands
// in testdata/profile.json as it is, and every field there is named in the page.
func TestDocumentedExamplesAreOfTheGoldenProfile(t *testing.T) {
	page, err := os.ReadFile("../docs/profile.md")
	if err != nil {
		t.Fatal(err)
	}
	var golden bytes.Buffer
	if err := json.Compact(&golden, []byte(goldenText(t))); err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(page, -1)
	if len(examples) == 0 {
		t.Fatal("docs/profile.md has no examples")
	}
	for _, e := range examples {
		var compact bytes.Buffer
		if err := json.Compact(&compact, e[1]); err != nil {
			t.Errorf("%v in the example\n%s", err, e[1])
		} else if !strings.Contains(golden.String(), compact.String()) {
			t.Errorf("not in the golden profile:\n%s", e[1])
		}
	}
	for _, field := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(golden.String(), -1) {
		if !regexp.MustCompile("[`{ ,]" + field[1] + "\\b").Match(page) {
			t.Errorf("docs/profile.md does not say what %q is", field[1])
		}
	}
	if !strings.Contains(string(page), "`"+Schema+"`") {
		t.Errorf("docs/profile.md is not of %s", Schema)
	}
}
