package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/agent/influx/influxtest"
	"github.com/realflops/realflops/agent/store"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/docs/schema"
)

// program is the program under test with its surroundings.
type program struct {
	t   *testing.T
	env []string
	dir string // to run in; "" for this one
}

func newProgram(t *testing.T, env ...string) program {
	dir := t.TempDir()
	base := []string{"HOME=" + dir, "XDG_STATE_HOME=" + filepath.Join(dir, "state"), "XDG_CONFIG_HOME=" + filepath.Join(dir, "config"), "PATH=" + os.Getenv("PATH"), "REALFLOPS_INFLUX_PATIENCE=1ms"}
	return program{t: t, env: append(base, env...)}
}

func (p program) with(env ...string) program {
	p.env = append(append([]string{}, p.env...), env...)
	return p
}

func (p program) command(args ...string) *exec.Cmd {
	cmd := exec.Command(programPath, args...)
	cmd.Env, cmd.Dir = p.env, p.dir
	return cmd
}

// run runs the program to its end and wants the exit code.
func (p program) run(code int, args ...string) (stdout, stderr string) {
	p.t.Helper()
	cmd := p.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		p.t.Fatalf("realflops %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, errs.String())
	}
	return out.String(), errs.String()
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	return v
}

type historyDocument struct {
	Runs []struct {
		Run     string
		Status  string
		Suite   string
		Results int
		Pending int
	}
}

// influxEnv is the environment that a user would set for the server.
func influxEnv(t *testing.T, s *influxtest.Server) []string {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(s.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"INFLUX_HOST=" + s.URL, "INFLUX_ORG=" + s.Org, "INFLUX_BUCKET=" + s.Bucket, "REALFLOPS_INFLUX_TOKEN_FILE=" + file}
}

// points counts the results that the server holds, by one field that each has.
func points(s *influxtest.Server) int {
	return len(s.Query(fmt.Sprintf(`from(bucket: %q) |> range(start: -1d) |> filter(fn: (r) => r._measurement == "realflops" and r._field == "run_id")`, s.Bucket)))
}

// TestQuickRunKeepsItsContract is the main job, once, with all that is promised of it.
func TestQuickRunKeepsItsContract(t *testing.T) {
	if testing.Short() {
		t.Skip("skip: it measures for 40 s, and end-to-end has done it")
	}
	server := influxtest.Start(t)
	p := newProgram(t, influxEnv(t, server)...)
	out := filepath.Join(t.TempDir(), "run.json")
	stdout, stderr := p.run(0, "run", "--suite", "quick", "--json", "--out", out)

	if err := schema.Validate("realflops-1", []byte(stdout)); err != nil {
		t.Errorf("the document breaks its schema: %v", err)
	}
	doc := decode[agent.Document](t, stdout)
	if doc.Profile == nil || doc.Run.Status != store.Complete {
		t.Errorf("status %q, profile %v", doc.Run.Status, doc.Profile)
	}
	for _, r := range doc.Results {
		if r.Status != bench.OK {
			t.Errorf("%s on %d threads: %s", r.Spec(), r.Threads, r.Error)
		}
	}
	if !regexp.MustCompile(`quick suite on .*: \d+ measurements, about \d`).MatchString(stderr) {
		t.Errorf("stderr does not say beforehand how long it takes:\n%s", stderr)
	}
	if n := points(server); n != len(doc.Results) {
		t.Errorf("the server holds %d points of %d results", n, len(doc.Results))
	}
	kept := decode[agent.Document](t, mustRead(t, out))
	if len(kept.Results) != len(doc.Results) {
		t.Errorf("--out holds %d results, stdout %d", len(kept.Results), len(doc.Results))
	}

	// What was kept is what was printed.
	h := decode[historyDocument](t, first(p.run(0, "history", "--json")))
	if len(h.Runs) != 1 || h.Runs[0].Run != doc.Run.ID || h.Runs[0].Results != len(doc.Results) || h.Runs[0].Pending != 0 {
		t.Errorf("history %+v", h.Runs)
	}
	compared, _ := p.run(0, "compare", "latest", out)
	if n := strings.Count(compared, "no difference seen"); n != len(doc.Results) {
		t.Errorf("a run differs from itself: %d rows of %d without a difference\n%s", n, len(doc.Results), compared)
	}
	estimate, _ := p.run(0, "estimate", "gpt2", "--task", "decode", "--json")
	if err := schema.Validate("realflops-estimate-1", []byte(estimate)); err != nil {
		t.Errorf("the estimate breaks its schema: %v", err)
	}
	p.runReadme(t)
}

