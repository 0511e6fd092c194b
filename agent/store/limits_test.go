package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// fillUp adds results until one fails, and returns how many were acknowledged.
func fillUp(t *testing.T, s *Store) int {
	t.Helper()
	for i := range 100_000 {
		err := s.AddResult(t.Context(), "r", testResult(i), fmt.Sprintf("r %d", i))
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrFull) || strings.Contains(err.Error(), "\n") {
			t.Fatalf("result %d: %v, want one sentence of ErrFull", i, err)
		}
		return i
	}
	t.Fatal("the folder never filled up")
	return 0
}

func TestAFullFolderKeepsWhatWasAcknowledged(t *testing.T) {
	t.Run("page limit", func(t *testing.T) {
		dir := t.TempDir()
		s := mustOpen(t, dir)
		must(t, s.Begin(t.Context(), testRun("r", start)))
		_, err := s.db.Exec("PRAGMA max_page_count = 40")
		must(t, err)
		n := fillUp(t, s)
		verify(t, dir, map[string]int{"r": n})
		_, err = s.db.Exec("PRAGMA max_page_count = 4000")
		must(t, err)
		must(t, s.AddResult(t.Context(), "r", testResult(n), fmt.Sprintf("r %d", n)))
		verify(t, dir, map[string]int{"r": n + 1})
	})
	t.Run("full file system", func(t *testing.T) {
		dir := t.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=700"); err != nil {
			t.Logf("no file system can be mounted here (%v): the page limit alone stands for a full folder", err)
			return
		}
		t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
		filler := filepath.Join(dir, "filler")
		must(t, os.WriteFile(filler, make([]byte, 300<<10), 0o600))
		state := filepath.Join(dir, "state")
		s := mustOpen(t, state)
		must(t, s.Begin(t.Context(), testRun("r", start)))
		n := fillUp(t, s)
		must(t, os.Remove(filler))
		verify(t, state, map[string]int{"r": n})
		must(t, s.AddResult(t.Context(), "r", testResult(n), fmt.Sprintf("r %d", n)))
		verify(t, state, map[string]int{"r": n + 1})

		must(t, os.WriteFile(filler, nil, 0o600)) // and with no byte left, none can be opened
		f, err := os.OpenFile(filler, os.O_WRONLY, 0)
		must(t, err)
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		must(t, f.Close())
		if _, err := Open(t.Context(), filepath.Join(dir, "second")); !errors.Is(err, ErrFull) {
			t.Errorf("Open in a full folder: %v", err)
		}
	})
}

func TestAFolderThatCannotBeWrittenIsToldInOneSentence(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	must(t, os.MkdirAll(filepath.Join(dir, "taken", File), 0o700))
	for name, path := range map[string]string{
		"a file":               file,
		"below a file":         filepath.Join(file, "state"),
		"the name is a folder": filepath.Join(dir, "taken"),
		"procfs":               "/proc/realflops",
	} {
		_, err := Open(t.Context(), path)
		if !errors.Is(err, ErrUnwritable) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want one sentence of ErrUnwritable that names it", name, err)
		}
	}
}

func TestWhatTheSystemRefusesIsToldApart(t *testing.T) {
	for refused, want := range map[syscall.Errno]error{
		syscall.ENOSPC: ErrFull, syscall.EDQUOT: ErrFull, syscall.EROFS: ErrUnwritable, syscall.EACCES: ErrUnwritable, syscall.EPERM: ErrUnwritable,
	} {
		err := explain("/state/realflops.db", "opening", &os.PathError{Op: "mkdir", Path: "/state", Err: refused})
		if text := fmt.Sprintf("database /state/realflops.db: opening: %v (%v)", want, refused); !errors.Is(err, want) || err.Error() != text {
			t.Errorf("%v, want %s", err, text)
		}
	}
}

func TestAConnectionThatMayNotWriteIsTold(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	_, err := s.db.Exec("PRAGMA query_only = 1")
	must(t, err)
	if err := s.Begin(t.Context(), testRun("r", start)); !errors.Is(err, ErrUnwritable) {
		t.Errorf("Begin: %v", err)
	}
}

// TestAReadOnlyFolder runs the helper as another user where this one is root, whom no mode stops.
func TestAReadOnlyFolder(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "helper") // where the other user can reach it
	must(t, os.Chmod(filepath.Dir(filepath.Dir(exe)), 0o755))
	self, err := os.Executable()
	must(t, err)
	text, err := os.ReadFile(self)
	must(t, err)
	must(t, os.WriteFile(exe, text, 0o755))
	for name, made := range map[string]bool{"empty": false, "with a database": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.Chmod(filepath.Dir(dir), 0o755))
			if made {
				filled(t, dir)
			}
			must(t, os.Chmod(dir, 0o555))
			t.Cleanup(func() { must(t, os.Chmod(dir, 0o700)) })
			cmd := helperCommand(t, exe, dir, "r", 1)
			if os.Geteuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			out, err := cmd.CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte(ErrUnwritable.Error())) || bytes.Count(out, []byte("\n")) != 2 {
				t.Errorf("the helper ended with %v and said %q", err, out)
			}
		})
	}
}
