package bench

// narrow is the relative half-width of the interval at which measuring may stop.
const narrow = 0.01

// Phase is what to do next in a measurement.
type Phase int

// The phases, in their order.
const (
	WarmUp   Phase = iota // run passes whose time does not count
	Sampling              // take a sample
	Done                  // stop
)

// Stopper decides pass by pass what a measurement does next. It reads no clock: the
// caller tells what each step took, so that it can be held to a script.
//
// A measurement warms up for a tenth of MinS (at least one pass; the pass that is
// checked counts), then samples until MinS is over, the rate is steady and its interval
// is within 1% of the median on either side; and at the latest until the next sample
// would end beyond MaxS. A pass that alone takes longer than MaxS is the one sample
// that there is: no second one is run.
type Stopper struct {
	minS, maxS float64
	warmS      float64
	nextLook   float64 // elapsed time of the next look at the interval
	phase      Phase
	series     []Sample
}

// NewStopper starts the measurement of a case with its MinS and MaxS.
func NewStopper(minS, maxS float64) *Stopper {
	return &Stopper{minS: minS, maxS: maxS, nextLook: minS}
}

// Phase is what to do next.
func (s *Stopper) Phase() Phase { return s.phase }

// Series lists the samples so far, in order.
func (s *Stopper) Series() []Sample { return s.series }

// Warmed tells of a warm-up of some passes that took seconds.
func (s *Stopper) Warmed(passes int, seconds float64) {
	if s.phase != WarmUp {
		return
	}
	if passes == 1 && seconds > s.maxS {
		s.series = append(s.series, Sample{Seconds: seconds, Passes: 1})
		s.phase = Done
		return
	}
	if s.warmS += seconds; s.warmS >= s.minS/10 {
		s.phase = Sampling
	}
}

// Add tells of a sample. Elapsed is the time from the start of its first sample to the
// end of this one, whatever was done between them.
func (s *Stopper) Add(sample Sample) {
	if s.phase != Sampling {
		return
	}
	s.series = append(s.series, sample)
	elapsed := sample.Start + sample.Seconds - s.series[0].Start
	if elapsed+sample.Seconds > s.maxS {
		s.phase = Done
		return
	}
	if elapsed < s.nextLook {
		return
	}
	s.nextLook = elapsed + s.minS/20
	rates := make([]float64, len(s.series))
	for i, v := range s.series {
		rates[i] = v.Rate()
	}
	from, steady := plateau(rates)
	if e, _ := Median(rates[from:]); steady && e.N >= minSamples && e.HalfWidth() <= narrow {
		s.phase = Done
	}
}

// sampleSeconds is the least time of one sample: long against the clock's 50 ns and
// the thread pool's dispatch, short against the 50 ms of a burst.
const sampleSeconds = 0.003

// PassesPerSample is how many passes of passSeconds make one sample.
func PassesPerSample(passSeconds float64) int {
	if passSeconds >= sampleSeconds {
		return 1
	}
	return int(min(sampleSeconds/max(passSeconds, 1e-12)+1, 1e9))
}
