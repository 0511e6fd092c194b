// Package scripts holds no code: its tests run the shell scripts beside it with stand-ins
// for the programs that they call.
package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// stage is a folder of stand-ins that goes before everything else in PATH. Each call of
// one is written to the log.
type stage struct {
	t   *testing.T
	dir string
}

func newStage(t *testing.T, programs map[string]string) stage {
	t.Helper()
	s := stage{t, t.TempDir()}
	for name, body := range programs {
		text := "#!/bin/sh\necho \"" + name + " $*\" >>" + s.log() + "\n" + body + "\n"
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s stage) log() string { return filepath.Join(s.dir, "log") }

// run runs a script of this folder in dir and returns what it printed and the calls of
// the stand-ins.
func (s stage) run(dir, script string, args ...string) (out, calls string, err error) {
	s.t.Helper()
	path, err := filepath.Abs(script)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("sh", append([]string{path}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+s.dir+":"+os.Getenv("PATH"))
	text, err := cmd.CombinedOutput()
	log, logErr := os.ReadFile(s.log())
	if logErr != nil && !os.IsNotExist(logErr) {
		s.t.Fatal(logErr)
	}
	return string(text), string(log), err
}

// debian knows two packages: gcc is installed, jq was and is not any more.
func debian(uid string) map[string]string {
	return map[string]string{
		"dpkg-query": `case "$*" in *gcc) echo installed;; *jq) echo config-files;; *) exit 1;; esac`,
		"apt-get":    "",
		"id":         "echo " + uid,
	}
}

func TestPackagesTouchesNothingWhereAllAreThere(t *testing.T) {
	out, calls, err := newStage(t, debian("0")).run(t.TempDir(), "packages.sh", "gcc")
	if err != nil || strings.Contains(calls, "apt-get") || out != "" {
		t.Errorf("err %v, printed %q, called\n%s", err, out, calls)
	}
}

func TestPackagesInstallsWhatIsMissingAlone(t *testing.T) {
	out, calls, err := newStage(t, debian("0")).run(t.TempDir(), "packages.sh", "gcc", "jq", "qemu-user-static")
	if err != nil || !strings.Contains(calls, "apt-get -q update\napt-get -q install -y --no-install-recommends jq qemu-user-static\n") {
		t.Errorf("err %v, printed %q, called\n%s", err, out, calls)
	}
}

func TestPackagesTellsAUserWhatToRun(t *testing.T) {
	out, calls, err := newStage(t, debian("1000")).run(t.TempDir(), "packages.sh", "gcc", "jq")
	if err == nil || strings.Contains(calls, "apt-get") || !strings.Contains(out, "as root, run: apt-get install --no-install-recommends jq") {
		t.Errorf("err %v, printed %q, called\n%s", err, out, calls)
	}
}

// tree makes a folder as check-generated sees it, with one generated file.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "kernels/cpu"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kernels/cpu/a.s"), []byte("generated\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestGeneratedFilesMustBeWhatTheGeneratorMakes(t *testing.T) {
	for generator, want := range map[string]string{
		"echo generated >kernels/cpu/a.s": "",
		"echo different >kernels/cpu/a.s": "kernels/cpu/a.s",
		"echo forgotten >kernels/cpu/b.s": "kernels/cpu/b.s",
		"rm kernels/cpu/a.s":              "kernels/cpu/a.s",
		"exit 1":                          "",
	} {
		out, calls, err := newStage(t, map[string]string{"make": generator}).run(tree(t), "check-generated.sh")
		if !strings.Contains(calls, "generate") {
			t.Fatalf("%s: the generator was not run", generator)
		}
		if fails := generator == "exit 1" || want != ""; (err != nil) != fails || !strings.Contains(out, want) {
			t.Errorf("%s: err %v, printed %q", generator, err, out)
		}
	}
}
