package emulator

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestEveryFileLoadsAndNamesAreSorted(t *testing.T) {
	var names []string
	for _, c := range Cards() {
		names = append(names, c.Name)
	}
	for _, want := range []string{"a100", "h100", "rtx4090", "t4", "v100"} {
		if !slices.Contains(names, want) {
			t.Errorf("no card %s among %v", want, names)
		}
	}
	if len(Scenarios()) < 25 || !slices.IsSortedFunc(Scenarios(), func(a, b Scenario) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("scenarios: %d, or not by name", len(Scenarios()))
	}
}

// Each is one change to a good file, and a part of the sentence that it must give.
func TestFilesAreReadStrictly(t *testing.T) {
	raw, err := fs.ReadFile(files, "cards/a100.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"sms": 108`, `"sms": 0`, "sms is 0; want more than 0"},
		{`"sms": 108`, `"smss": 108`, "unknown field"},
		{`"name": "a100"`, `"name": "b100"`, `want the name "a100"`},
		{`"compute": 0.93`, `"compute": 1.5`, "efficiency.compute is 1.5; want at most 1"},
		{`"bus_bytes_per_s"` + "\n", `"launch_s"` + "\n", "bus_bytes_per_s has no source"},
		{`"int8/int32": 2048`, `"int8/int32": 0`, "per_clock.tensor is 0"},
	} {
		text := strings.Replace(string(raw), c.old, c.new, 1)
		if text == string(raw) {
			t.Fatalf("%q is not in the file", c.old)
		}
		if _, err := decode[Card]("cards/a100.json", []byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("with %s: %v; want %q", c.new, err, c.want)
		}
	}
	if _, err := decode[Card]("cards/a100.json", append(raw, '{', '}')); err == nil {
		t.Error("a second object in the file was taken")
	}
	for text, want := range map[string]string{
		`{"name": "x", "purpose": "p", "nvml": "slow"}`:                                                         `nvml "slow": want absent or hang`,
		`{"name": "x", "purpose": "p", "rules": [{"devices": [1]}]}`:                                            "device 1 of a node of 1 cards",
		`{"name": "x", "purpose": "p", "rules": [{"fault": {"kind": "smoke", "after": 1}}]}`:                    `fault "smoke": want one of`,
		`{"name": "x", "purpose": "p", "rules": [{"fault": {"kind": "hang", "code": 7, "after": 1}}]}`:          "want a code for an error and for nothing else",
		`{"name": "x", "purpose": "p", "rules": [{"fault": {"kind": "hang", "kernel": "[", "after": 1}}]}`:      "syntax error in pattern",
		`{"name": "x", "purpose": "p", "rules": [{"throttle": {"clock_factor": 0.5, "reasons": ["boredom"]}}]}`: `throttle reason "boredom"`,
		`{"name": "x", "purpose": "p", "rules": [{"compute_mode": "shared"}]}`:                                  `compute_mode "shared"`,
		`{"name": "x", "purpose": "p", "rules": [{"clock_factor": 60}]}`:                                        "are shares of 1",
		`{"name": "x"}`: "a purpose",
	} {
		if _, err := decode[Scenario]("scenarios/x.json", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
}

func TestParseNode(t *testing.T) {
	for text, want := range map[string]struct {
		cards    int
		card     string
		scenario string
	}{
		"a100": {1, "a100", "healthy"}, "rtx4090": {1, "rtx4090", "healthy"}, "rtx4090x2": {2, "rtx4090", "healthy"},
		"t4x16:busy": {16, "t4", "busy"}, "a100:slow-one": {2, "a100", "slow-one"}, "h100x3:slow-one": {3, "h100", "slow-one"},
	} {
		n, err := ParseNode(text)
		if err != nil || len(n.Cards) != want.cards || n.Cards[0].Name != want.card || n.Scenario.Name != want.scenario {
			t.Errorf("%s: %d cards, scenario %q, %v; want %+v", text, len(n.Cards), n.Scenario.Name, err, want)
		}
	}
	for text, want := range map[string]string{
		"a10":                    `"a10"`,
		"":                       `""`,
		"rtx4090x0":              "0 cards; want 1 to 16",
		"a100x17":                "17 cards; want 1 to 16",
		"a100x99999999999999999": "want 1 to 16",
		"a100:":                  `""`,
		"a100:slow":              `"slow"`,
		"a100x1:slow-one":        "needs 2 cards; say a100x2:slow-one",
	} {
		if _, err := ParseNode(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

// The C side has its own tables of numbers; they must be those of Go.
func TestShimSpeaksTheSameNumbers(t *testing.T) {
	read := func(file string) string {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	plain := func(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }
	c, goOps := map[string]string{}, map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^OP\((\w+), (\d+), ([01])\)`).FindAllStringSubmatch(read("shim/ops.h"), -1) {
		c[plain(m[1])] = m[2] + " answered " + m[3]
	}
	for _, m := range regexp.MustCompile(`(?m)^\top(\w+)\s+(?:op )?= (\d+)`).FindAllStringSubmatch(read("wire.go"), -1) {
		n, _ := strconv.Atoi(m[2])
		answered := map[bool]string{false: "1", true: "0"}[unanswered[op(n)]]
		goOps[plain(m[1])] = m[2] + " answered " + answered
	}
	if len(c) < 40 || !maps.Equal(c, goOps) {
		a, _ := json.Marshal(c)
		b, _ := json.Marshal(goOps)
		t.Errorf("shim/ops.h and wire.go differ:\n%s\n%s", a, b)
	}
	enum := regexp.MustCompile(`(?s)enum query \{(.*?)\};`).FindStringSubmatch(read("shim/nvml.c"))
	inGo := regexp.MustCompile(`(?s)queryClock = iota \+ 1(.*?)\)`).FindString(read("nvml.go"))
	var shim, ours []string
	for _, m := range regexp.MustCompile(`([A-Z_]+)( = 1)?,`).FindAllStringSubmatch(enum[1], -1) {
		shim = append(shim, plain(m[1]))
	}
	for _, m := range regexp.MustCompile(`query(\w+)`).FindAllStringSubmatch(inGo, -1) {
		ours = append(ours, plain(m[1]))
	}
	if len(shim) < 10 || !slices.Equal(shim, ours) {
		t.Errorf("queries of shim/nvml.c and nvml.go differ:\n%v\n%v", shim, ours)
	}
	if words := regexp.MustCompile(`DESCRIPTION = (\d+)`).FindStringSubmatch(read("shim/cublaslt.c")); words[1] != strconv.Itoa(ltWords) {
		t.Errorf("a product is %s words in shim/cublaslt.c and %d here", words[1], ltWords)
	}
}

func TestUUIDsDifferAndAreWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cards() {
		for i := range 3 {
			u := uuidText(uuid(c, i))
			if !regexp.MustCompile(`^GPU-[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(u) || seen[u] {
				t.Errorf("%s %d: %s is malformed or seen before", c.Name, i, u)
			}
			seen[u] = true
		}
	}
}
