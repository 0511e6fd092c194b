// Package deploy holds no code: its tests hold the files beside it against the programs
// that read them (systemd, cron) and against realflops itself.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const program = "/usr/local/bin/realflops"

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// verify runs systemd-analyze on copies of the unit files, with a program that exists in
// place of realflops; edit may change a copy. It returns what systemd had to say.
func verify(t *testing.T, edit func(name, text string) string) string {
	t.Helper()
	dir := t.TempDir()
	stub := filepath.Join(dir, "realflops")
	if err := os.WriteFile(stub, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	args := []string{"verify"}
	for _, name := range []string{"realflops.service", "realflops.timer"} {
		path := filepath.Join(dir, name)
		text := edit(name, strings.ReplaceAll(read(t, name), program, stub))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatalf("systemd-analyze (package systemd) does not run: %v", err)
	}
	return string(out)
}

// An unknown key is only warned of, with exit code 0: any output is a failure.
func TestSystemdTakesTheUnits(t *testing.T) {
	if out := verify(t, func(_, text string) string { return text }); out != "" {
		t.Errorf("systemd-analyze verify says:\n%s", out)
	}
	for name, edit := range map[string]func(string) string{
		"misspelt key":    func(s string) string { return strings.Replace(s, "StateDirectory=", "StateDirectroy=", 1) },
		"bad time":        func(s string) string { return strings.Replace(s, "03:00:00", "25:00:00", 1) },
		"missing program": func(s string) string { return strings.Replace(s, "/realflops run", "/absent run", 1) },
	} {
		if out := verify(t, func(_, text string) string { return edit(text) }); out == "" {
			t.Errorf("%s: systemd-analyze verify says nothing, so this test proves nothing", name)
		}
	}
}

// settings lists the keys of a unit file with their values.
func settings(t *testing.T, name string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for line := range strings.Lines(read(t, name)) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			found[key] = append(found[key], value)
		}
	}
	return found
}

func TestServiceHidesNoDeviceAndKeepsTheMachineAsItIs(t *testing.T) {
	found := settings(t, "realflops.service")
	for _, key := range []string{
		"PrivateDevices", "DevicePolicy", "DeviceAllow", "ProtectClock", // hide GPUs
		"ProcSubset", "MemoryDenyWriteExecute", "SystemCallFilter",
		"Nice", "CPUSchedulingPolicy", "CPUAffinity", "CPUQuota", "CPUWeight", "AllowedCPUs", "MemoryMax", "MemoryHigh", // change what is measured
	} {
		if value, ok := found[key]; ok {
			t.Errorf("%s=%s: see the end of the file for why it is left out", key, value)
		}
	}
	for key, want := range map[string][]string{
		"SuccessExitStatus": {"75"},
		"StateDirectory":    {"realflops"},
		"LoadCredential":    {"influx-token:/etc/realflops/influx-token"},
		"Environment":       {"REALFLOPS_INFLUX_TOKEN_FILE=%d/influx-token", "XDG_STATE_HOME=%S"},
	} {
		if !slices.Equal(found[key], want) {
			t.Errorf("%s = %q, want %q", key, found[key], want)
		}
	}
}

// crontab is what cron reads in a file of /etc/cron.d: settings, and lines of five times,
// a user and a command.
type crontab struct {
	env  map[string]string
	jobs [][]string // fields 0..4 are the times, 5 the user, 6 the command to the end of the line
}

func parseCrontab(text string) crontab {
	c := crontab{env: map[string]string{}}
	setting := regexp.MustCompile(`^\s*(\w+)\s*=\s*(.*)$`)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if m := setting.FindStringSubmatch(line); m != nil {
			c.env[m[1]] = m[2]
			continue
		}
		fields := regexp.MustCompile(`\s+`).Split(line, 7)
		c.jobs = append(c.jobs, fields)
	}
	return c
}

