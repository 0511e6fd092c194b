package cpu

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// withRegistry replaces the registry for the length of a test.
func withRegistry(t *testing.T, impls ...Impl) {
	t.Helper()
	kept := registry
	registry = impls
	t.Cleanup(func() { registry = kept })
}

func TestPickTakesTheBestEngineThatThisCPUCanRun(t *testing.T) {
	withRegistry(t,
		Impl{Kernel: kernels.ReLU, Precision: kernels.FP32, Engine: GoAVX2},
		Impl{Kernel: kernels.ReLU, Precision: kernels.FP32, Engine: Go},
		Impl{Kernel: kernels.ReLU, Precision: kernels.FP32, Engine: GoAVX512, Needs: []string{"no-such-set"}},
		Impl{Kernel: kernels.ReLU, Precision: kernels.FP16, Engine: GoAVX512},
		Impl{Kernel: kernels.Sigmoid, Precision: kernels.FP32, Engine: Go},
	)
	for _, c := range []struct {
		kernel    kernels.Kernel
		precision kernels.Precision
		engine    string
		want      string
	}{
		{kernels.ReLU, kernels.FP32, "", GoAVX2},
		{kernels.ReLU, kernels.FP32, Go, Go},
		{kernels.ReLU, kernels.FP32, GoAVX2, GoAVX2},
		{kernels.ReLU, kernels.FP16, "", GoAVX512},
		{kernels.Sigmoid, kernels.FP32, "", Go},
	} {
		impl, err := Pick(c.kernel, c.precision, c.engine)
		if err != nil {
			t.Errorf("%s %s by %q: %v", c.kernel, c.precision, c.engine, err)
			continue
		}
		if impl.Kernel != c.kernel || impl.Precision != c.precision || impl.Engine != c.want {
			t.Errorf("%s %s by %q picks %s %s by %s, want %s", c.kernel, c.precision, c.engine, impl.Kernel, impl.Precision, impl.Engine, c.want)
		}
	}
}

func TestPickSaysWhatIsWrongAndWhatWouldBeRight(t *testing.T) {
	withRegistry(t,
		Impl{Kernel: kernels.ReLU, Precision: kernels.FP32, Engine: GoAVX512, Needs: []string{"no-such-set", "nor-this"}},
		Impl{Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Engine: GoAVX2},
	)
	for _, c := range []struct {
		kernel    kernels.Kernel
		precision kernels.Precision
		engine    string
		want      string
	}{
		{kernels.ReLU, kernels.FP32, GoAVX512, "engine go-avx512 needs no-such-set, nor-this, which this CPU lacks; leave the engine out to use the best there is"},
		{kernels.ReLU, kernels.FP32, "", "no engine for relu at fp32"},
		{kernels.ReLU, kernels.FP32, GoAVX2, "engine go-avx2 has no relu at fp32"},
		{kernels.GEMM, kernels.FP32, "", "no engine for gemm at fp32"},
		{kernels.GEMM, kernels.FP32FP32, "go-axv2", `unknown engine "go-axv2": did you mean "go-avx2"?`},
		{kernels.GEMM, kernels.FP32FP32, "cublaslt", `unknown engine "cublaslt": there are ` + strings.Join(engines, ", ")},
	} {
		impl, err := Pick(c.kernel, c.precision, c.engine)
		if err == nil {
			t.Errorf("%s %s by %q picks %s", c.kernel, c.precision, c.engine, impl.Engine)
			continue
		}
		if err.Error() != c.want {
			t.Errorf("%s %s by %q: %q, want %q", c.kernel, c.precision, c.engine, err, c.want)
		}
		var unknown *kernels.UnknownError
		if wantUnknown := !slices.Contains(engines, c.engine) && c.engine != ""; errors.As(err, &unknown) != wantUnknown {
			t.Errorf("%q: an UnknownError: %v, want %v", err, !wantUnknown, wantUnknown)
		}
	}
}

