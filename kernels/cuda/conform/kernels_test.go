package conform

import (
	"fmt"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/ptxvm"
)

// interpreter is a device that runs the given PTX; seed orders warps and blocks.
func interpreter(t *testing.T, image cuda.Image, seed uint64) *ptxvm.Device {
	t.Helper()
	dev := ptxvm.NewDevice(cuda.Info{Arch: image.Arch, SMs: 1})
	dev.Seed = seed
	if err := dev.Load(image); err != nil {
		t.Fatal(err)
	}
	return dev
}

// few is one kernel of each sort, for passes that run programs slowly.
var few = map[string]bool{"gemm_bf16_fp32": true, "mma_int8_int32": true, "sigmoid_backward_fp16": true, "fold_int_fp32": true, "read_fp64": true}

// TestKernelsConform runs every kernel of every PTX image in the interpreter, of compute_80 at
// every shape; in short mode a few of compute_80.
func TestKernelsConform(t *testing.T) {
	archs := []int{80, 75, 70, 50}
	if testing.Short() {
		archs = archs[:1]
	}
	for i, arch := range archs {
		image, err := cuda.PTX(arch)
		if err != nil {
			t.Fatal(err)
		}
		if image.Arch != arch {
			t.Fatalf("the image for %d is %s", arch, image.Name)
		}
		for _, gemm := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/gemm=%t", image.Name, gemm), func(t *testing.T) {
				t.Parallel()
				outcomes, err := Check(interpreter(t, image, uint64(i+1)), Options{
					Thin: arch != 80 || testing.Short(), Nearest: true,
					Select: func(e cuda.Entry) bool {
						return (e.Kernel == kernels.GEMM) == gemm && (few[e.Name] || !testing.Short())
					},
					Each: func(o Outcome) { t.Log(o) },
				})
				if err != nil {
					t.Error(err)
				}
				for _, o := range Failed(outcomes) {
					t.Error(o)
				}
				if len(outcomes) == 0 {
					t.Error("nothing was checked")
				}
			})
		}
	}
}
