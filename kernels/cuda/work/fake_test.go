package work

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/twin"
)

// fake is a device whose kernels are their twins. Its faults are hooks.
type fake struct {
	info    cuda.Info
	blocks  map[uint64][]byte
	next    uint64
	limit   int64
	used    int64
	pinned  int
	refuse  func(cuda.Image) error
	launch  func(l cuda.Launch, run func() error) error // nil runs
	seconds float64                                     // of the clock
}

func newFake(arch int) *fake {
	return &fake{
		info:   cuda.Info{Arch: arch, SMs: 2, L2Bytes: 1 << 16, MemoryBytes: 1 << 30, SharedOptIn: 100 << 10},
		blocks: map[uint64][]byte{}, next: 256, limit: 1 << 30,
		refuse: func(i cuda.Image) error {
			if !i.PTX {
				return fmt.Errorf("%s: %w", i.Name, cuda.ErrImage)
			}
			return nil
		},
	}
}

func (f *fake) Info() cuda.Info           { return f.info }
func (f *fake) FreeBytes() (int64, error) { return f.limit - f.used, nil }
func (f *fake) Load(i cuda.Image) error   { return f.refuse(i) }

func (f *fake) Alloc(n int64) (cuda.Ptr, error) {
	if f.used+n > f.limit {
		return 0, fmt.Errorf("%d bytes: %w", n, cuda.ErrMemory)
	}
	p := f.next
	f.next += (uint64(n)+511)/256*256 + 256
	f.blocks[p] = bytes.Repeat([]byte{0xcd}, int(n))
	f.used += n
	return cuda.Ptr(p), nil
}

func (f *fake) Free(p cuda.Ptr) error {
	b, ok := f.blocks[uint64(p)]
	if !ok {
		return fmt.Errorf("%#x was not allocated", p)
	}
	f.used -= int64(len(b))
	delete(f.blocks, uint64(p))
	return nil
}

// Bytes implements twin.Memory.
func (f *fake) Bytes(addr uint64, n int) ([]byte, error) {
	for start, b := range f.blocks {
		if addr >= start && addr+uint64(n) <= start+uint64(len(b)) {
			return b[addr-start:][:n], nil
		}
	}
	return nil, fmt.Errorf("%d bytes at %#x are not allocated", n, addr)
}

func (f *fake) Upload(dst cuda.Ptr, src []byte) error {
	b, err := f.Bytes(uint64(dst), len(src))
	copy(b, src)
	return err
}

func (f *fake) Download(dst []byte, src cuda.Ptr) error {
	b, err := f.Bytes(uint64(src), len(dst))
	copy(dst, b)
	return err
}

func (f *fake) Memset(dst cuda.Ptr, v byte, n int64) error {
	b, err := f.Bytes(uint64(dst), int(n))
	for i := range b {
		b[i] = v
	}
	return err
}

func (f *fake) Launch(l cuda.Launch) error {
	f.seconds++
	run := func() error { return twin.Run(l, f) }
	if f.launch != nil {
		return f.launch(l, run)
	}
	return run()
}

func (f *fake) Synchronize() error { return nil }

func (f *fake) Elapsed(enqueue func() error) (float64, error) {
	before := f.seconds
	err := enqueue()
	return f.seconds - before, err
}

func (f *fake) Pinned(n int64) ([]byte, error) { f.pinned++; return make([]byte, n), nil }
func (f *fake) FreePinned([]byte) error        { f.pinned--; return nil }
func (f *fake) UploadAsync(dst cuda.Ptr, src []byte) error {
	f.seconds++
	return f.Upload(dst, src)
}

func (f *fake) DownloadAsync(dst []byte, src cuda.Ptr) error {
	f.seconds++
	return f.Download(dst, src)
}

// onlyOf runs a fault for launches of one entry, and others as they are.
func onlyOf(entries []string, fault func(run func() error) error) func(cuda.Launch, func() error) error {
	return func(l cuda.Launch, run func() error) error {
		if slices.Contains(entries, l.Entry) {
			return fault(run)
		}
		return run()
	}
}
