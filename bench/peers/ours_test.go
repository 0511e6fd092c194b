package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

// derivative is the derivative of an activation by its x, or for sigmoid and tanh by its y.
func derivative(k kernels.Kernel, x float64) float64 {
	sigmoid := 1 / (1 + math.Exp(-x))
	switch k {
	case kernels.ReLUBackward:
		return map[bool]float64{true: 1}[x > 0]
	case kernels.SigmoidBackward:
		return x * (1 - x)
	case kernels.TanhBackward:
		return 1 - x*x
	case kernels.SiLUBackward:
		return sigmoid * (1 + x*(1-sigmoid))
	case kernels.GELUErfBackward:
		return 0.5*(1+math.Erf(x/math.Sqrt2)) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	}
	inner := math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x) // of gelu by tanh
	tanh := math.Tanh(inner)
	return 0.5*(1+tanh) + 0.5*x*(1-tanh*tanh)*math.Sqrt(2/math.Pi)*(1+3*0.044715*x*x)
}

// naive computes what a spec must come to, in float64, from the data as server/server.h has it.
func naive(s spec) float64 {
	m, n, k := s.Shape.M, s.Shape.N, s.Shape.K
	sum := 0.0
	add := func(i int, v float64) { sum += v * float64(1+uint32(i)*2654435761>>29) }
	x := func(i int) float64 { return wave(i, 1) }
	switch s.Kernel {
	case kernels.GEMM, kernels.GEMMNT, kernels.GEMMTN, kernels.GEMMTT, kernels.Linear:
		a, b := gemmData(s)
		if s.Kernel == kernels.Linear {
			a, b = linearData(s)
		}
		for i := range m {
			for j := range n {
				v := 0.0
				for p := range k {
					ai, bi := i*k+p, p*n+j
					if s.Kernel == kernels.GEMMTN || s.Kernel == kernels.GEMMTT {
						ai = p*m + i
					}
					if s.Kernel == kernels.GEMMNT || s.Kernel == kernels.GEMMTT {
						bi = j*k + p
					}
					v += a(ai) * b(bi)
				}
				add(i*n+j, v)
			}
		}
	case kernels.ReLU:
		for i := range n {
			add(i, max(x(i), 0))
		}
	case kernels.Sigmoid:
		for i := range n {
			add(i, 1/(1+math.Exp(-x(i))))
		}
	case kernels.SiLU:
		for i := range n {
			add(i, x(i)/(1+math.Exp(-x(i))))
		}
	case kernels.ReLUBackward, kernels.SigmoidBackward, kernels.TanhBackward, kernels.SiLUBackward, kernels.GELUBackward, kernels.GELUErfBackward:
		for i := range n {
			add(i, x(i)*derivative(s.Kernel, wave(i, 2)))
		}
	case kernels.AdamW:
		for i := range n { // step 1: β1 0.9, β2 0.999, decay 0.01
			m, v := 0.9*adamwM(i)+0.1*adamwG(i), 0.999*adamwV(i)+0.001*adamwG(i)*adamwG(i)
			add(i, x(i)-adamwRate*(0.01*x(i)+m/0.1/(math.Sqrt(v/0.001)+1e-8)))
		}
	case kernels.Softmax:
		for r := range m {
			total := 0.0
			for c := range n {
				total += math.Exp(x(r*n + c))
			}
			for c := range n {
				add(r*n+c, math.Exp(x(r*n+c))/total)
			}
		}
	case kernels.LayerNorm:
		for r := range m {
			mean, variance := 0.0, 0.0
			for c := range n {
				mean += x(r*n+c) / float64(n)
			}
			for c := range n {
				variance += math.Pow(x(r*n+c)-mean, 2) / float64(n)
			}
			for c := range n {
				add(r*n+c, (1+small(c, 3)/8)*(x(r*n+c)-mean)/math.Sqrt(variance+cpu.NormEpsilon)+small(c, 4)/8)
			}
		}
	case kernels.Triad:
		for i := range n {
			add(i, small(i, 1)+3*small(i, 2))
		}
	case kernels.Copy, kernels.Scale, kernels.Add, kernels.Write, kernels.Read:
		for i := range n {
			b, c := small(i, 1), small(i, 2)
			if s.Kernel == kernels.Read {
				sum += b
				continue
			}
			add(i, map[kernels.Kernel]float64{kernels.Copy: b, kernels.Scale: 3 * b, kernels.Add: b + c, kernels.Write: 3}[s.Kernel])
		}
	case kernels.FMA:
		return float64(n)
	}
	return sum
}

