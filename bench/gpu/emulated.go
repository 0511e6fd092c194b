package gpu

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// shimName is the library that stands in for the driver's. It is built and installed with the
// worker, and forwards every call to the emulator's socket.
const shimName = "realflops-emulated.so"

// Emulator is a process that emulates a node's GPUs.
type Emulator struct {
	Env    []string // what makes a worker use it
	cmd    *exec.Cmd
	stdin  io.Closer // it ends when this is closed, also by the death of this process
	folder string
}

// StartEmulator starts `program emulator NODE --socket PATH` (this program's own hidden verb)
// and waits until it listens. worker is the path of the worker, beside which the shim lies; log
// is told each line that the emulator writes, such as which line of PTX misused memory.
func StartEmulator(ctx context.Context, program, worker, node string, log func(string)) (*Emulator, error) {
	shim := filepath.Join(filepath.Dir(worker), shimName)
	if _, err := os.Stat(shim); err != nil {
		return nil, fmt.Errorf("%s is missing beside the worker (`make worker` builds both): %w", shimName, err)
	}
	folder, err := os.MkdirTemp("", "realflops-emulator-")
	if err != nil {
		return nil, err
	}
	e := &Emulator{folder: folder}
	if err := e.start(ctx, program, node, log); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	e.Env = []string{"REALFLOPS_EMULATOR=" + e.socket()}
	for _, library := range []string{"REALFLOPS_LIBCUDA", "REALFLOPS_LIBNVML", "REALFLOPS_LIBCUBLASLT"} {
		e.Env = append(e.Env, library+"="+shim)
	}
	return e, nil
}

func (e *Emulator) socket() string { return filepath.Join(e.folder, "node.sock") }

func (e *Emulator) start(ctx context.Context, program, node string, log func(string)) error {
	stderr := &lines{to: log}
	e.cmd = exec.CommandContext(ctx, program, "emulator", node, "--socket", e.socket())
	e.cmd.Args[0] = "realflops"    // whatever the file is called
	e.cmd.SysProcAttr = ownGroup() // an interrupt is for the workers to leave by
	e.cmd.Stderr = stderr
	stdin, err := e.cmd.StdinPipe()
	if err != nil {
		return err
	}
	e.stdin = stdin
	stdout, err := e.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := e.cmd.Start(); err != nil {
		return fmt.Errorf("the emulator cannot be started: %w", err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "listening\n" {
		_ = stdin.Close()
		_ = e.cmd.Wait()
		return errors.New("the emulator did not start")
	}
	return nil
}

// lines hands on what is written to it line by line.
type lines struct {
	to   func(string)
	rest string
}

func (l *lines) Write(b []byte) (int, error) {
	l.rest += string(b)
	for {
		line, rest, whole := strings.Cut(l.rest, "\n")
		if !whole {
			return len(b), nil
		}
		l.to("emulator: " + line)
		l.rest = rest
	}
}

// emulatorLeaves is how long an emulator may take to end.
const emulatorLeaves = 5 * time.Second

// Close ends the emulator and waits for it.
func (e *Emulator) Close() error {
	err := e.stdin.Close()
	kill := time.AfterFunc(emulatorLeaves, func() { _ = e.cmd.Process.Kill() })
	defer kill.Stop()
	_ = e.cmd.Wait() // its exit code says nothing that a worker did not
	return errors.Join(err, os.RemoveAll(e.folder))
}
