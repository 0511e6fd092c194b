package cpu

import (
	"fmt"
	"math"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// chunk is how many elements one call of an elementwise kernel takes at most: enough
// that the call does not count, few enough that the slowest engine asks within a second
// whether to stop.
const chunk = 4 << 20

// bindElementwise: the elements are divided over the threads at multiples of 64 bytes;
// each makes its passes over its own share without waiting for the others.
func bindElementwise[T cpu.Float](w *workload, c bench.Case, pool *cpu.Pool, f cpu.ElementwiseFunc[T]) error {
	d, err := kernels.Lookup(string(c.Kernel))
	if err != nil {
		return err
	}
	n := c.Shape.N
	out, err := outputs[T](w, pool, d.Writes, n)
	if err != nil {
		return err
	}
	in, patterns := make([][]T, d.Reads), make([][]T, d.Reads)
	for i := range in {
		if in[i], patterns[i], err = input[T](w, pool, c, n, c.Seed+uint64(i)); err != nil {
			return err
		}
	}
	type operands struct {
		to   [2][]T
		from [3][]T
		_    [136]byte // other threads' lie on other pairs of cache lines
	}
	pieces := make([]operands, pool.Threads()) // that each thread is at
	w.run = func(passes int) {
		streamPasses(pool, n, lineElements[T](), passes, func(tid, lo, hi int) {
			to, from := pieces[tid].to[:len(out)], pieces[tid].from[:len(in)]
			part(to, out, lo, hi)
			part(from, in, lo, hi)
			f(to, from)
		})
	}
	want, err := twin(d, c.Precision, patterns)
	if err != nil {
		return err
	}
	w.verify = func() error {
		for i := range out {
			if err := verifyElements(pool, out[i], want[i], toleranceOf(c.Spec, want[i])); err != nil {
				if len(out) > 1 {
					return fmt.Errorf("output %d: %w", i, err)
				}
				return err
			}
		}
		return nil
	}
	return nil
}

// outputs are count of them, all of which the workload's poison and checksum work on.
func outputs[T cpu.Float](w *workload, pool *cpu.Pool, count, n int) ([][]T, error) {
	var out [][]T
	var poisons []func()
	var checksums []func() uint64
	for range count {
		o, err := output[T](w, pool, n)
		if err != nil {
			return nil, err
		}
		out, poisons, checksums = append(out, o), append(poisons, w.poison), append(checksums, w.checksum)
	}
	w.poison = func() {
		for _, p := range poisons {
			p()
		}
	}
	w.checksum = func() uint64 {
		h := checksums[0]()
		for _, c := range checksums[1:] {
			h = hashWord(h, c())
		}
		return h
	}
	return out, nil
}

// part makes dst the elements from lo to hi of each operand.
func part[T any](dst, operands [][]T, lo, hi int) {
	for i := range dst {
		dst[i] = operands[i][lo:hi]
	}
}

// verifyElements holds got to the period want and names the first element that is off.
func verifyElements[T cpu.Float](pool *cpu.Pool, got []T, want []float64, allowed tolerance) error {
	n, period := len(got), len(want)
	return firstError(pool, n, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			if i >= lo+period && got[i] == got[i-period] {
				continue // as right as that one
			}
			v := want[i%period]
			if y := kernels.Value(got[i]); !(math.Abs(y-v) <= allowed.relative*math.Abs(v)+allowed.absolute) {
				return fmt.Errorf("element %d of %d is %v, want %v", i, n, y, v)
			}
		}
		return nil
	})
}

// twin is what the plain Go implementation makes of the inputs. The conformance suite holds that to a
// reference of 200 bits.
func twin[T cpu.Float](d kernels.Definition, p kernels.Precision, in [][]T) ([][]float64, error) {
	impl, err := cpu.Pick(d.Kernel, p, cpu.Go)
	if err != nil {
		return nil, err
	}
	out, want := make([][]T, d.Writes), make([][]float64, d.Writes)
	for i := range out {
		out[i], want[i] = make([]T, len(in[0])), make([]float64, len(in[0]))
	}
	impl.Func.(cpu.ElementwiseFunc[T])(out, in)
	for i := range out {
		for j, y := range out[i] {
			want[i][j] = kernels.Value(y)
		}
	}
	return want, nil
}

// tolerance is an error that no correct implementation exceeds.
type tolerance struct{ relative, absolute float64 }

// relatives are 8 units in the last place at fp32 (a polynomial exp errs by 2.5), and at
// fp16 and bf16, whose arithmetic is fp32, the one that a result near a tie may be rounded the other way by.
var relatives = map[kernels.Precision]float64{kernels.FP32: 0x1p-20, kernels.FP16: 0x1p-10, kernels.BF16: 0x1p-7}

// cancelling are the kernels that sum terms of opposite signs, near whose zeros an error is relative to
// the terms.
var cancelling = map[kernels.Kernel]bool{kernels.GELUBackward: true, kernels.GELUErfBackward: true, kernels.SiLUBackward: true, kernels.SiLUMulBackward: true}

// toleranceOf allows beside the relative error the spacing of subnormal fp16, which is far below what data of
// order 1 computes to.
func toleranceOf(s kernels.Spec, want []float64) tolerance {
	t := tolerance{relatives[s.Precision], 0x1p-24}
	if cancelling[s.Kernel] {
		largest := 0.0
		for _, v := range want {
			largest = max(largest, math.Abs(v))
		}
		t.absolute += largest * relatives[kernels.FP32]
	}
	return t
}