// TestEveryKernelHasATwinAndNoImplementationIsTwice holds the registry to the definitions: what
// any engine runs, plain Go runs too.
func TestEveryKernelHasATwinAndNoImplementationIsTwice(t *testing.T) {
	type name struct {
		kernel    kernels.Kernel
		precision kernels.Precision
		engine    string
	}
	count := map[name]int{}
	for _, impl := range All() {
		count[name{impl.Kernel, impl.Precision, impl.Engine}]++
		d, err := kernels.Lookup(string(impl.Kernel))
		if err != nil {
			t.Error(err)
			continue
		}
		if !slices.Contains(d.Precisions, impl.Precision) {
			t.Errorf("%s has an implementation at %s, which its definition lacks", impl.Kernel, impl.Precision)
		}
		if !slices.Contains(engines, impl.Engine) {
			t.Errorf("%s at %s: engine %q has no rank", impl.Kernel, impl.Precision, impl.Engine)
		}
		for _, need := range impl.Needs {
			if _, ok := featureNames[need]; !ok {
				t.Errorf("%s at %s by %s needs %q, which HasFeature does not know", impl.Kernel, impl.Precision, impl.Engine, need)
			}
		}
	}
	for n, times := range count {
		if times > 1 {
			t.Errorf("%s at %s by %s is registered %d times", n.kernel, n.precision, n.engine, times)
		}
	}
	for n := range count {
		// A register loop is an instruction's, and needs no twin.
		if n.kernel != kernels.FMA && count[name{n.kernel, n.precision, Go}] == 0 {
			t.Errorf("%s at %s has no plain Go twin", n.kernel, n.precision)
		}
	}
	for _, d := range kernels.All() {
		if slices.Contains([]kernels.Kernel{kernels.FMA, kernels.GEMM, kernels.ReLU, kernels.Sigmoid, kernels.Triad, kernels.Copy}, d.Kernel) && count[name{d.Kernel, d.Precisions[0], Go}] == 0 {
			t.Errorf("%s has no plain Go twin at its first precision", d.Kernel)
		}
	}
}

func TestAllIsACopy(t *testing.T) {
	withRegistry(t, Impl{Kernel: kernels.ReLU, Engine: Go})
	All()[0].Engine = "scribbled"
	if got := All()[0].Engine; got != Go {
		t.Errorf("a caller renamed an engine to %q", got)
	}
}

func TestHasFeatureKnowsNoFeatureByAWrongName(t *testing.T) {
	for _, name := range []string{"", "avx", "no-such-set"} {
		if HasFeature(name) {
			t.Errorf("this CPU has %q", name)
		}
	}
}

// assemblyNames say by an assembly function's name which engine runs it; the first that matches.
var assemblyNames = []struct {
	name   *regexp.Regexp
	engine string
	needs  []string
}{
	{regexp.MustCompile("^amxBF16"), GoAMX, needsAMXBF16},
	{regexp.MustCompile("^amxINT8"), GoAMX, needsAMXINT8},
	{regexp.MustCompile("^amx"), GoAMX, needsAMXINT8}, // of both
	{regexp.MustCompile("AVX512FP16|^fp16"), GoAVX512FP16, needsAVX512FP16},
	{regexp.MustCompile("AVX512BF16Dot|(fma|dot)AVX512BF16"), GoAVX512BF16, needsAVX512BF16},
	{regexp.MustCompile("AVX512VNNI"), GoAVX512VNNI, needsAVX512VNNI},
	{regexp.MustCompile("AVX2?VNNI"), GoAVXVNNI, needsAVXVNNI},
	{regexp.MustCompile("AVX512"), GoAVX512, needsAVX512},
	{regexp.MustCompile(""), GoAVX2, needsAVX2},
}

// TestNeedsCoverWhatTheAssemblyRequires reads the requirements that the generator noted
// above each function.
func TestNeedsCoverWhatTheAssemblyRequires(t *testing.T) {
	// What comes with amd64, with AVX2 and, beyond needsAVX2, with AVX-512 F.
	implied := []string{"avx", "mmx+", "cmov", "sse"}
	notes := regexp.MustCompile(`(?m)^// func (\w+)(?:<>)?\(.*\n// Requires: (.*)$`)
	files, err := filepath.Glob("*_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	bare := strings.NewReplacer("_", "", "-", "") // the generators spell sets in their own ways
	seen := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, note := range notes.FindAllStringSubmatch(string(text), -1) {
			var engine string
			var allowed []string
			for _, e := range assemblyNames {
				if e.name.MatchString(note[1]) {
					engine, allowed = e.engine, strings.Fields(bare.Replace(strings.Join(slices.Concat(implied, needsAVX2, e.needs), " ")))
					break
				}
			}
			seen[engine]++
			for _, set := range strings.Split(bare.Replace(strings.ToLower(note[2])), ", ") {
				if set = strings.Replace(set, "fma3", "fma", 1); !slices.Contains(allowed, set) {
					t.Errorf("%s: %s requires %s, which %s does not ask for", file, note[1], set, engine)
				}
			}
		}
	}
	if seen[GoAVX2] < 6 || seen[GoAVX512] < 6 {
		t.Errorf("found the requirements of %v functions, want those of at least 6 an engine", seen)
	}
}
