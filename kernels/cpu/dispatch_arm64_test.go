package cpu

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"
)

// TestEnginesRunOnTheModelsThatHaveTheirInstructions runs the register loops and a product of every engine on models of
// older CPUs, where an instruction that is missing ends the process: what is offered there runs, and what
// needs more is not offered.
func TestEnginesRunOnTheModelsThatHaveTheirInstructions(t *testing.T) {
	const (
		emulator = "qemu-aarch64-static"
		tests    = "TestConformance/(fma|gemm-nt)$/.*/go-neon/edge of tiles"
	)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ran := regexp.MustCompile(`(?m)^    --- PASS: TestConformance/(?:fma|gemm-nt)/\S+/(go-\S+) `)
	skipped := regexp.MustCompile(`(?m)^    --- SKIP: TestConformance/(?:fma|gemm-nt)/\S+/(go-\S+) `)
	for _, c := range []struct {
		model         string
		runs, missing []string
	}{
		{"cortex-a57", []string{GoNEON}, []string{GoNEONBF16, GoNEONDot, GoNEONFP16, GoNEONI8MM}},
		{"a64fx", []string{GoNEON, GoNEONFP16}, []string{GoNEONBF16, GoNEONDot, GoNEONI8MM}},
		{"neoverse-n1", []string{GoNEON, GoNEONDot, GoNEONFP16}, []string{GoNEONBF16, GoNEONI8MM}},
	} {
		cmd := exec.CommandContext(t.Context(), emulator, "-cpu", c.model, program, "-test.short", "-test.v", "-test.run", tests)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v (apt-get install qemu-user-static if that is what is missing)\n%s", c.model, err, out)
			continue
		}
		if got := engineNames(ran, out); !slices.Equal(got, c.runs) {
			t.Errorf("%s runs %v, want %v", c.model, got, c.runs)
		}
		if got := engineNames(skipped, out); !slices.Equal(got, c.missing) {
			t.Errorf("%s lacks what %v need, want %v", c.model, got, c.missing)
		}
	}
}

// engineNames are the engines that pattern finds, each once.
func engineNames(pattern *regexp.Regexp, out []byte) []string {
	var names []string
	for _, m := range pattern.FindAllSubmatch(out, -1) {
		names = append(names, string(m[1]))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
