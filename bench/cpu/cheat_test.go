package cpu

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// flip changes one bit of x.
func flip(x float32, bit int) float32 { return math.Float32frombits(math.Float32bits(x) ^ 1<<bit) }

// TestWorkThatIsNotDoneIsFound: kernels that skip work, all of it or some, always or only in
// later passes, fail with the first wrong element named.
func TestWorkThatIsNotDoneIsFound(t *testing.T) {
	const ms = time.Millisecond
	clock := &fakeClock{}
	relu := goRelu(clock, ms)
	calls := 0
	later := func(spoil func(dst []float32)) cpu.ElementwiseFunc[float32] {
		return unary(func(dst, src []float32) {
			relu(dst, src)
			if calls++; calls > 5 {
				spoil(dst)
			}
		})
	}
	for _, c := range []struct {
		name  string
		f     any
		spec  kernels.Spec
		wrong string // in the error
	}{
		{
			"relu does nothing", unary(func(dst, src []float32) { clock.work(ms) }),
			kernels.Spec{Kernel: kernels.ReLU, Precision: kernels.FP32, Shape: n(1000)},
			"element 0 of 1000 is NaN",
		},
		{
			"relu does half", unary(func(dst, src []float32) { relu(dst[:len(dst)/2], src[:len(src)/2]) }),
			kernels.Spec{Kernel: kernels.ReLU, Precision: kernels.FP32, Shape: n(200_000)},
			"element 100000 of 200000 is NaN",
		},
		{
			"relu flips a bit", unary(func(dst, src []float32) { relu(dst, src); dst[77_777] = flip(dst[77_777], 30) }),
			kernels.Spec{Kernel: kernels.ReLU, Precision: kernels.FP32, Shape: n(200_000)},
			"element 77777 of 200000",
		},
		{"relu stops working", unary(func(dst, src []float32) {
			if calls++; calls <= 5 {
				relu(dst, src)
			}
			clock.work(ms)
		}), kernels.Spec{Kernel: kernels.ReLU, Precision: kernels.FP32, Shape: n(1000)}, "a later pass did not repeat the first: element 0 of 1000 is NaN"},
		{
			"relu later flips a high bit", later(func(dst []float32) { dst[9] = flip(dst[9], 30) }),
			kernels.Spec{Kernel: kernels.ReLU, Precision: kernels.FP32, Shape: n(1000)},
			"a later pass did not repeat the first: element 9 ",
		},
		{
			"relu later flips the lowest bit", later(func(dst []float32) { dst[9] = flip(dst[9], 0) }),
			kernels.Spec{Kernel: kernels.ReLU, Precision: kernels.FP32, Shape: n(1000)},
			"differs in bits",
		},
		{
			"sigmoid fp16 writes zeros", unary(func(dst, src []kernels.Float16) { clear(dst); clock.work(ms) }),
			kernels.Spec{Kernel: kernels.Sigmoid, Precision: kernels.FP16, Shape: n(1000)},
			"element 0 of 1000 is 0, want 0.",
		},
		{
			"copy leaves out the last", cpu.CopyFunc(func(dst, src []float64) { copy(dst, src[:len(src)-1]); clock.work(ms) }),
			kernels.Spec{Kernel: kernels.Copy, Precision: kernels.FP64, Shape: n(1001)},
			"element 1000 of 1001 is NaN",
		},
		{"triad forgets its scalar", cpu.TriadFunc(func(dst, a, b []float64, s float64) {
			for i := range dst {
				dst[i] = a[i] + b[i]
			}
			clock.work(ms)
		}), kernels.Spec{Kernel: kernels.Triad, Precision: kernels.FP64, Shape: n(1000)}, "element 0 of 1000"},
		{
			"fma returns half", cpu.FMAFunc(func(n int) float64 { clock.work(ms); return float64(n / 2) }),
			kernels.Spec{Kernel: kernels.FMA, Precision: kernels.FP32FP32, Shape: n(196608)},
			"thread 0: the sum of 196608 multiply-adds is 98304, want 196608",
		},
		{"fma later returns nothing", cpu.FMAFunc(func(n int) float64 {
			clock.work(ms)
			if calls++; calls > 5 {
				return 0
			}
			return float64(n)
		}), kernels.Spec{Kernel: kernels.FMA, Precision: kernels.FP32FP32, Shape: n(196608)}, "is 0, want 196608"},
		{"gemm leaves a row out", planGEMM(func(c []float32) {
			for j := range 40 {
				c[33*40+j] = float32(math.NaN())
			}
			clock.work(ms)
		}), kernels.Spec{Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Shape: kernels.Shape{M: 50, N: 40, K: 30}}, "c[33,0] was not computed"},
		{
			"gemm flips a bit in a corner", planGEMM(func(c []float32) { c[len(c)-1] = flip(c[len(c)-1], 25); clock.work(ms) }),
			kernels.Spec{Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Shape: kernels.Shape{M: 50, N: 40, K: 30}},
			"c[49,39] is",
		},
		{"gemm later flips the lowest bit", planGEMM(func(c []float32) {
			if calls++; calls > 5 {
				c[7] = flip(c[7], 0)
			}
			clock.work(ms)
		}), kernels.Spec{Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Shape: kernels.Shape{M: 50, N: 40, K: 30}}, "differs in bits"},
	} {
		calls = 0
		res := run(t, newFake(t, clock, c.f), caseOf(c.spec.Kernel, c.spec.Precision, c.spec.Shape, 1))
		if res.Status != bench.Failed || !strings.Contains(res.Error, c.wrong) {
			t.Errorf("%s: %s %q, want %q", c.name, res.Status, res.Error, c.wrong)
		}
		if got := codes(res); !slices.Equal(got, []string{bench.WrongResult}) {
			t.Errorf("%s: warnings %v", c.name, got)
		}
		if res.FlopPerS != nil || res.BytesPerS != nil {
			t.Errorf("%s: a failed result has a rate", c.name)
		}
	}
}

