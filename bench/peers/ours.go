package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// ours is this module's implementations, on a pool that is kept.
type ours struct {
	pool   *cpu.Pool
	engine string // "" for the best of each kernel
	cpus   []int  // that the threads are pinned to in a burst; none leaves them free
	keep   *keep

	last    spec
	work    *work
	longest float64 // seconds of a call of the last burst

	clocks []float64 // Hz, a burst each
	usage            // of all bursts
}

// keep holds what is slow to make from one work to the next that needs the same.
type keep struct {
	key  string
	made any
	free func()
}

// kept is what k holds for key, or what is made now in place of what it held.
func kept[T any](k *keep, key string, create func() (T, func(), error)) (T, error) {
	if k.key == key {
		return k.made.(T), nil
	}
	k.drop()
	made, free, err := create()
	if err != nil {
		return made, err
	}
	*k = keep{key, made, free}
	return made, nil
}

func (k *keep) drop() {
	if k.free != nil {
		k.free()
	}
	*k = keep{}
}

// work is a spec bound to an implementation and to data.
type work struct {
	pool  *cpu.Pool
	keep  *keep
	impl  cpu.Impl
	call  func(set int)
	check func() float64
	frees []func()
}

// binders are the kinds of implementations there are: each makes the call and the check of w, or returns false where
// the implementation is of another kind.
var binders = []func(w *work, s spec) (bool, error){bindFMA, bindGEMM, bindAhead, bindLinear, bindElementwise, bindAdamW, bindRows, bindBandwidth}

func bind(pool *cpu.Pool, k *keep, s spec, engine string) (*work, error) {
	impl, err := cpu.Pick(implementedBy(s), s.Precision, engine)
	if err != nil {
		return nil, &refusal{"realflops", err.Error()}
	}
	w := &work{pool: pool, keep: k, impl: impl}
	for _, b := range binders {
		if ok, err := b(w, s); err != nil {
			w.free()
			return nil, err
		} else if ok {
			return w, nil
		}
	}
	return nil, &refusal{"realflops", fmt.Sprintf("%s at %s is not wired to be compared (%T)", s.Kernel, s.Precision, impl.Func)}
}

// manyRows is from how many rows on linear is gemm's business, with B packed ahead.
const manyRows = 64

// implementedBy is the kernel whose implementations do s.
func implementedBy(s spec) kernels.Kernel {
	if s.Kernel == kernels.Linear && s.Shape.M >= manyRows {
		return kernels.GEMM
	}
	return s.Kernel
}

func (w *work) free() {
	for i := range w.frees {
		w.frees[len(w.frees)-1-i]()
	}
	w.frees = nil
}

// block allocates n elements and fills them with f(i).
func block[T kernels.Element](w *work, n int, f func(i int) float64) ([]T, error) {
	x, free, err := cpu.Alloc[T](n)
	if err != nil {
		return nil, err
	}
	w.frees = append(w.frees, free)
	fill(x, f)
	return x, nil
}

func zero(int) float64 { return 0 }

// each is a call of f on every thread. One thread needs no pool, which would count where a call takes tens of nanoseconds.
func (w *work) each(f func(tid int)) func(set int) {
	if w.pool.Threads() == 1 {
		return func(int) { f(0) }
	}
	return func(int) { w.pool.Run(f) }
}

func (o *ours) burst(s spec, passes, count int) (answer, error) {
	fresh := o.work == nil || s != o.last
	if fresh {
		o.drop()
		var err error
		if o.work, err = bind(o.pool, o.keep, s, o.engine); err != nil {
			return answer{}, err
		}
		o.last = s
	}
	unpin, err := o.pin()
	if err != nil {
		return answer{}, err
	}
	defer o.settle()
	defer unpin()
	// As the servers do: the first call makes data ready, a short call more makes caches and clock so.
	if fresh || o.longest < 0.05 {
		o.work.call(0)
	}
	a, set := answer{seconds: make([]float64, count)}, 0
	stop := o.during()
	for i := range a.seconds {
		start := time.Now()
		for range passes {
			set = (set + 1) % s.Sets
			o.work.call(set)
		}
		a.seconds[i] = time.Since(start).Seconds() / float64(passes)
	}
	stop()
	o.clock()
	o.longest = slices.Max(a.seconds)
	a.check = o.work.check()
	return a, nil
}

// parked is by when the pool's idle threads have parked, which they do within a millisecond.
const parked = 3 * time.Millisecond

// settle leaves the CPUs to who is next: a thread of theirs that woke while one of ours still watched for work would be put
// where their first one runs.
func (o *ours) settle() {
	if o.pool.Threads() > 1 {
		time.Sleep(parked)
	}
}

// pin binds the threads to their CPUs until unpin. Between bursts they are free: a process that is started has the
// CPUs of the thread that starts it.
func (o *ours) pin() (unpin func(), err error) {
	if len(o.cpus) == 0 {
		return func() {}, nil
	}
	runtime.LockOSThread()
	if err := o.pool.Pin(o.cpus); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return func() {
		o.pool.Unpin()
		runtime.UnlockOSThread()
	}, nil
}

// drop gives the last work's memory back.
func (o *ours) drop() {
	if o.work != nil {
		o.work.free()
		o.work = nil
	}
}

func (o *ours) close() error {
	o.drop()
	return nil
}

// bindFMA: each thread makes N multiply-adds a call, and the sums say so.
func bindFMA(w *work, s spec) (bool, error) {
	f, ok := w.impl.Func.(cpu.FMAFunc)
	if !ok {
		return false, nil
	}
	sums := make([][16]float64, w.pool.Threads()) // on cache lines of their own
	w.call = w.each(func(tid int) { sums[tid][0] = f(s.Shape.N) })
	w.check = func() float64 { return sums[0][0] }
	return true, nil
}

// gemmData are the operands' elements: of int8 products those of A are not negative, so that u8 holds them too.
func gemmData(s spec) (a, b func(i int) float64) {
	shift := 0.0
	if s.Precision == kernels.INT8INT32 {
		shift = 4
	}
	return func(i int) float64 { return small(i, 1) + shift }, func(i int) float64 { return small(i, 2) }
}
