package kernels

import (
	"errors"
	"strings"
	"testing"
)

func TestFLOPAndBytesFollowTheConventions(t *testing.T) {
	for _, c := range []struct {
		spec                  Spec
		flop, bytes, elements float64
	}{
		{Spec{FMA, FP32FP32, Shape{N: 196608}}, 393216, 0, 0},
		{Spec{FMA, FP64FP64, Shape{N: 1966080}}, 3932160, 0, 0},
		// A 2x5 and B 5x3 at 4 or 2 bytes, C 2x3 at 4.
		{Spec{GEMM, FP32FP32, Shape{M: 2, N: 3, K: 5}}, 60, 4*(10+15) + 4*6, 0},
		{Spec{GEMM, FP16FP32, Shape{M: 2, N: 3, K: 5}}, 60, 2*(10+15) + 4*6, 0},
		{Spec{ReLU, FP32, Shape{N: 1000}}, 1000, 8000, 1000},
		{Spec{ReLU, FP16, Shape{N: 1000}}, 1000, 4000, 1000},
		{Spec{Sigmoid, FP32, Shape{N: 1000}}, 4000, 8000, 1000},
		{Spec{Sigmoid, FP16, Shape{N: 1000}}, 4000, 4000, 1000},
		{Spec{Triad, FP64, Shape{N: 1000}}, 2000, 24000, 1000},
		{Spec{Copy, FP64, Shape{N: 1000}}, 0, 16000, 1000},
		{Spec{GEMM, FP64FP64, Shape{M: 2, N: 3, K: 5}}, 60, 8*(10+15) + 8*6, 0},
		{Spec{GEMM, FP16FP16, Shape{M: 2, N: 3, K: 5}}, 60, 2*(10+15) + 2*6, 0},
		{Spec{GEMMNT, INT8INT32, Shape{M: 2, N: 3, K: 5}}, 60, 10 + 15 + 4*6, 0},
		{Spec{Batched, FP32FP32, Shape{Batch: 7, M: 2, N: 3, K: 5}}, 7 * 60, 7 * (4*(10+15) + 4*6), 0},
		{Spec{Linear, BF16FP32, Shape{M: 2, N: 3, K: 5}}, 60, 2*(10+15) + 4*6, 0},
		// Weights of 1 or 1/2 byte and 1/16 for the scale; x and y in fp32.
		{Spec{Linear, INT8FP32, Shape{M: 2, N: 3, K: 64}}, 768, 4*128 + 204 + 4*6, 0},
		{Spec{Linear, INT4FP32, Shape{M: 2, N: 3, K: 64}}, 768, 4*128 + 108 + 4*6, 0},
		{Spec{SiLUMulBackward, BF16, Shape{N: 1000}}, 12000, 10000, 1000},
		{Spec{AdamW, FP32, Shape{N: 1000}}, 14000, 28000, 1000},
		{Spec{AdamW, BF16, Shape{N: 1000}}, 14000, 28000, 1000},
		{Spec{Softmax, FP32, Shape{M: 10, N: 100}}, 5000, 8000, 1000},
		{Spec{LayerNormBackward, FP16, Shape{M: 10, N: 100}}, 13000, 6000, 1000},
		{Spec{Write, FP64, Shape{N: 1000}}, 0, 8000, 1000},
		{Spec{Chase, FP64, Shape{N: 1000}}, 0, 64000, 1000},
		// Beyond what an int's product holds.
		{Spec{GEMM, FP32FP32, Shape{M: 1 << 21, N: 1 << 21, K: 1 << 21}}, 0x1p64, 3 * 0x1p44, 0},
	} {
		if got := c.spec.FLOP(); got != c.flop {
			t.Errorf("%s: %g FLOP, want %g", c.spec, got, c.flop)
		}
		if got := c.spec.Bytes(); got != c.bytes {
			t.Errorf("%s: %g bytes, want %g", c.spec, got, c.bytes)
		}
		if got := c.spec.Elements(); got != c.elements {
			t.Errorf("%s: %g elements, want %g", c.spec, got, c.elements)
		}
	}
}

