package calibrate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// Lookup is a profile's answer: a rate with its interval, and what is to be known of it.
type Lookup struct {
	Figure
	Engine  string // that reached the nearest measured point
	Outside bool   // the question lies outside the measured range; the figure is that of the nearest edge
	Note    string // one sentence or more where the figure is not what was asked for exactly; otherwise empty
}

func (l *Lookup) note(format string, args ...any) {
	if l.Note != "" {
		l.Note += "; "
	}
	l.Note += fmt.Sprintf(format, args...)
}

// key is what a measured list is chosen by.
type key struct {
	precision kernels.Precision
	threads   int
}

// choose finds among the keys of the items the one for precision p whose thread count is t,
// or else the nearest lower, or else the lowest, and notes on l what was taken in place of t.
func choose[T any](l *Lookup, what string, items []T, of func(T) key, p kernels.Precision, t int) (T, error) {
	var best T
	found := false
	var have []string
	for _, item := range items {
		k := of(item)
		have = append(have, string(k.precision))
		if k.precision == p && (!found || nearer(k.threads, of(best).threads, t)) {
			best, found = item, true
		}
	}
	if !found {
		if len(have) == 0 {
			return best, fmt.Errorf("the profile has no %s", what)
		}
		slices.Sort(have)
		return best, fmt.Errorf("the profile has no %s at %s: it has %s", what, p, strings.Join(slices.Compact(have), ", "))
	}
	if got := of(best).threads; got != t {
		l.note("measured with %d threads, not %d", got, t)
	}
	return best, nil
}

// nearer reports whether a thread count of a is a better stand-in for t than b: the highest
// that is not above t, or else the lowest.
func nearer(a, b, t int) bool {
	switch {
	case a <= t && b <= t:
		return a > b
	case a <= t || b <= t:
		return a <= t
	}
	return a < b
}

// checkThreads: a CPU is measured with 1 thread or more, a GPU has no such count, which is 0.
func (d *Device) checkThreads(threads int) error {
	switch {
	case d.Kind == "gpu" && threads != 0:
		return fmt.Errorf("threads %d: a GPU is not measured by threads", threads)
	case d.Kind != "gpu" && threads < 1:
		return fmt.Errorf("threads %d: want at least 1", threads)
	}
	return nil
}

func checkSize(what string, v float64) error {
	if !(v > 0) || math.IsInf(v, 1) {
		return fmt.Errorf("%s %v: want a finite number above 0", what, v)
	}
	return nil
}

// Limit is the register-only multiply-add rate in FLOP/s at p. A precision whose operands
// are widened, such as fp16/fp32, has the limit of its accumulator's, and the note says so.
// The error names the precisions that there are.
func (d *Device) Limit(p kernels.Precision, threads int) (Lookup, error) {
	if err := d.checkThreads(threads); err != nil {
		return Lookup{}, err
	}
	var l Lookup
	of := func(l Limit) key { return key{l.Precision, l.Threads} }
	limit, err := choose(&l, "multiply-add limit", d.Limits, of, p, threads)
	if _, accumulate, widened := strings.Cut(string(p), "/"); err != nil && widened {
		same := kernels.Precision(accumulate + "/" + accumulate)
		if limit, err = choose(&l, "multiply-add limit", d.Limits, of, same, threads); err == nil {
			l.note("the limit of %s, in which %s computes", same, p)
		}
	}
	if err != nil {
		return Lookup{}, err
	}
	l.Figure, l.Engine = limit.FlopPerS, limit.Engine
	return l, nil
}

// ElementwiseRate is the rate of an activation k in elements/s on so many elements,
// interpolated over their number. The error names what was not measured.
func (d *Device) ElementwiseRate(k kernels.Kernel, p kernels.Precision, threads int, elements float64) (Lookup, error) {
	if err := cmp.Or(d.checkThreads(threads), checkSize("elements", elements)); err != nil {
		return Lookup{}, err
	}
	return lookupCurve(d.Elementwise, k, p, threads, elements, "elements", func(p Point) float64 { return float64(p.N) })
}

