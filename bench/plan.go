package bench

import (
	"slices"
	"strconv"
	"strings"

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
	FlopPerS    float64 // about what one thread reaches at gemm, where that is so little that it bounds the shapes; otherwise 0
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
// 64 MB, but at most the suite's cap and a quarter of the usable memory; where the machine hides
// its caches, it is the cap. Shapes that do
// not fit into half of the usable memory are left out, and so are those of which m's
// FlopPerS makes a single pass longer than the case.
func (s Suite) Plan(m PlanInput) []Case {
	var cases []Case
	for _, row := range s.Rows {
		for _, p := range row.Precisions {
			for _, threads := range row.Threads.counts(m.Threads) {
				cases = append(cases, s.cases(row, p, threads, m)...)
			}
		}
	}
	return cases
}

// Skipped tells the shapes that Plan leaves out on a machine, one warning a row,
// precision and thread count.
func (s Suite) Skipped(m PlanInput) []Warning {
	var warnings []Warning
	for _, row := range s.Rows {
		for _, p := range row.Precisions {
			for _, threads := range row.Threads.counts(m.Threads) {
				var names []string
				for _, shape := range row.Shapes {
					if c := s.shaped(row, p, threads, m, shape); !m.fits(c) {
						names = append(names, shape.String())
					}
				}
				if len(names) > 0 {
					warnings = append(warnings, Warn(ShapeSkipped, "%s %s on %d threads is not run at %s: it needs more than half of the memory that may be used, or one pass would take longer than %g s",
						row.Kernel, p, threads, strings.Join(names, ", "), maxOverMin*row.MinS))
				}
			}
		}
	}
	return warnings
}

// shaped is the case of a row at one of its shapes.
func (s Suite) shaped(row Row, p kernels.Precision, threads int, m PlanInput, shape kernels.Shape) Case {
	c := s.blank(row, p, threads, m)
	c.Shape = shape
	if row.Kernel == kernels.FMA {
		c.Level, c.Data = LevelRegister, Constant // the operands are the kernel's own: x·1 + 1
	} else {
		c.Level = LevelOf(c.Bytes(), m.Caches, threads)
	}
	return c
}

// blank is the case of a row without shape and level.
func (s Suite) blank(row Row, p kernels.Precision, threads int, m PlanInput) Case {
	return Case{
		Spec: kernels.Spec{Kernel: row.Kernel, Precision: p}, Threads: threads, Data: Randn, Seed: m.Seed,
		MinS: row.MinS, MaxS: maxOverMin * row.MinS,
	}
}

func (s Suite) cases(row Row, p kernels.Precision, threads int, m PlanInput) []Case {
	var cases []Case
	for _, shape := range row.Shapes {
		if c := s.shaped(row, p, threads, m, shape); m.fits(c) {
			cases = append(cases, c)
		}
	}
	c := s.blank(row, p, threads, m)
	perElement := kernels.Spec{Kernel: row.Kernel, Precision: p, Shape: kernels.Shape{N: 1}}.Bytes()
	for _, c.Level = range row.Levels {
		set := s.workingSet(c.Level, threads, m)
		quantum := 64 * threads // so that every thread's share is whole cache lines
		if c.Shape.N = int(float64(set)/perElement) / quantum * quantum; c.Shape.N > 0 {
			cases = append(cases, c)
		}
	}
	return cases
}

// fits reports whether a case of a given shape can be run in its time and in memory.
func (m PlanInput) fits(c Case) bool {
	tooLarge := m.MemoryBytes > 0 && c.Bytes() > float64(m.MemoryBytes)/2
	tooSlow := m.FlopPerS > 0 && c.Kernel != kernels.FMA && c.FLOP() > c.MaxS*m.FlopPerS*float64(c.Threads)
	return !tooLarge && !tooSlow
}

// counts are the thread counts of a mode on a machine of so many threads.
func (t ThreadMode) counts(threads int) []int {
	switch {
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
		if len(m.Caches) == 0 && s.MemoryCap > 0 {
			set = s.MemoryCap // a cache that is hidden may be large
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

// PlanSeconds is how long a plan is expected to take: for each case its measuring (see
// stopsAt), the warm-up, and an allowance for making and checking its data.
func PlanSeconds(cases []Case) float64 {
	total := 0.0
	for _, c := range cases {
		total += c.MinS + stopsAt*(c.MaxS-c.MinS) + c.MinS/10 + setupS + c.Bytes()/setupBytesPerS
	}
	return total
}
