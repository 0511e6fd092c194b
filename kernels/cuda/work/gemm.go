package work

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

// matrices is what a product needs to know of its operands.
type matrices struct {
	precision    kernels.Precision
	m, n, k      int
	in, out      format
	seedA, seedB uint64
	transposed   bool // B is stored n x k, as int8 needs it
}

// a and b are the index into the table of an element of A and of B.
func (x matrices) a(i, p int) int { return index(x.seedA, uint64(i)*uint64(x.k)+uint64(p)) }

func (x matrices) b(p, j int) int {
	if x.transposed {
		return index(x.seedB, uint64(j)*uint64(x.k)+uint64(p))
	}
	return index(x.seedB, uint64(p)*uint64(x.n)+uint64(j))
}

// gemm prepares a product: by a library where it is asked for or has the precision, or by an own kernel.
func (w *Work) gemm(c Case) error {
	plan, err := w.planner(c)
	if err != nil {
		return err
	}
	out, outName := product(c.Precision)
	x := matrices{
		precision: c.Precision, m: c.Shape.M, n: c.Shape.N, k: c.Shape.K, in: stored(c.Precision), out: out,
		seedA: c.Seed, seedB: c.Seed ^ 0x5bf03635aca2d9d1, transposed: c.Precision == kernels.INT8INT32,
	}
	bytes := [3]int64{int64(x.m) * int64(x.n) * int64(out.bytes), int64(x.m) * int64(x.k) * int64(x.in.bytes), int64(x.k) * int64(x.n) * int64(x.in.bytes)}
	w.Traffic = float64(bytes[0] + bytes[1] + bytes[2])
	value, err := valuesOf(c)
	if err != nil {
		return err
	}
	folds, err := w.alloc(int64(8 * x.m))
	if err != nil {
		return err
	}
	onDevice, err := w.alloc(tableSize * int64(x.in.bytes)) // before the sets take what there is
	if err != nil {
		return err
	}
	err = w.makeSets(c.Cold, bytes[0]+bytes[1]+bytes[2], func() (set, error) {
		s := set{}
		for _, b := range bytes {
			p, err := w.alloc(b)
			if err != nil {
				return s, err
			}
			s.ptrs = append(s.ptrs, p)
		}
		run, note, err := plan(s.ptrs)
		s.run, w.Note = run, note+", C "+outName
		return s, err
	})
	if err != nil {
		return err
	}
	w.poisoned = func(s set) error { return w.site.dev.Memset(s.ptrs[0], 0xff, bytes[0]) }
	if err := w.probe(c, x, onDevice, folds); err != nil {
		return err
	}
	return w.load(x, value, onDevice, folds)
}

// planner is how a set of operands becomes a run.
func (w *Work) planner(c Case) (func([]cuda.Ptr) (func() error, string, error), error) {
	if lib := w.site.library; lib != nil && (c.Engine == "" || c.Engine == lib.Engine()) {
		for _, p := range lib.Precisions() {
			if p == c.Precision {
				w.Engine = lib.Engine()
				return func(p []cuda.Ptr) (func() error, string, error) { return lib.Plan(c.Spec, p[1], p[2], p[0]) }, nil
			}
		}
	}
	if c.Engine == cuda.CuBLASLt {
		return nil, fmt.Errorf("engine %s is %w here: the library was not found, or lacks %s", c.Engine, ErrUnsupported, c.Precision)
	}
	e, err := w.site.pick(c)
	if err != nil {
		return nil, err
	}
	w.Engine = e.Engine
	layout := "A and B row-major"
	if c.Precision == kernels.INT8INT32 {
		layout = "A row-major, B stored n x k"
	}
	return func(p []cuda.Ptr) (func() error, string, error) {
		l, err := e.Launch(c.Shape, w.site.dev.Info().SMs, p)
		if err != nil {
			return nil, "", err
		}
		return func() error { return w.site.dev.Launch(l) }, fmt.Sprintf("%s, %s", e.Instruction, layout), nil
	}, nil
}

// operands fills A and B of a set.
func (w *Work) operands(x matrices, s set, onDevice cuda.Ptr) error {
	if err := w.fill(x.in, s.ptrs[1], onDevice, x.m*x.k, x.seedA); err != nil {
		return err
	}
	return w.fill(x.in, s.ptrs[2], onDevice, x.k*x.n, x.seedB)
}

