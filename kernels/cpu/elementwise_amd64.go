package cpu

import (
	"unsafe"

	"github.com/realflops/realflops/kernels"
)

func init() {
	assembled := map[kernels.Precision]func(routine uintptr) any{
		kernels.FP32: assembly[float32], kernels.FP16: assembly[kernels.Float16], kernels.BF16: assembly[kernels.BFloat16],
	}
	table := addresses(elementwiseTable)
	for i, r := range elementwiseRoutines {
		register(Impl{
			Kernel: r.kernel, Precision: r.precision, Engine: r.engine, Needs: r.needs,
			Func: assembled[r.precision](table[i]),
		})
	}
}

// elementwiseArgs is what a routine gets. The generator knows its layout.
type elementwiseArgs struct {
	n       int
	outputs [2]unsafe.Pointer
	inputs  [3]unsafe.Pointer
}

// assembly is an ElementwiseFunc[T].
func assembly[T Float](routine uintptr) any {
	return ElementwiseFunc[T](func(outputs, inputs [][]T) {
		args := elementwiseArgs{n: length(outputs, inputs)}
		for i, s := range outputs {
			args.outputs[i] = pointer(s)
		}
		for i, s := range inputs {
			args.inputs[i] = pointer(s)
		}
		call(routine, unsafe.Pointer(&args))
	})
}
