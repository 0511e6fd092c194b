package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// The test binary is its own helper process: with helperEnv set it writes results and
// prints the number of each that was acknowledged.
const helperEnv = "REALFLOPS_STORE_HELPER" // "dir run count"; a count of 0 never ends

func TestMain(m *testing.M) {
	if args := os.Getenv(helperEnv); args != "" {
		if err := helper(args); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func helper(args string) error {
	var dir, run string
	var count int
	if _, err := fmt.Sscan(args, &dir, &run, &count); err != nil {
		return err
	}
	ctx := context.Background()
	fmt.Println("started")
	s, err := Open(ctx, dir)
	if err != nil {
		return err
	}
	if s.SetAside() != "" {
		return fmt.Errorf("an intact database was set aside as %s", s.SetAside())
	}
	if err := s.Begin(ctx, testRun(run, start)); err != nil {
		return err
	}
	for i := 0; count == 0 || i < count; i++ {
		if err := s.AddResult(ctx, run, testResult(i), fmt.Sprintf("%s %d", run, i)); err != nil {
			return err
		}
		fmt.Println("kept", i)
	}
	return s.Close()
}

// helperCommand runs exe, a copy of this test binary, as a helper. Where the system cannot
// run it by itself, because this one runs under user-mode emulation, so does the helper.
func helperCommand(t *testing.T, exe, dir, run string, count int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(exe)
	if probe := exec.Command(exe, "-test.list=^$"); errors.Is(probe.Run(), syscall.ENOEXEC) {
		emulator := map[string]string{"arm64": "qemu-aarch64-static", "amd64": "qemu-x86_64-static"}[runtime.GOARCH]
		cmd = exec.Command(emulator, "-cpu", "max", exe)
	}
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", helperEnv, dir, run, count))
	return cmd
}

func startHelper(t *testing.T, dir, run string, count int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := helperCommand(t, self, dir, run, count)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

func TestWhatWasAcknowledgedSurvivesSIGKILL(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(20260301, 7))
	acknowledged := map[string]int{} // run -> results
	kills := 20
	if testing.Short() {
		kills = 5
	}
	for i := range kills {
		run := fmt.Sprintf("run-%02d", i)
		cmd, lines := startHelper(t, dir, run, 0)
		// The moment: after so many lines (0: while it opens the database), and a little more work of ours.
		for range rng.IntN(40) {
			if !lines.Scan() {
				break
			}
			note(t, acknowledged, run, lines.Text())
		}
		for range rng.IntN(1_000_000) {
			rng.Uint64()
		}
		must(t, cmd.Process.Kill())
		for lines.Scan() { // what it had acknowledged before it died
			note(t, acknowledged, run, lines.Text())
		}
		err := cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the helper was not killed: %v", err)
		}
		verify(t, dir, acknowledged)
	}
	total := 0
	for _, n := range acknowledged {
		total += n
	}
	if total < 5*kills {
		t.Errorf("only %d results were acknowledged in all: the test shows too little", total)
	}
	t.Logf("%d results acknowledged over %d kills", total, kills)
}

func note(t *testing.T, acknowledged map[string]int, run, line string) {
	t.Helper()
	n, ok := strings.CutPrefix(line, "kept ")
	if !ok {
		if line != "started" {
			t.Fatalf("the helper said %q", line)
		}
		return
	}
	i, err := strconv.Atoi(n)
	must(t, err)
	acknowledged[run] = i + 1
}

// verify opens the database and looks for every acknowledged result and its outbox entry.
func verify(t *testing.T, dir string, acknowledged map[string]int) {
	t.Helper()
	s, err := Open(t.Context(), dir)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	if s.SetAside() != "" {
		t.Fatalf("the kill corrupted the database: set aside as %s", s.SetAside())
	}
	entries, err := s.Pending(t.Context(), -1)
	must(t, err)
	queued := map[string]int{}
	for _, e := range entries {
		if want := fmt.Sprintf("%s %d", e.RunID, queued[e.RunID]); e.Line != want {
			t.Fatalf("outbox entry %q, want %q", e.Line, want)
		}
		queued[e.RunID]++
	}
	for run, n := range acknowledged {
		stored, err := s.Load(t.Context(), run)
		must(t, err)
		if len(stored.Results) < n || len(stored.Results) > n+1 { // one may have been kept but not yet said
			t.Fatalf("%s: %d results kept, %d acknowledged", run, len(stored.Results), n)
		}
		if queued[run] != len(stored.Results) {
			t.Fatalf("%s: %d outbox entries for %d results", run, queued[run], len(stored.Results))
		}
		for i, r := range stored.Results {
			if r.N != i {
				t.Fatalf("%s: result %d is number %d", run, i, r.N)
			}
		}
	}
}

func TestProcessesAtTheSameTimeWaitTheirTurn(t *testing.T) {
	dir := t.TempDir() // empty: they race to create it too
	const each = 50
	acknowledged := map[string]int{}
	type process struct {
		run   string
		cmd   *exec.Cmd
		lines *bufio.Scanner
	}
	var all []process
	for i := range 3 {
		run := fmt.Sprintf("run-%d", i)
		cmd, lines := startHelper(t, dir, run, each)
		all = append(all, process{run, cmd, lines})
	}
	for _, p := range all {
		for p.lines.Scan() {
			note(t, acknowledged, p.run, p.lines.Text())
		}
		must(t, p.cmd.Wait())
		if acknowledged[p.run] != each {
			t.Errorf("%s kept %d of %d", p.run, acknowledged[p.run], each)
		}
	}
	verify(t, dir, acknowledged)
}

func TestCorruptDatabaseFoundByTwoIsSetAsideOnce(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, File), []byte("damaged"), 0o600))
	const n = 4
	asides := make(chan string, n)
	for range n {
		go func() {
			s, err := Open(context.WithoutCancel(t.Context()), dir)
			if err != nil {
				asides <- err.Error()
				return
			}
			asides <- s.SetAside()
			_ = s.Close()
		}()
	}
	told := 0
	for range n {
		switch aside := <-asides; {
		case strings.Contains(aside, ".corrupt-"):
			told++
		case aside != "":
			t.Error(aside)
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.corrupt-*"))
	must(t, err)
	if told != 1 || len(found) != 1 {
		t.Errorf("set aside %d times: %q", told, found)
	}
}

func TestOpenWaitsForWhoeverElseOpens(t *testing.T) {
	dir := t.TempDir()
	other := flock.New(filepath.Join(dir, File+".lock"))
	must(t, other.RLock()) // the weakest lock that keeps us out
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open beside another: %v", err)
	}
	must(t, other.Close())
	mustOpen(t, dir)
}

func TestASecondProcessGivesUpOnlyWhenItsTimeIsOver(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	other := mustOpen(t, dir)
	_, err := other.db.Exec("PRAGMA busy_timeout = 1")
	must(t, err)
	tx, err := s.db.BeginTx(t.Context(), nil)
	must(t, err)
	if err := other.Begin(t.Context(), testRun("r", start)); !errors.Is(err, ErrBusy) {
		t.Errorf("Begin beside a held transaction: %v", err)
	}
	must(t, tx.Rollback())
	must(t, other.Begin(t.Context(), testRun("r", start)))
}
