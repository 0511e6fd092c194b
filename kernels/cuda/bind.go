package cuda

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/realflops/realflops/kernels"
)

// maxGrid is the most blocks that a launch has in x.
const maxGrid = math.MaxInt32

// engines of the own kernels, the one to prefer last.
var engines = []string{SIMT, MMA}

// Entries lists the entry points of the image for compute capability arch, each name once.
// An image for 80 that a device of 86 runs has the entries of 80.
func Entries(arch int) []Entry {
	var there []Entry
	for _, e := range slices.Concat(simtEntries, mmaEntries) {
		if e.runs(arch) {
			there = append(there, e)
		}
	}
	return there
}

func (e Entry) runs(arch int) bool {
	return arch >= e.MinArch && (e.MaxArch == 0 || arch <= e.MaxArch)
}

// Find returns the entry point of that name in the image for arch.
func Find(name string, arch int) (Entry, error) {
	var names []string
	for _, e := range Entries(arch) {
		if e.Name == name {
			return e, nil
		}
		names = append(names, e.Name)
	}
	if need := lowest(func(e Entry) bool { return e.Name == name }); need > arch {
		return Entry{}, tooOld(name, need, arch)
	}
	return Entry{}, kernels.Unknown("device function", name, names)
}

// Pick returns the entry point for kernel k at precision p by an own engine ([SIMT] or
// [MMA]; "" is the tensor cores where they serve) that takes the shape: of gemm the vector
// form where the shape allows it. arch is the image's.
func Pick(k kernels.Kernel, p kernels.Precision, engine string, shape kernels.Shape, arch int) (Entry, error) {
	if engine != "" && !slices.Contains(engines, engine) {
		return Entry{}, kernels.Unknown("engine", engine, engines)
	}
	serves := func(e Entry) bool {
		return e.Kernel == k && e.Precision == p && (engine == "" || e.Engine == engine)
	}
	var best Entry
	found, any := false, false
	for _, e := range Entries(arch) {
		if !serves(e) {
			continue
		}
		any = true
		if e.Takes(shape) && (!found || better(e, best, shape)) {
			best, found = e, true
		}
	}
	switch need := lowest(serves); {
	case found:
		return best, nil
	case any:
		return Entry{}, fmt.Errorf("no device function computes %s %s at %s", k, p, shape)
	case need > arch:
		return Entry{}, tooOld(fmt.Sprintf("%s %s", k, p), need, arch)
	case engine != "":
		return Entry{}, fmt.Errorf("engine %s has no %s at %s", engine, k, p)
	}
	return Entry{}, fmt.Errorf("no device function for %s at %s", k, p)
}

// manyTiles is how many tiles a product must have for the form with the larger ones to be the better:
// two for each multiprocessor of a large GPU, so that the last round does not leave most of them idle.
const manyTiles = 256

// better prefers tensor cores; among the forms of one engine the one that asks more of a
// shape, since it moves more at a time; and then the larger tile, which uses each operand more often, if
// there are many of them, else the smaller.
func better(e, than Entry, s kernels.Shape) bool {
	if e.Engine != than.Engine {
		return slices.Index(engines, e.Engine) > slices.Index(engines, than.Engine)
	}
	if e.Multiple != than.Multiple {
		return e.Multiple > than.Multiple
	}
	larger := e.TileM*e.TileN - than.TileM*than.TileN
	if larger < 0 {
		return tiles(than, s, 0, nil) < manyTiles
	}
	return larger > 0 && tiles(e, s, 0, nil) >= manyTiles
}

// lowest is the smallest compute capability for which some entry serves; 0 if none does.
func lowest(serves func(Entry) bool) int {
	need := 0
	for _, e := range slices.Concat(simtEntries, mmaEntries) {
		if serves(e) && (need == 0 || e.MinArch < need) {
			need = e.MinArch
		}
	}
	return need
}

func tooOld(what string, need, arch int) error {
	return fmt.Errorf("%s needs compute capability %s; the kernels of this device are for %s", what, capability(need), capability(arch))
}

// capability writes 80 as 8.0.
func capability(arch int) string { return fmt.Sprintf("%d.%d", arch/10, arch%10) }

// Takes reports whether e computes the shape. Kernels count rows and columns in 31 bits.
func (e Entry) Takes(s kernels.Shape) bool {
	switch e.Kernel {
	case kernels.GEMM:
		if min(s.M, s.N, s.K) < 1 || max(s.M, s.N, s.K) > math.MaxInt32 {
			return false
		}
		// B of int8 is stored n x k, so that k alone is the length of rows.
		return s.K%max(e.Multiple, 1) == 0 && (e.Precision == kernels.INT8INT32 || s.N%max(e.Multiple, 1) == 0)
	case kernels.FMA:
		return s.N >= 1 && s.N%e.MultiplyAdds() == 0 && s.M == 0 && s.K == 0
	}
	return s.N >= 1 && s.M == 0 && s.K == 0
}

// MultiplyAdds is how many multiply-adds a thread of an fma entry performs in one iteration, a
// warp's matrix instruction being shared out to its threads; 0 for every other kernel.
func (e Entry) MultiplyAdds() int {
	if e.Kernel != kernels.FMA {
		return 0
	}
	return map[string]int{SIMT: 256, MMA: 768}[e.Engine]
}

