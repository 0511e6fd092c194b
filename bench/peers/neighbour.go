package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
)

// spinner is a process that keeps one CPU busy while it is let.
type spinner struct {
	process *exec.Cmd
	in      io.Closer
}

// spinArgument makes this program a spinner.
const spinArgument = "spin"

// startSpinner starts this program as a busy neighbour, and holds it.
func startSpinner() (*spinner, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &spinner{process: exec.Command(self, spinArgument)}
	in, err := s.process.StdinPipe()
	if err != nil {
		return nil, err
	}
	s.in = in
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("cannot start a busy process: %w", err)
	}
	return s, s.process.Process.Signal(syscall.SIGSTOP)
}

// meanwhile lets the process run until after is called.
func (s *spinner) meanwhile() (after func(), err error) {
	if err := s.process.Process.Signal(syscall.SIGCONT); err != nil {
		return nil, fmt.Errorf("the busy process is gone: %w", err)
	}
	return func() { _ = s.process.Process.Signal(syscall.SIGSTOP) }, nil // if it is gone, the next turn says so
}

func (s *spinner) close() error {
	err := errors.Join(s.process.Process.Kill(), s.in.Close())
	_ = s.process.Wait() // it was killed
	return err
}

// spin keeps one CPU busy until standard input ends, which it does with whoever started it.
func spin(stdin io.Reader) {
	pin()
	var ended atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, stdin) // an error ends it as well
		ended.Store(true)
	}()
	for !ended.Load() {
	}
}
