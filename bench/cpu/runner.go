// Package cpu runs kernels on the CPU and measures them: it binds a case to an
// implementation from kernels/cpu, checks what the kernel computed, times it, and
// says what the figures are worth. It refuses shapes that do not fit into the memory that this
// process may use; it pins its threads and changes neither clocks nor governors.
package cpu

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// Cache is one level of the data caches.
type Cache = bench.Cache

// Machine is what a Runner needs to know of the CPU that it runs on.
type Machine struct {
	ID, Model   string  // of the device
	Caches      []Cache // empty if unknown
	Threads     int     // that this process may run at once
	Cores       int     // that it may use; 0 if unknown
	MemoryBytes int64   // that this process may use; 0 if unknown

	// CPUs are those that threads are pinned to, the first thread to the first; too few, and threads are not pinned.
	CPUs []int

	// Places are the parts that are measured on their own, if there are several.
	Places []Place
}

// pureGoFlopPerS is about what one thread reaches at gemm in plain Go on a server of today.
const pureGoFlopPerS = 1e9

// PlanInput is what a suite's plan needs to know of m.
func (m Machine) PlanInput() bench.PlanInput {
	in := bench.PlanInput{Caches: m.Caches, Threads: m.Threads, Cores: m.Cores, MemoryBytes: m.MemoryBytes}
	for _, p := range m.Places {
		in.Places = append(in.Places, p.Place)
	}
	for _, i := range cpu.Available() {
		in.Offers = append(in.Offers, bench.Offer{Kernel: i.Kernel, Precision: i.Precision, Engine: i.Engine})
	}
	if i, err := cpu.Pick(kernels.GEMM, kernels.FP32FP32, ""); err != nil || i.Engine == cpu.Go {
		in.FlopPerS = pureGoFlopPerS
	}
	return in
}

// Runner measures cases on this machine's CPU, one at a time, and remembers the limits and
// bandwidths it has measured so that later results can be held against them.
type Runner struct {
	machine   Machine
	pools     map[int]*cpu.Pool // by threads
	roofs     *bench.Roofs
	dispatchS map[int]float64 // seconds of an empty call, by threads

	// What tests replace: the registry, the clock, and what is read from the machine.
	pick         func(kernels.Kernel, kernels.Precision, string) (cpu.Impl, error)
	now          func() time.Time
	clockHz      func(*cpu.Pool) (float64, bool)
	processUsage func() (cpu.Usage, bool)
}

// New prepares a Runner. Close ends its threads.
func New(m Machine) (*Runner, error) {
	if m.Threads < 1 {
		return nil, fmt.Errorf("cannot measure with %d threads: at least 1 is needed", m.Threads)
	}
	return &Runner{
		machine: m, pools: map[int]*cpu.Pool{}, roofs: bench.NewRoofs(), dispatchS: map[int]float64{},
		pick: cpu.Pick, now: time.Now, clockHz: coreClock, processUsage: cpu.ProcessUsage,
	}, nil
}

// Close ends the threads of the Runner.
func (r *Runner) Close() {
	for threads := range r.pools {
		r.closePool(threads)
	}
}

// pool returns the pool of so many threads, new if there is none or it was stopped.
func (r *Runner) pool(threads int) *cpu.Pool {
	if p := r.pools[threads]; p != nil {
		if !p.Stopped() {
			return p
		}
		r.closePool(threads)
	}
	p := cpu.NewPool(threads)
	r.pools[threads] = p
	return p
}

// pin pins the pool's threads, the calling one among them, until unpin is called. Where the system refuses, threads
// run where it puts them; but what is to be measured of a place is measured there or not at all.
func (r *Runner) pin(pool *cpu.Pool, place *Place) (unpin func(), err error) {
	if place != nil {
		if err := pool.Hold(place.CPUs); err != nil {
			return nil, fmt.Errorf("placement %s: %w", place.Name, err)
		}
		return pool.Unpin, nil
	}
	if len(r.machine.CPUs) < pool.Threads() || pool.Pin(r.machine.CPUs) != nil {
		return func() {}, nil
	}
	return pool.Unpin, nil
}

// stopWith stops the pool when ctx ends, until done is called.
func stopWith(ctx context.Context, pool *cpu.Pool) (done func()) {
	stop := context.AfterFunc(ctx, pool.Stop)
	return func() {
		if !stop() {
			pool.Stop() // it is about to be: let no later Run use it
		}
	}
}

