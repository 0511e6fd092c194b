package calibrate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// Input is what a profile is made of: a run's results and whose they are.
type Input struct {
	RunID, HostID string
	Created       time.Time
	Devices       []DeviceInfo
	Results       []bench.Result
	Overheads     []bench.Overhead
}

// DeviceInfo identifies a device.
type DeviceInfo struct{ ID, Kind, Model string }

// New makes a profile of a run. Failed results are left out, and of several results for one
// shape (by several engines, or repeated) the fastest is taken. Devices without a result are left
// out. The error says that no result can be used, or that one belongs to no device of the input.
func New(in Input) (Profile, error) {
	p := Profile{Schema: Schema, Run: in.RunID, Host: in.HostID, Created: in.Created}
	byDevice := map[string]*builder{}
	for _, d := range in.Devices {
		byDevice[d.ID] = newBuilder(d)
	}
	for _, r := range in.Results {
		b := byDevice[r.Device]
		if b == nil {
			return Profile{}, fmt.Errorf("result %s is of device %q, which is none of the run's devices", r.Spec(), r.Device)
		}
		b.add(r)
	}
	for _, o := range in.Overheads {
		if b := byDevice[o.Device]; b != nil {
			b.device.Overheads = append(b.device.Overheads, Overhead{o.Name, o.Threads, Figure{o.Seconds, o.Lo, o.Hi}})
		}
	}
	for _, d := range in.Devices {
		if b := byDevice[d.ID]; b.used {
			p.Devices = append(p.Devices, b.build())
			b.used = false // a device listed twice is one device
		}
	}
	if len(p.Devices) == 0 {
		return Profile{}, errors.New("there is no result to calibrate from: every measurement failed or none was made")
	}
	return p, nil
}

// measured is a figure with the engine that reached it.
type measured struct {
	figure Figure
	engine string
	level  string
}

type curveKey struct {
	kernel    kernels.Kernel
	precision kernels.Precision
	threads   int
}

// builder collects one device's results, the fastest of each shape.
type builder struct {
	device Device
	used   bool
	best   map[curveKey]map[kernels.Shape]measured

	results int                 // that a figure was taken from
	doubts  map[string][]string // by code, what was said of which result
}

func newBuilder(d DeviceInfo) *builder {
	return &builder{
		device: Device{
			ID: d.ID, Kind: d.Kind, Model: d.Model,
			// Never nil: an empty list is [] in JSON.
			Limits: []Limit{}, GEMM: []GEMMCurve{}, Elementwise: []Curve{}, Bandwidth: []Curve{}, Overheads: []Overhead{},
			Warnings: []bench.Warning{},
		},
		best: map[curveKey]map[kernels.Shape]measured{}, doubts: map[string][]string{},
	}
}

// figureFor is the figure of r that a profile keeps, by the kernel's class.
func figureFor(r bench.Result, class kernels.Class) (Figure, bool) {
	value, lo, hi := r.FlopPerS, r.FlopPerSLo, r.FlopPerSHi
	switch class {
	case kernels.Elementwise, kernels.Rowwise, kernels.Latency:
		value, lo, hi = r.ElementsPerS, r.ElementsPerSLo, r.ElementsPerSHi
	case kernels.Bandwidth:
		value, lo, hi = r.BytesPerS, r.BytesPerSLo, r.BytesPerSHi
	}
	if r.Status == bench.Failed || value == nil || lo == nil || hi == nil {
		return Figure{}, false
	}
	f := Figure{*value, *lo, *hi}
	return f, f.check() == nil
}

func (b *builder) add(r bench.Result) {
	d, err := kernels.Lookup(string(r.Kernel))
	if err != nil {
		return
	}
	f, ok := figureFor(r, d.Class)
	if !ok || r.Together > 1 || r.Placement != "" { // neither beside other devices nor a part alone is what the device can do
		return
	}
	b.used = true
	b.results++
	for _, w := range r.Warnings {
		b.doubts[w.Code] = append(b.doubts[w.Code], fmt.Sprintf("%s%s: %s", r.Spec(), onThreads(r.Threads), w.Text))
	}
	key := curveKey{r.Kernel, r.Precision, r.Threads}
	if b.best[key] == nil {
		b.best[key] = map[kernels.Shape]measured{}
	}
	if old, ok := b.best[key][r.Shape]; !ok || f.Value > old.figure.Value {
		b.best[key][r.Shape] = measured{f, r.Engine, r.Level}
	}
}

