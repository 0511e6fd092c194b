// Package gpu measures kernels on devices that are worked by worker processes
// (bench/worker): it starts one process a device, asks it for samples under deadlines, judges
// them as bench/cpu does its own, and ends a process that does not answer. It is the only
// package that starts processes. It links no vendor's code, trusts no worker with more than
// its own device, and measures on no device that is in use, cut into parts or in
// quarantine unless it is forced to.
package gpu

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/realflops/realflops/bench/worker"
)

// WorkerName is the file name of the worker program.
const WorkerName = "realflops-worker"

// Config says how workers are started and how long they are waited for.
type Config struct {
	Worker    string       // path of the worker program, from [Find]
	Env       []string     // NAME=value, added to the worker's environment
	StateDir  string       // where quarantine.json lies; "" keeps no quarantine
	Version   string       // of this program; a worker of another version is not used. "" takes any
	Force     bool         // measure in spite of doubts and quarantine
	Deadlines Deadlines    // what is zero is that of [DefaultDeadlines]
	Log       func(string) // told in one sentence when a worker is lost, from any goroutine; may be nil

	// What tests replace.
	start  func(Config) (*process, error)
	bootID func() string
}

// Deadlines say how long is waited for what, on the clock of this machine.
type Deadlines struct {
	Verbs            map[worker.Verb]time.Duration // a request's answer, at least
	PrepareBytesPerS float64                       // prepare: a second more for each so many bytes of operands
	SampleFactor     float64                       // sample, check: so many times the expected time more

	Silence time.Duration // without a heartbeat: the process is stopped or dead
	Leave   time.Duration // after an interrupt, for what is in work
	Term    time.Duration // from SIGTERM to SIGKILL
	Kill    time.Duration // from SIGKILL until a process is given up
}

// DefaultDeadlines are those of real devices. Opening may compile every kernel; a sample
// may run at a tenth of the rate of the first pass before its device is said to hang.
func DefaultDeadlines() Deadlines {
	return Deadlines{
		Verbs: map[worker.Verb]time.Duration{
			worker.Hello: 20 * time.Second, worker.Open: 60 * time.Second, worker.Prepare: 60 * time.Second,
			worker.Sample: 10 * time.Second, worker.Check: 30 * time.Second,
			worker.Release: 10 * time.Second, worker.Close: 10 * time.Second,
		},
		PrepareBytesPerS: 100e6, SampleFactor: 10,
		Silence: 5 * time.Second, Leave: 800 * time.Millisecond,
		Term: 30 * time.Second, Kill: 10 * time.Second,
	}
}

// Times is d with every wait so many times as long, but for the heartbeats.
func (d Deadlines) Times(factor float64) Deadlines {
	verbs := map[worker.Verb]time.Duration{}
	for verb, wait := range d.Verbs {
		verbs[verb] = time.Duration(factor * float64(wait))
	}
	d.Verbs = verbs
	d.Term, d.Kill = time.Duration(factor*float64(d.Term)), time.Duration(factor*float64(d.Kill))
	return d
}

// orDefault fills in what is zero.
func (d Deadlines) orDefault() Deadlines {
	all := DefaultDeadlines()
	maps.Copy(all.Verbs, d.Verbs)
	fill(&all.PrepareBytesPerS, d.PrepareBytesPerS)
	fill(&all.SampleFactor, d.SampleFactor)
	fill(&all.Silence, d.Silence)
	fill(&all.Leave, d.Leave)
	fill(&all.Term, d.Term)
	fill(&all.Kill, d.Kill)
	return all
}

func fill[T time.Duration | float64](to *T, from T) {
	if from != 0 {
		*to = from
	}
}

func (c Config) withDefaults() Config {
	c.Deadlines = c.Deadlines.orDefault()
	if c.Log == nil {
		c.Log = func(string) {}
	}
	if c.start == nil {
		c.start = launch
	}
	if c.bootID == nil {
		c.bootID = bootID
	}
	return c
}

// Find looks for the worker program beside this one, then in PATH. The error says how to
// build it.
func Find() (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("the place of this program, beside which %s is looked for: %w", WorkerName, err)
	}
	return find(filepath.Dir(program))
}

func find(dir string) (string, error) {
	if path, err := exec.LookPath(filepath.Join(dir, WorkerName)); err == nil {
		return path, nil
	}
	if path, err := exec.LookPath(WorkerName); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("%s is neither in %s nor in PATH: build it with `make worker`", WorkerName, dir)
}
