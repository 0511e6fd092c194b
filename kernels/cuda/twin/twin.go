// Package twin computes in plain Go what each device function computes: the
// reference that the kernels are held to, and what stands in for the interpreter where a
// launch is too large for it. Results that the kernels owe exactly (fill, fold, copies, counts, products of
// integers) are the same bits. Others are correctly rounded or nearly so, and a kernel
// may differ from them by its tolerance (see kernels/cuda/conform).
//
// The host is little-endian, as the device is.
package twin

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"unsafe"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

// Memory is the device's memory: Bytes is the n bytes at addr, to read and to write, or an
// error where not all of them are allocated.
type Memory interface {
	Bytes(addr uint64, n int) ([]byte, error)
}

// Has reports whether there is a twin of the device function of that name.
func Has(name string) bool {
	_, ok := functions[name]
	return ok
}

// Run does what the launch does. The error says that there is no twin, that the launch is
// not one that an entry of this name makes (a grid too small would leave work undone on a device), or that an
// operand is not allocated.
func Run(l cuda.Launch, mem Memory) error {
	f, ok := functions[l.Entry]
	if !ok {
		return fmt.Errorf("device function %q has no twin", l.Entry)
	}
	if len(l.Params) != f.operands+f.sizes+f.scalars {
		return fmt.Errorf("device function %s takes %d parameters, not %d", l.Entry, f.operands+f.sizes+f.scalars, len(l.Params))
	}
	e, shape, err := f.entry(l)
	if err != nil {
		return err
	}
	c := &call{mem: mem, Launch: l, Entry: e, Shape: shape}
	f.run(c)
	if c.err != nil {
		return fmt.Errorf("device function %s: %w", l.Entry, c.err)
	}
	return nil
}

// function is a device function: the parameters it has of each sort, in this order, and what
// it does.
type function struct {
	operands, sizes, scalars int
	run                      func(*call)
}

// entry finds the entry that the launch is of, and the shape it is at.
func (f function) entry(l cuda.Launch) (cuda.Entry, kernels.Shape, error) {
	operands := make([]cuda.Ptr, f.operands)
	for i := range operands {
		operands[i] = cuda.Ptr(l.Params[i])
	}
	sizes := l.Params[f.operands:][:f.sizes]
	var why error
	for _, e := range cuda.Forms(l.Entry) {
		shape, sms := kernels.Shape{N: int(sizes[0])}, 1
		switch e.Kernel {
		case kernels.GEMM:
			shape = kernels.Shape{M: int(sizes[0]), N: int(sizes[1]), K: int(sizes[2])}
		case kernels.FMA:
			shape.N *= e.MultiplyAdds()
		}
		want, err := e.Launch(shape, sms, operands, l.Params[f.operands+f.sizes:]...)
		switch {
		case err != nil:
			why = err
		case e.Kernel == kernels.FMA && want.Block == l.Block: // on any number of blocks
			return e, shape, nil
		case want.Grid != l.Grid || want.Block != l.Block:
			why = fmt.Errorf("device function %s at %s: launched as %d blocks of %d threads, want %d of %d", e.Name, shape, l.Grid, l.Block, want.Grid, want.Block)
		default:
			return e, shape, nil
		}
	}
	if why == nil {
		why = fmt.Errorf("device function %q is in no table of entries", l.Entry)
	}
	return cuda.Entry{}, kernels.Shape{}, why
}

// call is a launch in progress. The first operand that is not there is its error.
type call struct {
	cuda.Launch
	cuda.Entry
	kernels.Shape
	mem Memory
	err error
}

// operand is parameter i as n elements of T, or nil with c.err set.
func operand[T any](c *call, i, n int) []T {
	if c.err != nil || n == 0 {
		return nil
	}
	var zero T
	size := int(unsafe.Sizeof(zero))
	if n > math.MaxInt/16 {
		c.err = fmt.Errorf("parameter %d: %d elements are more than any memory holds", i, n)
		return nil
	}
	b, err := c.mem.Bytes(c.Params[i], n*size)
	switch {
	case err != nil:
		c.err = fmt.Errorf("parameter %d: %w", i, err)
		return nil
	case uintptr(unsafe.Pointer(unsafe.SliceData(b)))%uintptr(size) != 0:
		c.err = fmt.Errorf("parameter %d: address %#x is not a multiple of the element's %d bytes", i, c.Params[i], size)
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// parallel calls f on pieces of [0, n), each a multiple of grain but the last, and waits.
func parallel(n, grain int, f func(lo, hi int)) {
	pieces := min(runtime.GOMAXPROCS(0), (n+grain-1)/grain)
	if pieces <= 1 {
		f(0, n)
		return
	}
	size := ((n+pieces-1)/pieces + grain - 1) / grain * grain
	var all sync.WaitGroup
	for lo := 0; lo < n; lo += size {
		all.Go(func() { f(lo, min(lo+size, n)) })
	}
	all.Wait()
}

// grain is how many elements a goroutine is worth.
const grain = 1 << 14
