package bench

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/realflops/realflops/kernels"
)

// Cache is one level of the data caches: the size of one instance and how many hardware
// threads share it.
type Cache struct {
	Level    int
	Bytes    int64
	SharedBy int
}

// PlanInput is what a plan needs to know of a machine.
type PlanInput struct {
	Caches      []Cache // data and unified; of an unknown CPU none
	Threads     int     // that this process may run at once
	MemoryBytes int64   // that this process may use; 0 if unknown
	Seed        uint64  // of the data
	Cores       int     // that this process may use; 0 if unknown. Fewer than Threads where cores run several
	Offers      []Offer // what the CPU's engines run, of one kernel and precision the best first; nil if unknown
	FlopPerS    float64 // about what one thread reaches at gemm, where that is so little that it bounds the shapes; otherwise 0
	Places      []Place // the parts that are measured on their own; none on a machine of one memory node and one kind of core
}

// unknownCaches stand in where a machine hides its caches: every server CPU of the last
// fifteen years has at least these.
var unknownCaches = []Cache{{Level: 1, Bytes: 32 << 10, SharedBy: 1}, {Level: 2, Bytes: 256 << 10, SharedBy: 1}}

// minMemorySet is the least working set meant for memory.
const minMemorySet = 64 << 20

// Plan lists the cases of a suite on a machine, in the order in which they run.
//
// A working set for a cache is half of all its instances that the threads reach; a
// level is left out where the machine has no such cache, or one no larger than the level
// below it. A working set for memory is four times the last-level cache and at least
// 64 MB, but at most the suite's cap and a quarter of the usable memory. Where the caches
// are unknown it is the suite's cap, or that quarter: four times a last-level cache that may
// be large. Shapes that do not fit into half of the usable memory are left out, and so are
// those of which m's FlopPerS makes a single pass longer than the case: [Suite.Skipped] names them.
func (s Suite) Plan(m PlanInput) []Case {
	cases, _ := s.plan(m)
	return cases
}

// Skipped says in shape_skipped warnings what [Suite.Plan] leaves out for want of memory or
// time: one for each row and reason.
func (s Suite) Skipped(m PlanInput) []Warning {
	_, skipped := s.plan(m)
	return skipped
}

func (s Suite) plan(m PlanInput) (cases []Case, skipped []Warning) {
	type id struct {
		kernels.Spec
		engine, level, place string
		threads              int
	}
	seen := map[id]bool{} // rows may overlap: the first one counts
	for _, row := range s.Rows {
		var tooLarge, tooSlow []Case
		for _, place := range m.places(row.Places) {
			part := m.at(place)
			for _, c := range s.casesAt(row, place, part) {
				switch {
				case part.tooLarge(c):
					tooLarge = append(tooLarge, c)
				case part.tooSlow(c):
					tooSlow = append(tooSlow, c)
				default:
					if key := (id{c.Spec, c.Engine, c.Level, c.Placement, c.Threads}); !seen[key] {
						seen[key] = true
						cases = append(cases, c)
					}
				}
			}
		}
		if len(tooLarge) > 0 {
			skipped = append(skipped, Warn(ShapeSkipped, "%s: left out, because each takes more than half of the %.1f GB that this process may use", listed(tooLarge), float64(m.MemoryBytes)/1e9))
		}
		if len(tooSlow) > 0 {
			skipped = append(skipped, Warn(ShapeSkipped, "%s: left out, because at about %.2g GFLOP/s a thread one pass would take longer than the %.2g s of the case", listed(tooSlow), m.FlopPerS/1e9, maxOverMin*row.MinS))
		}
	}
	return cases, skipped
}

// listed names the cases of one row: "gemm fp32/fp32 with 1 thread 64x64x64, 128x128x128; fp16/fp32 ...".
func listed(cases []Case) string {
	text, last := string(cases[0].Kernel), Case{}
	for _, c := range cases {
		switch {
		case c.Precision == last.Precision && c.Threads == last.Threads && c.Placement == last.Placement:
			text += ", " + c.Shape.String()
		default:
			if last.Precision != "" {
				text += ";"
			}
			text += fmt.Sprintf(" %s%s%s %s", c.Precision, withThreads(c.Threads), atPlace(c.Placement), c.Shape)
		}
		last = c
	}
	return text
}