// BandwidthRate is the rate in bytes/s at which a working set of so many bytes is
// streamed, reads and writes together: triad's where it was measured, otherwise copy's, which the note
// says. Both are measured at fp64 and count each byte once.
func (d *Device) BandwidthRate(threads int, workingSetBytes float64) (Lookup, error) {
	if err := cmp.Or(d.checkThreads(threads), checkSize("working set", workingSetBytes)); err != nil {
		return Lookup{}, err
	}
	bytes := func(p Point) float64 { return p.Bytes }
	l, err := lookupCurve(d.Bandwidth, kernels.Triad, kernels.FP64, threads, workingSetBytes, "bytes", bytes)
	if err == nil {
		return l, nil
	}
	l, errCopy := lookupCurve(d.Bandwidth, kernels.Copy, kernels.FP64, threads, workingSetBytes, "bytes", bytes)
	if errCopy != nil {
		return Lookup{}, err
	}
	l.note("copy's rate, since triad was not measured")
	return l, nil
}

// lookupCurve interpolates the time of one kernel over size: time never falls as work grows,
// while the rate may rise and fall from one level of the memory hierarchy to the next.
func lookupCurve(curves []Curve, k kernels.Kernel, p kernels.Precision, threads int, size float64, unit string, sizeOf func(Point) float64) (Lookup, error) {
	var l Lookup
	var mine []Curve
	for _, c := range curves {
		if c.Kernel == k {
			mine = append(mine, c)
		}
	}
	c, err := choose(&l, string(k), mine, func(c Curve) key { return key{c.Precision, c.Threads} }, p, threads)
	if err != nil {
		return Lookup{}, err
	}
	sizes := make([]float64, len(c.Points))
	rates := make([]Figure, len(c.Points))
	for i, point := range c.Points {
		sizes[i], rates[i] = sizeOf(point), point.Rate
	}
	times := band(rates, func(i int, rate float64) float64 { return sizes[i] / rate }, func(y []float64) cubic { return newMonotone(sizes, y) })
	first, last := sizes[0], sizes[len(sizes)-1]
	at := min(max(size, first), last)
	if at != size {
		l.Outside = true
		l.note("%s was measured from %g to %g %s; %g is outside, and the rate is that of the nearest", k, first, last, unit, size)
	}
	if times[0].knotPooled(at) {
		l.note("measured times of %s fell with size here and were averaged", k)
	}
	l.Figure = figureOf(func(i int) float64 { return at / times[i].at(at) })
	l.Engine = c.Points[nearest(sizes, at)].Engine
	return l, nil
}

// band makes three curves, of the values, the lower and the upper ends of figures, each
// turned into what is interpolated by f.
func band(figures []Figure, f func(i int, rate float64) float64, curve func(y []float64) cubic) [3]cubic {
	var curves [3]cubic
	for e, end := range ends {
		y := make([]float64, len(figures))
		for i, figure := range figures {
			y[i] = f(i, end(figure))
		}
		curves[e] = curve(y)
	}
	return curves
}

// ends are the three numbers of a figure, in the order of [band].
var ends = [3]func(Figure) float64{
	func(f Figure) float64 { return f.Value },
	func(f Figure) float64 { return f.Lo },
	func(f Figure) float64 { return f.Hi },
}

// figureOf puts three numbers together again; between knots curves may cross, a figure's
// interval always holds its value.
func figureOf(end func(i int) float64) Figure {
	v := end(0)
	return Figure{Value: v, Lo: min(end(1), v), Hi: max(end(2), v)}
}

// nearest is the index of the size nearest to at by ratio.
func nearest(sizes []float64, at float64) int {
	best := 0
	for i, s := range sizes {
		if math.Abs(math.Log(s/at)) < math.Abs(math.Log(sizes[best]/at)) {
			best = i
		}
	}
	return best
}

// Overhead is a fixed cost in seconds by name, with exactly so many threads.
func (d *Device) Overhead(name string, threads int) (Figure, bool) {
	for _, o := range d.Overheads {
		if o.Name == name && o.Threads == threads {
			return o.Seconds, true
		}
	}
	return Figure{}, false
}

// Doubts are the warnings of the results that the profile was made from.
func (d *Device) Doubts() []bench.Warning { return d.Warnings }

// ThreadCounts lists the thread counts that anything was measured with, ascending.
func (d *Device) ThreadCounts() []int {
	var counts []int
	for _, l := range d.Limits {
		counts = append(counts, l.Threads)
	}
	for _, c := range d.GEMM {
		counts = append(counts, c.Threads)
	}
	for _, c := range slices.Concat(d.Elementwise, d.Bandwidth) {
		counts = append(counts, c.Threads)
	}
	slices.Sort(counts)
	return slices.Compact(counts)
}
