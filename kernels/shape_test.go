package kernels

import (
	"encoding/json"
	"strings"
	"testing"
)

func definition(t testing.TB, k Kernel) Definition {
	t.Helper()
	d, err := Lookup(string(k))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestParseShapeReadsWhatStringWrites(t *testing.T) {
	for _, c := range []struct {
		kernel Kernel
		text   string
		want   Shape
	}{
		{GEMM, "1024x512x256", Shape{M: 1024, N: 512, K: 256}},
		{GEMM, "1x1x1", Shape{M: 1, N: 1, K: 1}},
		{GEMM, "2X3X4", Shape{M: 2, N: 3, K: 4}},
		{Batched, "32x4x5x6", Shape{Batch: 32, M: 4, N: 5, K: 6}},
		{Softmax, "256x4096", Shape{M: 256, N: 4096}},
		{ReLU, "1048576", Shape{N: 1048576}},
		{Triad, "1", Shape{N: 1}},
		{FMA, "196608", Shape{N: 196608}},
		{FMA, "19660800", Shape{N: 19660800}},
	} {
		got, err := ParseShape(definition(t, c.kernel), c.text)
		if err != nil || got != c.want {
			t.Errorf("%s %q: %v, %v; want %v", c.kernel, c.text, got, err, c.want)
			continue
		}
		if again, err := ParseShape(definition(t, c.kernel), got.String()); err != nil || again != got {
			t.Errorf("%s %q: its String %q is read as %v, %v", c.kernel, c.text, got.String(), again, err)
		}
		var back Shape
		if text, err := json.Marshal(got); err != nil {
			t.Error(err)
		} else if err := json.Unmarshal(text, &back); err != nil || back != got {
			t.Errorf("%s %q: through JSON (%s) it is %v, %v", c.kernel, c.text, text, back, err)
		}
	}
}

func TestParseShapeSaysWhatIsWrongAndWhatWouldBeRight(t *testing.T) {
	const notWhole = "is not a whole number that fits in 63 bits"
	for _, c := range []struct {
		kernel     Kernel
		text, want string
	}{
		{GEMM, "0x1x1", "shape 0x1x1: every dimension must be at least 1"},
		{GEMM, "1x0x1", "shape 1x0x1: every dimension must be at least 1"},
		{GEMM, "1x1x0", "shape 1x1: every dimension must be at least 1"},
		{GEMM, "4x-4x4", "shape 4x-4x4: every dimension must be at least 1"},
		{ReLU, "0", "shape 0: every dimension must be at least 1"},
		{Copy, "-5", "shape -5: every dimension must be at least 1"},
		{FMA, "0", "shape 0: every dimension must be at least 1"},
		{FMA, "1000", "shape 1000: fma takes a multiple of 196608; the nearest is 196608"},
		{FMA, "294912", "shape 294912: fma takes a multiple of 196608; the nearest is 393216"},
		{FMA, "1", "shape 1: fma takes a multiple of 196608; the nearest is 196608"},
		{GEMM, "1024", `shape "1024": gemm takes MxNxK, such as 1024x1024x1024`},
		{GEMM, "1024x1024", `shape "1024x1024": gemm takes MxNxK, such as 1024x1024x1024`},
		{GEMM, "1x2x3x4", `shape "1x2x3x4": gemm takes MxNxK, such as 1024x1024x1024`},
		{Softmax, "1024", `shape "1024": softmax takes MxN, such as 256x4096`},
		{Batched, "1x2x3", `shape "1x2x3": gemm-batched takes BxMxNxK, such as 32x128x128x64`},
		{GEMM, "1x2x3x4x5", `shape "1x2x3x4x5": want N, MxN, MxNxK or BxMxNxK`},
		{Sigmoid, "8x8x8", `shape "8x8x8": sigmoid takes one number, such as 1048576`},
		{Sigmoid, "", `shape "": "" ` + notWhole},
		{Sigmoid, "1e6", `shape "1e6": "1e6" ` + notWhole},
		{Sigmoid, "1.5", `shape "1.5": "1.5" ` + notWhole},
		{Sigmoid, " 7", `shape " 7": " 7" ` + notWhole},
		{Sigmoid, "9223372036854775808", `shape "9223372036854775808": "9223372036854775808" ` + notWhole},
		{GEMM, "2xx2", `shape "2xx2": "" ` + notWhole},
		// Each dimension fits, but not what they come to.
		{GEMM, "4000000x4000000x4000000", "shape 4000000x4000000x4000000: the count of its bytes or operations overflows 63 bits"},
		{GEMM, "1x9223372036854775807x1", "shape 1x9223372036854775807x1: the count of its bytes or operations overflows 63 bits"},
		{ReLU, "300000000000000000", "shape 300000000000000000: the count of its bytes or operations overflows 63 bits"},
		{Triad, "9223372036854775807", "shape 9223372036854775807: the count of its bytes or operations overflows 63 bits"},
		{FMA, "9223372036854775296", "shape 9223372036854775296: the count of its bytes or operations overflows 63 bits"},
	} {
		got, err := ParseShape(definition(t, c.kernel), c.text)
		if err == nil {
			t.Errorf("%s %q was read as %v", c.kernel, c.text, got)
		} else if err.Error() != c.want {
			t.Errorf("%s %q: %q, want %q", c.kernel, c.text, err, c.want)
		}
	}
}

func TestUnmarshalRefusesWhatIsNoShape(t *testing.T) {
	for _, text := range []string{`"1x2x3x4x5"`, `"x"`, `""`, `12`} {
		s := Shape{N: 5}
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			t.Errorf("%s was read as %v", text, s)
		} else if s != (Shape{N: 5}) {
			t.Errorf("%s changed the shape to %v", text, s)
		}
	}
}

func FuzzParseShape(f *testing.F) {
	for _, seed := range []string{"1", "1x2x3", "", "x", "-1", "768", "9223372036854775807x1x1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range All() {
			s, err := ParseShape(d, text)
			if err != nil {
				if strings.Contains(err.Error(), "\n") && !strings.Contains(text, "\n") {
					t.Errorf("%s %q: more than a line: %q", d.Kernel, text, err)
				}
				continue
			}
			spec := Spec{d.Kernel, d.Precisions[0], s}
			if err := spec.Check(); err != nil {
				t.Errorf("%s %q was read, but: %v", d.Kernel, text, err)
			}
			if spec.FLOP() <= 0 && (d.Class != Bandwidth && d.Class != Latency || spec.Bytes() <= 0) {
				t.Errorf("%s %q: %g FLOP", d.Kernel, text, spec.FLOP())
			}
		}
	})
}