// probe runs the product on integers and holds every row of C to A·(B·w), exactly.
func (w *Work) probe(c Case, x matrices, onDevice, folds cuda.Ptr) error {
	value := signs(x.k)
	if err := w.site.dev.Upload(onDevice, table(x.in, value)); err != nil {
		return err
	}
	if err := w.operands(x, w.sets[0], onDevice); err != nil {
		return err
	}
	ints := make([]int8, tableSize)
	for i := range ints {
		ints[i] = int8(value(i))
	}
	_, name := product(c.Precision)
	w.digest = func(s set) ([]uint64, error) { return w.fold("fold_int_"+name, s.ptrs[0], folds, x.m*x.n, x.n) }
	w.want = x.rowFolds(ints)
	w.locate = func(s set, row int) error {
		raw, err := w.elements(x.out, s.ptrs[0], row*x.n, x.n)
		if err != nil {
			return err
		}
		for j := range x.n {
			sum := 0
			for p := range x.k {
				sum += int(ints[x.a(row, p)]) * int(ints[x.b(p, j)])
			}
			if got := x.out.decode(x.out.at(raw, j)); got != float64(sum) {
				return wrong("C[%d,%d] is %v, want %d exactly (on the integers -1, 0 and 1)", row, j, got, sum)
			}
		}
		return nil
	}
	return w.verified()
}

// rowFolds is Σ_j C[i,j]·weight(j) for each row i, as A·(B·weight), modulo 2^64.
func (x matrices) rowFolds(ints []int8) []uint64 {
	bw := make([]uint64, x.k)
	parallel(x.k, func(lo, hi int) {
		for p := lo; p < hi; p++ {
			for j := range x.n {
				bw[p] += uint64(int64(ints[x.b(p, j)])) * weight(uint64(j))
			}
		}
	})
	out := make([]uint64, x.m)
	parallel(x.m, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			for p := range x.k {
				out[i] += uint64(int64(ints[x.a(i, p)])) * bw[p]
			}
		}
	})
	return out
}

// checkedElements of C are held to float64 on the data that is timed.
const checkedElements = 16

// load fills every set with the data that is timed, and checks some elements of the first pass.
func (w *Work) load(x matrices, value func(int) float64, onDevice, folds cuda.Ptr) error {
	host := table(x.in, value)
	if err := w.site.dev.Upload(onDevice, host); err != nil {
		return err
	}
	for _, s := range w.sets {
		if err := w.operands(x, s, onDevice); err != nil {
			return err
		}
	}
	w.digest = func(s set) ([]uint64, error) {
		return w.fold(fmt.Sprintf("fold_bits_%d", x.out.bytes), s.ptrs[0], folds, x.m*x.n, x.n)
	}
	element := func(raw []byte, i, j int) error {
		sum, size := 0.0, 0.0
		for p := range x.k {
			xy := x.in.decode(x.in.at(host, x.a(i, p))) * x.in.decode(x.in.at(host, x.b(p, j)))
			sum += xy
			size += math.Abs(xy)
		}
		got := x.out.decode(x.out.at(raw, j))
		if !(math.Abs(got-sum) <= x.tolerance(sum, size)) {
			return wrong("C[%d,%d] is %v, want %v", i, j, got, sum)
		}
		return nil
	}
	w.want = nil // the first pass says it
	w.locate = func(s set, row int) error {
		raw, err := w.elements(x.out, s.ptrs[0], row*x.n, x.n)
		if err != nil {
			return err
		}
		for j := range x.n {
			if err := element(raw, row, j); err != nil {
				return err
			}
		}
		return nil
	}
	first := w.sets[w.next]
	if err := w.verified(); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(x.seedA, 2))
	for range checkedElements {
		i, j := random.IntN(x.m), random.IntN(x.n)
		raw, err := w.elements(x.out, first.ptrs[0], i*x.n+j, 1)
		if err != nil {
			return err
		}
		padded := make([]byte, (j+1)*x.out.bytes) // so that element j is where element looks
		copy(padded[j*x.out.bytes:], raw)
		if err := element(padded, i, j); err != nil {
			return err
		}
	}
	return nil
}

// tolerance is how far an element of C may lie from sum, where size is the sum of the sizes of its
// products: fp32 sums err by at most γ(k) of that (N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.,
// eq. 3.5), tf32 operands are cut to 11 bits, an fp16 sum is rounded at each of k steps (a random walk: six standard
// deviations of it), and the result is rounded to its format. int8 is exact.
func (x matrices) tolerance(sum, size float64) float64 {
	if x.precision == kernels.INT8INT32 {
		return 0
	}
	k := float64(x.k)
	rounding := map[kernels.Precision]float64{kernels.FP16FP32: 0x1p-11, kernels.FP16FP16: 0x1p-11, kernels.BF16FP32: 0x1p-8}[x.precision]
	slack := rounding*math.Abs(sum) + size*min(1, k*0x1p-24) + 0x1p-24
	switch x.precision {
	case kernels.TF32FP32:
		slack += size * 0x1p-9
	case kernels.FP16FP16:
		slack += 6 * 0x1p-11 * (math.Sqrt(k)*math.Abs(sum) + size)
	}
	return slack
}
