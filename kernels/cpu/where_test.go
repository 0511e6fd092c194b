package cpu

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// inBochs are the engines that have a test of their own in the emulator, see bochs_amd64_test.go.
var inBochs = []string{GoAMX, GoAVX512FP16}

// TestTheDocumentSaysWhereEachEngineIsTested, and names no other.
func TestTheDocumentSaysWhereEachEngineIsTested(t *testing.T) {
	text, err := os.ReadFile("../../docs/cpu-kernels.md")
	if err != nil {
		t.Fatal(err)
	}
	where := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		columns := strings.Split(line, "|")
		if len(columns) != 5 {
			continue
		}
		for _, engine := range regexp.MustCompile("`(go[a-z0-9-]*)`").FindAllStringSubmatch(columns[1], -1) {
			if where[engine[1]] != "" {
				t.Errorf("%s has two lines", engine[1])
			}
			where[engine[1]] = strings.TrimSpace(columns[3])
		}
	}
	for _, engine := range engines {
		want := "CPU"
		switch {
		case engine == Go || engine == Go4K:
			want = "amd64, and arm64 under qemu"
		case slices.Contains(inBochs, engine):
			want = "Bochs"
		case strings.HasPrefix(engine, GoNEON):
			want = "qemu"
		}
		if where[engine] != want {
			t.Errorf("%s is tested on %q, the document says %q", engine, want, where[engine])
		}
		delete(where, engine)
	}
	for engine := range where {
		t.Errorf("the document has an engine %s, which does not exist", engine)
	}
}