// runReadme runs the commands that the README shows, but for `run` itself, which the caller did, and
// what needs a GPU. Emulated runs are planned alone: TestEmulatedRunIsLikeARealOneAndKeepsNothing makes one.
func (p program) runReadme(t *testing.T) {
	p = p.with(workerInPATH(t))
	dir := t.TempDir()
	config := filepath.Join(dir, "path", "to", "config.json")
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(`{"model_type": "gpt2", "vocab_size": 50257, "n_positions": 2048, "n_embd": 768, "n_layer": 12, "n_head": 12}`), 0o600); err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^\$ (?:\./bin/)?realflops ([^#\n]+)`).FindAllStringSubmatch(mustRead(t, "../../README.md"), -1)
	ran := 0
	for _, line := range shown {
		args := strings.Fields(line[1])
		switch {
		case len(args) == 1 && args[0] == "run", slices.Contains(args, "--device"):
			continue
		case slices.Contains(args, "--emulate"):
			args = append(args, "--plan")
		}
		p.dir = dir
		p.run(0, args...)
		ran++
	}
	if ran < 5 {
		t.Errorf("%d commands found in the README", ran)
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func first(a, _ string) string { return a }

// small is a measurement that takes a fifth of a second.
var small = []string{"bench", "relu", "--shape", "4096", "--threads", "1", "--seconds", "0.2"}

func TestServerThatIsAwayCostsNoPoint(t *testing.T) {
	server := influxtest.Start(t)
	p := newProgram(t, influxEnv(t, server)...)
	server.Stop()
	p.run(75, small...)
	p.run(75, small...)
	_, stderr := p.run(75, "push")
	if !strings.Contains(stderr, "4 points") { // a result and a row of its run, twice
		t.Errorf("push does not say how many points wait:\n%s", stderr)
	}
	server.Restart()
	p.run(0, "push")
	if n := points(server); n != 2 {
		t.Errorf("the server holds %d points of 2 results", n)
	}
	p.run(0, "push")
	if n := points(server); n != 2 {
		t.Errorf("a second push made %d points of 2", n)
	}
	for _, r := range decode[historyDocument](t, first(p.run(0, "history", "--json"))).Runs {
		if r.Pending != 0 {
			t.Errorf("%+v", r)
		}
	}
}

// TestKillLosesNothingAcknowledged kills run at random moments. A line on stderr that tells
// a result is printed after the result was stored.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	times := 20
	if testing.Short() {
		times = 3
	}
	random := rand.New(rand.NewPCG(1, 2))
	p := newProgram(t)
	told := regexp.MustCompile(`(?m)^\d+/\d+ .*: .* left$`)
	for i := range times {
		ctx, cancel := context.WithCancel(t.Context())
		cmd := p.command("run", "--suite", "quick")
		pipe, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The moment is random in work done and in time, so that it falls anywhere in a write.
		lines, delay := random.IntN(5), time.Duration(random.IntN(int(200*time.Millisecond)))
		acknowledged := 0
		timer := time.AfterFunc(time.Hour, func() {})
		scan := bufio.NewScanner(pipe)
		for scan.Scan() {
			if told.MatchString(scan.Text()) {
				acknowledged++
			}
			if acknowledged == lines && ctx.Err() == nil {
				cancel()
				timer = time.AfterFunc(delay, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
			}
		}
		timer.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // "signal: killed"
		cancel()
		runs := decode[historyDocument](t, first(p.run(0, "history", "--json", "--limit", "100"))).Runs
		if len(runs) != i+1 {
			t.Fatalf("kill %d: %d runs are kept", i+1, len(runs))
		}
		if got := runs[0]; got.Results < acknowledged || got.Pending < acknowledged {
			t.Errorf("kill %d: %d results were acknowledged, %d are kept and %d wait", i+1, acknowledged, got.Results, got.Pending)
		}
	}
	// The next run takes the lock and calls the killed ones interrupted.
	p.run(0, small...)
	for _, r := range decode[historyDocument](t, first(p.run(0, "history", "--json", "--limit", "100"))).Runs[1:] {
		if r.Status != store.Interrupted {
			t.Errorf("a killed run has status %q", r.Status)
		}
	}
}

func TestInterruptKeepsWhatWasMeasured(t *testing.T) {
	p := newProgram(t)
	cmd := p.command("run", "--suite", "quick", "--json")
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(pipe)
	var last string
	for scan.Scan() {
		last = scan.Text()
		if strings.HasPrefix(last, "3/") {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d, want %d; stderr ends with %q", code, exitInterrupted, last)
	}
	doc := decode[agent.Document](t, stdout.String())
	if doc.Run.Status != store.Interrupted || len(doc.Results) < 3 {
		t.Errorf("status %q, %d results", doc.Run.Status, len(doc.Results))
	}
	runs := decode[historyDocument](t, first(p.run(0, "history", "--json"))).Runs
	if len(runs) != 1 || runs[0].Status != store.Interrupted || runs[0].Results != len(doc.Results) {
		t.Errorf("history %+v, %d results printed", runs, len(doc.Results))
	}
}

func TestSecondRunWaitsOrLeaves(t *testing.T) {
	p := newProgram(t)
	state := filepath.Join(strings.TrimPrefix(p.env[1], "XDG_STATE_HOME="), "realflops")
	unlock, err := agent.Lock(t.Context(), state, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, stderr := p.run(exitNothing, append(small, "--wait", "0s")...)
	if !strings.Contains(stderr, "another run is measuring on this machine") {
		t.Errorf("stderr %q", stderr)
	}
	unlock()
	p.run(0, append(small, "--wait", "0s")...)
}

func TestResultsThatCannotBeKeptArePrinted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := newProgram(t)
	stdout, stderr := p.run(exitFailed, append(small, "--json", "--state-dir", filepath.Join(file, "state"))...)
	if doc := decode[agent.Document](t, stdout); len(doc.Results) != 1 || doc.Results[0].Status != bench.OK {
		t.Errorf("%d results printed", len(doc.Results))
	}
	if !strings.Contains(stderr, "the results were not kept: ") {
		t.Errorf("stderr does not say that nothing was kept:\n%s", stderr)
	}
}

func TestSecretsStaySecret(t *testing.T) {
	const secret = "s3cr3t-t0ken"
	server := influxtest.Start(t) // knows another token: it will answer 401
	p := newProgram(t, "INFLUX_HOST="+server.URL, "INFLUX_ORG=o", "INFLUX_BUCKET=b", "INFLUX_TOKEN="+secret)
	stdout, stderr := p.run(exitUndelivered, append(small, "--json", "-v")...)
	doctor, doctorErr := p.run(0, "doctor")
	masked := p.with("INFLUX_HOST=http://user:" + secret + "@127.0.0.1:1")
	_, refused := masked.run(exitUsage, "push")
	for name, text := range map[string]string{"stdout": stdout, "stderr": stderr, "doctor": doctor + doctorErr, "push": refused} {
		if strings.Contains(text, secret) {
			t.Errorf("%s holds the secret:\n%s", name, text)
		}
	}
	state := strings.TrimPrefix(p.env[1], "XDG_STATE_HOME=")
	err := filepath.WalkDir(state, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.Contains(mustRead(t, path), secret) {
			t.Errorf("%s holds the secret", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
