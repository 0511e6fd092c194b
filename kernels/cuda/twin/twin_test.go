package twin

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

// room is memory of one allocation, at address 4096.
type room []byte

const base = 4096

func (r room) Bytes(addr uint64, n int) ([]byte, error) {
	if addr < base || addr+uint64(n) > base+uint64(len(r)) {
		return nil, fmt.Errorf("%d bytes at %#x are not allocated", n, addr)
	}
	return r[addr-base:][:n], nil
}

// part is n elements of T from offset on, which must be aligned.
func part[T any](r room, offset, n int) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(&r[offset])), n)
}

// launch runs the entry of image 80 on operands at the given offsets.
func launch(t *testing.T, r room, name string, shape kernels.Shape, offsets []int, scalars ...uint64) {
	t.Helper()
	e, err := cuda.Find(name, 80)
	if err != nil {
		t.Fatal(err)
	}
	var at []cuda.Ptr
	for _, o := range offsets {
		at = append(at, cuda.Ptr(base+o))
	}
	l, err := e.Launch(shape, 4, at, scalars...)
	if err != nil {
		t.Fatal(err)
	}
	if err := Run(l, r); err != nil {
		t.Fatal(err)
	}
}

// threaded makes work be shared out whatever the machine.
func threaded(t *testing.T) {
	before := runtime.GOMAXPROCS(4)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

func TestRowsThatGoroutinesShareFoldToTheirSum(t *testing.T) {
	threaded(t)
	const n, cols = 200_000, 70_001 // three rows over four goroutines
	r := make(room, 1024+4*n)
	c := part[uint32](r, 1024, n)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range c {
		c[i] = random.Uint32()
	}
	launch(t, r, "fold_bits_4", kernels.Shape{N: n}, []int{0, 1024}, cols)
	for row, got := range part[uint64](r, 0, 3) {
		want := uint64(0)
		for j := row * cols; j < min(n, row*cols+cols); j++ {
			want += uint64(c[j]) * weight(j-row*cols)
		}
		if got != want {
			t.Errorf("row %d folds to %#x, want %#x", row, got, want)
		}
	}
}

func TestFillIsTheSameOnAnyNumberOfGoroutines(t *testing.T) {
	threaded(t)
	const n = 100_003
	const table, dst = 0, 2 << 16
	r := make(room, dst+2*n)
	for i, values := 0, part[uint16](r, table, 1<<16); i < len(values); i++ {
		values[i] = uint16(i * 7)
	}
	launch(t, r, "fill_2", kernels.Shape{N: n}, []int{dst, table}, 99)
	state := uint64(99)
	for i, got := range part[uint16](r, dst, n) {
		state += golden
		if want := uint16(mix(state) >> 48 * 7); got != want {
			t.Fatalf("element %d is %d, want %d", i, got, want)
		}
	}
}

// TestMixIsSplitMix64 holds it to the first numbers that the generator gives for seed 0.
func TestMixIsSplitMix64(t *testing.T) {
	for i, want := range []uint64{0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F} {
		if got := mix(uint64(i+1) * golden); got != want {
			t.Errorf("number %d is %#x, want %#x", i, got, want)
		}
	}
}

func TestLargeProductsOfIntegersAreExact(t *testing.T) {
	threaded(t)
	random := rand.New(rand.NewPCG(3, 4))
	const m, n, k = 1200, 17, 2500 // more rows than a band has, and more than one depth
	const a, b, c = 0, 4 * m * k, 4*m*k + 4*k*n
	r := make(room, c+4*m*n)

	left, right := part[int8](r, a, m*k), part[int8](r, b, n*k)
	for i := range left {
		left[i] = int8(random.IntN(4) - 128)
	}
	for i := range right {
		right[i] = int8(random.IntN(4) - 128)
	}
	launch(t, r, "gemm_int8_int32_any", kernels.Shape{M: m, N: n, K: k}, []int{c, a, b})
	for _, i := range []int{0, 1, 511, 512, 513, 599, 600, 1199} {
		for j := range n {
			want := int32(0)
			for p := range k {
				want += int32(left[i*k+p]) * int32(right[j*k+p])
			}
			if got := part[int32](r, c, m*n)[i*n+j]; got != want {
				t.Fatalf("C[%d,%d] is %d, want %d", i, j, got, want)
			}
		}
	}

	x, y := part[float32](r, a, m*k), part[float32](r, b, k*n)
	for i := range x {
		x[i] = float32(random.IntN(7) - 3)
	}
	for i := range y {
		y[i] = float32(random.IntN(7) - 3)
	}
	launch(t, r, "gemm_fp32_fp32_any", kernels.Shape{M: m, N: n, K: k}, []int{c, a, b})
	for i := range m {
		for j := range n {
			want := float32(0)
			for p := range k {
				want += x[i*k+p] * y[p*n+j]
			}
			if got := part[float32](r, c, m*n)[i*n+j]; got != want {
				t.Fatalf("C[%d,%d] is %v, want %v", i, j, got, want)
			}
		}
	}
}

func TestLaunchesThatNoEntryMakesAreRefused(t *testing.T) {
	r := make(room, 8192)
	e, err := cuda.Find("relu_fp32", 80)
	if err != nil {
		t.Fatal(err)
	}
	good, err := e.Launch(kernels.Shape{N: 1000}, 0, []cuda.Ptr{base, base + 4096})
	if err != nil {
		t.Fatal(err)
	}
	if err := Run(good, r); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(*cuda.Launch){
		`device function "brew" has no twin`:              func(l *cuda.Launch) { l.Entry = "brew" },
		"takes 3 parameters, not 2":                       func(l *cuda.Launch) { l.Params = l.Params[:2] },
		"launched as 2 blocks of 256 threads, want 1":     func(l *cuda.Launch) { l.Grid = 2 },
		"launched as 1 blocks of 128 threads, want 1":     func(l *cuda.Launch) { l.Block = 128 },
		"parameter 1: 4000 bytes at":                      func(l *cuda.Launch) { l.Params = []uint64{base, 1 << 40, 1000} },
		"parameter 0: 4000 bytes at":                      func(l *cuda.Launch) { l.Params = []uint64{base + 8000, base, 1000} },
		"address 0x1001 is not a multiple of the element": func(l *cuda.Launch) { l.Params = []uint64{base + 1, base + 4096, 1000} },
		"does not take the shape 0":                       func(l *cuda.Launch) { l.Params = []uint64{base, base + 4096, 0} },
	} {
		l := good
		change(&l)
		if err := Run(l, r); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("the error is %v; want it to say %q", err, says)
		}
	}
}

