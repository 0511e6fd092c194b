package main

import (
	"bufio"
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

// server is a library in a process of its own, which speaks the protocol of server/server.h.
type server struct {
	name     string
	about    string // what it says of itself
	deadline time.Duration
	process  *exec.Cmd
	in       io.WriteCloser
	lines    chan line
	broken   error // what went wrong for good
}

type line struct {
	text string
	err  error
}

// patience is the deadline: a product of 8192 takes 20 s on a slow core.
const patience = 2 * time.Minute

// peer is a library that this program can start.
type peer struct {
	name    string
	program string
	args    []string
}

var peers = []peer{
	{"OpenBLAS", "openblas", nil},
	{"oneDNN", "onednn", nil},
	{"oneDNN u8s8", "onednn", []string{"u8s8"}},
	{"MKL", "mkl", nil},
	{"BLIS", "blis", nil},
	{"PyTorch", "pytorch", nil},
	{"llama.cpp", "ggml", nil},
	{"libmvec", "libmvec", nil},
	{"STREAM", "stream", nil},
}

// start runs the peer's server out of dir, which may take until the deadline for each answer. The error names what to do where there is none.
func (p peer) start(dir string, threads int, deadline time.Duration) (*server, error) {
	program := filepath.Join(dir, p.program)
	if _, err := os.Stat(program); err != nil {
		return nil, &refusal{p.name, fmt.Sprintf("there is no %s; scripts/peers.sh installs it", program)}
	}
	s := &server{name: p.name, deadline: deadline, process: exec.Command(program, p.args...)}
	s.process.Env = serverEnvironment(os.Environ(), threads)
	return s, s.start()
}

// How long waiting threads look for work before they sleep: some milliseconds, far longer than there is between the calls
// of a burst, so that the next one has the CPUs. By default libgomp's look forever where OMP_WAIT_POLICY is active and
// hardly at all where it is passive; OpenBLAS's look for 2^28 cycles, a tenth of a second.
const (
	gompSpins      = "200000" // looks
	openblasCycles = "24"     // a power of two
)

// serverEnvironment drops every setting of the libraries, which could slow them down (OPENBLAS_CORETYPE and
// OPENBLAS_L2_SIZE do), and sets the number of threads and how they wait.
func serverEnvironment(env []string, threads int) []string {
	var kept []string
	for _, e := range env {
		foreign := false
		for _, prefix := range []string{"OPENBLAS_", "GOTO_", "OMP_", "GOMP_", "KMP_", "MKL_", "BLIS_", "DNNL_", "ONEDNN_", "GGML_", "LD_"} {
			foreign = foreign || strings.HasPrefix(e, prefix)
		}
		if !foreign {
			kept = append(kept, e)
		}
	}
	t := strconv.Itoa(threads)
	return append(kept, "OPENBLAS_NUM_THREADS="+t, "OMP_NUM_THREADS="+t, "MKL_NUM_THREADS="+t, "BLIS_NUM_THREADS="+t,
		"OPENBLAS_THREAD_TIMEOUT="+openblasCycles, "OMP_WAIT_POLICY=active", "GOMP_SPINCOUNT="+gompSpins)
}

// start runs the process and reads what it says of itself.
func (s *server) start() error {
	out, err := s.process.StdoutPipe()
	if err == nil {
		s.in, err = s.process.StdinPipe()
	}
	if err == nil {
		err = s.process.Start()
	}
	if err != nil {
		return fmt.Errorf("cannot start the %s server: %w", s.name, err)
	}
	s.lines = make(chan line)
	go read(out, s.lines)
	if s.about, err = s.next(); err != nil {
		return errors.Join(err, s.close())
	}
	return nil
}

// read sends each line to lines, and in place of one that cannot be read the error. It closes lines at the end.
func read(out io.Reader, lines chan<- line) {
	defer close(lines)
	for r := bufio.NewReader(out); ; {
		text, err := r.ReadString('\n')
		if err != nil {
			if text != "" {
				err = fmt.Errorf("the line %q is cut off: %w", text, err)
			}
			lines <- line{err: err}
			return
		}
		lines <- line{text: strings.TrimSpace(text)}
	}
}

// next is the next line. A server that says nothing in time is killed.
func (s *server) next() (string, error) {
	timer := time.NewTimer(s.deadline)
	defer timer.Stop()
	select {
	case l := <-s.lines:
		if l.err == nil && l.text == "" {
			l.err = errors.New("it said an empty line")
		}
		if l.err != nil {
			s.broken = fmt.Errorf("the %s server is gone: %w", s.name, l.err)
			return "", s.broken
		}
		return l.text, nil
	case <-timer.C:
		s.broken = fmt.Errorf("the %s server said nothing for %v and was killed", s.name, s.deadline)
		return "", errors.Join(s.broken, s.process.Process.Kill())
	}
}

func (s *server) burst(work spec, passes, count int) (answer, error) {
	if s.broken != nil {
		return answer{}, s.broken
	}
	if _, err := io.WriteString(s.in, work.request(passes, count)); err != nil {
		s.broken = fmt.Errorf("the %s server is gone: %w", s.name, err)
		return answer{}, s.broken
	}
	text, err := s.next()
	if err != nil {
		return answer{}, err
	}
	s.settle()
	return s.parse(text, count)
}

// parse reads an answer. One that is none of the protocol's is an error, and the server is asked no more.
func (s *server) parse(text string, count int) (answer, error) {
	verb, rest, _ := strings.Cut(text, " ")
	fields := strings.Fields(rest)
	switch {
	case verb == "no":
		return answer{}, &refusal{s.name, rest}
	case verb != "ok":
		s.broken = fmt.Errorf("the %s server answered %q, want ok or no", s.name, text)
	case len(fields) != 1+count:
		s.broken = fmt.Errorf("the %s server answered %d numbers, want %d", s.name, len(fields), 1+count)
	}
	if s.broken != nil {
		return answer{}, s.broken
	}
	numbers := make([]float64, len(fields))
	for i, f := range fields {
		var err error
		if numbers[i], err = strconv.ParseFloat(f, 64); err != nil {
			s.broken = fmt.Errorf("the %s server answered %q, which is no number", s.name, f)
			return answer{}, s.broken
		}
		if i > 0 && !(numbers[i] > 0 && numbers[i] < patience.Seconds()) {
			s.broken = fmt.Errorf("the %s server says that a call took %v s, want more than 0 and less than %v", s.name, numbers[i], patience)
			return answer{}, s.broken
		}
	}
	return answer{numbers[0], numbers[1:]}, nil
}

// settle waits, for half a second at most, until every thread of the server sleeps: those of OpenBLAS and of OpenMP
// go on watching for work after a call, and would take the CPU from who is next.
func (s *server) settle() {
	for range 2500 {
		if asleep(fmt.Sprintf("/proc/%d/task", s.process.Process.Pid)) {
			return
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// asleep reports whether no thread listed in the folder of tasks runs or wants to. Where nothing can be read, all sleep.
func asleep(tasks string) bool {
	stats, _ := filepath.Glob(filepath.Join(tasks, "*", "stat"))
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // that thread has ended
		}
		// proc(5): the state follows the command, which is in parentheses and may hold any character.
		if i := strings.LastIndex(string(stat), ") "); i >= 0 && strings.HasPrefix(string(stat[i+2:]), "R") {
			return false
		}
	}
	return true
}

// close ends the server and waits for it. What a broken one exits with is no news.
func (s *server) close() error {
	err := s.in.Close()
	timer := time.AfterFunc(s.deadline, func() { _ = s.process.Process.Kill() }) // it may have ended meanwhile
	defer timer.Stop()
	for range s.lines { // so that the reader ends, and Wait may close its pipe
	}
	if wait := s.process.Wait(); s.broken == nil {
		err = errors.Join(err, wait)
	} else {
		err = nil
	}
	return err
}
