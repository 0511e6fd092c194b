package kerneltest

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// TestBigFunctionsHaveTheKnownDigits: e and π are OEIS A001113 and A000796, and the others by mpmath 1.3.0
// at 90 digits.
func TestBigFunctionsHaveTheKnownDigits(t *testing.T) {
	for _, c := range []struct {
		name string
		got  *big.Float
		want string
	}{
		{"exp(1)", bigExp(newBig(1)), "2.71828182845904523536028747135266249775724709369995957496696762772407663035"},
		{"exp(-110.25)", bigExp(newBig(-110.25)), "1.31532589485746452871955746148938431410784549746738528260084642926717313445e-48"},
		{"exp(88.5)", bigExp(newBig(88.5)), "272308782506811161210602059189134302096.150676360603171020885930007330890934"},
		{"π", bigPi, "3.14159265358979323846264338327950288419716939937510582097494459230781640629"},
		{"tanh(1)", bigTanh(newBig(1)), "0.761594155955764888119458282604793590412768597257936551596810500121953244577"},
		{"tanh(2^-140)", bigTanh(newBig(0x1p-140)), "7.17464813734306340312949546644437059215494114240776075139618961351573034335e-43"},
		{"erfc(0.5)", bigErfc(newBig(0.5)), "0.479500122186953462317253346108035471263548424242036299941194274352806478283"},
		{"erfc(-1.25)", bigErfc(newBig(-1.25)), "1.92290012825645823013652348119728114042360143870222832979366848759222005653"},
		{"erfc(10.25)", bigErfc(newBig(10.25)), "1.29001389050429040379720925338594896235105062918359143293364506839931803130e-47"},
	} {
		want, _, err := big.ParseFloat(c.want, 10, 260, big.ToNearestEven)
		if err != nil {
			t.Fatal(err)
		}
		off := new(big.Float).Sub(c.got, want)
		if off.Sign() != 0 && off.MantExp(nil)-want.MantExp(nil) > -precision {
			t.Errorf("%s is %.70g, want %.70g", c.name, c.got, want)
		}
	}
}

// TestDoubleIsWithinDoubt: what the formulas come to in float64 is, in ulp of fp32, far nearer to the reference than
// the doubt in which the reference is asked.
func TestDoubleIsWithinDoubt(t *testing.T) {
	for k, f := range inDouble {
		r := rand.New(rand.NewPCG(11, 13))
		worst := 0.0
		for i := range 300 {
			x := make([]float64, 3)
			for j := range x {
				x[j] = float64(float32(r.NormFloat64()))
			}
			x[argument(k)] = float64(float32(r.NormFloat64() * math.Exp2(float64(i%24-22))))
			want := bigValues(k, x)
			for o, v := range f(doubleField, x) {
				if u := bigULP[float32](v.y, want[o]); u > worst {
					worst = u
				}
			}
		}
		if worst > 1e-5 {
			t.Errorf("%s in float64 errs by %g ulp of fp32, want 1e-5 at most", k, worst)
		}
	}
	if len(inDouble) != len(limits) || len(inBig) != len(limits) {
		t.Errorf("%d formulas, %d limits", len(inDouble), len(limits))
	}
}

func TestCheckRefusesWhatIsWrong(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	minusZero := float32(math.Copysign(0, -1))
	for _, c := range []struct {
		kernel kernels.Kernel
		x, y   []float32
	}{
		{kernels.ReLU, []float32{-1}, []float32{-1}},
		{kernels.ReLU, []float32{1}, []float32{0}},
		{kernels.ReLU, []float32{-1}, []float32{minusZero}},
		{kernels.ReLU, []float32{minusZero}, []float32{0}},
		{kernels.ReLU, []float32{nan}, []float32{0}},
		{kernels.ReLU, []float32{nan}, []float32{math.Float32frombits(math.Float32bits(nan) ^ 2)}},
		{kernels.ReLUBackward, []float32{3, 0}, []float32{3}},
		{kernels.ReLUBackward, []float32{3, nan}, []float32{3}},
		{kernels.ReLUBackward, []float32{3, -1}, []float32{minusZero}},
		{kernels.Sigmoid, []float32{nan}, []float32{0.5}},
		{kernels.Sigmoid, []float32{0}, []float32{nan}},
		{kernels.Sigmoid, []float32{0}, []float32{0.5 + 3*0x1p-24}},
		{kernels.Sigmoid, []float32{inf}, []float32{1 - 3*0x1p-24}},
		{kernels.Sigmoid, []float32{-90}, []float32{0}},
		{kernels.Tanh, []float32{0x1p-140}, []float32{0}},
		{kernels.GELU, []float32{-inf}, []float32{minusZero}},
		{kernels.GELU, []float32{inf}, []float32{nan}},
		{kernels.GELUErf, []float32{-6}, []float32{minusZero}},
		{kernels.SiLU, []float32{1e30}, []float32{inf}},
		{kernels.SiLUMul, []float32{-inf, 1}, []float32{0}},
		{kernels.SiLUBackward, []float32{1, inf}, []float32{1}},
		{kernels.SiLUMulBackward, []float32{1, 0, 1}, []float32{0.5, 0x1p-20}},
	} {
		if _, err := Check(c.kernel, c.x, c.y); err == nil {
			t.Errorf("%s(%v) = %v passed", c.kernel, c.x, c.y)
		}
	}
	for _, c := range []struct {
		kernel kernels.Kernel
		x, y   kernels.Float16
	}{
		{kernels.ReLU, 0xbc00, 0xbc00},
		{kernels.ReLU, 0x8000, 0},
		{kernels.ReLU, 0x7d55, 0x7f55},
		{kernels.ReLU, 0x7e01, 0x7e00},
		{kernels.Sigmoid, 0x7e00, 0x3c00},
		{kernels.Sigmoid, 0x0000, 0x3801},
		{kernels.Sigmoid, 0xfc00, 0x0001},
	} {
		if _, err := Check(c.kernel, []kernels.Float16{c.x}, []kernels.Float16{c.y}); err == nil {
			t.Errorf("%s of the half %#04x = %#04x passed", c.kernel, c.x, c.y)
		}
	}
	if _, err := Check(kernels.SiLU, []kernels.BFloat16{0x3f80}, []kernels.BFloat16{0x3f3a}); err == nil {
		t.Error("silu(1) at bf16, one step off, passed")
	}
}

// TestWhatIsInDoubtIsDecidedInBigArithmetic: a result of which float64 says too little is compared with the reference.
func TestWhatIsInDoubtIsDecidedInBigArithmetic(t *testing.T) {
	x := []float64{0.75}
	exact := bigValues(kernels.Sigmoid, x)[0]
	y, _ := exact.y.Float64()
	// A result that is off by just the limit, give or take 1e-9 ulp.
	for _, c := range []struct {
		ulp float64
		ok  bool
	}{{2.5 - 1e-9, true}, {2.5 + 1e-9, false}} {
		_, err := c64[float32](kernels.Sigmoid, x, 0, y+c.ulp*0x1p-24, value[float64]{y: y + 3e-5*0x1p-24})
		if (err == nil) != c.ok {
			t.Errorf("off by %v ulp: %v", c.ulp, err)
		}
	}
}
