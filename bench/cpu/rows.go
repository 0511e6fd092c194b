package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// bindRows: the rows are divided over the threads; each makes its passes over its own share without waiting for the others,
// and has sums of its own of the gradients of gain and bias, which each pass begins at 0 as each step of training does.
func bindRows[T cpu.Float](w *workload, c bench.Case, pool *cpu.Pool, f cpu.RowsFunc[T]) error {
	m, n := c.Shape.M, c.Shape.N
	out, err := output[T](w, pool, m*n)
	if err != nil {
		return err
	}
	v := &rowsCheck[T]{Spec: c.Spec, backward: rowsBackward[c.Kernel], out: out, sums: make([]rowSums, c.Threads)}
	matrices := []*[]T{&v.in.X}
	if v.backward {
		matrices = []*[]T{&v.in.DY, &v.in.X}
		if c.Kernel == kernels.SoftmaxBackward {
			matrices[1] = &v.in.Y
		}
	}
	for i, x := range matrices {
		if *x, _, err = input[T](w, pool, c, m*n, c.Seed+uint64(i)); err != nil {
			return err
		}
	}
	v.in.Gain, v.in.Bias = bench.Pattern[T](c.Data, c.Seed+2, min(n, bench.FillPeriod)), bench.Pattern[T](c.Data, c.Seed+3, min(n, bench.FillPeriod))
	for _, x := range []*[]T{&v.in.Gain, &v.in.Bias} {
		whole := make([]T, n)
		bench.Tile(whole, *x, 0)
		*x = whole
	}
	for tid := range v.sums {
		v.sums[tid] = rowSums{make([]float32, n), make([]float32, n)}
	}
	step := max(1, chunk/n)
	w.run = func(passes int) {
		pool.Run(func(tid int) {
			lo, hi := cpu.Split(m, 1, c.Threads, tid)
			for range passes {
				if v.backward {
					v.sums[tid].fill(0)
				}
				for at := lo; at < hi; at += step {
					if pool.Stopped() {
						return
					}
					rows := v.rows(at, min(at+step, hi), v.sums[tid])
					f(&rows)
				}
			}
		})
	}
	poison := w.poison
	w.poison = func() {
		poison()
		for _, s := range v.sums {
			s.fill(float32(math.NaN()))
		}
	}
	w.verify = func() error {
		if err := firstUnwritten(pool, out, n); err != nil {
			return err
		}
		return v.verify(rand.New(rand.NewPCG(c.Seed, 2)))
	}
	return nil
}

var rowsBackward = map[kernels.Kernel]bool{kernels.SoftmaxBackward: true, kernels.RMSNormBackward: true, kernels.LayerNormBackward: true}

// rowSums are a thread's sums over its rows.
type rowSums struct{ gain, bias []float32 }

func (s rowSums) fill(v float32) {
	for i := range s.gain {
		s.gain[i], s.bias[i] = v, v
	}
}

// rowsCheck holds what a pass wrote to the plain Go twin, which computes in float64.
type rowsCheck[T cpu.Float] struct {
	kernels.Spec
	backward bool
	in       cpu.Rows[T] // its inputs, whole
	out      []T
	sums     []rowSums
}

// rows are the operands of rows lo to hi.
func (v *rowsCheck[T]) rows(lo, hi int, s rowSums) cpu.Rows[T] {
	n := v.Shape.N
	part := func(x []T) []T {
		if x == nil {
			return nil
		}
		return x[lo*n : hi*n]
	}
	r := cpu.Rows[T]{
		Columns: n, X: part(v.in.X), Y: part(v.in.Y), DY: part(v.in.DY), Gain: v.in.Gain, Bias: v.in.Bias,
		DGain: s.gain, DBias: s.bias,
	}
	if v.backward {
		r.DX = part(v.out)
	} else {
		r.Y = part(v.out)
	}
	return r
}

