package calibrate

import (
	"math"
	"testing"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

func gemmResult(n, threads int, value, lo, hi float64) bench.Result {
	return bench.Result{
		Kernel: kernels.GEMM, Precision: kernels.FP32FP32, Shape: kernels.Shape{M: n, N: n, K: n}, Threads: threads,
		FlopPerS: &value, FlopPerSLo: &lo, FlopPerSHi: &hi, Status: bench.OK,
	}
}

func copyResult(n, threads int, level string, value float64) bench.Result {
	return bench.Result{
		Kernel: kernels.Copy, Precision: kernels.FP64, Shape: kernels.Shape{N: n}, Threads: threads, Level: level,
		BytesPerS: &value, Status: bench.OK,
	}
}

func TestCompareSaysADifferenceOnlyWhereTheIntervalExcludesOne(t *testing.T) {
	for _, c := range []struct {
		name    string
		a, b    bench.Result
		ratio   Figure
		verdict string
	}{
		{"faster", gemmResult(64, 1, 100, 95, 105), gemmResult(64, 1, 120, 110, 130), Figure{1.2, 110. / 105, 130. / 95}, Faster},
		{"slower", gemmResult(64, 1, 100, 95, 105), gemmResult(64, 1, 80, 75, 85), Figure{.8, 75. / 105, 85. / 95}, Slower},
		{"overlap", gemmResult(64, 1, 100, 95, 105), gemmResult(64, 1, 104, 99, 109), Figure{1.04, 99. / 105, 109. / 95}, NoDifference},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows := Compare([]bench.Result{c.a}, []bench.Result{c.b})
			if len(rows) != 1 {
				t.Fatalf("%d rows, want 1", len(rows))
			}
			got := rows[0]
			if got.Verdict != c.verdict {
				t.Errorf("verdict %q, want %q", got.Verdict, c.verdict)
			}
			for _, p := range [][2]float64{{got.Ratio.Value, c.ratio.Value}, {got.Ratio.Lo, c.ratio.Lo}, {got.Ratio.Hi, c.ratio.Hi}} {
				if math.Abs(p[0]-p[1]) > 1e-12 {
					t.Errorf("ratio %+v, want %+v", *got.Ratio, c.ratio)
				}
			}
		})
	}
}

func TestComparePairsMachinesOfOtherCachesAndCoreCounts(t *testing.T) {
	a := []bench.Result{copyResult(1000, 1, "l1", 10), copyResult(9000, 2, "memory", 20), gemmResult(64, 2, 100, 99, 101)}
	b := []bench.Result{copyResult(7000, 96, "memory", 60), copyResult(3000, 1, "l1", 5), gemmResult(128, 96, 900, 890, 910)}
	rows := Compare(a, b)
	if len(rows) != 4 {
		t.Fatalf("%d rows, want l1, memory and two gemm shapes that have no partner", len(rows))
	}
	for i, want := range []struct {
		ratio   float64
		verdict string
	}{{.5, Slower}, {3, Faster}, {0, OnlyA}, {0, OnlyB}} {
		if rows[i].Verdict != want.verdict {
			t.Errorf("row %d: verdict %q, want %q", i, rows[i].Verdict, want.verdict)
		}
		if want.ratio != 0 && rows[i].Ratio.Value != want.ratio {
			t.Errorf("row %d: ratio %v, want %v", i, rows[i].Ratio.Value, want.ratio)
		}
		if want.ratio == 0 && rows[i].Ratio != nil {
			t.Errorf("row %d: ratio %v for a row without a partner", i, *rows[i].Ratio)
		}
	}
}

func TestComparePairsEachResultOnce(t *testing.T) {
	a := []bench.Result{copyResult(1000, 1, "l1", 10), copyResult(1100, 1, "l1", 11)}
	b := []bench.Result{copyResult(2000, 1, "l1", 20), copyResult(2200, 1, "l1", 33)}
	rows := Compare(a, b)
	if len(rows) != 2 || rows[0].Ratio.Value != 2 || rows[1].Ratio.Value != 3 {
		t.Errorf("got %+v, want the ratios 2 and 3", rows)
	}
}

func TestCompareTakesAFailedResultForMissing(t *testing.T) {
	bad := gemmResult(64, 1, 1, 1, 1)
	bad.Status = bench.Failed
	rows := Compare([]bench.Result{gemmResult(64, 1, 100, 99, 101)}, []bench.Result{bad})
	if len(rows) != 1 || rows[0].Verdict != OnlyA || rows[0].Ratio != nil {
		t.Errorf("got %+v, want one row %q without a ratio", rows, OnlyA)
	}
	if rows = Compare([]bench.Result{bad}, []bench.Result{bad}); rows[0].Verdict != BothFailed {
		t.Errorf("verdict %q, want %q", rows[0].Verdict, BothFailed)
	}
}
