package gpu

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// process is a worker process, or what plays one in a test.
type process struct {
	in     io.WriteCloser
	out    io.ReadCloser
	signal func(os.Signal) error
	done   <-chan struct{} // closed when it has ended and was waited for
	how    func() string   // how it ended, once done: "exit status 1"
	words  func() string   // the last line that it wrote on standard error
}

// keptForParent are the names of the environment that a worker does not get from this
// process: what an emulated device is made of, unless Config.Env sets it, and secrets.
var keptForParent = []string{"REALFLOPS_LIB", "REALFLOPS_EMULATOR", "INFLUX_TOKEN"}

// environment is that of a worker.
func environment(own, added []string) []string {
	kept := slices.DeleteFunc(slices.Clone(own), func(e string) bool {
		return slices.ContainsFunc(keptForParent, func(name string) bool { return strings.HasPrefix(e, name) })
	})
	return append(kept, added...)
}

// launch starts the worker program in a process group of its own, so that a terminal's
// interrupt reaches this process alone, which then decides.
func launch(c Config) (*process, error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("worker %s cannot be started: %w", c.Worker, err)
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		_, _ = childIn.Close(), in.Close()
		return nil, fmt.Errorf("worker %s cannot be started: %w", c.Worker, err)
	}
	said := &tail{}
	cmd := exec.Command(c.Worker)
	cmd.Env = environment(os.Environ(), c.Env)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = childIn, childOut, said
	cmd.SysProcAttr = attributes()
	cmd.WaitDelay = 200 * time.Millisecond // for whoever still holds its standard error

	done, started := make(chan struct{}), make(chan error)
	go reap(cmd, started, done)
	err = <-started
	_, _ = childIn.Close(), childOut.Close()
	if err != nil {
		_, _ = in.Close(), out.Close()
		return nil, fmt.Errorf("worker %s cannot be started: %w", c.Worker, err)
	}
	return &process{
		in: in, out: out, done: done, words: said.line,
		signal: cmd.Process.Signal,
		how:    func() string { return cmd.ProcessState.String() },
	}, nil
}

// reap starts the process and waits for its end, on one thread that lives as long: the signal
// that a child gets at its parent's death is sent when the thread that started it ends.
func reap(cmd *exec.Cmd, started chan<- error, done chan<- struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	started <- err
	if err == nil {
		_ = cmd.Wait() // its state says how it ended
		close(done)
	}
}

// ended waits for the end of the process, at most so long.
func (p *process) ended(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// end makes the process end: SIGTERM, and SIGKILL where that does not do. It reports false
// for a process that outlives both, as one does that its driver holds: it is then waited for no longer.
func (p *process) end(term, kill time.Duration) bool {
	defer func() { _, _ = p.in.Close(), p.out.Close() }()
	for _, s := range terminate {
		_ = p.signal(s) // one that has ended gets none
	}
	if p.ended(term) {
		return true
	}
	_ = p.signal(os.Kill)
	return p.ended(kill)
}

// tail keeps the end of what is written to it, and the line in which a Go program says why
// it crashes: pages of stacks follow that.
type tail struct {
	mu    sync.Mutex
	last  []byte
	crash string
}

// crashes is how such a line begins.
var crashes = regexp.MustCompile(`(?m)^(panic: |fatal error: |SIG[A-Z]+: |runtime: ).*$`)

const tailBytes = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.crash == "" {
		t.crash = string(crashes.Find(b[:min(len(b), tailBytes)]))
	}
	t.last = append(t.last, b[max(0, len(b)-tailBytes):]...)
	t.last = t.last[max(0, len(t.last)-tailBytes):]
	return len(b), nil
}

// line is the line of a crash, or the last line that says something, cut to what fits into a sentence.
func (t *tail) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := strings.Split(strings.ToValidUTF8(string(t.last), "?"), "\n")
	if t.crash != "" {
		all = []string{strings.ToValidUTF8(t.crash, "?")}
	}
	for _, line := range slices.Backward(all) {
		line = strings.Map(printable, strings.TrimSpace(line))
		if line != "" {
			return line[:min(len(line), 200)]
		}
	}
	return ""
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}
