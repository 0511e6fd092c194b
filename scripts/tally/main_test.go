package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, name string, events ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(strings.Join(events, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func tally(files ...string) (string, error) {
	var out strings.Builder
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	err := run(&out, files, began, began.Add(90*time.Second))
	return out.String(), err
}

var (
	unit = []string{
		`{"Time":"2026-01-01T00:00:00Z","Action":"start","Package":"p"}`,
		`{"Time":"2026-01-01T00:00:00Z","Action":"run","Package":"p","Test":"TestA"}`,
		`{"Time":"2026-01-01T00:00:01Z","Action":"pass","Package":"p","Test":"TestA"}`,
		`{"Time":"2026-01-01T00:00:01Z","Action":"run","Package":"p","Test":"TestB/amx"}`,
		`{"Time":"2026-01-01T00:00:02Z","Action":"output","Package":"p","Test":"TestB/amx","Output":"=== RUN   TestB/amx\n"}`,
		`{"Time":"2026-01-01T00:00:02Z","Action":"output","Package":"p","Test":"TestB/amx","Output":"    b_test.go:7: this CPU has no amx\n"}`,
		`{"Time":"2026-01-01T00:00:02Z","Action":"output","Package":"p","Test":"TestB/amx","Output":"--- SKIP: TestB/amx (0.00s)\n"}`,
		`{"Time":"2026-01-01T00:00:03Z","Action":"skip","Package":"p","Test":"TestB/amx"}`,
		`{"Time":"2026-01-01T00:00:03Z","Action":"pass","Package":"p"}`,
		`{"Time":"2026-01-01T00:00:03Z","Action":"skip","Package":"no/tests"}`,
	}
	arm64 = []string{
		`{"Time":"2026-01-01T00:00:10Z","Action":"pass","Package":"p","Test":"TestA"}`,
		`{"Time":"2026-01-01T00:00:30Z","Action":"pass","Package":"p"}`,
	}
)

func TestTallyCountsEveryPassAndNamesEverySkip(t *testing.T) {
	// Passes are shown in the order in which they ran, not in that of their names.
	got, err := tally(write(t, "arm64.json", arm64...), write(t, "unit.json", unit...))
	if err != nil {
		t.Fatal(err)
	}
	want := `
pass             tests  skipped   seconds
unit                 2        1         3
arm64                1        0        20

SKIP unit: p TestB/amx: b_test.go:7: this CPU has no amx

DONE 3 tests, 1 skipped in 90.000s
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTallyFailsWhereATestFailed(t *testing.T) {
	failed := append(unit[:len(unit):len(unit)], `{"Action":"fail","Package":"q","Test":"TestC"}`)
	got, err := tally(write(t, "unit.json", failed...))
	if err == nil || !strings.Contains(got, "FAIL q TestC\n") || !strings.Contains(got, "DONE 3 tests, 1 skipped, 1 failures in") {
		t.Errorf("err = %v, printed\n%s", err, got)
	}
}

func TestTallyFailsWhereAPackageDidNotBuild(t *testing.T) {
	failed := append(unit[:len(unit):len(unit)], `{"Action":"fail","Package":"q"}`)
	got, err := tally(write(t, "unit.json", failed...))
	if err == nil || !strings.Contains(got, "FAIL q\n") {
		t.Errorf("err = %v, printed\n%s", err, got)
	}
}

func TestTallyFailsWhereNothingRan(t *testing.T) {
	if got, err := tally(write(t, "unit.json", `{"Action":"pass","Package":"p"}`)); err == nil {
		t.Errorf("no test ran, and tally said\n%s", got)
	}
	if _, err := tally(); err == nil {
		t.Error("no pass ran, and tally did not fail")
	}
}

func TestTallyRefusesWhatIsNoEvent(t *testing.T) {
	_, err := tally(write(t, "unit.json", "ok  	p	0.1s"))
	if err == nil || !strings.Contains(err.Error(), "unit.json") {
		t.Errorf("err = %v, want one that names the file", err)
	}
}
