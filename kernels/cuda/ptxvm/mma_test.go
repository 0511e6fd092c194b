package ptxvm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// layout says where element i of register r of a lane lies: row (of B: k) and column, and the product that it
// belongs to where an instruction does several.
type layout func(lane, r, i int) (product, row, col int)

// one is a layout of an instruction that does one product, of g = lane/4 and q = lane%4.
func one(f func(g, q, r, i int) (row, col int)) layout {
	return func(lane, r, i int) (int, int, int) {
		row, col := f(lane/4, lane%4, r, i)
		return 0, row, col
	}
}

// The layouts, each written down by itself from the tables of the PTX ISA.
var (
	accumulator = one(func(g, q, r, _ int) (int, int) { return g + 8*(r/2), 2*q + r%2 })
	packedC     = one(func(g, q, r, i int) (int, int) { return g + 8*r, 2*q + i })
	voltaRow    = func(lane int) int { return lane%4 + lane/16*4 }
	voltaPair   = func(lane int) int { return lane % 16 / 4 }
)

type mmaCase struct {
	op      string
	m, n, k int
	a, b, c layout
	regs    [3]int // of A, B, C
	each    [3]int // elements a register
	element string // of A and B
	result  string
}

func mmaCases() []mmaCase {
	a16 := one(func(g, q, r, i int) (int, int) {
		return []int{g, g + 8, g, g + 8}[r], []int{2 * q, 2 * q, 2*q + 8, 2*q + 8}[r] + i
	})
	b16 := one(func(g, q, r, i int) (int, int) { return []int{2 * q, 2*q + 8}[r] + i, g })
	tfA := one(func(g, q, r, _ int) (int, int) { return []int{g, g + 8, g, g + 8}[r], []int{q, q, q + 4, q + 4}[r] })
	tfB := one(func(g, q, r, _ int) (int, int) { return []int{q, q + 4}[r], g })
	a8 := one(func(g, q, r, i int) (int, int) {
		return []int{g, g + 8, g, g + 8}[r], []int{4 * q, 4 * q, 4*q + 16, 4*q + 16}[r] + i
	})
	b8 := one(func(g, q, r, i int) (int, int) { return []int{4 * q, 4*q + 16}[r] + i, g })
	cases := []mmaCase{
		{"m16n8k16.row.col.f32.f16.f16.f32", 16, 8, 16, a16, b16, accumulator, [3]int{4, 2, 4}, [3]int{2, 2, 1}, "f16", "f32"},
		{"m16n8k16.row.col.f32.bf16.bf16.f32", 16, 8, 16, a16, b16, accumulator, [3]int{4, 2, 4}, [3]int{2, 2, 1}, "bf16", "f32"},
		{"m16n8k16.row.col.f16.f16.f16.f16", 16, 8, 16, a16, b16, packedC, [3]int{4, 2, 2}, [3]int{2, 2, 2}, "f16", "f16"},
		{"m16n8k8.row.col.f32.f16.f16.f32", 16, 8, 8, a16, b16, accumulator, [3]int{2, 1, 4}, [3]int{2, 2, 1}, "f16", "f32"},
		{"m16n8k8.row.col.f16.f16.f16.f16", 16, 8, 8, a16, b16, packedC, [3]int{2, 1, 2}, [3]int{2, 2, 2}, "f16", "f16"},
		{"m16n8k8.row.col.f32.bf16.bf16.f32", 16, 8, 8, a16, b16, accumulator, [3]int{2, 1, 4}, [3]int{2, 2, 1}, "bf16", "f32"},
		{"m16n8k8.row.col.f32.tf32.tf32.f32", 16, 8, 8, tfA, tfB, accumulator, [3]int{4, 2, 4}, [3]int{1, 1, 1}, "tf32", "f32"},
		{"m16n8k4.row.col.f32.tf32.tf32.f32", 16, 8, 4, tfA, tfB, accumulator, [3]int{2, 1, 4}, [3]int{1, 1, 1}, "tf32", "f32"},
		{"m16n8k32.row.col.s32.s8.s8.s32", 16, 8, 32, a8, b8, accumulator, [3]int{4, 2, 4}, [3]int{4, 4, 1}, "s8", "s32"},
		{"m16n8k16.row.col.s32.s8.s8.s32", 16, 8, 16, a8, b8, accumulator, [3]int{2, 1, 4}, [3]int{4, 4, 1}, "s8", "s32"},
		{"m8n8k16.row.col.s32.s8.s8.s32", 8, 8, 16, a8, b8, accumulator, [3]int{1, 1, 2}, [3]int{4, 4, 1}, "s8", "s32"},
		{"m8n8k16.row.col.s32.u8.s8.s32", 8, 8, 16, a8, b8, accumulator, [3]int{1, 1, 2}, [3]int{4, 4, 1}, "u8", "s32"},
	}
	along := func(lane, r, i int) (int, int, int) { return voltaPair(lane), voltaRow(lane), 2*r + i }
	across := func(lane, r, i int) (int, int, int) { return voltaPair(lane), 2*r + i + lane/16*4, lane % 4 }
	swap := func(l layout) layout {
		return func(lane, r, i int) (int, int, int) {
			p, row, col := l(lane, r, i)
			return p, col, row
		}
	}
	for _, layouts := range []string{"row.col", "row.row", "col.row", "col.col"} {
		a, b := layout(along), swap(along)
		if strings.HasPrefix(layouts, "col") {
			a = across
		}
		if strings.HasSuffix(layouts, "row") {
			b = swap(across)
		}
		single := func(lane, i, _ int) (int, int, int) {
			return voltaPair(lane), lane&1 + i&2 + lane/16*4, i&4 + lane&2 + i&1
		}
		pair := func(lane, r, i int) (int, int, int) { return voltaPair(lane), voltaRow(lane), 2*r + i }
		cases = append(cases,
			mmaCase{"m8n8k4." + layouts + ".f32.f16.f16.f32", 8, 8, 4, a, b, single, [3]int{2, 2, 8}, [3]int{2, 2, 1}, "f16", "f32"},
			mmaCase{"m8n8k4." + layouts + ".f16.f16.f16.f16", 8, 8, 4, a, b, pair, [3]int{2, 2, 4}, [3]int{2, 2, 2}, "f16", "f16"})
	}
	return cases
}

