package main

import (
	"time"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// contender multiplies n x n matrices of fp32, the same ones whoever it is.
type contender interface {
	// burst multiplies once to warm up and then count times. It returns the sum of
	// the product's elements and the seconds of each multiply.
	burst(n, count int) (sum float64, seconds []float64, err error)
	close() error
}

// ours is this module's GEMM, on a pool that is kept.
type ours struct {
	gemm    *cpu.GEMM[float32, float32]
	pool    *cpu.Pool
	n       int
	plan    *cpu.Plan[float32, float32]
	a, b, c []float32
	free    []func()
}

// newOurs takes the named engine, or the best one for "".
func newOurs(engine string, threads int) (*ours, string, error) {
	impl, err := cpu.Pick(kernels.GEMM, kernels.FP32FP32, engine)
	if err != nil {
		return nil, "", err
	}
	return &ours{gemm: impl.Func.(*cpu.GEMM[float32, float32]), pool: cpu.NewPool(threads)}, impl.Engine, nil
}

func (o *ours) burst(n, count int) (float64, []float64, error) {
	if err := o.prepare(n); err != nil {
		return 0, nil, err
	}
	o.plan.Run(o.c, o.a, o.b)
	sum := 0.0
	for _, x := range o.c {
		sum += float64(x)
	}
	seconds := make([]float64, count)
	for i := range seconds {
		start := time.Now()
		o.plan.Run(o.c, o.a, o.b)
		seconds[i] = time.Since(start).Seconds()
	}
	return sum, seconds, nil
}

func (o *ours) prepare(n int) error {
	if n == o.n {
		return nil
	}
	o.release()
	for seed, x := range []*[]float32{1: &o.a, 2: &o.b, 3: &o.c} {
		if x == nil {
			continue
		}
		data, free, err := cpu.Alloc[float32](n * n)
		if err != nil {
			return err
		}
		o.free = append(o.free, free)
		fill(data, uint32(seed))
		*x = data
	}
	plan, err := o.gemm.Plan(o.pool, cpu.Product{M: n, N: n, K: n})
	if err != nil {
		return err
	}
	o.plan, o.n = plan, n
	o.free = append(o.free, plan.Close)
	return nil
}

// fill is the fill of server/openblas.c.
func fill(x []float32, seed uint32) {
	for i := range x {
		x[i] = float32((uint32(i)+seed)*2654435761>>29) - 4
	}
}

func (o *ours) release() {
	for _, free := range o.free {
		free()
	}
	o.free, o.n = nil, 0
}

func (o *ours) close() error {
	o.pool.Close()
	o.release()
	return nil
}
