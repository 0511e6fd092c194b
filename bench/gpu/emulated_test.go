package gpu

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// script is a program that plays the emulator.
func script(t *testing.T, text string) (program, worker string) {
	t.Helper()
	dir := t.TempDir()
	program = filepath.Join(dir, "realflops")
	for path, content := range map[string]string{program: "#!/bin/sh\n" + text, filepath.Join(dir, shimName): ""} {
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return program, filepath.Join(dir, WorkerName)
}

func TestEmulatorIsStartedTheSocketIsNamedAndItsLinesAreHandedOn(t *testing.T) {
	var said []string
	program, worker := script(t, `echo "$@" >&2; echo listening; cat >/dev/null; echo "half a"; printf 'last' >&2`)
	e, err := StartEmulator(t.Context(), program, worker, "a100", func(line string) { said = append(said, line) })
	if err != nil {
		t.Fatal(err)
	}
	socket := strings.TrimPrefix(e.Env[0], "REALFLOPS_EMULATOR=")
	folder := filepath.Dir(socket)
	if _, err := os.Stat(folder); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"REALFLOPS_LIBCUDA", "REALFLOPS_LIBNVML", "REALFLOPS_LIBCUBLASLT"} {
		if !slices.Contains(e.Env, name+"="+filepath.Join(filepath.Dir(worker), shimName)) {
			t.Errorf("%s is not the shim in %v", name, e.Env)
		}
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the socket's folder is left: %v", err)
	}
	if want := []string{"emulator: emulator a100 --socket " + socket}; !slices.Equal(said, want) {
		t.Errorf("handed on %q, want %q", said, want)
	}
}

func TestEmulatorThatDoesNotStartLeavesNothing(t *testing.T) {
	folders := t.TempDir()
	t.Setenv("TMPDIR", folders)
	var said []string
	program, worker := script(t, `echo "no such card" >&2; exit 2`)
	if _, err := StartEmulator(t.Context(), program, worker, "a1000", func(line string) { said = append(said, line) }); err == nil || err.Error() != "the emulator did not start" {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(said, []string{"emulator: no such card"}) {
		t.Errorf("handed on %q", said)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(worker), shimName)); err != nil {
		t.Fatal(err)
	}
	if _, err := StartEmulator(t.Context(), program, worker, "a100", nil); err == nil || !strings.Contains(err.Error(), "make worker") {
		t.Errorf("without the shim: %v, want what builds it", err)
	}
	if left, err := filepath.Glob(filepath.Join(folders, "realflops-emulator-*")); err != nil || len(left) > 0 {
		t.Errorf("folders are left: %v, %v", left, err)
	}
}
