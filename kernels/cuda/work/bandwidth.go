package work

import (
	"fmt"

	"github.com/realflops/realflops/kernels/cuda"
)

// source is the values of a one-operand case and their table on the device.
func (w *Work) source(c Case) (values []byte, onDevice cuda.Ptr, err error) {
	value, err := valuesOf(c)
	if err != nil {
		return nil, 0, err
	}
	t := table(fp64, value)
	p, err := w.upload(t)
	return t, p, err
}

func valuesOf(c Case) (func(int) float64, error) {
	value, err := values(c.Data, stored(c.Precision))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return value, nil
}

// read: each block writes the sum of the words that it read.
func (w *Work) read(c Case) error {
	e, err := w.site.pick(c)
	if err != nil {
		return err
	}
	w.Engine, w.Note, w.Traffic = e.Engine, "16-byte accesses", c.Bytes()
	t, onDevice, err := w.source(c)
	if err != nil {
		return err
	}
	n := c.Shape.N
	blocks := (n-1)/e.Chunk + 1
	err = w.makeSets(c.Cold, int64(8*n), func() (set, error) {
		out, err := w.alloc(int64(8 * blocks))
		if err != nil {
			return set{}, err
		}
		x, err := w.alloc(int64(8 * n))
		if err != nil {
			return set{}, err
		}
		if err := w.fill(fp64, x, onDevice, n, c.Seed); err != nil {
			return set{}, err
		}
		l, err := e.Launch(c.Shape, w.site.dev.Info().SMs, []cuda.Ptr{out, x})
		return set{[]cuda.Ptr{out, x}, func() error { return w.site.dev.Launch(l) }}, err
	})
	if err != nil {
		return err
	}
	w.want = sumsOf(t, c.Seed, n, e.Chunk)
	w.poisoned = func(s set) error { return w.site.dev.Memset(s.ptrs[0], 0xff, int64(8*blocks)) }
	w.digest = func(s set) ([]uint64, error) { return w.words(s.ptrs[0], blocks) }
	w.locate = func(_ set, block int) error {
		return wrong("the sum of elements %d to %d of %d is wrong", block*e.Chunk, min((block+1)*e.Chunk, n)-1, n)
	}
	return w.verified()
}

// sumsOf are the wrapping sums of chunks of n words taken from a table.
func sumsOf(t []byte, seed uint64, n, chunk int) []uint64 {
	out := make([]uint64, (n-1)/chunk+1)
	parallel(len(out), func(lo, hi int) {
		for b := lo; b < hi; b++ {
			for i := b * chunk; i < min((b+1)*chunk, n); i++ {
				out[b] += fp64.at(t, index(seed, uint64(i)))
			}
		}
	})
	return out
}

// gather is n elements of fp64 taken from a table.
func gather(dst, t []byte, seed uint64) {
	parallel(len(dst)/8, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			fp64.put(dst, i, fp64.at(t, index(seed, uint64(i))))
		}
	})
}

// hostToDevice: what arrives is folded on the device.
func (w *Work) hostToDevice(c Case) error {
	device, host, t, err := w.bus(c)
	if err != nil {
		return err
	}
	n := c.Shape.N
	gather(host, t, c.Seed)
	folds, err := w.alloc(int64(8 * ((n-1)/foldColumns + 1)))
	if err != nil {
		return err
	}
	w.sets = []set{{[]cuda.Ptr{device}, func() error { return w.site.dev.UploadAsync(device, host) }}}
	w.want = foldsOf(fp64, t, c.Seed, n)
	w.poisoned = func(set) error { return w.site.dev.Memset(device, 0xff, int64(8*n)) }
	w.digest = func(set) ([]uint64, error) { return w.fold("fold_bits_8", device, folds, n, foldColumns) }
	w.locate = func(_ set, row int) error {
		first := row * foldColumns
		raw, err := w.elements(fp64, device, first, min(foldColumns, n-first))
		if err != nil {
			return err
		}
		return firstWrong(fp64, raw, t, c.Seed, first, n)
	}
	return w.verified()
}

// deviceToHost: what arrives is compared on the host.
func (w *Work) deviceToHost(c Case) error {
	device, host, t, err := w.bus(c)
	if err != nil {
		return err
	}
	n := c.Shape.N
	onDevice, err := w.upload(t)
	if err != nil {
		return err
	}
	if err := w.fill(fp64, device, onDevice, n, c.Seed); err != nil {
		return err
	}
	w.sets = []set{{[]cuda.Ptr{device}, func() error { return w.site.dev.DownloadAsync(host, device) }}}
	w.want = sumsOf(t, c.Seed, n, foldColumns)
	w.poisoned = func(set) error {
		for i := range host {
			host[i] = 0xff
		}
		return nil
	}
	w.digest = func(set) ([]uint64, error) {
		got := make([]uint64, len(w.want))
		parallel(len(got), func(lo, hi int) {
			for r := lo; r < hi; r++ {
				for i := r * foldColumns; i < min((r+1)*foldColumns, n); i++ {
					got[r] += fp64.at(host, i)
				}
			}
		})
		return got, nil
	}
	w.locate = func(_ set, row int) error {
		first := row * foldColumns
		return firstWrong(fp64, host[8*first:8*min(first+foldColumns, n)], t, c.Seed, first, n)
	}
	return w.verified()
}

// bus allocates both ends of a copy over the bus.
func (w *Work) bus(c Case) (device cuda.Ptr, host, t []byte, err error) {
	if c.Engine != "" && c.Engine != Driver {
		return 0, nil, nil, fmt.Errorf("engine %s is %w for %s: it is the driver's copy", c.Engine, ErrUnsupported, c.Kernel)
	}
	w.Engine, w.Note, w.Traffic = Driver, "pinned host memory", c.Bytes()
	value, err := valuesOf(c)
	if err != nil {
		return 0, nil, nil, err
	}
	bytes := int64(8 * c.Shape.N)
	if device, err = w.alloc(bytes); err != nil {
		return 0, nil, nil, err
	}
	if host, err = w.site.dev.Pinned(bytes); err != nil {
		return 0, nil, nil, err
	}
	w.host = append(w.host, host)
	return device, host, table(fp64, value), nil
}