func withThreads(n int) string {
	switch n {
	case 0: // of a GPU
		return ""
	case 1:
		return " with 1 thread"
	}
	return fmt.Sprintf(" with %d threads", n)
}

func atPlace(name string) string {
	if name == "" {
		return ""
	}
	return " at " + name
}

// casesAt are those of a row at a place, whether or not the part of the machine that it is has memory and time for their shapes.
func (s Suite) casesAt(row Row, place Place, part PlanInput) []Case {
	var all []Case
	for _, p := range row.Precisions {
		for _, engine := range row.engines(p, part.Offers) {
			for _, threads := range place.counts(row.Threads) {
				all = append(all, s.cases(row, p, engine, threads, part)...)
			}
		}
	}
	for i := range all {
		all[i].Placement = place.Name
	}
	return all
}

// cases are those of a row at one precision, by one engine and with so many threads.
func (s Suite) cases(row Row, p kernels.Precision, engine string, threads int, m PlanInput) []Case {
	c := Case{
		Spec: kernels.Spec{Kernel: row.Kernel, Precision: p}, Engine: engine, Threads: threads, Data: Randn, Seed: m.Seed,
		MinS: row.MinS, MaxS: maxOverMin * row.MinS,
	}
	var cases []Case
	for _, c.Shape = range row.Shapes {
		c.Level = LevelRegister
		if row.Kernel == kernels.FMA {
			c.Data = Constant // the operands are the kernel's own: x·1 + 1
		} else {
			c.Level = LevelOf(c.Bytes(), m.Caches, threads)
		}
		cases = append(cases, c)
	}
	for _, c.Level = range row.Levels {
		if c.Shape = shapeOf(c.Spec, float64(s.workingSet(c.Level, threads, m)), threads); c.Shape.N > 0 {
			cases = append(cases, c)
		}
	}
	return cases
}

// rowLength is how many elements a row of softmax or a norm has in a suite: about the width of
// a model, and few enough that a level-1 cache holds several rows.
const rowLength = 1024

// shapeOf is the shape whose working set is about so many bytes, in whole cache lines or rows for each
// thread. Its N is 0 where there is none.
func shapeOf(spec kernels.Spec, set float64, threads int) kernels.Shape {
	d, err := kernels.Lookup(string(spec.Kernel))
	if err != nil {
		return kernels.Shape{}
	}
	if d.Class == kernels.Rowwise {
		spec.Shape = kernels.Shape{M: 1, N: rowLength}
		rows := int(set/spec.Bytes()) / threads * threads
		return kernels.Shape{M: rows, N: min(rows, 1) * rowLength}
	}
	spec.Shape = kernels.Shape{N: 1}
	quantum := 64 * threads // elements
	return kernels.Shape{N: int(set/spec.Bytes()) / quantum * quantum}
}

// plain is the engine that has no instructions of its own: it is measured where there is no other.
const plain = "go"

// engines names those by which a row runs at p; "" is the best of the machine. For a limit and a
// product there are none where the machine has only plain Go at p although it has more for gemm in fp32:
// then it has no hardware for p.
func (row Row) engines(p kernels.Precision, offers []Offer) []string {
	if offers == nil {
		return []string{""}
	}
	all := enginesOf(offers, row.Kernel, p)
	if own := slices.DeleteFunc(slices.Clone(all), func(e string) bool { return e == plain }); len(own) > 0 {
		all = own
	} else if best := enginesOf(offers, kernels.GEMM, kernels.FP32FP32); accumulates(row.Kernel) && len(best) > 0 && best[0] != plain {
		return nil
	}
	switch {
	case row.AllEngines:
		return all
	case row.Engines != nil:
		return slices.DeleteFunc(all, func(e string) bool { return !slices.Contains(row.Engines, e) })
	case len(all) == 0:
		return nil
	}
	return []string{""}
}

// tooLarge reports that c takes more than half of the memory.
func (m PlanInput) tooLarge(c Case) bool {
	return m.MemoryBytes > 0 && c.Bytes() > float64(m.MemoryBytes)/2
}

// tooSlow reports that one product takes longer than its case; FlopPerS is of gemm.
func (m PlanInput) tooSlow(c Case) bool {
	return m.FlopPerS > 0 && c.Kernel == kernels.GEMM && c.FLOP() > c.MaxS*m.FlopPerS*float64(c.Threads)
}

