package work

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

func open(t *testing.T, dev *fake) *Site {
	t.Helper()
	site, jit, err := Open(dev, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(jit, "PTX") {
		t.Fatalf("%q does not say that the driver compiled PTX", jit)
	}
	return site
}

// cases is every kernel at every precision that the site offers, at small odd shapes.
func cases(site *Site) []Case {
	var all []Case
	for _, o := range site.Offers() {
		c := Case{Engine: o.Engine, Data: "randn", Seed: 7}
		c.Kernel, c.Precision = o.Kernel, o.Precision
		d, _ := kernels.Lookup(string(o.Kernel))
		switch d.Class {
		case kernels.Matrix:
			c.Shape = kernels.Shape{M: 33, N: 48, K: 80}
			all = append(all, c)
			c.Shape = kernels.Shape{M: 5, N: 7, K: 9}
		case kernels.Register:
			c.Shape = kernels.Shape{N: 2 * kernels.FMAQuantum}
		default:
			c.Shape = kernels.Shape{N: 9001}
		}
		all = append(all, c)
	}
	return all
}

func TestEveryOfferIsPreparedVerifiedAndFreed(t *testing.T) {
	for _, arch := range []int{50, 70, 75, 80} {
		dev := newFake(arch)
		site := open(t, dev)
		if n := len(cases(site)); n < 8 {
			t.Fatalf("sm_%d: only %d cases", arch, n)
		}
		for _, c := range cases(site) {
			w, err := site.Prepare(c)
			if err != nil {
				t.Errorf("sm_%d: %s by %s: %v", arch, c.Spec, c.Engine, err)
				continue
			}
			first, err := w.Check()
			if err != nil {
				t.Errorf("sm_%d: %s by %s: a second pass: %v", arch, c.Spec, c.Engine, err)
			}
			if again, err := w.Check(); err != nil || again != first {
				t.Errorf("sm_%d: %s: checksum %s, then %s, %v", arch, c.Spec, first, again, err)
			}
			if s, err := w.Time(3); s != 3 || err != nil {
				t.Errorf("sm_%d: %s: 3 passes are %v launches, %v", arch, c.Spec, s, err)
			}
			if err := w.Free(); err != nil || dev.used != 0 || dev.pinned != 0 {
				t.Errorf("sm_%d: %s: %d bytes and %d pinned buffers are left, %v", arch, c.Spec, dev.used, dev.pinned, err)
			}
		}
	}
}

// output is the first operand of a launch: what a kernel writes.
func output(t *testing.T, dev *fake, l cuda.Launch) []byte {
	t.Helper()
	b, ok := dev.blocks[l.Params[0]]
	if !ok {
		t.Fatalf("%s: its first parameter is no buffer", l.Entry)
	}
	return b
}

// TestWrongWorkIsFound: in the first pass or a later one, on every kernel.
func TestWrongWorkIsFound(t *testing.T) {
	helper := func(entry string) bool {
		return strings.HasPrefix(entry, "fill") || strings.HasPrefix(entry, "fold")
	}
	faults := map[string]func(t *testing.T, dev *fake, l cuda.Launch, run func() error) error{
		"does nothing": func(*testing.T, *fake, cuda.Launch, func() error) error { return nil },
		"flips the lowest bit of the last element": func(t *testing.T, dev *fake, l cuda.Launch, run func() error) error {
			err := run()
			b := output(t, dev, l)
			width := map[string]int{"16": 2, "32": 4, "64": 8}[l.Entry[len(l.Entry)-2:]]
			if strings.HasPrefix(l.Entry, "fma") || strings.HasPrefix(l.Entry, "mma") || width == 0 {
				width = 8
			}
			b[len(b)-width] ^= 1
			return err
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			dev := newFake(80)
			site := open(t, dev)
			for _, c := range cases(site) {
				if c.Engine == Driver {
					continue // nothing is launched
				}
				dev.launch = func(l cuda.Launch, run func() error) error {
					if helper(l.Entry) {
						return run()
					}
					return fault(t, dev, l, run)
				}
				var wrong *WrongError
				w, err := site.Prepare(c)
				if flipped := name != "does nothing" && c.Kernel == kernels.GEMM; !flipped && !errors.As(err, &wrong) {
					t.Errorf("%s: the first pass passed: %v", c.Spec, err)
				}
				if err == nil {
					_ = w.Free()
				}
				dev.launch = nil
				if w, err = site.Prepare(c); err != nil {
					t.Fatal(err)
				}
				dev.launch = func(l cuda.Launch, run func() error) error {
					if helper(l.Entry) {
						return run()
					}
					return fault(t, dev, l, run)
				}
				if _, err := w.Check(); !errors.As(err, &wrong) {
					t.Errorf("%s: a later pass passed: %v", c.Spec, err)
				}
				dev.launch = nil
				if err := w.Free(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestADeviceThatDoesNothingAtAllIsFound: not even its helpers run.
func TestADeviceThatDoesNothingAtAllIsFound(t *testing.T) {
	dev := newFake(80)
	site := open(t, dev)
	dev.launch = func(cuda.Launch, func() error) error { return nil }
	for _, c := range cases(site) {
		for _, data := range []string{"randn", "zeros"} {
			c.Data = data
			var wrong *WrongError
			if _, err := site.Prepare(c); !errors.As(err, &wrong) {
				t.Errorf("%s on %s: %v", c.Spec, data, err)
			}
		}
	}
	if dev.used != 0 {
		t.Errorf("%d bytes are left", dev.used)
	}
}

func TestWrongElementIsNamed(t *testing.T) {
	for _, x := range []struct {
		c    Case
		at   int // byte of the output that is spoilt
		want string
	}{
		{Case{Spec: kernels.Spec{Kernel: kernels.Sigmoid, Precision: kernels.FP32, Shape: kernels.Shape{N: 10000}}, Data: "randn"}, 4*5000 + 3, "element 5000 of 10000"},
		{Case{Spec: kernels.Spec{Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Shape: kernels.Shape{M: 8, N: 16, K: 24}}, Data: "randn"}, 4*(3*16+5) + 3, "C[3,5]"},
		{Case{Spec: kernels.Spec{Kernel: kernels.FMA, Precision: kernels.FP32FP32, Shape: kernels.Shape{N: kernels.FMAQuantum}}}, 8 * 9, "thread 9 of"},
	} {
		dev := newFake(80)
		w, err := open(t, dev).Prepare(x.c)
		if err != nil {
			t.Fatal(err)
		}
		dev.launch = func(l cuda.Launch, run func() error) error {
			err := run()
			if !strings.HasPrefix(l.Entry, "fold") {
				output(t, dev, l)[x.at] ^= 0x40
			}
			return err
		}
		if _, err := w.Check(); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q named", x.c.Spec, err, x.want)
		}
	}
}

func TestColdOperandsTakeTurns(t *testing.T) {
	dev := newFake(80)
	c := Case{Data: "randn", Cold: true}
	c.Kernel, c.Precision, c.Shape = kernels.GEMM, kernels.FP32FP32, kernels.Shape{M: 32, N: 32, K: 32} // 12 KiB; L2 64 KiB
	w, err := open(t, dev).Prepare(c)
	if err != nil {
		t.Fatal(err)
	}
	if w.Sets() != 16 {
		t.Errorf("%d sets of 12 KiB, want 16 for three times 64 KiB", w.Sets())
	}
	outputs := map[uint64]int{}
	dev.launch = func(l cuda.Launch, run func() error) error { outputs[l.Params[0]]++; return run() }
	if _, err := w.Time(32); err != nil {
		t.Fatal(err)
	}
	for p, n := range outputs {
		if n != 2 || len(outputs) != 16 {
			t.Errorf("set %#x had %d of 32 passes over %d sets", p, n, len(outputs))
		}
	}
}

func TestErrorsSayWhatTheyAre(t *testing.T) {
	dev := newFake(75)
	site := open(t, dev)
	bf16 := Case{Data: "randn"}
	bf16.Kernel, bf16.Precision, bf16.Shape = kernels.GEMM, kernels.BF16FP32, kernels.Shape{M: 8, N: 8, K: 8}
	if _, err := site.Prepare(bf16); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "8.0") {
		t.Errorf("bf16 on 7.5: %v", err)
	}
	big := bf16
	big.Precision, big.Shape = kernels.FP32FP32, kernels.Shape{M: 20000, N: 20000, K: 8}
	if _, err := site.Prepare(big); !errors.Is(err, cuda.ErrMemory) || dev.used != 0 {
		t.Errorf("1.6 GB on a device of 1 GiB: %v, %d bytes left", err, dev.used)
	}
	lib := bf16
	lib.Precision, lib.Engine = kernels.FP32FP32, cuda.CuBLASLt
	if _, err := site.Prepare(lib); !errors.Is(err, ErrUnsupported) {
		t.Errorf("cublaslt where there is none: %v", err)
	}
	dev = newFake(80)
	dev.refuse = func(i cuda.Image) error { return fmt.Errorf("%s: %w", i.Name, cuda.ErrImage) }
	if _, _, err := Open(dev, nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("no image served: %v", err)
	}
	dev.info.Arch = 35
	if _, _, err := Open(dev, nil); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "3.5") {
		t.Errorf("compute capability 3.5: %v", err)
	}
}

func TestColdOperandsTakeTheMemoryThereIs(t *testing.T) {
	dev := newFake(80)
	dev.limit = 100 << 10
	c := Case{Data: "randn", Cold: true}
	c.Kernel, c.Precision, c.Shape = kernels.GEMM, kernels.FP32FP32, kernels.Shape{M: 32, N: 32, K: 32}
	site := open(t, dev)
	_, err := site.Prepare(c)
	if !errors.Is(err, cuda.ErrMemory) || dev.used != 0 {
		t.Errorf("the table alone takes 256 KiB of 100: %v, %d bytes left", err, dev.used)
	}
	dev.limit = 350 << 10
	w, err := site.Prepare(c)
	if err != nil {
		t.Fatal(err)
	}
	if w.Sets() < 2 || w.Sets() >= 16 || !strings.Contains(w.Note, "sets of operands fit") {
		t.Errorf("%d sets, note %q; want some of 16, and that it is said", w.Sets(), w.Note)
	}
	if err := w.Free(); err != nil || dev.used != 0 {
		t.Errorf("%d bytes left, %v", dev.used, err)
	}
}

// TestAProductThatIsAlwaysWrongIsFound: in one element of thousands, the same in every pass, so that no later
// pass differs from the first and no sampled element need be it.
func TestAProductThatIsAlwaysWrongIsFound(t *testing.T) {
	dev := newFake(80)
	site := open(t, dev)
	dev.launch = func(l cuda.Launch, run func() error) error {
		err := run()
		if strings.HasPrefix(l.Entry, "gemm") {
			b := output(t, dev, l)
			b[len(b)-1] ^= 0x40 // of the last element: its sign's neighbour in floating point, 2^30 of an integer
		}
		return err
	}
	for _, p := range []kernels.Precision{kernels.FP32FP32, kernels.TF32FP32, kernels.FP16FP32, kernels.FP16FP16, kernels.BF16FP32, kernels.INT8INT32} {
		c := Case{Data: "randn", Seed: 5}
		c.Kernel, c.Precision, c.Shape = kernels.GEMM, p, kernels.Shape{M: 60, N: 64, K: 96}
		var wrong *WrongError
		if _, err := site.Prepare(c); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "C[59,63]") {
			t.Errorf("%s: %v, want C[59,63] found", p, err)
		}
	}
}
