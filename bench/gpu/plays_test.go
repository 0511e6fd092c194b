package gpu

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels"
)

// The test program plays the worker where this names a behaviour.
const playing = "TEST_WORKER"

func TestMain(m *testing.M) {
	play := os.Getenv(playing)
	if play == "" {
		os.Exit(m.Run())
	}
	p, ok := plays[play]
	if !ok {
		panic("no such worker: " + play)
	}
	os.Exit(p())
}

// plays are workers as processes: what each returns is its exit status.
var plays = map[string]func() int{
	"good":          func() int { return serve(&actor{}) },
	"other version": func() int { return serve(&actor{version: "0.9"}) },
	"other protocol": func() int {
		fmt.Println(`{"seq":1,"type":"done","hello":{"protocol":2,"version":"1","features":["new"]}}`)
		return drain()
	},
	"exits at once": func() int { fmt.Fprintln(os.Stderr, "libfake.so.1: undefined symbol: cuInit"); return 127 },
	"killed": func() int {
		return serve(&actor{sample: func() { kill(os.Getpid(), syscall.SIGKILL) }})
	},
	"killed before its child": func() int {
		return serve(&actor{sample: func() {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), playing+"=drains")
			child.Stdin, child.Stderr = os.Stdin, os.Stderr // the second outlives us, the first ends it
			if err := child.Start(); err != nil {
				panic(err)
			}
			kill(os.Getpid(), syscall.SIGKILL)
		}})
	},
	"drains": drain,
	"stopped": func() int {
		return serve(&actor{sample: func() { kill(os.Getpid(), syscall.SIGSTOP) }})
	},
	"hangs":          func() int { return serve(&actor{sample: func() { select {} }}) },
	"hangs and deaf": func() int { signal.Ignore(syscall.SIGTERM); return serve(&actor{sample: func() { select {} }}) },
	"panics":         func() int { return serve(&actor{sample: func() { panic("a bug") }}) },
	"crashes": func() int {
		return serve(&actor{sample: func() {
			go func() { panic("outside of any request") }()
			select {}
		}})
	},
	"garbage":       func() int { fmt.Println("NVRM: something\x07 odd"); return drain() },
	"half a line":   func() int { fmt.Print(`{"seq":1,"type":"do`); return 0 },
	"closes stdout": func() int { _ = os.Stdout.Close(); return drain() },
	"a gigabyte": func() int {
		chunk := bytes.Repeat([]byte("y"), 1<<20)
		for range 1 << 10 {
			if _, err := os.Stdout.Write(chunk); err != nil {
				return 1
			}
		}
		fmt.Println()
		return drain()
	},
	"environment": func() int { return serve(&actor{absent: seen()}) },
	"parent":      parent,
	"tells":       func() int { return serve(&actor{sample: tell, mute: true}) },
}

// actor is the backend of a worker that is a process: good, but for what it is told.
type actor struct {
	version string
	absent  []string
	sample  func()
	mute    bool    // no heartbeats, the first of which without a reader would end it
	doneS   float64 // that its device has worked
}

func serve(a *actor) int {
	heartbeat := 20 * time.Millisecond
	if a.mute {
		heartbeat = 0
	}
	if err := worker.Serve(context.Background(), os.Stdin, os.Stdout, a, heartbeat); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// drain goes on until there are no more requests.
func drain() int {
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func kill(pid int, s syscall.Signal) {
	if err := syscall.Kill(pid, s); err != nil {
		panic(err)
	}
	select {} // the signal is on its way
}

func (a *actor) Hello() (worker.Welcome, *worker.Error) {
	version := "1"
	if a.version != "" {
		version = a.version
	}
	return worker.Welcome{Version: version, Backend: "test", Devices: []worker.Device{newDevice("GPU-1")}, Absent: a.absent}, nil
}

func (a *actor) Open(worker.OpenRequest) (worker.Opened, *worker.Error) {
	return worker.Opened{LaunchS: 1e-6, Offers: []worker.Offer{{Kernel: kernels.ReLU, Precision: kernels.FP32, Engine: "test"}}}, nil
}

func (a *actor) Prepare(worker.PrepareRequest) (worker.Prepared, *worker.Error) {
	return worker.Prepared{Engine: "test", PassS: 0.01, Checksum: "c"}, nil
}

func (a *actor) Sample(r worker.SampleRequest) (worker.Sampled, *worker.Error) {
	if a.sample != nil {
		a.sample()
	}
	var s worker.Sampled
	for range r.Samples {
		timed := worker.Timed{StartS: a.doneS, Seconds: 0.01 * float64(r.Passes), Passes: r.Passes}
		a.doneS += timed.Seconds
		s.Samples = append(s.Samples, timed)
	}
	return s, nil
}

func (a *actor) Check() (string, *worker.Error) { return "c", nil }

func (a *actor) Release() *worker.Error { return nil }

func (a *actor) Close() *worker.Error { return nil }

// seen is what a worker sees of its surroundings: the environment that matters, and whether it leads a group.
func seen() []string {
	list := []string{fmt.Sprintf("leader %v", syscall.Getpgrp() == os.Getpid())}
	for _, e := range os.Environ() {
		ours := strings.HasPrefix(e, "REALFLOPS_") && !strings.HasPrefix(e, "REALFLOPS_TEST_")
		if ours || strings.HasPrefix(e, "INFLUX_") {
			list = append(list, e)
		}
	}
	slices.Sort(list)
	return list
}

// The pipe that tells when a worker, or its parent, is gone: it ends with its last writer.
const toldPipe = "TEST_PIPE"

// tell writes the process ids of the worker's parent and its own into the pipe, and hangs with the pipe open.
func tell() {
	f, err := os.OpenFile(os.Getenv(toldPipe), os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	if _, err := fmt.Fprintln(f, os.Getppid(), os.Getpid()); err != nil {
		panic(err)
	}
	time.Sleep(time.Hour) // what has a timer is not ended for a deadlock
}

// parent measures by a worker that hangs.
func parent() int {
	r := New(processConfig("tells", toldPipe+"="+os.Getenv(toldPipe)), newDevice("GPU-1"))
	_, _ = r.Run(context.Background(), relu())
	return 0
}

// processConfig starts the test program as a worker that behaves so.
func processConfig(behaviour string, env ...string) Config {
	program, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Config{Worker: program, Version: "1", Env: append([]string{playing + "=" + behaviour}, env...), bootID: func() string { return "" }}
}
