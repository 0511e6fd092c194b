package cpu

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/kerneltest"
)

func implOf(t testing.TB, k kernels.Kernel, p kernels.Precision, engine string) Impl {
	t.Helper()
	for _, impl := range All() {
		if impl.Kernel == k && impl.Precision == p && impl.Engine == engine {
			return impl
		}
	}
	t.Fatalf("engine %s has no %s at %s", engine, k, p)
	return Impl{}
}

// TestElementwiseRefusesOperandsThatDoNotFit: of other lengths, overlapping in part, two outputs in one place.
func TestElementwiseRefusesOperandsThatDoNotFit(t *testing.T) {
	const n = 100
	room := make([]float32, 4*n)
	a, b, c, d := room[:n], room[n:2*n], room[2*n:3*n], room[3*n:]
	for _, engine := range []string{Go, GoAVX2, GoAVX512} {
		for _, impl := range All() {
			if impl.Engine != engine || impl.Precision != kernels.FP32 || len(impl.Missing()) > 0 {
				continue // TestConformance names what is missing
			}
			f, ok := impl.Func.(ElementwiseFunc[float32])
			if !ok {
				continue
			}
			spec, err := kernels.Lookup(string(impl.Kernel))
			if err != nil {
				t.Fatal(err)
			}
			inputs := [][]float32{c, d, c}[:spec.Reads]
			for what, outputs := range map[string][][]float32{
				"a shorter output":                  {a[:n-1], b},
				"an output that overlaps an input":  {room[2*n-1 : 3*n-1], a},
				"an output behind an input's start": {room[2*n+1 : 3*n+1], a},
				"outputs that overlap":              {a, room[1 : n+1]},
				"outputs in one place":              {a, a},
			} {
				if spec.Writes == 1 && (what == "outputs that overlap" || what == "outputs in one place") {
					continue
				}
				if !panics(func() { f(outputs[:spec.Writes], inputs) }) {
					t.Errorf("%s by %s takes %s", impl.Kernel, engine, what)
				}
			}
			if panics(func() { f([][]float32{c, d}[:spec.Writes], inputs) }) && spec.Reads > 0 {
				t.Errorf("%s by %s refuses to work in place", impl.Kernel, engine)
			}
			if panics(func() { f([][]float32{{}, {}}[:spec.Writes], [][]float32{{}, {}, {}}[:spec.Reads]) }) {
				t.Errorf("%s by %s refuses no elements", impl.Kernel, engine)
			}
		}
	}
}

func panics(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}

// FuzzActivations holds every engine to the reference on whatever bits it is given.
func FuzzActivations(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0xc0, 0x7f, 0, 0, 0x80, 0xff, 0, 0, 0, 0x80, 1, 0, 0, 0}) // NaN, -Inf, -0, a subnormal
	f.Add(binary.LittleEndian.AppendUint32(make([]byte, 4*37), math.Float32bits(-90)))
	f.Fuzz(func(t *testing.T, input []byte) {
		singles, halves, brains := make([]float32, len(input)/4), make([]kernels.Float16, len(input)/2), make([]kernels.BFloat16, len(input)/2)
		for i := range singles {
			singles[i] = math.Float32frombits(binary.LittleEndian.Uint32(input[4*i:]))
		}
		for i := range halves {
			halves[i] = kernels.Float16(binary.LittleEndian.Uint16(input[2*i:]))
			brains[i] = kernels.BFloat16(halves[i])
		}
		for _, impl := range All() {
			if len(impl.Missing()) > 0 {
				continue
			}
			switch f := impl.Func.(type) {
			case ElementwiseFunc[float32]:
				fuzzActivation(t, impl, f, singles)
			case ElementwiseFunc[kernels.Float16]:
				fuzzActivation(t, impl, f, halves)
			case ElementwiseFunc[kernels.BFloat16]:
				fuzzActivation(t, impl, f, brains)
			}
		}
	})
}

// fuzzActivation takes as many numbers as the kernel has inputs from values for each element.
func fuzzActivation[T Float](t *testing.T, impl Impl, f ElementwiseFunc[T], values []T) {
	d, err := kernels.Lookup(string(impl.Kernel))
	if err != nil {
		t.Fatal(err)
	}
	n := len(values) / d.Reads
	inputs, outputs := make([][]T, d.Reads), make([][]T, d.Writes)
	for i := range inputs {
		inputs[i] = values[i*n : (i+1)*n]
	}
	for i := range outputs {
		outputs[i] = make([]T, n)
	}
	f(outputs, inputs)
	x, y := make([]T, d.Reads), make([]T, d.Writes)
	for i := range n {
		for j := range x {
			x[j] = inputs[j][i]
		}
		for j := range y {
			y[j] = outputs[j][i]
		}
		if _, err := kerneltest.Check(impl.Kernel, x, y); err != nil {
			t.Fatalf("%s: %v", impl.Engine, err)
		}
	}
}