func (r *Runner) closePool(threads int) {
	r.pools[threads].Close()
	delete(r.pools, threads)
}

// Run implements [bench.Runner].
func (r *Runner) Run(ctx context.Context, c bench.Case) (bench.Result, error) {
	res := bench.Result{
		Time: r.now().UTC(), Device: r.machine.ID, DeviceModel: r.machine.Model,
		Kernel: c.Kernel, Precision: c.Precision, Engine: c.Engine, Shape: c.Shape,
		Threads: c.Threads, Placement: c.Placement, Data: c.Data, Level: c.Level,
		Bound: bench.UnknownBound, Status: bench.OK, Warnings: []bench.Warning{},
	}
	if err := ctx.Err(); err != nil {
		return failed(res, "interrupted before it began"), err
	}
	if err := r.check(&c); err != nil {
		return failed(res, err.Error()), nil
	}
	res.Level, res.Data = c.Level, c.Data
	if text := r.tooLarge(c); text != "" {
		res.Warnings = append(res.Warnings, bench.Warn(bench.ShapeSkipped, "%s", text))
		return failed(res, text), nil
	}
	impl, err := r.pick(c.Kernel, c.Precision, c.Engine)
	if err != nil {
		return failed(res, err.Error()), nil
	}
	res.Engine = impl.Engine

	runtime.LockOSThread() // thread 0 of the pool is this one
	defer runtime.UnlockOSThread()
	pool := r.pool(c.Threads)
	defer stopWith(ctx, pool)()
	place := r.machine.place(c.Placement)
	unpin, err := r.pin(pool, place)
	if err != nil {
		return failed(res, err.Error()), nil
	}
	defer unpin()
	w, err := bind(c, impl, pool, place.node())
	if err != nil {
		return failed(res, err.Error()), nil
	}
	defer w.free()
	m := measurement{
		Runner: r, ctx: ctx, c: c, impl: impl, work: w, pool: pool, stop: bench.NewStopper(c.MinS, c.MaxS),
		random: rand.New(rand.NewPCG(c.Seed, 1)),
	}
	if err := m.measure(); err != nil {
		if !errors.Is(err, errInterrupted) {
			res.Warnings = append(res.Warnings, bench.Warn(bench.WrongResult, "%s", err))
		}
		return failed(res, err.Error()), ctx.Err()
	}
	return m.result(res), ctx.Err()
}

// failed is res as a measurement that could not be made.
func failed(res bench.Result, why string) bench.Result {
	res.Status, res.Error = bench.Failed, why
	return res
}

// check refuses a case that cannot be run here and fills in what it leaves open.
func (r *Runner) check(c *bench.Case) error {
	if err := c.Check(); err != nil {
		return err
	}
	if err := r.machine.CheckPlacement(*c); err != nil {
		return err
	}
	if most := r.machine.ThreadsAt(c.Placement); c.Threads < 1 || c.Threads > most {
		return fmt.Errorf("threads %d: this process may use 1 to %d", c.Threads, most)
	}
	if !(c.MinS >= 0 && c.MinS <= c.MaxS) {
		return fmt.Errorf("seconds %v to %v: want 0 or more, and no more at least than at most", c.MinS, c.MaxS)
	}
	if c.Kernel == kernels.FMA {
		if c.Shape.N > cpu.FMAMax {
			return fmt.Errorf("shape %s: fma stays exact up to %d", c.Shape, cpu.FMAMax)
		}
		c.Level, c.Data = bench.LevelRegister, bench.Constant // the kernel's own operands
		return nil
	}
	if c.Data == "" {
		c.Data = bench.Randn
	}
	if _, err := bench.ParseData(string(c.Data)); err != nil {
		return err
	}
	if c.Level == "" {
		c.Level = bench.LevelOf(c.Bytes(), r.machine.Caches, c.Threads)
	}
	return nil
}

// tooLarge says in a sentence that c needs more memory than there is, or "".
func (r *Runner) tooLarge(c bench.Case) string {
	if r.machine.MemoryBytes == 0 || c.Bytes() <= float64(r.machine.MemoryBytes) {
		return ""
	}
	return fmt.Sprintf("shape %s needs %.1f GB, and this process may use %.1f GB: choose a smaller one", c.Shape, c.Bytes()/1e9, float64(r.machine.MemoryBytes)/1e9)
}
