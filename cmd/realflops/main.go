// Command realflops measures the FLOPS that a machine really sustains and tells what
// they are good for. `realflops help` lists its verbs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/realflops/realflops/kernels"
)

// The exit codes, as in the help text of the root command.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitFaulty      = 3   // a device computes wrong
	exitNothing     = 4   // nothing was measured
	exitUndelivered = 75  // EX_TEMPFAIL: measured and stored, but not delivered
	exitInterrupted = 130 // 128 + SIGINT
)

// version is set by the linker (see the Makefile).
var version = developer

// developer is the version of a build that the Makefile did not make.
const developer = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, os.Stdin, os.Stdout, os.Stderr, os.Args[1:])
	stop()
	os.Exit(code)
}

// run is the program as a function of its surroundings. It returns the exit code.
func run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, args []string) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, getenv: os.Getenv}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitFailed
	var coded *codedError
	var unknown *kernels.UnknownError
	switch {
	case errors.As(err, &coded):
		code = coded.code
	case errors.As(err, &unknown):
		code = exitUsage
	case errors.Is(err, context.Canceled):
		code, err = exitInterrupted, errors.New("interrupted")
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(stderr, a.errPaint().red("realflops:"), text)
	}
	return code
}

// codedError is an error with the exit code that it ends the program with. An empty
// text prints nothing: what was wrong has been said.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *codedError) Unwrap() error { return e.err }

func withCode(code int, format string, args ...any) error {
	return &codedError{code, fmt.Errorf(format, args...)}
}

func usage(format string, args ...any) error { return withCode(exitUsage, format, args...) }
