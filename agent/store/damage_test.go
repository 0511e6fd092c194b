package store

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// filled makes a database with enough rows that most of its pages hold data, and returns its bytes.
func filled(t *testing.T, dir string) []byte {
	t.Helper()
	s, err := Open(t.Context(), dir)
	must(t, err)
	must(t, s.Begin(t.Context(), testRun("r", start)))
	for i := range 60 {
		must(t, s.AddResult(t.Context(), "r", testResult(i), fmt.Sprintf("line %d", i)))
	}
	must(t, s.Close())
	b, err := os.ReadFile(filepath.Join(dir, File))
	must(t, err)
	return b
}

func TestANewerDatabaseIsRefusedAndUntouched(t *testing.T) {
	for _, logged := range []bool{false, true} {
		t.Run(fmt.Sprintf("in the log %v", logged), func(t *testing.T) {
			dir := t.TempDir()
			filled(t, dir)
			db, err := sql.Open("sqlite", dsn(filepath.Join(dir, File), "rw"))
			must(t, err)
			_, err = db.Exec("PRAGMA user_version = 99")
			must(t, err)
			if logged { // as if a newer version had been killed: the version stands in the log alone
				kept := map[string][]byte{}
				for _, suffix := range []string{"", "-wal"} {
					kept[suffix], err = os.ReadFile(filepath.Join(dir, File+suffix))
					must(t, err)
				}
				must(t, db.Close())
				for suffix, b := range kept {
					must(t, os.WriteFile(filepath.Join(dir, File+suffix), b, 0o600))
				}
			} else {
				must(t, db.Close())
			}
			before := contents(t, dir)
			if _, logFound := before[File+"-wal"]; logFound != logged {
				t.Fatalf("the test's own set-up failed: log found: %v", logFound)
			}

			_, err = Open(t.Context(), dir)
			var newer *NewerError
			if !errors.As(err, &newer) || newer.Found != 99 || newer.Known != 1 {
				t.Fatalf("Open = %v, want a NewerError of 99 and 1", err)
			}
			if !strings.Contains(err.Error(), "99") || !strings.Contains(err.Error(), "up to 1") {
				t.Errorf("%q does not name both versions", err)
			}
			after := contents(t, dir)
			for name, b := range before {
				if !bytes.Equal(after[name], b) {
					t.Errorf("%s was changed", name)
				}
			}
		})
	}
}

// contents is what a folder's files hold, but for the shared-memory index and the lock, which hold no data.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files, err := os.ReadDir(dir)
	must(t, err)
	all := map[string][]byte{}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), "-shm") || strings.HasSuffix(f.Name(), ".lock") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		must(t, err)
		all[f.Name()] = b
	}
	return all
}

// damaged opens a folder whose database holds b, and demands that it is set aside whole and that the fresh one works.
func damaged(t *testing.T, b []byte) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, File), b, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, File+"-wal"), []byte("a log"), 0o600))
	s := mustOpen(t, dir)
	if !strings.HasPrefix(s.SetAside(), s.Path()+".corrupt-20") {
		t.Fatalf("SetAside = %q", s.SetAside())
	}
	for suffix, want := range map[string][]byte{"": b, "-wal": []byte("a log")} {
		got, err := os.ReadFile(s.SetAside() + suffix)
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%s was changed by setting it aside", s.SetAside()+suffix)
		}
	}
	must(t, s.Begin(t.Context(), testRun("fresh", start)))
	if h, err := s.History(t.Context(), -1); err != nil || len(h) != 1 {
		t.Errorf("the fresh database's history: %+v, %v", h, err)
	}
}

func TestACorruptDatabaseIsSetAsideWithNothingDeleted(t *testing.T) {
	whole := filled(t, t.TempDir())
	rng := rand.New(rand.NewPCG(1, 2))
	noise := func(b []byte) []byte {
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	middle := bytes.Clone(whole)
	noise(middle[len(middle)/2 : len(middle)/2+8192])
	cases := map[string][]byte{
		"text":               []byte("not a database\n"),
		"one byte":           {0},
		"half":               whole[:len(whole)/2],
		"cut inside page 1":  whole[:100],
		"cut at page 1":      whole[:4096],
		"overwritten middle": middle,
		"header alone":       append(bytes.Clone(whole[:100]), make([]byte, 20000)...),
	}
	for i := range 10 {
		n := 1 + rng.IntN(1<<(2*i))
		cases[fmt.Sprintf("%d random bytes", n)] = noise(make([]byte, n))
	}
	for name, b := range cases {
		t.Run(name, func(t *testing.T) { damaged(t, b) })
	}
}

func TestAnEmptyFileAndAnIntactOneAreNotSetAside(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, File), nil, 0o600))
	for range 2 {
		s, err := Open(t.Context(), dir)
		must(t, err)
		if s.SetAside() != "" {
			t.Errorf("an intact database was set aside as %s", s.SetAside())
		}
		must(t, s.Close())
	}
}

// TestFlippedBytes damages a real database at random: it opens, is set aside or is refused, and nothing of it is deleted.
func TestFlippedBytes(t *testing.T) {
	whole := filled(t, t.TempDir())
	rng := rand.New(rand.NewPCG(3, 4))
	aside := 0
	for range 60 {
		b := bytes.Clone(whole)
		for range 1 + rng.IntN(8) {
			b[rng.IntN(len(b)>>rng.IntN(8))] ^= byte(1 + rng.IntN(255)) // often in the first pages, which hold the structure
		}
		dir := t.TempDir()
		path := filepath.Join(dir, File)
		must(t, os.WriteFile(path, b, 0o600))
		s, err := Open(t.Context(), dir)
		found := path
		if err == nil {
			must(t, s.Close())
			if s.SetAside() == "" {
				continue // SQLite checks no content
			}
			found = s.SetAside()
			aside++
		}
		if got, readErr := os.ReadFile(found); readErr != nil || !bytes.Equal(got, b) {
			t.Errorf("%s is not what was damaged (Open: %v, %v)", found, err, readErr)
		}
	}
	if aside < 10 {
		t.Errorf("only %d of 60 were set aside: the test shows too little", aside)
	}
}

func FuzzOpenOfAnyBytes(f *testing.F) {
	f.Add([]byte("SQLite format 3\x00"))
	f.Add(bytes.Repeat([]byte{0}, 4096))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, File)
		must(t, os.WriteFile(path, b, 0o600))
		s, err := Open(t.Context(), dir)
		if err != nil {
			if after, readErr := os.ReadFile(path); readErr != nil || !bytes.Equal(after, b) {
				t.Errorf("refused (%v) but changed (%v)", err, readErr)
			}
			return
		}
		defer func() { must(t, s.Close()) }()
		if s.SetAside() != "" {
			if aside, err := os.ReadFile(s.SetAside()); err != nil || !bytes.Equal(aside, b) {
				t.Errorf("what was set aside is not what was found (%v)", err)
			}
		}
		must(t, s.Begin(t.Context(), testRun("r", start)))
	})
}
