package emulator

import (
	"math"
	"strings"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

// operand is a piece of memory that a launch reads, or writes whole.
type operand struct {
	extent
	size  int // bytes of an element
	write bool
}

// traits are what the emulator knows of a device function beyond its PTX.
type traits struct {
	operands []operand
	scalars  []uint64 // what else the result depends on

	// exact says that the twin's result is the kernel's, bit for bit; mapped, that an
	// element of the result depends on those elements of the operands alone, but that only the kernel knows its last bit.
	exact, mapped bool

	// The parameter that a block's work grows evenly with, and its unit; -1 where there is none.
	linear int
	unit   uint64

	m, n, k uint64 // gemm
}

// maxBytes is the largest operand that is looked at.
const maxBytes = 1 << 40

// traitsOf is known for every device function of kernels/cuda.
func traitsOf(l cuda.Launch) (traits, bool) {
	name, p := l.Entry, l.Params
	family, form, _ := strings.Cut(name, "_")
	if rest, ok := strings.CutPrefix(form, "backward_"); ok {
		family, form = family+"_backward", rest
	}
	t := traits{linear: -1, exact: true}
	u := kernels.Precision(form).Bytes()
	at := func(i int, bytes float64, size int, write bool) {
		t.operands = append(t.operands, operand{extent{p[i], p[i] + uint64(min(bytes, maxBytes))}, size, write})
	}
	switch {
	case family == "fill" && len(p) == 4 && digit(form) > 0:
		u = digit(form)
		at(0, float64(u)*float64(p[2]), u, true)
		at(1, float64(u)*65536, u, false)
		t.scalars = p[2:]
	case family == "fold" && len(p) == 4 && p[3] > 0:
		_, of, _ := strings.Cut(form, "_")
		if u = digit(of); u == 0 {
			u = map[string]int{"fp16": 2, "bf16": 2, "fp32": 4, "int32": 4}[of]
		}
		at(0, 8*math.Ceil(float64(p[2])/float64(p[3])), 8, true)
		at(1, float64(u)*float64(p[2]), u, false)
		t.scalars = p[2:]
	case (family == "fma" || family == "mma") && len(p) == 3:
		at(0, 8*float64(l.Grid)*float64(l.Block), 8, true)
		t.scalars, t.linear, t.unit = p[1:], 1, 1
	case family == "gemm" && len(p) == 6:
		t.gemm(strings.TrimSuffix(form, "_any"), p)
	case family == "read" && len(p) == 3:
		at(0, 8*float64(l.Grid), 8, true)
		at(1, 8*float64(p[2]), 8, false)
		t.scalars = p[2:]
	case elementwise[family] > 0 && len(p) == elementwise[family]+1 && u > 0:
		n := p[len(p)-1]
		for i := range elementwise[family] {
			at(i, float64(u)*float64(n), u, i == 0)
		}
		t.mapped = approximate[family]
		t.exact = !t.mapped
		t.scalars = p[len(p)-1:]
	default:
		return traits{}, false
	}
	return t, u > 0 || family == "gemm" || family == "fma" || family == "mma"
}

// elementwise are the families whose operands are all of one length, and how many there are.
var elementwise = map[string]int{
	"relu": 2, "sigmoid": 2, "tanh": 2, "gelu": 2, "silu": 2, "relu_backward": 3, "sigmoid_backward": 3, "copy": 2, "triad": 3,
}

var approximate = map[string]bool{"sigmoid": true, "tanh": true, "gelu": true, "silu": true, "sigmoid_backward": true}

func digit(s string) int {
	return map[string]int{"1": 1, "2": 2, "4": 4, "8": 8}[s]
}

func (t *traits) gemm(precision string, p []uint64) {
	in := kernels.Precision(strings.ReplaceAll(precision, "_", "/")).Bytes()
	out := in
	if precision == "int8_int32" {
		out = 4
	}
	t.m, t.n, t.k = p[3], p[4], p[5]
	m, n, k := float64(t.m), float64(t.n), float64(t.k)
	for i, o := range []struct {
		bytes float64
		size  int
	}{{m * n * float64(out), out}, {m * k * float64(in), in}, {k * n * float64(in), in}} {
		t.operands = append(t.operands, operand{extent{p[i], p[i] + uint64(min(o.bytes, maxBytes))}, o.size, i == 0})
	}
	t.scalars, t.exact = p[3:], precision == "int8_int32"
	t.linear, t.unit = 5, 64 // a multiple of every tile's depth
}

// traffic is how many bytes a launch moves to and from memory, given what the L2 cache holds. An operand
// that is missing from it is read or written once. A product reads its operands more often where
// they do not fit: a wave of blocks, 8 rows of tiles high, reads each row and column of tiles once.
func (c Card) traffic(l2 *residency, t traits, e cuda.Entry) float64 {
	var missed, footprint, read float64
	for _, o := range t.operands {
		footprint += float64(o.bytes())
	}
	for _, o := range t.operands {
		m := float64(l2.touch(o.extent))
		missed += m
		if !o.write {
			read += m
		}
	}
	if t.m == 0 || e.TileM == 0 || e.TileN == 0 || footprint <= float64(l2.capacity) {
		return missed
	}
	tilesM, tilesN := math.Ceil(float64(t.m)/float64(e.TileM)), math.Ceil(float64(t.n)/float64(e.TileN))
	wave := float64(c.SMs * c.resident(e.Block, e.Shared, 2))
	rows := min(8, tilesM)
	columns := min(math.Ceil(wave/rows), tilesN)
	waves := math.Ceil(tilesM * tilesN / (rows * columns))
	again := waves * (rows*float64(e.TileM) + columns*float64(e.TileN)) * float64(t.k) * float64(t.operands[1].size)
	return missed - read + max(read, again)
}

// resident is how many blocks an SM holds at once: by threads, shared memory (of which each
// block takes 1 KiB more) and most.
func (c Card) resident(threads, shared, most int) int {
	n := min(most, c.BlocksPerSM, c.ThreadsPerSM/max(threads, 1), (c.SharedBytesPerSM+1024)/(shared+1024))
	return max(n, 1)
}
