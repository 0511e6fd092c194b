package main

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed server/openblas.c
var serverSource []byte

// settle is how long OpenBLAS's threads go on watching for work after a call, in which they would
// take the CPU from the other side: 2^26 cycles by default (THREAD_TIMEOUT).
const settle = 60 * time.Millisecond

// compileServer builds the server in dir and returns the program's path.
func compileServer(dir string) (string, error) {
	source, program := filepath.Join(dir, "openblas.c"), filepath.Join(dir, "openblas")
	if err := os.WriteFile(source, serverSource, 0o600); err != nil {
		return "", err
	}
	out, err := exec.Command("gcc", "-O2", "-o", program, source, "-lopenblas").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot build the OpenBLAS server (it takes gcc and libopenblas-dev): %w: %s", err, out)
	}
	return program, nil
}

// openBLAS is a running server.
type openBLAS struct {
	config  string // what the library says of itself
	threads int
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func startServer(program string, threads int) (*openBLAS, error) {
	s := &openBLAS{threads: threads, process: exec.Command(program)}
	s.process.Env = serverEnvironment(os.Environ(), threads)
	s.process.Stderr = os.Stderr
	var err error
	if s.in, err = s.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	if s.config, err = s.out.ReadString('\n'); err != nil {
		return nil, errors.Join(fmt.Errorf("the OpenBLAS server said nothing: %w", err), s.close())
	}
	s.config = strings.TrimSpace(s.config)
	return s, nil
}

// serverEnvironment drops every setting of OpenBLAS and OpenMP, which could slow it down
// (OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE do), and sets the number of threads.
func serverEnvironment(env []string, threads int) []string {
	var kept []string
	for _, e := range env {
		if !strings.HasPrefix(e, "OPENBLAS_") && !strings.HasPrefix(e, "OMP_") && !strings.HasPrefix(e, "GOTO_") {
			kept = append(kept, e)
		}
	}
	return append(kept, "OPENBLAS_NUM_THREADS="+strconv.Itoa(threads))
}

func (s *openBLAS) burst(n, count int) (float64, []float64, error) {
	if _, err := fmt.Fprintln(s.in, n, count); err != nil {
		return 0, nil, fmt.Errorf("the OpenBLAS server is gone: %w", err)
	}
	line, err := s.out.ReadString('\n')
	if err != nil {
		return 0, nil, fmt.Errorf("the OpenBLAS server is gone: %w", err)
	}
	if s.threads > 1 {
		time.Sleep(settle)
	}
	return parseAnswer(line, count)
}

func parseAnswer(line string, count int) (float64, []float64, error) {
	fields := strings.Fields(line)
	if len(fields) != 1+count {
		return 0, nil, fmt.Errorf("the OpenBLAS server answered %d numbers, not %d: %q", len(fields), 1+count, line)
	}
	numbers := make([]float64, len(fields))
	for i, f := range fields {
		var err error
		if numbers[i], err = strconv.ParseFloat(f, 64); err != nil {
			return 0, nil, fmt.Errorf("the OpenBLAS server answered %q, which is no number", f)
		}
	}
	return numbers[0], numbers[1:], nil
}

func (s *openBLAS) close() error {
	return errors.Join(s.in.Close(), s.process.Wait())
}
