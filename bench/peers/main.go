// Command peers times this module's kernels against the libraries people use, in one run and burst by burst, so that
// whatever the machine does meanwhile meets all. Each peer runs in a process of its own (server/, compiled by
// scripts/peers.sh): this program stays pure Go.
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
	if len(os.Args) == 2 && os.Args[1] == spinArgument {
		spin(os.Stdin)
		return
	}
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// options are what flags say.
type options struct {
	choice
	engine  string
	rounds  int
	seconds float64 // a contest
	slopes  []int
	servers string
	json    bool
	out     string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := pflag.NewFlagSet("peers", pflag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringSliceVar(&o.kernels, "kernel", nil, "only these kernels")
	flags.StringSliceVar(&o.precisions, "precision", nil, "only these precisions")
	flags.StringSliceVar(&o.peers, "peer", nil, "only these peers (realflops for our own other ways)")
	flags.IntSliceVar(&o.sizes, "n", nil, "only shapes with this n")
	flags.IntSliceVar(&o.rows, "m", nil, "only shapes with this m")
	flags.IntSliceVar(&o.threads, "threads", slices.Compact([]int{1, runtime.NumCPU()}), "numbers of threads")
	flags.StringVar(&o.engine, "engine", "", "our engine; the best one of each kernel if empty")
	flags.IntVar(&o.rounds, "rounds", 31, "rounds of a contest at most")
	flags.Float64Var(&o.seconds, "seconds", 2, fmt.Sprintf("after which a contest ends, but not before %d rounds", fewestRounds))
	flags.BoolVar(&o.quick, "quick", false, "one short round of the first shape of each kind: whether everything works, no figures")
	flags.IntSliceVar(&o.slopes, "slope", nil, "also measure by which power of n gemm grows over these sizes, with all threads")
	flags.StringVar(&o.servers, "servers", ".tools/peers/bin", "the folder of the peers' servers")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	flags.StringVar(&o.out, "out", "", "also write Markdown tables to this file")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("the argument %q is none; every choice is a flag", flags.Arg(0))
	}
	for name, values := range map[string][]int{"n": o.sizes, "m": o.rows, "threads": o.threads, "rounds": {o.rounds}, "slope": o.slopes} {
		if len(values) > 0 && slices.Min(values) < 1 {
			return o, fmt.Errorf("--%s is %d, it must be at least 1", name, slices.Min(values))
		}
	}
	if len(o.slopes) == 1 {
		return o, fmt.Errorf("--slope has the size %d alone, it takes two", o.slopes[0])
	}
	return o, o.known()
}

func run(args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := measure(o, stderr)
	if err != nil {
		return err
	}
	if o.out != "" {
		if err := writeFile(o.out, r.markdown); err != nil {
			return err
		}
	}
	show := r.text
	if o.json {
		show = r.json
	}
	if err := show(stdout); err != nil {
		return err
	}
	for _, s := range r.Skipped {
		if s.Failed {
			return fmt.Errorf("%s: %s", s.Case, s.Why)
		}
	}
	return nil
}

func measure(o options, progress io.Writer) (report, error) {
	r := report{
		Schema: "realflops-peers/2", Date: time.Now().UTC(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Peers: map[string]string{},
		CPU: fmt.Sprintf("%s (family %d, model %d, %d CPUs)", cpuid.CPU.BrandName, cpuid.CPU.Family, cpuid.CPU.Model, runtime.NumCPU()),
	}
	jobs, err := o.jobs(families)
	if err != nil {
		return r, err
	}
	l := length{rounds: o.rounds, budget: time.Duration(o.seconds * float64(time.Second)), burst: burstSeconds}
	if o.quick {
		l.rounds, l.burst = 1, 0.005
	}
	for i := range jobs {
		if o.engine != "" {
			jobs[i].Engine = o.engine
		}
	}
	for _, threads := range o.threads {
		mine := slices.DeleteFunc(slices.Clone(jobs), func(j job) bool { return j.Threads != threads })
		if err := inArena(newArena(threads, o.servers, l), mine, &r, o, progress); err != nil {
			return r, err
		}
	}
	r.Outcomes = judge(r.Rows)
	if o.quick {
		r.Outcomes = nil
	}
	return r, nil
}

// inArena holds the contests of an arena, and closes it.
func inArena(a *arena, jobs []job, r *report, o options, progress io.Writer) (err error) {
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.run(r, jobs, progress); err != nil {
		return err
	}
	if len(o.slopes) > 0 && a.threads == slices.Max(o.threads) {
		fmt.Fprintf(progress, "growth over n = %v, %d threads\n", o.slopes, a.threads)
		s, err := a.slope(o.slopes, slopeRounds)
		if err != nil {
			return err
		}
		r.Slopes = append(r.Slopes, s)
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