func TestEveryDefinitionIsCompleteAndFoundByName(t *testing.T) {
	if len(All()) != 37 {
		t.Errorf("%d kernels, want 37", len(All()))
	}
	for _, d := range All() {
		found, err := Lookup(string(d.Kernel))
		if err != nil || found.Kernel != d.Kernel {
			t.Errorf("%s: found %q, %v", d.Kernel, found.Kernel, err)
		}
		if d.Computes == "" || d.Convention == "" || len(d.Precisions) == 0 {
			t.Errorf("%s: no formula, convention or precision: %+v", d.Kernel, d)
		}
		for _, p := range d.Precisions {
			if p.WeightBytes() == 0 {
				t.Errorf("%s: %s has no size", d.Kernel, p)
			}
			if got, err := d.Precision(string(p)); err != nil || got != p {
				t.Errorf("%s: precision %s: found %q, %v", d.Kernel, p, got, err)
			}
			// The precision names its accumulator for the kernels that have one.
			accumulates := d.Class == Register || d.Class == Matrix
			if strings.Contains(string(p), "/") != accumulates {
				t.Errorf("%s: precision %s, accumulator: want %v", d.Kernel, p, accumulates)
			}
		}
	}
}

func TestPrecisionsHaveTheirStorage(t *testing.T) {
	for p, want := range map[Precision]struct {
		storage Precision
		bytes   int
	}{
		FP64: {FP64, 8}, FP32: {FP32, 4}, FP16: {FP16, 2},
		TF32: {TF32, 4}, BF16: {BF16, 2}, INT8: {INT8, 1},
		FP64FP64: {FP64, 8}, FP32FP32: {FP32, 4}, FP16FP32: {FP16, 2}, FP16FP16: {FP16, 2},
		TF32FP32: {TF32, 4}, BF16FP32: {BF16, 2}, INT8INT32: {INT8, 1},
		INT8FP32: {INT8, 1}, INT4FP32: {INT4, 0},
		"fp12": {"fp12", 0}, "": {"", 0},
	} {
		if p.Storage() != want.storage || p.Bytes() != want.bytes {
			t.Errorf("%q: storage %q of %d bytes, want %q of %d", p, p.Storage(), p.Bytes(), want.storage, want.bytes)
		}
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want string // "" for none
	}{
		{Spec{GEMM, FP16FP32, Shape{M: 1, N: 1, K: 1}}, ""},
		{Spec{Sigmoid, FP16, Shape{N: 1}}, ""},
		{Spec{FMA, FP64FP64, Shape{N: 196608}}, ""},
		{Spec{"gem", FP32FP32, Shape{M: 1, N: 1, K: 1}}, `unknown kernel "gem": did you mean "gemm"?`},
		{Spec{GEMM, "fp16", Shape{M: 1, N: 1, K: 1}}, `precision for gemm: unknown precision "fp16": did you mean "fp16/fp32"?`},
		{Spec{ReLU, "fp23", Shape{N: 1}}, `precision for relu: unknown precision "fp23": did you mean "fp32"?`},
		{Spec{GEMM, FP32FP32, Shape{M: 1, N: 0, K: 1}}, "shape 1x0x1: every dimension must be at least 1"},
		{Spec{ReLU, FP32, Shape{M: 2, N: 2, K: 2}}, "shape 2x2x2: relu takes one number, such as 1048576"},
	} {
		err := c.spec.Check()
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.spec, err)
			}
			continue
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %q", c.spec, err, c.want)
		}
	}
}

func TestSpecShowsItself(t *testing.T) {
	if got, want := (Spec{GEMM, FP32FP32, Shape{M: 1024, N: 512, K: 256}}).String(), "gemm fp32/fp32 1024x512x256"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAnUnknownKernelIsAnUnknownError(t *testing.T) {
	for _, name := range []string{"", "sigmod", "GEMM2", "conv"} {
		_, err := Lookup(name)
		var unknown *UnknownError
		if !errors.As(err, &unknown) {
			t.Errorf("%q: %v is no UnknownError", name, err)
		}
		if spec := (Spec{Kernel: Kernel(name), Shape: Shape{N: 9}}); spec.FLOP() != 0 || spec.Bytes() != 0 || spec.Elements() != 0 {
			t.Errorf("%q: an unknown kernel has work: %g FLOP, %g bytes, %g elements", name, spec.FLOP(), spec.Bytes(), spec.Elements())
		}
	}
	definition, _ := Lookup(string(GEMM))
	_, err := definition.Precision("fp8")
	var unknown *UnknownError
	if !errors.As(err, &unknown) {
		t.Errorf("%v is no UnknownError", err)
	}
}
