// Command tally closes `make test`: it reads the events that `go test -json` left in one
// file a pass and prints how many tests each pass ran, every skipped test by name with
// its reason, and one closing line for them all. It exits 1 where a test or a package
// failed, or where no test ran.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	started := flag.Int64("started", 0, "when the passes began, Unix seconds")
	flag.Parse()
	if err := run(os.Stdout, flag.Args(), time.Unix(*started, 0), time.Now()); err != nil {
		fmt.Fprintf(os.Stderr, "tally: %v\n", err)
		os.Exit(1)
	}
}

// event is a line of `go test -json` (see `go doc test2json`).
type event struct {
	Time                          time.Time
	Action, Package, Test, Output string
}

// test names one test of one pass.
type test struct{ pass, pkg, name string }

// pass is what one pass of the tests came to. Subtests count as tests.
type pass struct {
	name        string
	total       int
	failed      []string
	skipped     []test
	first, last time.Time
}

func run(w io.Writer, files []string, started, now time.Time) error {
	reasons := map[test]string{}
	var passes []pass
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		p, err := read(f, strings.TrimSuffix(filepath.Base(file), ".json"), reasons)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		passes = append(passes, p)
	}
	slices.SortFunc(passes, func(a, b pass) int { return a.first.Compare(b.first) })
	return show(w, passes, reasons, now.Sub(started))
}

// read counts the events of one pass and keeps what each test said last before it was skipped.
func read(r io.Reader, name string, reasons map[test]string) (pass, error) {
	p := pass{name: name}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return p, fmt.Errorf("not an event of go test -json: %w", err)
		}
		if p.first.IsZero() {
			p.first = e.Time
		}
		if !e.Time.IsZero() {
			p.last = e.Time
		}
		t := test{name, e.Package, e.Test}
		switch e.Action {
		case "output":
			// A reason reads "    file_test.go:12: reason"; the frames around it start otherwise.
			if text := strings.TrimSpace(e.Output); e.Test != "" && text != "" && !strings.HasPrefix(text, "===") && !strings.HasPrefix(text, "---") {
				reasons[t] = text
			}
		case "pass", "fail", "skip":
			p.end(t, e.Action)
		}
	}
	return p, lines.Err()
}

// end counts the end of a test, or of a package, which has no test's name.
func (p *pass) end(t test, action string) {
	if t.name != "" {
		p.total++
	}
	switch {
	case action == "fail":
		p.failed = append(p.failed, strings.TrimSpace(t.pkg+" "+t.name))
	case action == "skip" && t.name != "":
		p.skipped = append(p.skipped, t)
	}
}

func show(w io.Writer, passes []pass, reasons map[test]string, wall time.Duration) error {
	total, skipped := 0, 0
	var failed []string
	fmt.Fprintf(w, "\n%-14s %7s %8s %9s\n", "pass", "tests", "skipped", "seconds")
	for _, p := range passes {
		fmt.Fprintf(w, "%-14s %7d %8d %9.0f\n", p.name, p.total, len(p.skipped), p.last.Sub(p.first).Seconds())
		total += p.total
		skipped += len(p.skipped)
		failed = append(failed, p.failed...)
	}
	fmt.Fprintln(w)
	for _, p := range passes {
		slices.SortFunc(p.skipped, func(a, b test) int {
			return cmp.Or(cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.name, b.name))
		})
		for _, t := range p.skipped {
			fmt.Fprintf(w, "SKIP %s: %s %s: %s\n", t.pass, t.pkg, t.name, cmp.Or(reasons[t], "no reason given"))
		}
	}
	for _, name := range failed {
		fmt.Fprintf(w, "FAIL %s\n", name)
	}
	counts := fmt.Sprintf("%d tests, %d skipped", total, skipped)
	if len(failed) > 0 {
		counts += fmt.Sprintf(", %d failures", len(failed))
	}
	fmt.Fprintf(w, "\nDONE %s in %.3fs\n", counts, wall.Seconds())
	switch {
	case len(failed) > 0:
		return fmt.Errorf("%d tests or packages failed", len(failed))
	case total == 0:
		return errors.New("no test ran")
	}
	return nil
}
