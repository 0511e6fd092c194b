package ptxvm

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/realflops/realflops/kernels/cuda"
)

// snippet is a device with testdata/snippets.cu for an architecture.
func snippet(t *testing.T, arch int) *Device {
	t.Helper()
	name := fmt.Sprintf("compute_%d", arch)
	text, err := os.ReadFile("testdata/snippets." + name + ".ptx")
	if err != nil {
		t.Fatal(err)
	}
	d := NewDevice(cuda.Info{Arch: arch, SMs: 3})
	if err := d.Load(cuda.Image{Name: name, Arch: arch, PTX: true, Data: append(text, 0)}); err != nil {
		t.Fatal(err)
	}
	return d
}

// call launches an entry on x and n with room for an output of the given words, which are then its result.
func call(t *testing.T, d *Device, entry string, grid, block, shared int, x []byte, n, words int) []uint32 {
	t.Helper()
	out, err := d.Alloc(int64(4 * words))
	if err != nil {
		t.Fatal(err)
	}
	in, err := d.Alloc(int64(len(x)))
	if err != nil {
		t.Fatal(err)
	}
	result := make([]byte, 4*words)
	for _, err := range []error{
		d.Memset(out, 0, int64(4*words)), d.Upload(in, x),
		d.Launch(cuda.Launch{Entry: entry, Grid: grid, Block: block, Shared: shared, Params: []uint64{uint64(out), uint64(in), uint64(n)}}),
		d.Download(result, out),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got := make([]uint32, words)
	for i := range got {
		got[i] = binary.LittleEndian.Uint32(result[4*i:])
	}
	return got
}

func littleEndian(values []uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// TestCompiledSnippets runs what a compiler makes of loops, switches, local arrays, shared memory, tables and its own
// functions, and compares with the same in Go.
func TestCompiledSnippets(t *testing.T) {
	const n = 1000
	rng := rand.New(rand.NewPCG(7, 8))
	values := make([]uint32, n)
	for i := range values {
		values[i] = rng.Uint32() >> rng.IntN(32)
	}
	x := littleEndian(values)
	for _, arch := range []int{50, 80} {
		d := snippet(t, arch)
		t.Run(strconv.Itoa(arch)+" reduce", func(t *testing.T) {
			var sum, want int64
			for _, v := range values {
				want += int64(int32(v))
			}
			got := call(t, d, "reduce", 3, 96, 0, x, n, 6)
			for block := range 3 {
				sum += int64(uint64(got[2*block]) | uint64(got[2*block+1])<<32)
			}
			if uint32(sum) != uint32(want) { // the kernel sums in 32 bits
				t.Errorf("got %d, want %d", uint32(sum), uint32(want))
			}
		})
		t.Run(strconv.Itoa(arch)+" digits", func(t *testing.T) {
			compareWords(t, values, call(t, d, "digits", 8, 128, 0, x, n, n), commonDigit)
		})
		t.Run(strconv.Itoa(arch)+" choose", func(t *testing.T) {
			compareWords(t, values, call(t, d, "choose", 8, 128, 0, x, n, n), chosen)
		})
		t.Run(strconv.Itoa(arch)+" histogram", func(t *testing.T) {
			var want [256]uint32
			for _, b := range x {
				want[b]++
			}
			for b, got := range call(t, d, "histogram", 3, 96, 1024, x, len(x), 256) {
				if got != want[b] {
					t.Errorf("%d bytes %d, want %d", got, b, want[b])
				}
			}
		})
		t.Run(strconv.Itoa(arch)+" functions", func(t *testing.T) { compareFunctions(t, d) })
	}
}

func compareWords(t *testing.T, in, got []uint32, want func(uint32) uint32) {
	t.Helper()
	for i, v := range got {
		if v != want(in[i]) {
			t.Errorf("of %#x: got %d, want %d", in[i], int32(v), int32(want(in[i])))
		}
	}
}

func commonDigit(v uint32) uint32 {
	var count [10]int
	for ; v > 0; v /= 10 {
		count[v%10]++
	}
	best := 0
	for d, c := range count {
		if c > count[best] {
			best = d
		}
	}
	return uint32(best)
}

func chosen(u uint32) uint32 {
	v := int32(u)
	switch v & 7 {
	case 0:
		return []uint32{2, 3, 5, 7, 11, 13, 17, 19}[v>>3&7]
	case 1:
		return uint32(-v)
	case 2:
		return uint32(v * v)
	case 3:
		return uint32(bits.OnesCount32(u))
	case 4:
		return uint32(bits.LeadingZeros32(u))
	case 5:
		return uint32(v / 7)
	case 6:
		return uint32(v % 7)
	}
	for v&1 != 0 && v != -1 {
		v >>= 1
	}
	return uint32(v)
}

// compareFunctions grants the compiler's functions 4 ulp.
func compareFunctions(t *testing.T, d *Device) {
	t.Helper()
	in := []float32{0, 0.25, -0.3, 0.54, 0.7, 1, -1.5, 2.5, -3.25, 5.6, -8, 17.7, -29.9}
	var raw []uint32
	for _, v := range in {
		raw = append(raw, math.Float32bits(v))
	}
	want := []func(v float64) float64{
		math.Exp, math.Tanh,
		func(v float64) float64 { return math.Sqrt(math.Abs(v)) / (1 + v*v) },
		func(v float64) float64 { return math.Log1p(math.Abs(v)) },
		math.Sin,
		func(v float64) float64 { return 1 / (1 + math.Exp(-v)) },
		func(v float64) float64 { return math.Floor(v) + math.RoundToEven(v) + 2*math.Trunc(v) },
		math.Erf,
	}
	got := call(t, d, "functions", 1, 32, 0, littleEndian(raw), len(in), len(want)*len(in))
	for f, of := range want {
		for i, v := range in {
			g, w := float64(f32(uint64(got[f*len(in)+i]))), of(float64(v))
			if math.Abs(g-w) > math.Abs(w)*4*0x1p-23 {
				t.Errorf("function %d of %v: got %v, want %v", f, v, g, w)
			}
		}
	}
}
