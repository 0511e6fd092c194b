package cpu

import (
	"testing"

	"github.com/realflops/realflops/kernels"
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