func onThreads(threads int) string {
	if threads == 0 {
		return ""
	}
	return fmt.Sprintf(" on %d threads", threads)
}

// build sorts what was collected into the device's lists.
func (b *builder) build() Device {
	d := b.device
	for key, shapes := range b.best {
		definition, _ := kernels.Lookup(string(key.kernel)) // add looked it up
		switch definition.Class {
		case kernels.Register:
			var top measured
			for _, m := range shapes {
				if m.figure.Value > top.figure.Value {
					top = m
				}
			}
			d.Limits = append(d.Limits, Limit{key.precision, key.threads, top.engine, top.figure})
		case kernels.Matrix:
			if c := gemmCurve(key, shapes); key.kernel == kernels.GEMM {
				d.GEMM = append(d.GEMM, c)
			} else {
				c.Kernel = key.kernel
				d.Products = append(d.Products, c)
			}
		case kernels.Latency:
			d.Latency = append(d.Latency, curve(key, shapes))
		case kernels.Elementwise, kernels.Rowwise:
			d.Elementwise = append(d.Elementwise, curve(key, shapes))
		case kernels.Bandwidth:
			d.Bandwidth = append(d.Bandwidth, curve(key, shapes))
		}
	}
	slices.SortFunc(d.Limits, func(a, b Limit) int {
		return cmp.Or(cmp.Compare(a.Precision, b.Precision), a.Threads-b.Threads)
	})
	for _, curves := range [][]GEMMCurve{d.GEMM, d.Products} {
		slices.SortFunc(curves, func(a, b GEMMCurve) int {
			return cmp.Or(cmp.Compare(a.Kernel, b.Kernel), cmp.Compare(a.Precision, b.Precision), a.Threads-b.Threads)
		})
	}
	slices.SortFunc(d.Elementwise, compareCurves)
	slices.SortFunc(d.Bandwidth, compareCurves)
	slices.SortFunc(d.Latency, compareCurves)
	for _, code := range slices.Sorted(maps.Keys(b.doubts)) {
		said := b.doubts[code]
		d.Warnings = append(d.Warnings, bench.Warning{Code: code, Text: fmt.Sprintf("%d of %d results of the profile, first %s", len(said), b.results, said[0])})
	}
	slices.SortStableFunc(d.Overheads, func(a, b Overhead) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Threads-b.Threads)
	})
	return d
}

func compareCurves(a, b Curve) int {
	return cmp.Or(cmp.Compare(a.Kernel, b.Kernel), cmp.Compare(a.Precision, b.Precision), a.Threads-b.Threads)
}

func gemmCurve(key curveKey, shapes map[kernels.Shape]measured) GEMMCurve {
	c := GEMMCurve{Precision: key.precision, Threads: key.threads}
	for s, m := range shapes {
		c.Points = append(c.Points, GEMMPoint{s, m.engine, m.figure})
	}
	slices.SortFunc(c.Points, func(a, b GEMMPoint) int { return compareShapes(a.Shape, b.Shape) })
	return c
}

// compareShapes orders by the count of operations, then by m, n, k and the batch.
func compareShapes(a, b kernels.Shape) int {
	volume := func(s kernels.Shape) float64 {
		return float64(max(s.Batch, 1)) * float64(s.M) * float64(s.N) * float64(s.K)
	}
	return cmp.Or(cmp.Compare(volume(a), volume(b)), a.M-b.M, a.N-b.N, a.K-b.K, a.Batch-b.Batch)
}

func curve(key curveKey, shapes map[kernels.Shape]measured) Curve {
	c := Curve{Kernel: key.kernel, Precision: key.precision, Threads: key.threads}
	for s, m := range shapes {
		spec := kernels.Spec{Kernel: key.kernel, Precision: key.precision, Shape: s}
		c.Points = append(c.Points, Point{int(spec.Elements()), spec.Bytes(), m.level, m.engine, m.figure})
	}
	slices.SortFunc(c.Points, func(a, b Point) int { return a.N - b.N })
	return c
}