// comparable are specs of every kind, small enough for naive.
func comparableSpecs(t *testing.T) []spec {
	t.Helper()
	var specs []spec
	for _, c := range []struct {
		shape      string
		sets       int
		kernels    []kernels.Kernel
		precisions []kernels.Precision
	}{
		{"33x21x64", 1, of(kernels.GEMM, kernels.GEMMNT, kernels.GEMMTN, kernels.GEMMTT), of(kernels.FP32FP32, kernels.FP64FP64, kernels.BF16FP32, kernels.FP16FP32, kernels.INT8INT32)},
		{"70x21x64", 2, of(kernels.Linear), of(kernels.FP32FP32, kernels.BF16FP32, kernels.FP16FP32, kernels.INT8INT32)},
		{"3x33x64", 2, of(kernels.Linear), of(kernels.FP32FP32, kernels.BF16FP32, kernels.FP16FP32, kernels.INT8INT32, kernels.INT8FP32, kernels.INT4FP32)},
		{"1000", 1, of(kernels.ReLU, kernels.Sigmoid, kernels.SiLU), of(kernels.FP32, kernels.FP16, kernels.BF16)},
		{"1000", 1, gradients, of(kernels.FP32)},
		{"5x100", 1, of(kernels.Softmax, kernels.LayerNorm), of(kernels.FP32, kernels.BF16, kernels.FP16)},
		{"1000", 1, of(kernels.Triad, kernels.Copy, kernels.Scale, kernels.Add, kernels.Write, kernels.Read), of(kernels.FP64)},
		{"196608", 1, of(kernels.FMA), of(kernels.FP32FP32)},
	} {
		for _, k := range c.kernels {
			d, err := kernels.Lookup(string(k))
			if err != nil {
				t.Fatal(err)
			}
			shape, err := kernels.ParseShape(d, c.shape)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range c.precisions {
				specs = append(specs, spec{kernels.Spec{Kernel: k, Precision: p, Shape: shape}, c.sets})
			}
		}
	}
	return specs
}

// TestOursComputesWhatServersDo: at one thread and at several, and again after another spec.
func TestOursComputesWhatServersDo(t *testing.T) {
	for _, threads := range []int{1, 3} {
		pool := cpu.NewPool(threads)
		defer pool.Close()
		us := &ours{pool: pool, keep: &keep{}}
		for _, s := range comparableSpecs(t) {
			want := naive(s)
			for range 2 {
				a, err := us.burst(s, 2, 3)
				if err != nil {
					t.Errorf("%s: %v", s.Spec, err)
					break
				}
				if !(math.Abs(a.check-want) <= s.tolerance(want)) || len(a.seconds) != 3 {
					t.Errorf("%s, %d threads: the check is %v, want %v; seconds %v", s.Spec, threads, a.check, want, a.seconds)
				}
			}
		}
		us.keep.drop()
		if err := us.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestChecksNoticeResultsInEachOthersPlace(t *testing.T) {
	x := []float32{1, 2, 3, 4}
	before := checksum(x)
	x[0], x[2] = x[2], x[0]
	if checksum(x) == before {
		t.Error("the check is the same with two elements exchanged")
	}
}

func TestWhatWeDoNotHaveIsRefused(t *testing.T) {
	pool := cpu.NewPool(1)
	defer pool.Close()
	s := anySpec
	_, err := (&ours{pool: pool, engine: "go-none", keep: &keep{}}).burst(s, 1, 1)
	if _, ok := err.(*refusal); !ok {
		t.Errorf("an engine that is none: error is %v", err)
	}
}

// TestServersInCAgreeWithUs compiles those that need no library, and compares each check with ours.
func TestServersInCAgreeWithUs(t *testing.T) {
	if testing.Short() {
		t.Skip("skip: it starts a C compiler, and unit has done it")
	}
	dir := t.TempDir()
	for _, p := range []string{"stream", "libmvec"} {
		for _, path := range []string{"server/" + p + ".c", "server/server.h"} {
			if _, err := os.ReadFile(path); err != nil { // so that the go command knows what this depends on
				t.Fatal(err)
			}
		}
		out, err := exec.Command("gcc", "-O3", "-march=native", "-ffast-math", "-fopenmp", "-Wall", "-Wextra", "-Werror",
			"-o", filepath.Join(dir, p), "server/"+p+".c", "-lmvec", "-lm").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	a := newArena(2, dir, length{rounds: 1, burst: 1e-4})
	a.deadline = time.Minute
	for _, peer := range []string{"STREAM", "libmvec"} {
		s, err := a.server(peer)
		if err != nil {
			t.Fatal(err)
		}
		compared := 0
		for _, spec := range comparableSpecs(t) {
			theirs, err := s.burst(spec, 2, 3)
			if _, ok := err.(*refusal); ok {
				continue
			}
			if want := naive(spec); err != nil || !(math.Abs(theirs.check-want) <= spec.tolerance(want)) {
				t.Errorf("%s, %s: the check is %v, want %v, error %v", peer, spec.Spec, theirs.check, want, err)
			}
			compared++
		}
		if want := map[string]int{"STREAM": 6, "libmvec": 3}[peer]; compared != want {
			t.Errorf("%s answered for %d specs, want %d", peer, compared, want)
		}
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsKeptIsMadeOnceAndFreedBeforeTheNext(t *testing.T) {
	var k keep
	var events string
	want := func(key, events_ string) {
		t.Helper()
		v, err := kept(&k, key, func() (string, func(), error) {
			events += "+" + key
			return "made " + key, func() { events += "-" + key }, nil
		})
		if err != nil || v != "made "+key || events != events_ {
			t.Errorf("%s: %q, error %v; events %s, want %s", key, v, err, events, events_)
		}
	}
	want("a", "+a")
	want("a", "+a")
	want("b", "+a-a+b")
	if k.drop(); events != "+a-a+b-b" {
		t.Errorf("at the end: %s", events)
	}
	if k.drop(); events != "+a-a+b-b" {
		t.Errorf("dropped twice: %s", events)
	}
}
