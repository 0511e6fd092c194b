package calibrate

import (
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// The verdicts of a comparison.
const (
	Faster       = "faster"
	Slower       = "slower"
	NoDifference = "no difference seen"
	OnlyA        = "only in A"
	OnlyB        = "only in B"
	FailedA      = "failed in A"
	FailedB      = "failed in B"
	BothFailed   = "failed in both"
)

// Between two runs of one unchanged machine medians move more than the interval within a run
// tells, since samples a few milliseconds apart are not independent: measured on a quiet 2-core
// VM, windows of a second differ by 1-2% (coefficient of variation), and by 6.5% where memory
// is the bound, which neighbours share. Intervals are widened by this share before a
// difference is believed.
const (
	betweenRuns       = 0.03
	betweenRunsMemory = 0.10
)

// Comparison is one measurement of run B against the same one of run A.
type Comparison struct {
	Kernel    kernels.Kernel    `json:"kernel"`
	Precision kernels.Precision `json:"precision"`
	Level     string            `json:"level"`
	A         *bench.Result     `json:"a"`
	B         *bench.Result     `json:"b"`
	Unit      string            `json:"unit"`
	Ratio     *Figure           `json:"ratio"` // B / A; nil where one side is missing or failed
	Verdict   string            `json:"verdict"`
}

// Compare pairs the results of two runs. A pair is the same kernel, precision, shape
// and thread count, of the same device and engine where both runs have them; what is left is paired by
// level of the memory hierarchy and by "one thread" against "all threads", so that machines with other caches
// or core counts can be held side by side. A CPU is never paired with a GPU, nor a GPU alone with GPUs at once, nor one placement with another. Only results of the same data are paired. The ratio's interval is the
// widest that the two 95% intervals allow (B.lo/A.hi to B.hi/A.lo), and 3% wider on either side, 10% in
// memory, for what moves between runs of an unchanged machine; where it holds 1, no difference was seen.
func Compare(a, b []bench.Result) []Comparison {
	exact := func(x, y bench.Result) bool {
		return x.Shape == y.Shape && x.Threads == y.Threads && x.Together == y.Together && x.Placement == y.Placement
	}
	sameEngine := func(x, y bench.Result) bool { return exact(x, y) && x.Engine == y.Engine }
	sameDevice := func(x, y bench.Result) bool { return sameEngine(x, y) && x.Device == y.Device }
	alike := func(x, y bench.Result) bool {
		if (x.Threads == 0) != (y.Threads == 0) || x.Together != y.Together || x.Placement != y.Placement {
			return false
		}
		if x.Kernel == kernels.GEMM && x.Shape != y.Shape {
			return false
		}
		return x.Level == y.Level && (x.Threads == 1) == (y.Threads == 1)
	}
	partner := make([]int, len(a)) // index into b, or -1
	taken := make([]bool, len(b))
	for i := range partner {
		partner[i] = -1
	}
	for _, same := range []func(x, y bench.Result) bool{sameDevice, sameEngine, exact, alike} {
		for i, x := range a {
			if partner[i] >= 0 {
				continue
			}
			for j, y := range b {
				if !taken[j] && x.Kernel == y.Kernel && x.Precision == y.Precision && x.Data == y.Data && same(x, y) {
					partner[i], taken[j] = j, true
					break
				}
			}
		}
	}

	rows := []Comparison{} // [] in JSON
	for i := range a {
		var y *bench.Result
		if partner[i] >= 0 {
			y = &b[partner[i]]
		}
		rows = append(rows, compareOne(&a[i], y))
	}
	for j := range b {
		if !taken[j] {
			rows = append(rows, compareOne(nil, &b[j]))
		}
	}
	return rows
}

func compareOne(a, b *bench.Result) Comparison {
	known := a
	if known == nil {
		known = b
	}
	c := Comparison{Kernel: known.Kernel, Precision: known.Precision, Level: known.Level, A: a, B: b}
	if rate, ok := known.Rate(); ok {
		c.Unit = rate.Unit
	}
	ra, okA := sideRate(a)
	rb, okB := sideRate(b)
	switch {
	case b == nil:
		c.Verdict = OnlyA
	case a == nil:
		c.Verdict = OnlyB
	case !okA && !okB:
		c.Verdict = BothFailed
	case !okA:
		c.Verdict = FailedA
	case !okB:
		c.Verdict = FailedB
	default:
		wider := 1 + betweenRuns
		if a.Level == bench.LevelMemory {
			wider = 1 + betweenRunsMemory
		}
		c.Unit = ra.Unit
		c.Ratio = &Figure{Value: rb.Value / ra.Value, Lo: rb.Lo / ra.Hi / wider, Hi: rb.Hi / ra.Lo * wider}
		switch {
		case c.Ratio.Lo > 1:
			c.Verdict = Faster
		case c.Ratio.Hi < 1:
			c.Verdict = Slower
		default:
			c.Verdict = NoDifference
		}
	}
	return c
}

func sideRate(r *bench.Result) (bench.Rate, bool) {
	if r == nil {
		return bench.Rate{}, false
	}
	return r.Rate()
}