func TestCronLineIsOne(t *testing.T) {
	text := read(t, "cron.d/realflops")
	if !strings.HasSuffix(text, "\n") {
		t.Error("cron drops a last line without a newline")
	}
	c := parseCrontab(text)
	if len(c.jobs) != 1 || len(c.jobs[0]) != 7 {
		t.Fatalf("jobs = %q, want one of five times, a user and a command", c.jobs)
	}
	job := c.jobs[0]
	for i, limit := range []struct {
		name     string
		min, max int
	}{{"minute", 0, 59}, {"hour", 0, 23}, {"day of month", 1, 31}, {"month", 1, 12}, {"day of week", 0, 7}} {
		if job[i] == "*" {
			continue
		}
		if v, err := strconv.Atoi(job[i]); err != nil || v < limit.min || v > limit.max {
			t.Errorf("%s is %q, want * or %d..%d", limit.name, job[i], limit.min, limit.max)
		}
	}
	if job[5] != "root" {
		t.Errorf("user %q", job[5])
	}
	if strings.Contains(job[6], "%") {
		t.Errorf("cron reads %% as a newline: %s", job[6])
	}
	// cron's own PATH is /usr/bin:/bin, where realflops is not.
	if !slices.Contains(filepath.SplitList(c.env["PATH"]), filepath.Dir(program)) {
		t.Errorf("PATH=%s lacks %s", c.env["PATH"], filepath.Dir(program))
	}
	for name, value := range c.env {
		if strings.Contains(value, "$") {
			t.Errorf("%s=%s: cron expands no variable", name, value)
		}
	}
}

// Both ways run the same job, with the same settings.
func TestCronAndSystemdDoTheSame(t *testing.T) {
	cron := parseCrontab(read(t, "cron.d/realflops"))
	example := parseCrontab(read(t, "realflops.env")).env
	if len(example) == 0 {
		t.Fatal("realflops.env sets nothing")
	}
	for name, value := range example {
		if cron.env[name] != value {
			t.Errorf("%s is %q for systemd, %q for cron", name, value, cron.env[name])
		}
	}
	if got, want := cronCommand(t), serviceCommand(t); !slices.Equal(got, want) {
		t.Errorf("cron runs %q, systemd %q", got, want)
	}
	for _, name := range []string{"realflops.env", "cron.d/realflops", "realflops.service"} {
		if regexp.MustCompile(`(?m)^[^#\n]*\bINFLUX_TOKEN=`).MatchString(read(t, name)) {
			t.Errorf("%s holds a token; it belongs in a file of its own", name)
		}
	}
}

// cronCommand and serviceCommand are the arguments with which realflops is run.
func cronCommand(t *testing.T) []string {
	t.Helper()
	command, _, _ := strings.Cut(parseCrontab(read(t, "cron.d/realflops")).jobs[0][6], "2>&1")
	args := strings.Fields(command)
	if args[0] != "realflops" {
		t.Fatalf("cron runs %q, want realflops", args[0])
	}
	return args[1:]
}

func serviceCommand(t *testing.T) []string {
	t.Helper()
	args := strings.Fields(settings(t, "realflops.service")["ExecStart"][0])
	if args[0] != program {
		t.Fatalf("ExecStart runs %q, want %s", args[0], program)
	}
	return args[1:]
}

// The program takes the command: with --plan it prints what it would measure and ends.
func TestRealflopsTakesTheCommand(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "realflops")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", bin, "github.com/realflops/realflops/cmd/realflops")
	// For the machine under the test, not the one that a test under an emulator is built for.
	build.Env = append(os.Environ(), "GOARCH=", "GOOS=", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building realflops: %v\n%s", err, out)
	}
	plan := exec.Command(bin, append(serviceCommand(t), "--plan")...)
	plan.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir())
	out, err := plan.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "gemm") {
		t.Errorf("realflops %s: %v\n%s", strings.Join(plan.Args[1:], " "), err, out)
	}
}