func TestGarbageSizesAreRefused(t *testing.T) {
	r := make(room, 8192)
	for _, name := range []string{"gemm_int8_int32_any", "relu_fp32", "fold_bits_8", "fma_fp32", "read_fp64"} {
		for _, size := range []uint64{1 << 62, 1<<63 - 1, 1 << 63, 1<<64 - 1, 1<<31 - 1} {
			e, err := cuda.Find(name, 80)
			if err != nil {
				t.Fatal(err)
			}
			l := cuda.Launch{Entry: name, Grid: 1 << 30, Block: e.Block}
			for len(l.Params) < functions[name].operands {
				l.Params = append(l.Params, base)
			}
			for len(l.Params) < functions[name].operands+functions[name].sizes+functions[name].scalars {
				l.Params = append(l.Params, size)
			}
			if err := Run(l, r); err == nil {
				t.Errorf("%s of size %#x is run", name, size)
			}
		}
	}
}

func TestEveryEntryHasATwin(t *testing.T) {
	for _, arch := range []int{50, 70, 75, 80, 90} {
		for _, e := range cuda.Entries(arch) {
			if !Has(e.Name) {
				t.Errorf("%s of %d has none", e.Name, arch)
			}
		}
	}
	if Has("brew") {
		t.Error("there is a twin of what does not exist")
	}
}