// binding says how the parameters of an entry point follow from a shape: its operands, then
// what sizes makes of the shape, then the scalars that the caller gives.
type binding struct {
	operands, scalars []string
	sizes             func(Entry, kernels.Shape) []uint64
	grid              func(e Entry, s kernels.Shape, sms int, scalars []uint64) uint64
}

var (
	unary    = binding{operands: []string{"y", "x"}, sizes: elements, grid: chunks}
	bindings = map[string]binding{
		string(kernels.FMA):             {operands: []string{"out"}, sizes: iterations, grid: resident},
		string(kernels.GEMM):            {operands: []string{"c", "a", "b"}, sizes: dimensions, grid: tiles},
		string(kernels.ReLU):            unary,
		string(kernels.Sigmoid):         unary,
		string(kernels.Tanh):            unary,
		string(kernels.GELU):            unary,
		string(kernels.SiLU):            unary,
		string(kernels.ReLUBackward):    {operands: []string{"dx", "dy", "x"}, sizes: elements, grid: chunks},
		string(kernels.SigmoidBackward): {operands: []string{"dx", "dy", "y"}, sizes: elements, grid: chunks},
		string(kernels.Copy):            {operands: []string{"dst", "src"}, sizes: elements, grid: chunks},
		string(kernels.Triad):           {operands: []string{"a", "b", "c"}, sizes: elements, grid: chunks},
		string(kernels.Read):            {operands: []string{"out", "x"}, sizes: elements, grid: chunks},
		"fill":                          {operands: []string{"dst", "table"}, scalars: []string{"seed"}, sizes: elements, grid: chunks},
		"fold":                          {operands: []string{"out", "c"}, scalars: []string{"cols"}, sizes: elements, grid: rows},
	}
)

func elements(_ Entry, s kernels.Shape) []uint64 { return []uint64{uint64(s.N)} }

func dimensions(_ Entry, s kernels.Shape) []uint64 {
	return []uint64{uint64(s.M), uint64(s.N), uint64(s.K)}
}

// iterations, and the 1 that the chains multiply by and add: a parameter, so that no compiler folds it.
func iterations(e Entry, s kernels.Shape) []uint64 {
	return []uint64{uint64(s.N / e.MultiplyAdds()), 1}
}

func chunks(e Entry, s kernels.Shape, _ int, _ []uint64) uint64 { return ceil(s.N, e.Chunk) }

func rows(_ Entry, s kernels.Shape, _ int, scalars []uint64) uint64 {
	return (uint64(s.N)-1)/scalars[0] + 1
}

func tiles(e Entry, s kernels.Shape, _ int, _ []uint64) uint64 {
	return ceil(s.M, e.TileM) * ceil(s.N, e.TileN)
}

func resident(e Entry, _ kernels.Shape, sms int, _ []uint64) uint64 {
	return uint64(max(sms, 0)) * uint64(e.BlocksPerSM)
}

func ceil(n, by int) uint64 { return uint64((n-1)/by + 1) }

// Launch is e at a shape on a device of sms multiprocessors (of which only fma takes note).
// The operands are in the order of the entry point, results first:
//
//	fma                out (u64 of each thread)
//	gemm               c, a, b
//	relu ... silu      y, x
//	relu-backward      dx, dy, x
//	sigmoid-backward   dx, dy, y
//	copy, triad, read  dst, src; a, b, c; out (u64 of each block), x
//	fill_*             dst, table; scalars: seed
//	fold_*             out (u64 of each row), c; scalars: cols
func (e Entry) Launch(s kernels.Shape, sms int, operands []Ptr, scalars ...uint64) (Launch, error) {
	b, ok := bindings[e.family()]
	switch {
	case !ok:
		return Launch{}, fmt.Errorf("device function %q: it is not known how to launch it", e.Name)
	case !e.Takes(s):
		return Launch{}, fmt.Errorf("device function %s does not take the shape %s", e.Name, s)
	case len(operands) != len(b.operands):
		return Launch{}, fmt.Errorf("device function %s takes the operands %s, not %d", e.Name, strings.Join(b.operands, ", "), len(operands))
	case len(scalars) != len(b.scalars):
		return Launch{}, fmt.Errorf("device function %s takes %d scalars %v, not %d", e.Name, len(b.scalars), b.scalars, len(scalars))
	case e.family() == "fold" && scalars[0] == 0:
		return Launch{}, fmt.Errorf("device function %s: rows of 0 elements; want at least 1", e.Name)
	}
	grid := b.grid(e, s, sms, scalars)
	if grid < 1 || grid > maxGrid {
		return Launch{}, fmt.Errorf("device function %s at %s on %d multiprocessors would be %d blocks; a launch has 1 to %d", e.Name, s, sms, grid, maxGrid)
	}
	l := Launch{Entry: e.Name, Grid: int(grid), Block: e.Block, Shared: e.Shared}
	for _, p := range operands {
		l.Params = append(l.Params, uint64(p))
	}
	l.Params = append(l.Params, b.sizes(e, s)...)
	l.Params = append(l.Params, scalars...)
	return l, nil
}

// family is what e's parameters go by: its kernel, or for a helper that is none the first part of its name.
func (e Entry) family() string {
	if e.Kernel != "" {
		return string(e.Kernel)
	}
	family, _, _ := strings.Cut(e.Name, "_")
	return family
}

// Forms lists every entry of that name, of all architectures.
func Forms(name string) []Entry {
	var forms []Entry
	for _, e := range slices.Concat(simtEntries, mmaEntries) {
		if e.Name == name {
			forms = append(forms, e)
		}
	}
	return forms
}
