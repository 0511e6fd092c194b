package work

import (
	"github.com/realflops/realflops/kernels/cuda"
)

// fma: every thread counts the multiply-adds that it made.
func (w *Work) fma(c Case) error {
	e, err := w.site.pick(c)
	if err != nil {
		return err
	}
	w.Engine, w.Note = e.Engine, e.Instruction
	sms := w.site.dev.Info().SMs
	w.Threads = sms * e.BlocksPerSM * e.Block
	out, err := w.alloc(int64(8 * w.Threads))
	if err != nil {
		return err
	}
	l, err := e.Launch(c.Shape, sms, []cuda.Ptr{out})
	if err != nil {
		return err
	}
	w.sets = []set{{[]cuda.Ptr{out}, func() error { return w.site.dev.Launch(l) }}}
	w.want = make([]uint64, w.Threads)
	for i := range w.want {
		w.want[i] = uint64(c.Shape.N)
	}
	w.poisoned = func(set) error { return w.site.dev.Memset(out, 0xff, int64(8*w.Threads)) }
	w.digest = func(set) ([]uint64, error) { return w.words(out, w.Threads) }
	w.locate = func(s set, thread int) error {
		got, err := w.words(out, w.Threads)
		if err != nil {
			return err
		}
		return wrong("thread %d of %d counts %d multiply-adds, want %d", thread, w.Threads, got[thread], c.Shape.N)
	}
	return w.verified()
}

// verified runs and verifies the first pass.
func (w *Work) verified() error {
	_, err := w.Check()
	return err
}