// verify computes some rows again, the first and the last among them, and holds the sums of some columns over all rows to
// float64. What a row errs by is relative to the largest of its terms, as sums in fp32 over 32 lanes make it.
func (v *rowsCheck[T]) verify(random *rand.Rand) error {
	twin, err := cpu.Pick(v.Kernel, v.Precision, cpu.Go)
	if err != nil {
		return err
	}
	n, f := v.Shape.N, twin.Func.(cpu.RowsFunc[T])
	want := make([]T, n)
	for _, i := range pickSome(v.Shape.M, random) {
		r := v.rows(i, i+1, rowSums{make([]float32, n), make([]float32, n)})
		got := r.Y
		if v.backward {
			got, r.DX = r.DX, want
		} else {
			r.Y = want
		}
		f(&r)
		largest := v.largestTerm(i)
		for _, y := range want {
			largest = max(largest, math.Abs(kernels.Value(y)))
		}
		for j, y := range want {
			a, b := kernels.Value(got[j]), kernels.Value(y)
			if !(math.Abs(a-b) <= relatives[v.Precision]*math.Abs(b)+rowError(n)*largest) {
				return fmt.Errorf("element [%d,%d] is %v, want %v", i, j, a, b)
			}
		}
	}
	if v.Kernel == kernels.RMSNormBackward || v.Kernel == kernels.LayerNormBackward {
		return v.verifySums(pickSome(n, random))
	}
	return nil
}

// rowError is what a sum over a row may err by in fp32, and some roundings more, relative to its terms.
func rowError(n int) float64 { return (float64(n)/32 + 64) * 0x1p-24 }

// largestTerm is that of what a backward norm subtracts from one another in row i; 0 for other kernels.
func (v *rowsCheck[T]) largestTerm(i int) float64 {
	if !v.backward || v.Kernel == kernels.SoftmaxBackward {
		return 0
	}
	_, scale := v.moments(i)
	largest := 0.0
	for j, dy := range v.in.DY[i*v.Shape.N:][:v.Shape.N] {
		largest = max(largest, math.Abs(kernels.Value(v.in.Gain[j])*kernels.Value(dy)))
	}
	return scale * largest
}

// moments are the mean that the norm subtracts from row i, and what it multiplies it by.
func (v *rowsCheck[T]) moments(i int) (mean, scale float64) {
	n := v.Shape.N
	x := v.in.X[i*n:][:n]
	if v.Kernel == kernels.LayerNormBackward {
		for _, e := range x {
			mean += kernels.Value(e) / float64(n)
		}
	}
	variance := 0.0
	for _, e := range x {
		d := kernels.Value(e) - mean
		variance += d * d / float64(n)
	}
	return mean, 1 / math.Sqrt(variance+cpu.NormEpsilon)
}

// verifySums holds, of some columns, what the threads' sums come to.
func (v *rowsCheck[T]) verifySums(columns []int) error {
	type sum struct{ value, size float64 }
	gain, bias := make([]sum, len(columns)), make([]sum, len(columns))
	for i := range v.Shape.M {
		mean, scale := v.moments(i)
		for c, j := range columns {
			at := i*v.Shape.N + j
			dy, normed := kernels.Value(v.in.DY[at]), (kernels.Value(v.in.X[at])-mean)*scale
			gain[c].value += dy * normed
			gain[c].size += math.Abs(dy) * (1 + math.Abs(normed))
			bias[c].value += dy
			bias[c].size += math.Abs(dy)
		}
	}
	allowed := rowError(v.Shape.N) + float64(v.Shape.M)*0x1p-24
	for c, j := range columns {
		gotGain, gotBias := 0.0, 0.0
		for _, s := range v.sums {
			gotGain += float64(s.gain[j])
			gotBias += float64(s.bias[j])
		}
		if !(math.Abs(gotGain-gain[c].value) <= allowed*gain[c].size) {
			return fmt.Errorf("the gradient of gain %d is %v, want %v", j, gotGain, gain[c].value)
		}
		if v.Kernel == kernels.LayerNormBackward && !(math.Abs(gotBias-bias[c].value) <= allowed*bias[c].size) {
			return fmt.Errorf("the gradient of bias %d is %v, want %v", j, gotBias, bias[c].value)
		}
	}
	return nil
}
