package ptxvm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// header is what a PTX text starts with.
const header = ".version 7.0\n.target sm_80\n.address_size 64\n"

// entry wraps statements, each on a line of its own, into an entry point f with 8-byte parameters p0, p1, ...; p0 is loaded into %out, p1 into
// %in, and %t is the thread's number in the grid.
func entry(params int, statements string) string {
	var list []string
	for i := range params {
		list = append(list, fmt.Sprintf(".param .u64 p%d", i))
	}
	s := header + ".visible .entry f(" + strings.Join(list, ", ") + ")\n{\n"
	s += ".reg .pred %p<16>; .reg .b16 %h<16>; .reg .b32 %r<64>; .reg .f32 %f<32>; .reg .b64 %x<32>; .reg .f64 %d<16>;\n"
	s += ".reg .b64 %out, %in; .reg .b32 %t, %nt, %bid;\n"
	s += "mov.u32 %t, %tid.x; mov.u32 %nt, %ntid.x; mov.u32 %bid, %ctaid.x; mad.lo.s32 %t, %bid, %nt, %t;\n"
	if params > 0 {
		s += "ld.param.u64 %out, [p0];\n"
	}
	if params > 1 {
		s += "ld.param.u64 %in, [p1];\n"
	}
	return s + strings.ReplaceAll(statements, "; ", ";\n") + "\nret;\n}\n"
}

func parse(t *testing.T, text string) *Function {
	t.Helper()
	m, err := Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return m.Functions["f"]
}

// launch runs function f of the text on memory with pointers as its parameters.
func launch(t *testing.T, text string, mem *Memory, grid, block int, params ...uint64) (Counts, error) {
	t.Helper()
	f := parse(t, text)
	packed, err := f.PackParams(params)
	if err != nil {
		t.Fatal(err)
	}
	return Run(context.Background(), mem, Launch{Function: f, Grid: grid, Block: block, Params: packed})
}

// alloc puts words into fresh memory.
func alloc(t *testing.T, mem *Memory, words []uint32) uint64 {
	t.Helper()
	p, err := mem.Alloc(int64(4 * len(words)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := mem.Bytes(p, int64(4*len(words)))
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range words {
		binary.LittleEndian.PutUint32(b[4*i:], w)
	}
	return p
}

func words(t *testing.T, mem *Memory, p uint64, n int) []uint32 {
	t.Helper()
	b, err := mem.Bytes(p, int64(4*n))
	if err != nil {
		t.Fatal(err)
	}
	w := make([]uint32, n)
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return w
}

// lanes runs statements for every row of inputs, one a thread, and is what each leaves in register d. widths are those of
// d and of the inputs a, b, c, in bits.
func lanes(t *testing.T, statements string, widths []int, rows [][]uint64) []uint64 {
	t.Helper()
	n := len(widths) - 1
	text := ".reg .b64 %at; mul.wide.u32 %at, %t, 8;\n"
	for i, name := range []string{"d", "a", "b", "c"}[:n+1] {
		text += fmt.Sprintf(".reg .b%d %s;\n", widths[i], name)
		if i > 0 {
			text += fmt.Sprintf("add.s64 %%x%d, %%in, %%at; ld.global.b%d %s, [%%x%d+%d];\n", i, widths[i], name, i, (i-1)*8*len(rows))
		}
	}
	text += statements + fmt.Sprintf("\nadd.s64 %%x0, %%out, %%at; st.global.b%d [%%x0], d;", widths[0])
	mem := NewMemory(1 << 24)
	in := make([]uint32, 2*n*len(rows))
	for r, row := range rows {
		for i, v := range row[:n] {
			in[2*(i*len(rows)+r)], in[2*(i*len(rows)+r)+1] = uint32(v), uint32(v>>32)
		}
	}
	out := alloc(t, mem, make([]uint32, 2*len(rows)))
	if _, err := launch(t, entry(2, text), mem, 1, len(rows), out, alloc(t, mem, in)); err != nil {
		t.Fatal(err)
	}
	got := words(t, mem, out, 2*len(rows))
	result := make([]uint64, len(rows))
	for i := range result {
		result[i] = uint64(got[2*i]) | uint64(got[2*i+1])<<32
	}
	return result
}

// rowsOf is every pair of the values given, up to 512 rows of three, and random rows up to 700.
func rowsOf(values []uint64, random func(*rand.Rand) uint64) [][]uint64 {
	rng := rand.New(rand.NewPCG(1, 2))
	var rows [][]uint64
	for _, a := range values {
		for _, b := range values {
			if len(rows) < 512 {
				rows = append(rows, []uint64{a, b, values[rng.IntN(len(values))]})
			}
		}
	}
	for len(rows) < 700 {
		rows = append(rows, []uint64{random(rng), random(rng), random(rng)})
	}
	return rows
}

// wantFault checks that err is a fault of a kind (of one of several, "a|b", where the order of warps decides), on
// the line that holds source.
func wantFault(t *testing.T, err error, kind, source string) {
	t.Helper()
	_ = faultOf(t, err, kind, source)
}

// faultOf is the fault that wantFault asks for.
func faultOf(t *testing.T, err error, kind, source string) *Fault {
	t.Helper()
	var fault *Fault
	if !errors.As(err, &fault) {
		t.Fatalf("got %v, want a fault %s", err, kind)
	}
	if !slices.Contains(strings.Split(kind, "|"), fault.Kind) || !strings.Contains(fault.Source, source) {
		t.Fatalf("got %v; want a fault %s at %q", fault, kind, source)
	}
	return fault
}

func contains(s, part string) bool { return strings.Contains(s, part) }