// TestAMissingBlockOfKIsFound: the tolerance of the product is tight enough that leaving out
// an eighth of the sum shows.
func TestAMissingBlockOfKIsFound(t *testing.T) {
	clock := &fakeClock{}
	const m, nn, k = 4, 8, 4096
	short := planFunc[float32, float32](func(_ *cpu.Pool, s cpu.Product) (product[float32, float32], error) {
		return shortGEMM{s.M, s.N, k, func() { clock.work(time.Millisecond) }}, nil
	})
	res := run(t, newFake(t, clock, short), caseOf(kernels.GEMM, kernels.FP32FP32, kernels.Shape{M: m, N: nn, K: k}, 1))
	if res.Status != bench.Failed || !strings.Contains(res.Error, "c[") {
		t.Errorf("%s %q", res.Status, res.Error)
	}
}

// shortGEMM leaves out the last eighth of k.
type shortGEMM struct {
	m, n, k int
	after   func()
}

func (g shortGEMM) Run(c, a, b []float32) {
	for i := range g.m {
		for j := range g.n {
			sum := float32(0)
			for p := range g.k * 7 / 8 {
				sum += a[i*g.k+p] * b[p*g.n+j]
			}
			c[i*g.n+j] = sum
		}
	}
	g.after()
}

func (g shortGEMM) Close() {}

// TestChecksumSeesEveryBitAndNoThreads: any one bit changes it, the number of threads does not.
func TestChecksumSeesEveryBitAndNoThreads(t *testing.T) {
	one, three := cpu.NewPool(1), cpu.NewPool(3)
	defer one.Close()
	defer three.Close()
	words := make([]uint64, 3*8192+40)
	for i := range words {
		words[i] = uint64(i) * 0x9e3779b97f4a7c15
	}
	want := checksum(one, words)
	if got := checksum(three, words); got != want {
		t.Errorf("three threads: %x, one: %x", got, want)
	}
	for i := 0; i < len(words); i += 997 {
		for bit := 0; bit < 64; bit += 7 {
			words[i] ^= 1 << bit
			if checksum(one, words) == want {
				t.Fatalf("bit %d of word %d is not seen", bit, i)
			}
			words[i] ^= 1 << bit
		}
	}
	swapped := slices.Concat(words[8192:2*8192], words[:8192], words[2*8192:])
	if checksum(one, swapped) == want {
		t.Error("two blocks change places unseen")
	}
	poison(three, words)
	for i, w := range words {
		if w != math.MaxUint64 {
			t.Fatalf("word %d is not poisoned", i)
		}
	}
}
