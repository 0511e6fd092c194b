//go:build linux

package cpu

import (
	"testing"
	"unsafe"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/kerneltest"
	"github.com/realflops/realflops/kernels/kerneltest/bochs"
)

// TestAVXVNNIInAnEmulator runs the suite of the AVX-VNNI engine, whatever this CPU has: what multiplies by VPDPBUSD on an
// emulated CPU, and the packers of A, which are AVX2, on this one.
func TestAVXVNNIInAnEmulator(t *testing.T) {
	needs(t, Impl{Engine: GoAVX2, Needs: needsAVX2})
	t.Parallel()
	m := bochs.Start(t)
	d := int8AVXVNNI()
	on := func(routine uintptr, args unsafe.Pointer, regions []bochs.Region) {
		if err := m.Call(routine, args, regions...); err != nil {
			t.Fatal(err)
		}
	}
	d.Tile = func(x *tileArgs, rows, columns int) {
		tail := memory(unsafe.Add(x.b, x.k*x.ldb), x.ldb/d.KStep*d.TailB)
		on(d.routine(x, rows, columns), unsafe.Pointer(x), append(tileRegions(x, d.MR*dotBytes, rows, columns*d.OutBytes), tail))
	}
	pack := func(routine uintptr, x *dotPackArgs, in []byte, dst, tail bochs.Region) {
		on(routine, unsafe.Pointer(x), []bochs.Region{memory(unsafe.Pointer(x), int(unsafe.Sizeof(*x))), memory(unsafe.Pointer(&in[0]), len(in)), dst, tail})
	}
	// The routines get copies of their operands that are whole: d's own way to the edges is that of the other engines.
	d.PackB = func(dst, src unsafe.Pointer, ld, n, k int) {
		width, steps := roundUp(n, d.Lanes), roundUp(k, d.KStep)/d.KStep
		in := make([]byte, steps*d.KStep*width)
		for p := range k {
			copy(in[p*width:], unsafe.Slice((*byte)(unsafe.Add(src, p*ld)), n))
		}
		tail := d.tail(dst, width, k)
		x := &dotPackArgs{dst: dst, src: unsafe.Pointer(&in[0]), ld: width, count: steps, sums: tail}
		pack(d.packB[width/d.Lanes-1], x, in, written(dst, len(in)), written(tail, width*d.TailB))
	}
	d.PackBT = func(dst, src unsafe.Pointer, ld, n, k int) {
		width, steps := roundUp(n, d.Lanes), roundUp(k, d.KStep)/d.KStep
		tail, row := d.tail(dst, width, k), roundUp(k, d.Lanes*d.KStep)
		for j := 0; j < n; j += d.Lanes {
			in, out := make([]byte, d.Lanes*row), make([]byte, d.Lanes*row)
			sums := unsafe.Add(tail, j*d.TailB)
			x := &dotPackArgs{dst: unsafe.Pointer(&out[0]), stride: d.Lanes * dotBytes, count: row / d.Lanes / d.KStep, sums: sums}
			for i := range d.Lanes {
				x.rows[i] = unsafe.Pointer(&in[i*row])
				if j+i < n {
					copy(in[i*row:], unsafe.Slice((*byte)(unsafe.Add(src, (j+i)*ld)), k))
				}
			}
			pack(d.packBT, x, in, written(x.dst, len(out)), written(sums, d.Lanes*d.TailB))
			for s := range steps {
				copy(unsafe.Slice((*byte)(unsafe.Add(dst, (s*width+j)*dotBytes)), x.stride), out[s*x.stride:])
			}
		}
	}
	gemmInAnEmulator(t, "avx-vnni", newGEMM[int8, int32](&d.tiles), kerneltest.Arithmetic{}, kernels.GEMMNT, kernels.GEMMTN)
}
