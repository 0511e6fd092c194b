package estimate

import (
	"fmt"
	"slices"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
	"github.com/realflops/realflops/calibrate/model"
	"github.com/realflops/realflops/kernels"
)

// Machine answers how fast a piece of work runs; *calibrate.Device does from its
// measured curves.
type Machine interface {
	GEMMRate(p kernels.Precision, threads, m, n, k int) (calibrate.Lookup, error)                                   // FLOP/s
	ElementwiseRate(k kernels.Kernel, p kernels.Precision, threads int, elements float64) (calibrate.Lookup, error) // elements/s
	BandwidthRate(threads int, workingSetBytes float64) (calibrate.Lookup, error)                                   // bytes/s
	Overhead(name string, threads int) (calibrate.Figure, bool)                                                     // seconds
	ThreadCounts() []int
	Doubts() []bench.Warning // of the results that the curves were made from
}

var _ Machine = (*calibrate.Device)(nil)

// again is how often the plain form of an operation touches an element beyond what
// it cannot avoid: a norm reads it for the statistics first; a softmax reads it for
// the maximum, and reads and writes it once more to divide by the sum.
var again = map[model.Kind]float64{model.Norm: 1, model.Softmax: 3}

// standIn is the measured kernel whose curve prices an activation function.
func standIn(function string) (kernels.Kernel, bool) {
	switch function {
	case "relu":
		return kernels.ReLU, true
	case "sigmoid", "tanh", "silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "quick_gelu":
		return kernels.Sigmoid, function == "sigmoid"
	}
	return "", false
}

// outside widens the time of a product whose shape lies beyond the measured ones:
// there the nearest edge answers, and how far off it is was not measured. Bandwidth and
// elementwise curves are level beyond their largest size, and below their smallest the
// dispatch is what counts, so that they need none.
const outside = 1.5

// span is a time in seconds with its range.
type span struct{ value, lo, hi float64 }

func (s span) plus(t span) span { return span{s.value + t.value, s.lo + t.lo, s.hi + t.hi} }

func (s span) times(n float64) span { return span{s.value * n, s.lo * n, s.hi * n} }

// readAlone is the share of triad's time that a stream without writes may take: triad's
// count leaves out that its written line is first read (24 of 32 bytes an element;
// McCalpin's STREAM counts so), and weights and cache are only read.
const readAlone = 24.0 / 32

// longer is the range of the larger of two times.
func (s span) longer(t span) span {
	return span{max(s.value, t.value), max(s.lo, t.lo), max(s.hi, t.hi)}
}

// pricer prices operations on one machine. What is in the working set of the whole
// task (weights, cache and activations) is streamed at the bandwidth of that size, not of one matrix.
type pricer struct {
	machine  Machine
	stored   kernels.Precision
	threads  int
	streamed float64 // bytes that the task goes through
	warn     *warnings
	doubts   []doubt
	roof     float64 // FLOP/s of a large square product, the roofline's flat part
}

// Op is an operation with its price. Times are of all Count together.
type Op struct {
	model.Op
	TimeS   float64     `json:"time_s"`
	TimeSLo float64     `json:"time_s_lo"`
	TimeSHi float64     `json:"time_s_hi"`
	Bound   bench.Bound `json:"bound"`
	Source  Source      `json:"source"`
}

// price is the larger of computing and moving, and a dispatch, Count times.
func (p *pricer) price(o model.Op) (Op, error) {
	compute, err := p.compute(o)
	if err != nil {
		return Op{}, fmt.Errorf("%s: %w", o.Name, err)
	}
	move, err := p.move(o)
	if err != nil {
		return Op{}, fmt.Errorf("%s: %w", o.Name, err)
	}
	dispatch := p.dispatch()
	t := compute.longer(move)
	arithmetic := p.atRoof(o, compute)
	if kernel, _ := standIn(o.Function); kernel != "" {
		t = compute                             // its curve holds the memory that its size reaches,
		arithmetic = compute.value - move.value // and what moving does not explain is arithmetic
	}
	bound := bench.BandwidthBound
	switch {
	case dispatch.value > t.value:
		bound = bench.LatencyBound
	case arithmetic >= move.value:
		bound = bench.ComputeBound
	}
	t = t.plus(dispatch).times(float64(o.Count))
	return Op{Op: o, TimeS: t.value, TimeSLo: t.lo, TimeSHi: t.hi, Bound: bound, Source: Measured}, nil
}

// roofShape is large enough for a product's rate to be the machine's.
const roofShape = 2048

