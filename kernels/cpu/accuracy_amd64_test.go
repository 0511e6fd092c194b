package cpu

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/kerneltest"
)

// accuracyFile holds what each activation errs by at most, and where.
const accuracyFile = "../../docs/cpu-accuracy.md"

var writeAccuracy = flag.Bool("accuracy", false, "sample float32 four times as densely, and write "+accuracyFile)

const accuracyHead = `# Accuracy of the CPU's activations

How far each activation, forward and backward, errs at most, in units of the last place (ulp) of the precision it stores. The reference is
computed with 200 bits where float64 cannot decide. fp16 and bf16 are run over all 65,536 encodings (with factors of several
magnitudes where there is a second input), fp32 over two million: evenly over all encodings, and densely where a function is hard. Half
an ulp is what rounding to the storage costs; arithmetic is fp32.

Where terms of opposite signs cancel (the derivatives of gelu and silu, near their zeros) the unit is that of the larger term, and where a factor
is subnormal in fp32, that of what its last place is multiplied by. relu and its derivative select and are exact. NaN stays NaN; subnormals and
signed zeros are kept. gelu-erf errs most in its far tail, where results are below 1e-20; silu and gelu of -Inf are NaN, as their definitions have it in IEEE 754 arithmetic (-Inf·0), and their derivatives of both infinities.

Made by ` + "`go test ./kernels/cpu -run TestActivationsAreAsAccurateAsTheTableSays -accuracy`" + `, and held by that test. The engine ` + "`go`" + ` computes in float64.

| kernel | precision | engine | ulp | at |
|---|---|---|---|---|
`

type accuracy struct {
	kernel    kernels.Kernel
	precision kernels.Precision
	engine    string
}

// TestActivationsAreAsAccurateAsTheTableSays: none errs by more than is written, and for 16 bits, of which all are
// tried, by no less.
func TestActivationsAreAsAccurateAsTheTableSays(t *testing.T) {
	if *writeAccuracy {
		update(t)
		return
	}
	table := readAccuracy(t)
	for _, impl := range activations() {
		name := accuracy{impl.Kernel, impl.Precision, impl.Engine}
		want, ok := table[name]
		delete(table, name)
		if !ok {
			t.Errorf("%s has no row for %v: run it with -accuracy", accuracyFile, name)
			continue
		}
		if len(impl.Missing()) > 0 || impl.Engine == Go {
			continue // TestConformance names what is missing; the twin depends on the math package's assembly
		}
		got := errs(impl).ULP
		if got > want+0.00005 || impl.Precision != kernels.FP32 && !testing.Short() && got < want-0.00005 {
			t.Errorf("%v errs by %.4f ulp, and %s says %.4f", name, got, accuracyFile, want)
		}
	}
	for name := range table {
		t.Errorf("%s has a row for %v, which does not exist here", accuracyFile, name)
	}
}

// activations are in the order of the table.
func activations() []Impl {
	var impls []Impl
	for _, d := range kernels.All() {
		for _, p := range d.Precisions {
			for _, engine := range engines {
				for _, impl := range All() {
					if impl.Kernel == d.Kernel && impl.Precision == p && impl.Engine == engine && isActivation(impl) {
						impls = append(impls, impl)
					}
				}
			}
		}
	}
	return impls
}

func isActivation(impl Impl) bool {
	switch impl.Func.(type) {
	case ElementwiseFunc[float32], ElementwiseFunc[kernels.Float16], ElementwiseFunc[kernels.BFloat16]:
		return true
	}
	return false
}

func errs(impl Impl) kerneltest.Worst {
	switch f := impl.Func.(type) {
	case ElementwiseFunc[float32]:
		return kerneltest.Accuracy(impl.Kernel, f, *writeAccuracy)
	case ElementwiseFunc[kernels.Float16]:
		return kerneltest.Accuracy(impl.Kernel, f, *writeAccuracy)
	case ElementwiseFunc[kernels.BFloat16]:
		return kerneltest.Accuracy(impl.Kernel, f, *writeAccuracy)
	}
	return kerneltest.Worst{}
}

func update(t *testing.T) {
	var text strings.Builder
	text.WriteString(accuracyHead)
	for _, impl := range activations() {
		needs(t, impl)
		w := errs(impl)
		at := make([]string, len(w.At))
		for i, x := range w.At {
			at[i] = strconv.FormatFloat(x, 'g', -1, 32)
		}
		where := strings.Join(at, ", ")
		if w.Output > 0 {
			where += fmt.Sprintf(" (output %d)", w.Output+1)
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %.4f | %s |\n", impl.Kernel, impl.Precision, impl.Engine, w.ULP, where)
	}
	if err := os.WriteFile(accuracyFile, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readAccuracy(t *testing.T) map[accuracy]float64 {
	t.Helper()
	text, err := os.ReadFile(accuracyFile)
	if err != nil {
		t.Fatal(err)
	}
	table := map[accuracy]float64{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 7 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if slices.Contains([]string{"kernel", "---"}, cells[1]) {
			continue
		}
		ulp, err := strconv.ParseFloat(cells[4], 64)
		if err != nil {
			t.Fatalf("%s: %q: %v", accuracyFile, line, err)
		}
		table[accuracy{kernels.Kernel(cells[1]), kernels.Precision(cells[2]), cells[3]}] = ulp
	}
	return table
}
