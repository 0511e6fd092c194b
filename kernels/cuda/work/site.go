// Package work runs one case on a device and proves that the work was done: it fills
// operands with data that the host knows element by element, launches a kernel or a library's
// product, and holds the whole output against what it must be. It times nothing but what it is
// asked to, and knows no protocol.
//
// How the output is verified: a kernel on the device folds each row of it into 64 bits with
// odd weights, so that no single wrong element can go unseen, and the host computes the same folds
// from the data.
//
//   - fma counts its multiply-adds: the count of every thread must be the shape's.
//   - Elementwise kernels and copies: their operands hold at most 65536 different
//     (pairs of) values. The kernel is run once on just these, each result is held to the function in
//     float64, and then every element of the output must be, bit for bit, the result for its value.
//   - gemm is run once on the integers -1, 0 and 1, whose product is exact in any order of
//     summation: C·w = A·(B·w) modulo 2^64 for every row (R. Freivalds, Probabilistic machines can
//     use less running time, IFIP 1977, with one fixed w of odd weights). On the data that is timed, some
//     elements are held to float64, and every later pass must repeat the first bit for bit.
package work

import (
	"errors"
	"fmt"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

// Site is a device with its kernels loaded.
type Site struct {
	dev     cuda.Device
	arch    int     // of the image that is loaded
	library Library // nil where there is none
}

// Library computes matrix products in place of an own kernel.
type Library interface {
	Engine() string  // cublaslt
	Version() string // "12.8.4"
	Precisions() []kernels.Precision
	// Plan prepares C = A·B at spec's shape and precision: run enqueues one product. The note is
	// its convention: layouts, compute type, algorithm. An [ErrUnsupported] says that it has no
	// algorithm for this.
	Plan(spec kernels.Spec, a, b, c cuda.Ptr) (run func() error, note string, err error)
}

// ErrUnsupported is for a case that this device, or the engine asked for, cannot run.
var ErrUnsupported = errors.New("not supported")

// WrongError says that the device computed something wrong.
type WrongError struct{ Text string }

func (e *WrongError) Error() string { return e.Text }

func wrong(format string, args ...any) error { return &WrongError{fmt.Sprintf(format, args...)} }

// Open loads the kernels for the device: its cubin, or else the PTX, which the driver compiles: the
// sentence says so then. An [ErrUnsupported] says that no image serves.
func Open(dev cuda.Device, library Library) (site *Site, jit string, err error) {
	info := dev.Info()
	var refused error
	for _, image := range cuda.Images(info.Arch) {
		switch err := dev.Load(image); {
		case errors.Is(err, cuda.ErrImage):
			refused = err
		case err != nil:
			return nil, "", fmt.Errorf("load %s: %w", image.Name, err)
		default:
			if image.PTX {
				jit = fmt.Sprintf("the kernels were compiled by the driver from PTX for %s: no cubin for compute capability %d.%d served", image.Name, info.Arch/10, info.Arch%10)
			}
			return &Site{dev, image.Arch, library}, jit, nil
		}
	}
	if refused == nil {
		return nil, "", fmt.Errorf("compute capability %d.%d is %w: the kernels need 5.0 or later", info.Arch/10, info.Arch%10, ErrUnsupported)
	}
	return nil, "", fmt.Errorf("compute capability %d.%d by this driver is %w: it takes no form of the kernels, the last of them because: %w", info.Arch/10, info.Arch%10, ErrUnsupported, refused)
}

// Offer is a kernel at a precision that an engine runs on the site.
type Offer struct {
	Kernel      kernels.Kernel
	Precision   kernels.Precision
	Engine      string
	Instruction string
}

// Offers lists what the site runs, the library's products first.
func (s *Site) Offers() []Offer {
	var offers []Offer
	if s.library != nil {
		for _, p := range s.library.Precisions() {
			offers = append(offers, Offer{kernels.GEMM, p, s.library.Engine(), s.library.Engine() + " " + s.library.Version()})
		}
	}
	seen := map[Offer]bool{}
	for _, e := range cuda.Entries(s.arch) {
		o := Offer{e.Kernel, e.Precision, e.Engine, e.Instruction}
		if o.Kernel != "" && !seen[o] {
			seen[o] = true
			offers = append(offers, o)
		}
	}
	for _, k := range []kernels.Kernel{kernels.HostToDevice, kernels.DeviceToHost} {
		offers = append(offers, Offer{k, kernels.FP64, Driver, "DMA"})
	}
	return offers
}

// Driver is the engine of the copies over the bus.
const Driver = "driver"

// LaunchSeconds is the time from one launch that does next to nothing to the next, back to
// back, by the device's clock.
func (s *Site) LaunchSeconds() (float64, error) {
	const launches = 200
	fill, err := cuda.Find("fill_8", s.arch)
	if err != nil {
		return 0, err
	}
	scratch, err := s.dev.Alloc(tableSize * 8)
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.dev.Free(scratch) }()
	out, err := s.dev.Alloc(8)
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.dev.Free(out) }()
	l, err := fill.Launch(kernels.Shape{N: 1}, s.dev.Info().SMs, []cuda.Ptr{out, scratch}, 0)
	if err != nil {
		return 0, err
	}
	enqueue := func() error {
		for range launches {
			if err := s.dev.Launch(l); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := s.dev.Elapsed(enqueue); err != nil { // the first pass loads code
		return 0, err
	}
	seconds, err := s.dev.Elapsed(enqueue)
	return seconds / launches, err
}