// accumulates reports that k is a limit or a product.
func accumulates(k kernels.Kernel) bool {
	d, _ := kernels.Lookup(string(k))
	return d.Class == kernels.Register || d.Class == kernels.Matrix
}

// counts are the thread counts of a mode on a machine of so many threads and cores.
func (t ThreadMode) counts(threads, cores int) []int {
	switch {
	case t == ThreadCurve:
		curve := []int{threads}
		if cores > 0 && cores < threads {
			curve = append(curve, cores)
		}
		for n := 1; n < threads; n *= 2 {
			curve = append(curve, n)
		}
		slices.Sort(curve)
		return slices.Compact(curve)
	case t == OnePerCore:
		if cores > 0 && cores < threads {
			return []int{cores}
		}
		return nil
	case t == OneThread || threads <= 1 && t == OneAndAll:
		return []int{1}
	case threads <= 1:
		return nil
	case t == AllThreads:
		return []int{threads}
	}
	return []int{1, threads}
}

// workingSet is the bytes of a working set made for a level, 0 if it cannot be made.
func (s Suite) workingSet(level string, threads int, m PlanInput) int64 {
	caches := reach(m.Caches, threads)
	if level == LevelMemory {
		set := max(4*caches[len(caches)-1].Bytes, minMemorySet)
		if len(m.Caches) == 0 {
			set = max(set, s.MemoryCap)
		}
		if s.MemoryCap > 0 {
			set = min(set, s.MemoryCap)
		}
		if m.MemoryBytes > 0 {
			set = min(set, m.MemoryBytes/4)
		}
		return set
	}
	below := int64(0)
	for _, c := range caches {
		if level == levelName(c.Level) && c.Bytes/2 > below {
			return c.Bytes / 2
		}
		below = max(below, c.Bytes)
	}
	return 0
}

// reach lists the caches, smallest level first, each with the bytes of all instances that
// so many threads reach when every hardware thread runs one.
func reach(caches []Cache, threads int) []Cache {
	if len(caches) == 0 {
		caches = unknownCaches
	}
	caches = slices.Clone(caches)
	slices.SortFunc(caches, func(a, b Cache) int { return a.Level - b.Level })
	for i, c := range caches {
		shared := max(c.SharedBy, 1)
		caches[i].Bytes = c.Bytes * int64((max(threads, 1)+shared-1)/shared)
	}
	return caches
}

// LastLevelCache is the bytes of last-level cache that so many threads reach.
func LastLevelCache(caches []Cache, threads int) int64 {
	r := reach(caches, threads)
	return r[len(r)-1].Bytes
}

// LevelOf names the level that a working set of so many bytes lies in: the smallest cache
// that holds it, or memory.
func LevelOf(bytes float64, caches []Cache, threads int) string {
	for _, c := range reach(caches, threads) {
		if bytes <= float64(c.Bytes) {
			return levelName(c.Level)
		}
	}
	return LevelMemory
}

func levelName(level int) string { return "l" + strconv.Itoa(level) }

// Set-up beside the measuring itself, measured on a 2-core server: buffers are
// mapped, filled, checked and freed at about setupBytesPerS, warm-up takes a tenth of
// MinS, and the rest is small.
const (
	setupS         = 0.01
	setupBytesPerS = 5e8
)

// stopsAt is where between MinS and MaxS a case is expected to stop: on a quiet machine
// most stop at MinS, on a busy one at MaxS.
const stopsAt = 0.25

// On a GPU buffers are filled and checked by the device, whose output the host holds against what
// it knows: an allowance until it is measured on hardware.
const (
	gpuSetupS         = 0.03
	gpuSetupBytesPerS = 4e9
)

// PlanSeconds is how long a plan is expected to take: for each case its measuring (see
// stopsAt), the warm-up, and an allowance for making and checking its data.
func PlanSeconds(cases []Case) float64 {
	total := 0.0
	for _, c := range cases {
		setup, bytesPerS := setupS, setupBytesPerS
		if c.Threads == 0 {
			setup, bytesPerS = gpuSetupS, gpuSetupBytesPerS
		}
		total += c.MinS + stopsAt*(c.MaxS-c.MinS) + c.MinS/10 + setup + c.Bytes()/bytesPerS
	}
	return total
}
