//go:build peers

// Command benchpeers measures gemm fp32 beside OpenBLAS in one run (`make bench-peers`): the
// two take turns, so that a machine that slows down slows both, and each pair of turns
// gives one ratio.
package main

/*
#cgo LDFLAGS: -lopenblas
#include <cblas.h>
*/
import "C"

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

const (
	turns       = 15
	turnSeconds = 0.15
	// park is how long the threads of the one that had its turn may spin: OpenBLAS's wait
	// for some 20 ms before they sleep.
	park = 60 * time.Millisecond
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "benchpeers: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	impl, err := cpu.Pick(kernels.GEMM, kernels.FP32FP32, "")
	if err != nil {
		return err
	}
	gemm, ok := impl.Func.(*cpu.GEMM[float32])
	if !ok {
		return fmt.Errorf("engine %s: gemm is a %T", impl.Engine, impl.Func)
	}
	fmt.Printf("%s\nmedians of %d turns each, GFLOP/s; the ratio with its 95%% interval, of pairs of turns\n\n", C.GoString(C.openblas_get_config()), turns)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "n\tthreads\t%s\tOpenBLAS\tratio\tlow\thigh\t\n", impl.Engine)
	for _, n := range []int{512, 1024, 2048} {
		for _, threads := range slices.Compact([]int{1, runtime.GOMAXPROCS(0)}) {
			if err := compare(table, gemm, n, threads); err != nil {
				return err
			}
		}
	}
	return table.Flush()
}

// compare writes one row: both on the same matrices.
func compare(table *tabwriter.Writer, gemm *cpu.GEMM[float32], n, threads int) error {
	pool := cpu.NewPool(threads)
	defer pool.Close()
	plan, err := gemm.Plan(pool, n, n, n)
	if err != nil {
		return err
	}
	defer plan.Close()
	C.openblas_set_num_threads(C.int(threads))

	var m [4][]float32 // A, B, our C, theirs
	for i := range m {
		data, free, err := cpu.Alloc[float32](n * n)
		if err != nil {
			return err
		}
		defer free()
		m[i] = data
	}
	bench.Fill(m[0], bench.Randn, 1)
	bench.Fill(m[1], bench.Randn, 2)
	ours := func() { plan.Run(m[2], m[0], m[1]) }
	theirs := func() {
		d := C.blasint(n)
		p := func(x []float32) *C.float { return (*C.float)(&x[0]) }
		C.cblas_sgemm(C.CblasRowMajor, C.CblasNoTrans, C.CblasNoTrans, d, d, d, 1, p(m[0]), d, p(m[1]), d, 0, p(m[3]), d)
	}
	ours()
	theirs()
	if err := same(m[2], m[3], n); err != nil {
		return err
	}
	flop := kernels.Spec{Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Shape: kernels.Shape{M: n, N: n, K: n}}.FLOP()
	var rates [2][]float64
	var ratios []float64
	for range turns {
		our, their := flop*passesPerSecond(ours), flop*passesPerSecond(theirs)
		rates[0], rates[1] = append(rates[0], our), append(rates[1], their)
		ratios = append(ratios, our/their)
	}
	our, _ := bench.Median(rates[0])
	their, _ := bench.Median(rates[1])
	ratio, _ := bench.Median(ratios)
	fmt.Fprintf(table, "%d\t%d\t%.1f\t%.1f\t%.3f\t%.3f\t%.3f\t\n", n, threads, our.Median/1e9, their.Median/1e9, ratio.Median, ratio.Lo, ratio.Hi)
	return nil
}

// same holds the two products against each other: sums of n products of standard normal
// numbers, each rounded n times at most.
func same(x, y []float32, n int) error {
	tolerance := 4 * float64(n) * 0x1p-24 * math.Sqrt(float64(n))
	for i := range x {
		if d := math.Abs(float64(x[i]) - float64(y[i])); !(d <= tolerance) {
			return fmt.Errorf("n=%d: element %d is %g here and %g in OpenBLAS", n, i, x[i], y[i])
		}
	}
	return nil
}

// passesPerSecond is the rate of one turn, after a pass that wakes the threads.
func passesPerSecond(pass func()) float64 {
	time.Sleep(park)
	pass()
	began, passes := time.Now(), 0
	for time.Since(began).Seconds() < turnSeconds {
		pass()
		passes++
	}
	return float64(passes) / time.Since(began).Seconds()
}
