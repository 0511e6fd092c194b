package driver

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels/cuda"
)

func TestEveryCodeHasANameAndASentence(t *testing.T) {
	names := map[string]int{}
	for code, r := range results {
		if other, taken := names[r.name]; taken {
			t.Errorf("codes %d and %d are both %s", code, other, r.name)
		}
		names[r.name] = code
		if !strings.HasPrefix(r.name, "CUDA_ERROR_") || r.text == "" || strings.ContainsAny(r.text, "\n") || strings.HasSuffix(r.text, ".") {
			t.Errorf("code %d: %+v, want a CUDA_ERROR_ name and one sentence", code, r)
		}
	}
	for code := range badImage {
		if results[code].name == "" || results[code].sticky {
			t.Errorf("code %d says an image does not fit, so it must be known and not sticky", code)
		}
	}
}

func TestErrorsAreSentences(t *testing.T) {
	for _, c := range []struct {
		code       int
		name, want string
	}{
		{719, "", "launch x: a kernel failed on the device (CUDA_ERROR_LAUNCH_FAILED, code 719)"},
		{222, "", "launch x: the PTX is newer than the driver's compiler; update the driver (CUDA_ERROR_UNSUPPORTED_PTX_VERSION, code 222)"},
		{4711, "CUDA_ERROR_FROM_TOMORROW", "launch x: an error of a driver newer than this program (CUDA_ERROR_FROM_TOMORROW, code 4711)"},
		{4711, "", "launch x: an error of a driver newer than this program (unknown, code 4711)"},
	} {
		if got := newError("launch x", c.code, c.name).Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestStickyErrorsEndTheProcess lists by hand which codes a worker must not go on after.
func TestStickyErrorsEndTheProcess(t *testing.T) {
	for code, want := range map[int]bool{700: true, 702: true, 710: true, 714: true, 715: true, 716: true, 717: true, 718: true, 719: true, 214: true, 220: true, 226: true, 999: true, 2: false, 1: false, 209: false, 222: false, 500: false, 701: false, 4711: false} {
		if got := newError("x", code, "").Sticky(); got != want {
			t.Errorf("code %d: sticky %t, want %t", code, got, want)
		}
	}
	memory := fmt.Errorf("wrapped: %w", newError("allocate", 2, ""))
	if !errors.Is(memory, cuda.ErrMemory) || errors.Is(newError("allocate", 1, ""), cuda.ErrMemory) || errors.Is(memory, cuda.ErrImage) {
		t.Error("code 2 alone is ErrMemory")
	}
}
