package cpu
import ("testing";"fmt";"time";"context"
"github.com/realflops/realflops/bench"
"github.com/realflops/realflops/kernels")
func TestZZ(t *testing.T){
 r, _ := New(Machine{Threads:2}); defer r.Close()
 for _, c := range []bench.Case{ caseOf(kernels.GEMM, kernels.FP16FP32, kernels.Shape{M:4096,N:4096,K:4096}, 1), caseOf(kernels.GEMM, kernels.FP32FP32, kernels.Shape{M:4096,N:4096,K:4096}, 2), caseOf(kernels.Sigmoid, kernels.FP16, n(1<<28), 1), caseOf(kernels.ReLU, kernels.FP32, n(1<<27), 2),caseOf(kernels.FMA, kernels.FP32FP32, n(768<<16), 2)} {
 for _, e := range []string{"go","go-avx512"} {
 for _, after := range []time.Duration{30, 700, 2500} {
 c.Engine=e; c.MinS=5; c.MaxS=8
 ctx, cancel := context.WithTimeout(context.Background(), after*time.Millisecond)
 t0 := time.Now()
 x, err := r.Run(ctx, c); cancel()
 fmt.Println(c.Spec, e, after, "returned after", time.Since(t0)-after*time.Millisecond, err, x.Status, x.N, x.Error, x.Warnings)
 } } }
}
