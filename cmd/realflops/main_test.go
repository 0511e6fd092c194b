package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// programPath is a file named realflops that runs this test binary as the program.
var programPath string

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "realflops" {
		main()
	}
	dir, err := os.MkdirTemp("", "realflops")
	if err == nil {
		programPath, err = install(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// install makes programPath in dir. Where the system cannot run the binary by itself,
// because these tests run under user-mode emulation, so does the program.
func install(dir string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "realflops")
	if err := os.Symlink(self, path); err != nil {
		return "", err
	}
	if err := exec.Command(path, "version").Run(); !errors.Is(err, syscall.ENOEXEC) {
		return path, err
	}
	emulator := map[string]string{"arm64": "qemu-aarch64-static", "amd64": "qemu-x86_64-static"}[runtime.GOARCH]
	script := fmt.Sprintf("#!/bin/sh\nexec %s -cpu max -0 realflops %s \"$@\"\n", emulator, self)
	return path, errors.Join(os.Remove(path), os.WriteFile(path, []byte(script), 0o700))
}

// TestScripts runs the program as a user would; each file under testdata/script is one story.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(programPath)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("XDG_STATE_HOME", env.WorkDir+"/state")
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir+"/config")
			env.Setenv("REALFLOPS_INFLUX_PATIENCE", "1ms")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits CODE COMMAND... runs the command and wants this very exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}