// atRoof is the time of o's arithmetic at the roofline. What binds a skinny product is
// told by it: its own measured rate already holds the wait for memory.
func (p *pricer) atRoof(o model.Op, compute span) float64 {
	if !o.Kind.Product() {
		return compute.value
	}
	if p.roof == 0 {
		if rate, err := p.machine.GEMMRate(p.stored+"/fp32", p.threads, roofShape, roofShape, roofShape); err == nil {
			p.roof = rate.Value
		}
	}
	if p.roof <= 0 {
		return compute.value
	}
	return min(compute.value, o.FLOP/float64(o.Count)/p.roof)
}

// compute is the time that the arithmetic of one operation takes.
func (p *pricer) compute(o model.Op) (span, error) {
	switch kernel, same := standIn(o.Function); {
	case o.Kind.Product():
		arithmetic := p.stored + "/fp32"
		rate, err := p.machine.GEMMRate(arithmetic, p.threads, o.M, o.N, o.K)
		if err := p.take("gemm "+string(arithmetic), rate, err); err != nil {
			return span{}, err
		}
		t := over(o.FLOP/float64(o.Count), rate)
		if rate.Outside {
			t.lo, t.hi = t.lo/outside, t.hi*outside
		}
		if o.Share > 0 && o.Share < 1 { // a runtime may compute what the mask then hides
			t.hi /= o.Share
		}
		return t, nil
	case kernel != "":
		rate, err := p.machine.ElementwiseRate(kernel, p.stored, p.threads, o.Elements)
		if err := p.take(fmt.Sprintf("%s %s", kernel, p.stored), rate, err); err != nil {
			return span{}, err
		}
		if !same {
			p.warn.add("stand_in", "%s was not measured: priced at the measured rate of %s", o.Function, kernel)
		}
		t := over(o.Elements, rate)
		if o.Phase == model.BackwardPhase { // the gradient is read as well: three accesses for two
			t = t.times(1.5)
		}
		return t, nil
	}
	return span{}, nil
}

// move is the time that the operands of one operation take to cross memory.
func (p *pricer) move(o model.Op) (span, error) {
	bytes := o.Bytes / float64(o.Count)
	set := bytes
	switch o.Kind {
	case model.GEMM:
		set = max(bytes, p.streamed)
	case model.Attention, model.BatchedGEMM:
		// in decode the cache of every layer lies between two uses of one
		if o.M == 1 {
			set = max(bytes, p.streamed)
		}
	case model.Lookup:
		set = max(bytes, float64(o.Params)/float64(o.Count)*float64(p.stored.Bytes()))
	}
	rate, err := p.machine.BandwidthRate(p.threads, set)
	if err := p.take("bandwidth", rate, err); err != nil {
		return span{}, err
	}
	t := over(bytes, rate)
	if o.Kind.Product() || o.Kind == model.Lookup {
		t.lo *= readAlone
	}
	more := over(again[o.Kind]*o.Elements*float64(p.stored.Bytes()), rate)
	more.lo = 0 // one pass is possible
	return t.plus(more), nil
}

func (p *pricer) dispatch() span {
	f, ok := p.machine.Overhead("dispatch", p.threads)
	if !ok {
		p.warn.add("no_dispatch", "the profile holds no dispatch overhead for %d threads: none is priced", p.threads)
		return span{}
	}
	return span{f.Value, min(f.Lo, f.Value), max(f.Hi, f.Value)}
}

// over is amount/rate; the fastest rate gives the shortest time.
func over(amount float64, rate calibrate.Lookup) span {
	return span{amount / rate.Value, amount / max(rate.Hi, rate.Value), amount / min(rate.Lo, rate.Value)}
}

// take accepts a rate that time can be made of, and keeps its doubts for the answer.
func (p *pricer) take(what string, rate calibrate.Lookup, err error) error {
	if err != nil {
		return err
	}
	if !(rate.Value > 0) || !(min(rate.Lo, rate.Value) > 0) {
		return fmt.Errorf("the profile's rate for %s is %g (%g to %g): run `realflops run` again", what, rate.Value, rate.Lo, rate.Hi)
	}
	text := rate.Note
	if text == "" && rate.Outside {
		text = "asked for beyond what was measured, the nearest edge answers"
	}
	if text == "" {
		return nil
	}
	i := slices.IndexFunc(p.doubts, func(d doubt) bool { return d.what == what })
	if i < 0 {
		i, p.doubts = len(p.doubts), append(p.doubts, doubt{what: what})
	}
	if !slices.Contains(p.doubts[i].texts, text) {
		p.doubts[i].texts = append(p.doubts[i].texts, text)
	}
	return nil
}

// doubt is what the lookups of one curve said, each text once.
type doubt struct {
	what  string
	texts []string
}

// tell puts one warning a curve into the answer.
func (p *pricer) tell() {
	for _, d := range p.doubts {
		more := ""
		if n := len(d.texts) - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more like it)", n)
		}
		p.warn.add("lookup", "%s: %s%s", d.what, d.texts[0], more)
	}
}
