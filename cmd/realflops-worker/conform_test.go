//go:build worker

package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels/cuda"
)

func TestConformanceEndsWithWhatItFound(t *testing.T) {
	text := "wrong"
	right, wrong := conformOutcome{Entry: "relu_fp32"}, conformOutcome{Entry: "relu_fp32", Error: &text}
	for name, c := range map[string]struct {
		doc  conformDocument
		code int
		says string
	}{
		"all is right":             {doc: conformDocument{Outcomes: []conformOutcome{right}}},
		"one of two is wrong":      {doc: conformDocument{Outcomes: []conformOutcome{wrong, right}}, code: exitWrong},
		"the device failed":        {doc: conformDocument{Outcomes: []conformOutcome{right}, Error: &text}, code: exitWrong},
		"interrupted":              {doc: conformDocument{Outcomes: []conformOutcome{right}, Left: []string{"a", "b"}}, code: exitCutShort, says: "2 device functions were not checked"},
		"wrong before interrupted": {doc: conformDocument{Outcomes: []conformOutcome{wrong}, Left: []string{"a"}}, code: exitWrong},
		"nothing was chosen":       {doc: conformDocument{Image: "sm_90a"}, code: exitUsage, says: "no device function of sm_90a"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			if code := c.doc.exitCode(&stderr); code != c.code || !strings.Contains(stderr.String(), c.says) {
				t.Errorf("exit code %d, said %q; want %d, %q", code, stderr.String(), c.code, c.says)
			}
		})
	}
}

// TestPTXAloneTakesNoCubin: the device behind it, of which there is none here, is not asked.
func TestPTXAloneTakesNoCubin(t *testing.T) {
	d := &loadedDevice{ptx: true}
	if err := d.Load(cuda.Image{Name: "sm_90a", Arch: 90}); !errors.Is(err, cuda.ErrImage) || !strings.Contains(err.Error(), "sm_90a is a cubin") {
		t.Errorf("error is %v", err)
	}
}

func TestConformanceRefusesAPatternThatIsNone(t *testing.T) {
	var stderr strings.Builder
	if code := (conformance{device: "GPU-1", entries: "("}).run(io.Discard, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "-entries") {
		t.Errorf("exit code %d, said %q", code, stderr.String())
	}
}
