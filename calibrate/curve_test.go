package calibrate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestIsotonicPoolsAdjacentViolators(t *testing.T) {
	fit, moved := isotonic([]float64{1, 3, 2, 4, 3, 2, 5})
	want := []float64{1, 2.5, 2.5, 3, 3, 3, 5}
	if !slices.Equal(fit, want) {
		t.Errorf("fit %v, want %v", fit, want)
	}
	if want := []bool{false, true, true, true, true, true, false}; !slices.Equal(moved, want) {
		t.Errorf("moved %v, want %v", moved, want)
	}
}

func TestCubicIsExactForPowerLaws(t *testing.T) {
	x := []float64{1, 8, 64, 256, 2048}
	y := make([]float64, len(x))
	law := func(x float64) float64 { return 3e9 * math.Pow(x, 0.7) }
	for i := range x {
		y[i] = law(x[i])
	}
	c := newCubic(x, y)
	for _, at := range []float64{1, 2, 8, 10, 100, 1000, 2048} {
		if got := c.at(at); math.Abs(got/law(at)-1) > 1e-12 {
			t.Errorf("at %v: %v, want %v", at, got, law(at))
		}
	}
	if c.at(0.5) != c.at(1) || c.at(1e6) != c.at(2048) {
		t.Error("the curve is not level beyond its ends")
	}
}

// randomKnots draws strictly ascending sizes and rates over six orders of magnitude.
func randomKnots(r *rand.Rand) (x, y []float64) {
	n, size := 1+r.IntN(10), 1.0
	for range n {
		size *= 1 + 10*r.Float64() + 1e-3
		x = append(x, size)
		y = append(y, math.Exp(14*r.Float64()))
	}
	return x, y
}

func TestMonotoneNeverFallsAndStaysWithinItsKnots(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		x, y := randomKnots(r)
		c := newMonotone(x, y)
		last := 0.0
		for at := x[0] / 2; at < 2*x[len(x)-1]; at *= 1.01 {
			v := c.at(at)
			if !(v >= last*(1-1e-12)) {
				t.Fatalf("knots %v %v: falls from %v to %v at %v", x, y, last, v, at)
			}
			last = v
		}
		if last > slices.Max(y)*(1+1e-12) {
			t.Fatalf("knots %v %v: reaches %v", x, y, last)
		}
	}
}

func TestMonotoneKeepsKnotsThatRise(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		x, y := randomKnots(r)
		slices.Sort(y)
		c := newMonotone(x, y)
		for i := range x {
			if got := c.at(x[i]); math.Abs(got/y[i]-1) > 1e-12 {
				t.Fatalf("knot %v is %v, want %v", x[i], got, y[i])
			}
			if c.knotPooled(x[i]) {
				t.Fatalf("knot %v of rising %v is called averaged", x[i], y)
			}
		}
	}
}

func TestCubicTurnsOnlyAtKnots(t *testing.T) {
	// In logarithms 0, 1, 0 at 0, 1, 2: slopes 1 (the secant), 0 (a turning point), -1; at 1/2
	// Hermite's cubic is 1/8 + 1/2.
	if got := newCubic([]float64{1, math.E, math.E * math.E}, []float64{1, math.E, 1}).at(math.Sqrt(math.E)); math.Abs(got/math.Exp(0.625)-1) > 1e-12 {
		t.Errorf("beside a turning point: %v, want %v", got, math.Exp(0.625))
	}
	x, y := []float64{1, 2, 4, 8, 16}, []float64{1, 4, 2, 2, 8}
	c := newCubic(x, y)
	for i := range len(x) - 1 {
		lo, hi := min(y[i], y[i+1]), max(y[i], y[i+1])
		for f := range 100 {
			v := c.at(x[i] + (x[i+1]-x[i])*float64(f)/100)
			if v < lo*(1-1e-12) || v > hi*(1+1e-12) {
				t.Fatalf("between %v and %v it is %v", x[i], x[i+1], v)
			}
		}
	}
}
