//go:build linux

package cpu

import (
	"fmt"
	"math/bits"
	"slices"
	"testing"
	"unsafe"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/kerneltest"
	"github.com/realflops/realflops/kernels/kerneltest/bochs"
)

// TestAMXInAnEmulator runs the suites of the AMX engine on an emulated CPU, whatever this one has.
func TestAMXInAnEmulator(t *testing.T) {
	t.Parallel()
	m := bochs.Start(t)
	bf16, int8s := amxBF16(), amxINT8()
	bf16.call, int8s.call = emulated(t, m, bf16), emulated(t, m, int8s)
	t.Run("fma/bf16", func(t *testing.T) { kerneltest.FMA(t, bf16.fmaBF16) })
	t.Run("fma/int8", func(t *testing.T) { kerneltest.FMA(t, int8s.fmaINT8) })
	gemmInAnEmulator(t, "bf16", newGEMM[kernels.BFloat16, float32](&bf16.tiles), arithmetics[GoAMX], kernels.GEMM, kernels.GEMMTT)
	// Bochs 3.0 multiplies bytes without their sign, whichever form of the instruction is asked for (its cpu/avx/amx.cc). So the
	// suite proves where each byte goes, and that the instruction is TDPBSSD is up to the disassembler.
	gemmInAnEmulator(t, "int8", newGEMM[int8, int32](&int8s.tiles), kerneltest.Arithmetic{UnsignedBytes: true}, kernels.GEMM, kernels.GEMMTT)
}

// gemmInAnEmulator is conform on one thread, as the machine has one CPU, with the operands as they are and, where the family
// has packers of its own, transposed.
func gemmInAnEmulator[T Stored, C Summed](t *testing.T, name string, g *GEMM[T, C], arithmetic kerneltest.Arithmetic, forms ...kernels.Kernel) {
	p := NewPool(1)
	defer p.Close()
	tiny := *g
	tiny.blocking = blocking{2 * g.MR, g.alignK(), g.NR}
	calls := 0
	run := func(c []C, a, b []T, s kerneltest.Product) {
		multiply(t, []*GEMM[T, C]{g, &tiny}[calls%2], p, c, a, b, Product{M: s.M, N: s.N, K: s.K, TransA: s.TransA, TransB: s.TransB, Batch: s.Batch})
		calls++
	}
	if testing.Short() && name != "int8" {
		return // what short runs look for, races and other architectures, is not in here
	}
	for _, k := range forms {
		t.Run(fmt.Sprintf("%s/%s", k, name), func(t *testing.T) {
			form := ProductOf(kernels.Spec{Kernel: k})
			kerneltest.GEMM(t, arithmetic, kerneltest.Product{TransA: form.TransA, TransB: form.TransB}, run)
		})
	}
}

func memory(start unsafe.Pointer, bytes int) bochs.Region {
	return bochs.Region{Start: start, Bytes: bytes}
}

func written(start unsafe.Pointer, bytes int) bochs.Region {
	return bochs.Region{Start: start, Bytes: bytes, Write: true}
}

// emulated calls the routines of f on m, and shows them what they may touch and nothing else.
func emulated(t *testing.T, m *bochs.Machine, f *amxFamily) func(routine uintptr, args unsafe.Pointer) {
	return func(routine uintptr, args unsafe.Pointer) {
		var regions []bochs.Region
		switch routine {
		case f.release:
		case f.configure:
			regions = append(regions, memory(args, len(amxConfiguration)))
		case f.loop:
			x := (*amxLoopArgs)(args)
			regions = append(regions, memory(args, int(unsafe.Sizeof(*x))), memory(x.configuration, len(amxConfiguration)),
				memory(x.ones, amxBytes), written(x.sums, amxChains*amxRows*amxBytes))
		case f.gather, f.interleave, f.transpose:
			regions = f.packed(routine, (*amxPackArgs)(args))
		default:
			i := slices.Index(f.tile[:], routine)
			regions = tileRegions((*tileArgs)(args), f.MR*amxBytes, amxRows*(1+i/2), amxBytes*(1+i%2))
		}
		if err := m.Call(routine, args, regions...); err != nil {
			t.Fatal(err)
		}
	}
}

// packed are the regions of a packing routine.
func (f *amxFamily) packed(routine uintptr, x *amxPackArgs) []bochs.Region {
	regions := []bochs.Region{memory(unsafe.Pointer(x), int(unsafe.Sizeof(*x)))}
	row := bits.Len64(x.mask) * f.StoredBytes
	dst := (roundUp(x.rows, f.KStep)/f.KStep-1)*x.stride + amxRows*amxBytes
	switch routine {
	case f.transpose:
		return append(regions, written(x.dst, x.tiles*amxRows*amxBytes))
	case f.gather:
		row = x.bytes
		dst = (roundUp(x.bytes, amxBytes)/amxBytes-1)*x.stride + x.rows*amxBytes
	}
	for i := range x.rows {
		regions = append(regions, memory(unsafe.Add(x.src, i*x.ld), row))
	}
	return append(regions, written(x.dst, dst))
}

// tileRegions are those of a microkernel that takes stepA bytes of A a step and writes the given bytes of each row of C.
func tileRegions(x *tileArgs, stepA, rows, bytes int) []bochs.Region {
	regions := []bochs.Region{memory(unsafe.Pointer(x), int(unsafe.Sizeof(*x))), memory(x.a, x.k*stepA), memory(x.b, x.k*x.ldb)}
	for i := range rows {
		regions = append(regions, written(unsafe.Add(x.c, i*x.ldc), bytes))
	}
	return regions
}

// TestFP16InAnEmulator runs the suites of the AVX512-FP16 engine on an emulated CPU, whatever this one has. Panels are those of
// bf16, whose packers have a suite of their own; where this CPU lacks AVX-512, plain Go packs.
func TestFP16InAnEmulator(t *testing.T) {
	t.Parallel()
	m := bochs.Start(t)
	m.XCR0 = bochs.AVX512
	f := fp16AVX512()
	on := func(routine uintptr, args unsafe.Pointer, regions []bochs.Region) {
		if err := m.Call(routine, args, regions...); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("fma/fp16", func(t *testing.T) {
		kerneltest.FMA(t, func(n int) float64 {
			return fmaFP16(n, func(routine uintptr, args unsafe.Pointer) {
				x := (*fp16LoopArgs)(args)
				on(routine, args, []bochs.Region{memory(args, int(unsafe.Sizeof(*x))), written(unsafe.Pointer(x.sums), int(unsafe.Sizeof(*x.sums)))})
			})
		})
	})
	f.Tile = func(x *tileArgs, rows, columns int) {
		on(f.routine(x, rows, columns), unsafe.Pointer(x), tileRegions(x, f.MR*dotBytes, rows, columns*f.OutBytes))
	}
	if len((Impl{Needs: needsAVX512}).Missing()) > 0 {
		f.PackA, f.PackAT, f.PackB, f.PackBT = nil, nil, nil, nil
		packInGo[kernels.Float16, kernels.Float16](&f.tiles, unchanged)
	}
	gemmInAnEmulator(t, "fp16", newGEMM[kernels.Float16, kernels.Float16](&f.tiles), kerneltest.Arithmetic{}, kernels.GEMM)
}
