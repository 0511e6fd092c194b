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
		{"faster", gemmResult(64, 1, 100, 95, 105), gemmResult(64, 1, 120, 110, 130), Figure{1.2, 110. / 105 / 1.03, 130. / 95 * 1.03}, Faster},
		{"slower", gemmResult(64, 1, 100, 95, 105), gemmResult(64, 1, 80, 75, 85), Figure{.8, 75. / 105 / 1.03, 85. / 95 * 1.03}, Slower},
		{"overlap", gemmResult(64, 1, 100, 95, 105), gemmResult(64, 1, 104, 99, 109), Figure{1.04, 99. / 105 / 1.03, 109. / 95 * 1.03}, NoDifference},
		{"within what runs differ by", gemmResult(64, 1, 100, 100, 100), gemmResult(64, 1, 102, 102, 102), Figure{1.02, 1.02 / 1.03, 1.02 * 1.03}, NoDifference},
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

func TestCompareHoldsMemoryLessTight(t *testing.T) {
	for level, want := range map[string]string{"l2": Faster, "memory": NoDifference} {
		rows := Compare([]bench.Result{copyResult(1000, 1, level, 100)}, []bench.Result{copyResult(1000, 1, level, 108)})
		if rows[0].Verdict != want {
			t.Errorf("8%% in %s: %q, want %q", level, rows[0].Verdict, want)
		}
	}
}

func TestCompareTellsOtherDataApart(t *testing.T) {
	zeros := gemmResult(64, 1, 120, 119, 121)
	zeros.Data = bench.Zeros
	rows := Compare([]bench.Result{gemmResult(64, 1, 100, 99, 101)}, []bench.Result{zeros})
	if len(rows) != 2 || rows[0].Verdict != OnlyA || rows[1].Verdict != OnlyB {
		t.Errorf("got %+v", rows)
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

func TestCompareSaysWhichSideFailed(t *testing.T) {
	bad := gemmResult(64, 1, 1, 1, 1)
	bad.Status = bench.Failed
	good := gemmResult(64, 1, 100, 99, 101)
	for _, c := range []struct {
		a, b []bench.Result
		want string
	}{
		{[]bench.Result{good}, []bench.Result{bad}, FailedB},
		{[]bench.Result{bad}, []bench.Result{good}, FailedA},
		{[]bench.Result{bad}, []bench.Result{bad}, BothFailed},
		{[]bench.Result{bad}, nil, OnlyA},
		{nil, []bench.Result{bad}, OnlyB},
	} {
		rows := Compare(c.a, c.b)
		if len(rows) != 1 || rows[0].Verdict != c.want || rows[0].Ratio != nil {
			t.Errorf("got %+v, want one row %q without a ratio", rows, c.want)
		}
	}
}

func TestComparePairsDevicesAndEngines(t *testing.T) {
	on := func(device, engine string, threads, together int, rate float64) bench.Result {
		r := gemmResult(64, threads, rate, 0.99*rate, 1.01*rate)
		r.Device, r.Engine, r.Together = device, engine, together
		return r
	}
	a := []bench.Result{
		on("cpu", "go", 2, 0, 1), on("GPU-1", "cublaslt", 0, 0, 10), on("GPU-1", "ptx-mma", 0, 0, 8), on("GPU-2", "cublaslt", 0, 0, 12), on("GPU-1", "cublaslt", 0, 2, 9),
	}
	b := []bench.Result{
		on("GPU-1", "cublaslt", 0, 2, 18), on("GPU-2", "cublaslt", 0, 0, 24), on("GPU-1", "ptx-mma", 0, 0, 16), on("GPU-1", "cublaslt", 0, 0, 20), on("cpu", "go", 4, 0, 2),
	}
	for i, row := range Compare(a, b) {
		if row.A == nil || row.B == nil || row.Ratio == nil {
			t.Errorf("row %d has one side: %+v", i, row)
			continue
		}
		if row.Ratio.Value != 2 || row.A.Device != row.B.Device || row.A.Engine != row.B.Engine || row.A.Together != row.B.Together {
			t.Errorf("row %d pairs %s %s with %s %s, ratio %g", i, row.A.Device, row.A.Engine, row.B.Device, row.B.Engine, row.Ratio.Value)
		}
	}
	at := func(placement string, threads int, rate float64) bench.Result {
		r := on("cpu", "go", threads, 0, rate)
		r.Placement = placement
		return r
	}
	a = []bench.Result{at("", 2, 1), at("core:core", 2, 3), at("core:atom", 2, 5)}
	b = []bench.Result{at("core:lowpower", 4, 7), at("core:atom", 4, 10), at("", 2, 2), at("core:core", 2, 6)}
	rows := Compare(a, b)
	for _, row := range rows[:len(a)] {
		if row.B == nil || row.A.Placement != row.B.Placement || row.Ratio.Value != 2 {
			t.Errorf("at %q: paired with %+v", row.A.Placement, row.B)
		}
	}
	if last := rows[len(rows)-1]; len(rows) != 4 || last.Verdict != OnlyB || last.B.Placement != "core:lowpower" {
		t.Errorf("%d rows, the last of them %+v", len(rows), last)
	}
	if rows := Compare([]bench.Result{on("cpu", "go", 2, 0, 1)}, []bench.Result{on("GPU-1", "ptx-simt", 0, 0, 1)}); len(rows) != 2 {
		t.Errorf("a CPU was paired with a GPU: %+v", rows)
	}
}