// encode is the bits of a whole number as an element.
func encode(v int, element string) uint32 {
	switch element {
	case "f16":
		return uint32(kernels.ToFloat16(float32(v)))
	case "bf16":
		return math.Float32bits(float32(v)) >> 16
	case "f32", "tf32":
		return math.Float32bits(float32(v))
	case "s8", "u8":
		return uint32(uint8(v))
	}
	return uint32(v)
}

// TestMMA multiplies matrices of whole numbers by every instruction, loading fragments by the layouts above.
func TestMMA(t *testing.T) {
	for _, c := range mmaCases() {
		t.Run(c.op, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			var a, b, acc [4][32][32]int
			fill := func(to *[4][32][32]int, low, high int) {
				for p := range to {
					for i := range to[p] {
						for j := range to[p][i] {
							to[p][i][j] = low + rng.IntN(high-low+1)
						}
					}
				}
			}
			fill(&a, -4, 4)
			fill(&b, -4, 4)
			fill(&acc, -100, 100)
			if c.element == "u8" {
				fill(&a, 0, 255)
			}
			var in []uint32
			put := func(of *[4][32][32]int, l layout, operand int, element string) {
				for r := range c.regs[operand] {
					for lane := range 32 {
						var word uint32
						for i := range c.each[operand] {
							p, row, col := l(lane, r, i)
							word |= encode(of[p][row][col], element) << (32 / c.each[operand] * i)
						}
						in = append(in, word)
					}
				}
			}
			put(&a, c.a, 0, c.element)
			bElement := c.element
			if bElement == "u8" {
				bElement = "s8"
			}
			put(&b, c.b, 1, bElement)
			put(&acc, c.c, 2, c.result)
			got := runMMA(t, c, in)
			for r := range c.regs[2] {
				for lane := range 32 {
					for i := range c.each[2] {
						p, row, col := c.c(lane, r, i)
						want := acc[p][row][col]
						for k := range c.k {
							want += a[p][row][k] * b[p][k][col]
						}
						width := 32 / c.each[2]
						if v := got[r*32+lane] >> (width * i) & uint32(1<<width-1); v != encode(want, c.result) {
							t.Fatalf("product %d, row %d, column %d: got %x, want %x (%d)", p, row, col, v, encode(want, c.result), want)
						}
					}
				}
			}
		})
	}
}

