//go:build worker

// Command realflops-worker works one GPU for realflops: it speaks the protocol of
// bench/worker on its standard input and output, and links the CUDA driver (lazily), which
// the program itself never does. Run by hand it lists the devices.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/realflops/realflops/bench/worker"
)

// version is set by the linker (see the Makefile).
var version = "dev"

func main() { os.Exit(run(os.Stdin, os.Stdout, os.Stderr, os.Args[1:])) }

func run(stdin *os.File, stdout, stderr io.Writer, args []string) int {
	flags := flag.NewFlagSet("realflops-worker", flag.ContinueOnError)
	flags.SetOutput(stderr)
	list := flags.Bool("devices", false, "list the devices instead of serving (also what it does on a terminal)")
	var check conformance
	flags.StringVar(&check.device, "conform", "", "hold the kernels to their oracles on the device of this `UUID`, and print the outcome as JSON")
	flags.StringVar(&check.entries, "entries", "", "with -conform: the device functions whose names match this regular expression alone")
	flags.BoolVar(&check.thin, "thin", false, "with -conform: fewer shapes and values")
	flags.BoolVar(&check.ptx, "ptx", false, "with -conform: the PTX, although a cubin would serve")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if check.device != "" { // a tool may have started it from a thread that has ended
		return check.run(stdout, stderr)
	}
	diesWithParent()
	b := &backend{node: newMachine(version)}
	if *list || term.IsTerminal(int(stdin.Fd())) {
		return printDevices(stdout, b.welcome())
	}
	if err := worker.Serve(context.Background(), stdin, stdout, b, worker.HeartbeatEvery); err != nil {
		fmt.Fprintln(stderr, "realflops-worker:", err)
		return 1
	}
	return 0
}

func printDevices(w io.Writer, welcome worker.Welcome) int {
	fmt.Fprintf(w, "devices: %d\n", len(welcome.Devices))
	for _, d := range welcome.Devices {
		fmt.Fprintf(w, "  %s  %s, compute capability %s, %d multiprocessors, %.1f GB\n", d.ID, d.Model, d.Architecture, d.Units, float64(d.MemoryBytes)/1e9)
	}
	if welcome.Problem != "" {
		fmt.Fprintln(w, welcome.Problem)
	}
	return 0
}
