package work

import (
	"errors"
	"fmt"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

// Case is what to run.
type Case struct {
	kernels.Spec
	Engine string // "" for the first choice
	Data   string // randn, uniform, zeros, constant
	Seed   uint64
	Cold   bool // no pass finds its operands in the L2 cache
}

// Work is a case on a device, ready to be timed.
type Work struct {
	Engine  string
	Note    string  // convention: layouts, types, instruction
	Threads int     // fma: how many device threads do the shape's work
	Traffic float64 // bytes that one pass must move, once each

	site *Site
	sets []set // that the passes go through in turn
	next int
	held []cuda.Ptr
	host [][]byte // pinned

	poisoned func(set) error             // spoils the output
	digest   func(set) ([]uint64, error) // of the output, whole
	want     []uint64                    // what digest must be; of a product, that of the first pass
	locate   func(s set, row int) error  // says which element of a row is wrong; nil if none is by itself
}

// set is one set of operands with the launch on them.
type set struct {
	ptrs []cuda.Ptr // results first
	run  func() error
}

// Operands of a cold case are coldCaches times the L2 cache in all, in at most maxSets sets.
const (
	coldCaches = 3
	maxSets    = 64
)

// Prepare allocates and fills the operands, and runs and verifies the first pass. Errors are
// [ErrUnsupported], cuda.ErrMemory, a [WrongError], or the driver's. Whatever it allocated is
// freed if it fails, as far as the device still lets it.
func (s *Site) Prepare(c Case) (*Work, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	w := &Work{site: s, Threads: 1}
	prepare := map[kernels.Class]func(*Work, Case) error{
		kernels.Register: (*Work).fma, kernels.Matrix: (*Work).gemm, kernels.Elementwise: (*Work).elementwise, kernels.Bandwidth: (*Work).elementwise,
	}
	of := map[kernels.Kernel]func(*Work, Case) error{
		kernels.Read: (*Work).read, kernels.HostToDevice: (*Work).hostToDevice, kernels.DeviceToHost: (*Work).deviceToHost,
	}
	d, _ := kernels.Lookup(string(c.Kernel)) // checked
	f := prepare[d.Class]
	if special := of[c.Kernel]; special != nil {
		f = special
	}
	if err := f(w, c); err != nil {
		_ = w.Free() // of a device that is lost nothing can be freed
		return nil, err
	}
	return w, nil
}

// Pass runs one pass and returns its seconds by the device's clock.
func (w *Work) Pass() (float64, error) { return w.Time(1) }

// Time runs passes back to back and returns their seconds by the device's clock.
func (w *Work) Time(passes int) (float64, error) {
	return w.site.dev.Elapsed(func() error {
		for range passes {
			if err := w.sets[w.next].run(); err != nil {
				return err
			}
			w.next = (w.next + 1) % len(w.sets)
		}
		return nil
	})
}

// Sets is how many sets of operands the passes go through.
func (w *Work) Sets() int { return len(w.sets) }

// Check spoils the output of the next set, runs a pass on it and holds the whole output
// against what it must be: a [WrongError] names the first wrong element. The checksum is of
// the digest and thus the same for every pass.
func (w *Work) Check() (checksum string, err error) {
	s := w.sets[w.next]
	if err := w.poisoned(s); err != nil {
		return "", err
	}
	if _, err := w.Time(1); err != nil {
		return "", err
	}
	got, err := w.digest(s)
	if err != nil {
		return "", err
	}
	if w.want == nil { // a product's first pass
		w.want = got
	}
	if row := firstDifference(got, w.want); row >= 0 {
		if err := w.locate(s, row); err != nil {
			return "", err
		}
		return "", wrong("row %d of the output differs from the first pass in bits", row)
	}
	return fmt.Sprintf("%016x", checksumOf(w.want)), nil
}

func firstDifference(got, want []uint64) int {
	for i := range want {
		if got[i] != want[i] {
			return i
		}
	}
	return -1
}

func checksumOf(digest []uint64) uint64 {
	sum := uint64(len(digest))
	for _, d := range digest {
		sum = mix(sum ^ d)
	}
	return sum
}

// Free gives everything back.
func (w *Work) Free() error {
	var errs []error
	for _, p := range w.held {
		errs = append(errs, w.site.dev.Free(p))
	}
	for _, h := range w.host {
		errs = append(errs, w.site.dev.FreePinned(h))
	}
	w.held, w.host, w.sets = nil, nil, nil
	return errors.Join(errs...)
}

// alloc is memory that Free gives back.
func (w *Work) alloc(bytes int64) (cuda.Ptr, error) {
	p, err := w.site.dev.Alloc(bytes)
	if err == nil {
		w.held = append(w.held, p)
	}
	return p, err
}

// setCount is how many sets of operands a case takes: one, or what makes it cold.
func (w *Work) setCount(cold bool, bytes int64) int {
	l2 := w.site.dev.Info().L2Bytes
	if !cold || l2 == 0 || bytes >= coldCaches*l2 {
		return 1
	}
	return int(min(maxSets, (coldCaches*l2+bytes-1)/bytes))
}

// makeSets makes the sets that a case takes, or as many as there is memory for, which the note
// says then; the first one must fit.
func (w *Work) makeSets(cold bool, bytes int64, one func() (set, error)) error {
	count := w.setCount(cold, bytes)
	for len(w.sets) < count {
		held := len(w.held)
		s, err := one()
		if errors.Is(err, cuda.ErrMemory) && len(w.sets) > 0 {
			w.Note += fmt.Sprintf(", only %d of %d sets of operands fit: the L2 cache may hold some", len(w.sets), count)
			for _, p := range w.held[held:] {
				if err := w.site.dev.Free(p); err != nil {
					return err
				}
			}
			w.held = w.held[:held]
			return nil
		}
		if err != nil {
			return err
		}
		w.sets = append(w.sets, s)
	}
	return nil
}

// upload is a table on the device.
func (w *Work) upload(table []byte) (cuda.Ptr, error) {
	p, err := w.alloc(int64(len(table)))
	if err != nil {
		return 0, err
	}
	return p, w.site.dev.Upload(p, table)
}

// fill makes n elements of dst from a table on the device.
func (w *Work) fill(f format, dst, table cuda.Ptr, n int, seed uint64) error {
	return w.site.launch(fmt.Sprintf("fill_%d", f.bytes), kernels.Shape{N: n}, []cuda.Ptr{dst, table}, seed)
}

// fold digests n elements at p as rows of cols by the named kernel.
func (w *Work) fold(entry string, p, out cuda.Ptr, n, cols int) ([]uint64, error) {
	rows := (n-1)/cols + 1
	if err := w.site.dev.Memset(out, 0xff, int64(8*rows)); err != nil {
		return nil, err
	}
	if err := w.site.launch(entry, kernels.Shape{N: n}, []cuda.Ptr{out, p}, uint64(cols)); err != nil {
		return nil, err
	}
	return w.words(out, rows)
}

// words downloads n 64-bit words.
func (w *Work) words(p cuda.Ptr, n int) ([]uint64, error) {
	raw := make([]byte, 8*n)
	if err := w.site.dev.Download(raw, p); err != nil {
		return nil, err
	}
	out := make([]uint64, n)
	for i := range out {
		out[i] = fp64.at(raw, i)
	}
	return out, nil
}

// elements downloads n elements of f from element i of p on.
func (w *Work) elements(f format, p cuda.Ptr, i, n int) ([]byte, error) {
	raw := make([]byte, n*f.bytes)
	return raw, w.site.dev.Download(raw, p+cuda.Ptr(i*f.bytes))
}

// launch runs a helper.
func (s *Site) launch(entry string, shape kernels.Shape, operands []cuda.Ptr, scalars ...uint64) error {
	e, err := cuda.Find(entry, s.arch)
	if err != nil {
		return err
	}
	l, err := e.Launch(shape, s.dev.Info().SMs, operands, scalars...)
	if err != nil {
		return err
	}
	return s.dev.Launch(l)
}

// pick is the own kernel for a case.
func (s *Site) pick(c Case) (cuda.Entry, error) {
	e, err := cuda.Pick(c.Kernel, c.Precision, c.Engine, c.Shape, s.arch)
	if err != nil {
		return e, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return e, nil
}