func runMMA(t *testing.T, c mmaCase, in []uint32) []uint32 {
	t.Helper()
	text := "mad.wide.u32 %x1, %t, 4, %in;\n"
	var groups [4]string
	at := 0
	for operand, n := range []int{c.regs[0], c.regs[1], c.regs[2]} {
		var names []string
		for range n {
			text += fmt.Sprintf("ld.global.b32 %%r%d, [%%x1+%d];\n", at+1, at*128)
			names = append(names, fmt.Sprintf("%%r%d", at+1))
			at++
		}
		groups[operand+1] = "{" + strings.Join(names, ", ") + "}"
	}
	groups[0] = groups[3] // D over C, as kernels do
	text += fmt.Sprintf("mma.sync.aligned.%s %s, %s, %s, %s;\nmad.wide.u32 %%x2, %%t, 4, %%out;\n", c.op, groups[0], groups[1], groups[2], groups[3])
	for r := range c.regs[2] {
		text += fmt.Sprintf("st.global.b32 [%%x2+%d], %%r%d;\n", r*128, c.regs[0]+c.regs[1]+r+1)
	}
	mem := NewMemory(1 << 20)
	out := alloc(t, mem, make([]uint32, 1024))
	counts, err := launch(t, entry(2, text), mem, 1, 32, out, alloc(t, mem, in))
	if err != nil {
		t.Fatal(err)
	}
	products := 1
	if c.k == 4 && c.element == "f16" {
		products = 4
	}
	want := MMACount{1, int64(products * c.m * c.n * c.k)}
	if got := counts.MMA["mma.sync.aligned."+c.op]; got != want {
		t.Errorf("counted %+v, want %+v", counts.MMA, want)
	}
	return words(t, mem, out, 32*c.regs[2])
}

// TestMMARounding covers what whole numbers do not: tf32 is cut, fp16 results are rounded once, NaN and infinity.
func TestMMARounding(t *testing.T) {
	for _, c := range mmaCases() {
		cell := func(a, b, acc uint32) uint32 {
			in := make([]uint32, 0, 1024)
			for operand, v := range []uint32{a, b, acc} {
				for range c.regs[operand] * 32 {
					word := v
					if c.each[operand] == 2 {
						word |= v << 16
					}
					in = append(in, word)
				}
			}
			return runMMA(t, c, in)[0]
		}
		switch c.op {
		case "m16n8k4.row.col.f32.tf32.tf32.f32":
			if got := cell(0x3f801fff, 0x3f800000, 0); got != 0x40800000 { // four times 1, with bits that tf32 has not
				t.Errorf("tf32: got %x, want 4", got)
			}
		case "m16n8k8.row.col.f16.f16.f16.f16":
			// 8·(1 + 2^-10)·1 + 2048: 2056.0078, which rounds to 2056 in fp16 (steps of 2).
			if got := cell(0x3c01, 0x3c00, 0x6800); got != 0x68046804 {
				t.Errorf("fp16: got %x, want 2056 twice", got)
			}
		case "m16n8k16.row.col.f32.f16.f16.f32":
			if got := cell(0x7c00, 0x3c00, 0); got != 0x7f800000 {
				t.Errorf("infinity: got %x", got)
			}
			if got := cell(0x7c00, 0, 0); got != nan32 {
				t.Errorf("infinity times 0: got %x, want %x", got, nan32)
			}
		}
	}
}

// TestLdmatrix reads rows of 8 halves whose values say where they lie.
func TestLdmatrix(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		for _, trans := range []string{"", ".trans"} {
			// Half j of row r of matrix i is 64·i + 8·r + j; rows are 48 bytes apart.
			text := ".shared .align 16 .b8 s[1536]; mov.u32 %r9, s; mad.lo.u32 %r8, %t, 48, %r9;\n"
			for j := range 4 {
				text += fmt.Sprintf("mad.lo.u32 %%r1, %%t, 8, %d; add.u32 %%r2, %%r1, 1; shl.b32 %%r2, %%r2, 16; or.b32 %%r1, %%r1, %%r2; st.shared.u32 [%%r8+%d], %%r1;\n", 2*j, 4*j)
			}
			regs := "%r11, %r12, %r13, %r14"[:6*n-2]
			text += fmt.Sprintf("ldmatrix.sync.aligned.m8n8.x%d%s.shared.b16 {%s}, [%%r8];\nmad.wide.u32 %%x2, %%t, 4, %%out;\n", n, trans, regs)
			for r := range n {
				text += fmt.Sprintf("st.global.b32 [%%x2+%d], %%r%d;\n", r*128, 11+r)
			}
			got, counts, err := run(t, text, 32*n)
			if err != nil {
				t.Fatal(err)
			}
			if counts.WarpInstructions[ClassLdmatrix] != 1 {
				t.Errorf("counted %d ldmatrix", counts.WarpInstructions[ClassLdmatrix])
			}
			for i, v := range got {
				matrix, g, q := i/32, i%32/4, i%4
				for half := range 2 {
					row, col := g, 2*q+half
					if trans != "" {
						row, col = col, row
					}
					if want := uint32(64*matrix + 8*row + col); v>>(16*half)&0xffff != want {
						t.Fatalf("x%d%s register %d lane %d half %d: got %d, want %d", n, trans, matrix, i%32, half, v>>(16*half)&0xffff, want)
					}
				}
			}
		}
	}
}
