// Command peers times this module's GEMM against OpenBLAS in one run, burst by burst, so that
// whatever the machine does meanwhile meets both. The peer runs in a process of its own, compiled
// from server/openblas.c: this program stays pure Go.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/klauspost/cpuid/v2"
	"github.com/spf13/pflag"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := pflag.NewFlagSet("peers", pflag.ContinueOnError)
	flags.SetOutput(stderr)
	sizes := flags.IntSlice("n", []int{1024, 2048}, "sizes")
	threads := flags.IntSlice("threads", []int{1, 2}, "numbers of threads")
	rounds := flags.Int("rounds", 31, "rounds of a burst each")
	engine := flags.String("engine", "", "our engine; the best one if empty")
	asJSON := flags.Bool("json", false, "print JSON")
	out := flags.String("out", "", "also write a Markdown table to this file")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return nil
		}
		return err
	}
	for name, values := range map[string][]int{"n": *sizes, "threads": *threads, "rounds": {*rounds}} {
		if least := slices.Min(values); least < 1 {
			return fmt.Errorf("--%s is %d, it must be at least 1", name, least)
		}
	}
	r, err := measure(*sizes, *threads, *rounds, *engine, stderr)
	if err != nil {
		return err
	}
	if *out != "" {
		if err := writeFile(*out, r.markdown); err != nil {
			return err
		}
	}
	if *asJSON {
		return r.json(stdout)
	}
	return r.text(stdout)
}

func measure(sizes, threads []int, rounds int, engine string, progress io.Writer) (r report, err error) {
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program, err := compileServer(dir)
	if err != nil {
		return r, err
	}
	r = report{
		Schema: "realflops-peers/1", Date: time.Now().UTC(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		CPU: fmt.Sprintf("%s (family %d, model %d, %d CPUs)", cpuid.CPU.BrandName, cpuid.CPU.Family, cpuid.CPU.Model, runtime.NumCPU()),
	}
	for _, t := range threads {
		if err := r.add(program, sizes, t, rounds, engine, progress); err != nil {
			return r, err
		}
	}
	return r, nil
}

// add measures every size at one number of threads.
func (r *report) add(program string, sizes []int, threads, rounds int, engine string, progress io.Writer) (err error) {
	us, name, err := newOurs(engine, threads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, us.close()) }()
	peer, err := startServer(program, threads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peer.close()) }()
	r.Ours, r.Peer = name+", "+runtime.Version(), peer.config
	for _, n := range sizes {
		fmt.Fprintf(progress, "n = %d, %d threads\n", n, threads)
		row, err := compare(us, peer, n, rounds)
		if err != nil {
			return err
		}
		row.Threads = threads
		r.Rows = append(r.Rows, row)
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f)
}
