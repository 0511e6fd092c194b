//go:build worker

package driver

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A process opens one driver library. So the tests of Device share the double of a healthy
// driver, and each test of how opening fails runs this program again, to tell what it sees.
const askEnv = "REALFLOPS_TEST_ASK"

// seen is what a process that was asked tells.
type seen struct {
	Status  Status
	Devices []Description
	Err     string
}

func TestMain(m *testing.M) {
	if os.Getenv(askEnv) != "" {
		tell()
		return
	}
	os.Exit(runTests(m))
}

func tell() {
	s := seen{Status: Open()}
	var err error
	if s.Devices, err = Devices(); err != nil {
		s.Err = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "driver")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	healthy := filepath.Join(dir, "libcuda.so.1")
	if err := compileTo(healthy, "libcuda.c"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.Setenv(cudaLibrary.env, healthy); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// compileTo makes a shared library of a source in testdata.
func compileTo(path, source string, flags ...string) error {
	args := append([]string{"-O1", "-shared", "-fPIC", "-o", path, filepath.Join("testdata", source)}, flags...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("gcc %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func compile(t *testing.T, source string, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), strings.TrimSuffix(source, ".c")+".so")
	if err := compileTo(path, source, flags...); err != nil {
		t.Fatal(err)
	}
	return path
}

// ask runs this program again with the given driver library.
func ask(t *testing.T, library string) seen {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), askEnv+"=1", cudaLibrary.env+"="+library)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("a process with driver %s ended by %v", library, err)
	}
	var s seen
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	return s
}

// only is a node whose libraries are those of variables alone.
func only(variables map[string]string) node {
	return node{root: "/nonexistent", getenv: func(name string) string { return variables[name] }}
}
