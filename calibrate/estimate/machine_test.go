package estimate

import (
	"fmt"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
	"github.com/realflops/realflops/kernels"
)

// fake is a machine whose curves are formulas.
type fake struct {
	flopPerS   func(m, n, k int) float64
	elementsPS float64
	bytesPerS  func(set float64) float64
	dispatch   float64
	width      float64 // the intervals are value·(1 ± width)
	outside    bool
	note       string
	noteShape  bool // every shape has a note of its own
	fp32Only   bool
	doubts     []bench.Warning
	asked      map[string]float64 // the largest working set that bandwidth was asked for
}

// flat computes at 100 GFLOP/s, moves 10 GB/s, and has no overhead.
func flat() *fake {
	return &fake{
		flopPerS:   func(int, int, int) float64 { return 1e11 },
		elementsPS: 1e9,
		bytesPerS:  func(float64) float64 { return 1e10 },
		asked:      map[string]float64{},
	}
}

func (f *fake) lookup(v float64) calibrate.Lookup {
	return calibrate.Lookup{
		Figure:  calibrate.Figure{Value: v, Lo: v * (1 - f.width), Hi: v * (1 + f.width)},
		Outside: f.outside, Note: f.note,
	}
}

func (f *fake) GEMMRate(p kernels.Precision, _, m, n, k int) (calibrate.Lookup, error) {
	if f.fp32Only && p != kernels.FP32FP32 {
		return calibrate.Lookup{}, fmt.Errorf("gemm was not measured at %s: the profile has fp32/fp32", p)
	}
	if m < 1 || n < 1 || k < 1 {
		return calibrate.Lookup{}, fmt.Errorf("shape %dx%dx%d", m, n, k)
	}
	l := f.lookup(f.flopPerS(m, n, k))
	if f.noteShape {
		l.Note = fmt.Sprintf("%dx%dx%d was not measured", m, n, k)
	}
	return l, nil
}

func (f *fake) ElementwiseRate(k kernels.Kernel, _ kernels.Precision, _ int, elements float64) (calibrate.Lookup, error) {
	f.asked[string(k)] = max(f.asked[string(k)], elements)
	return f.lookup(f.elementsPS), nil
}

func (f *fake) BandwidthRate(_ int, set float64) (calibrate.Lookup, error) {
	f.asked["set"] = max(f.asked["set"], set)
	return f.lookup(f.bytesPerS(set)), nil
}

func (f *fake) Overhead(name string, _ int) (calibrate.Figure, bool) {
	return calibrate.Figure{Value: f.dispatch, Lo: f.dispatch, Hi: f.dispatch}, name == "dispatch" && f.dispatch > 0
}

func (f *fake) ThreadCounts() []int { return []int{1, 2} }

func (f *fake) Doubts() []bench.Warning { return f.doubts }
