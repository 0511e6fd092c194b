package ptxvm

import (
	"math"
	"strings"
)

func init() { opcode(decodeMMA, "mma") }

// tile is the shape of one mma instruction: batch independent products of m x n x k.
type tile struct{ batch, m, n, k int }

// mmaForm is one mma instruction: its shape, and how many elements of A and B a register holds.
type mmaForm struct {
	tile
	element int // bits of an element of A and B
}

var tiles = map[string]tile{
	".m8n8k4": {4, 8, 8, 4}, ".m8n8k16": {1, 8, 8, 16},
	".m16n8k4": {1, 16, 8, 4}, ".m16n8k8": {1, 16, 8, 8}, ".m16n8k16": {1, 16, 8, 16}, ".m16n8k32": {1, 16, 8, 32},
}

// mmaForms are the shapes that PTX has for each type of A and B.
var mmaForms = map[string][]string{
	".f16":  {".m8n8k4", ".m16n8k8", ".m16n8k16"},
	".bf16": {".m16n8k8", ".m16n8k16"},
	".tf32": {".m16n8k4", ".m16n8k8"},
	".s8":   {".m8n8k16", ".m16n8k16", ".m16n8k32"},
	".u8":   {".m8n8k16", ".m16n8k16", ".m16n8k32"},
}

var elementBits = map[string]int{".f16": 16, ".bf16": 16, ".tf32": 32, ".s8": 8, ".u8": 8}

// fragment maps element i of register r of a lane to its place in the tile: place[(r*32+lane)*each+i].
type fragment struct {
	each  int // elements a register
	place []uint16
}

func (f fragment) registers() int { return len(f.place) / 32 / f.each }

func newFragment(elements, each int, place func(lane, element int) int) fragment {
	f := fragment{each: each}
	for r := range elements / each {
		for lane := range 32 {
			for i := range each {
				f.place = append(f.place, uint16(place(lane, r*each+i)))
			}
		}
	}
	return f
}

// The layouts are those of the PTX ISA, "Matrix Fragments for mma"; A lies row by row in its tile, B column
// by column, C row by row. g = lane/4 and q = lane%4.

func fragmentA(form mmaForm) fragment {
	each := 32 / form.element
	rows := form.m / 8
	return newFragment(form.m*form.k/32, each, func(lane, e int) int {
		r, i := e/each, e%each
		row, k := lane/4+8*(r%rows), r/rows*4*each+lane%4*each+i
		return row*form.k + k
	})
}

func fragmentB(form mmaForm) fragment {
	each := 32 / form.element
	return newFragment(form.n*form.k/32, each, func(lane, e int) int {
		r, i := e/each, e%each
		return lane/4*form.k + r*4*each + lane%4*each + i
	})
}

func fragmentC(form mmaForm, each int) fragment {
	return newFragment(form.m*form.n/32, each, func(lane, e int) int {
		return (lane/4+8*(e/2))*form.n + lane%4*2 + e%2
	})
}

// m8n8k4 has layouts of its own: lanes 4p..4p+3 and 16+4p..16+4p+3 work on product p.

func quadPair(lane int) (product, upper int) { return lane / 4 % 4, lane / 16 * 4 }

// fragmentVolta is A (rows, if rowMajor) or B (columns, if not rowMajor): a lane holds 4 elements along k, or 4 at one k.
func fragmentVolta(alongK bool) fragment {
	return newFragment(4, 2, func(lane, i int) int {
		p, h := quadPair(lane)
		if alongK {
			return p*32 + (lane%4+h)*4 + i
		}
		return p*32 + (i+h)*4 + lane%4
	})
}

func fragmentVoltaC(each int) fragment {
	return newFragment(8, each, func(lane, i int) int {
		p, h := quadPair(lane)
		row, col := lane&1+i&2+h, i&4+lane&2+i&1
		if each == 2 {
			row, col = lane%4+h, i
		}
		return p*64 + row*8 + col
	})
}

// decodeMMA decodes mma.sync.aligned.SHAPE.ALAYOUT.BLAYOUT.D.A.B.C d, a, b, c. Products are exact and are summed
// with c in fp64, which is rounded once, to fp32 or fp16; hardware sums in an order and a
// precision of its own. tf32 operands lose their lower 13 bits. Integers wrap.
func decodeMMA(d *decoder) execute {
	d.in.class, d.in.tally = ClassMMA, tallyMMA
	mods := d.mods
	d.mods = nil
	if len(mods) != 9 || mods[0] != ".sync" || mods[1] != ".aligned" {
		return nil
	}
	shape, layoutA, layoutB, typeD, typeA, typeB, typeC := mods[2], mods[3], mods[4], mods[5], mods[6], mods[7], mods[8]
	known := false
	for _, s := range mmaForms[typeA] {
		known = known || s == shape
	}
	if !known || elementBits[typeB] != elementBits[typeA] || (typeB != typeA && elementBits[typeA] != 8) || typeC != typeD {
		return nil
	}
	volta := shape == ".m8n8k4"
	rowA, rowB := layoutA == ".row", layoutB == ".row"
	if !rowA && layoutA != ".col" || !rowB && layoutB != ".col" || !volta && (!rowA || rowB) {
		return nil
	}
	form := mmaForm{tiles[shape], elementBits[typeA]}
	each := 1
	switch {
	case typeC == ".f16" && typeA == ".f16":
		each = 2
	case typeC == ".f32" && form.element > 8, typeC == ".s32" && form.element == 8:
	default:
		return nil
	}
	x := &multiply{tile: form.tile, name: strings.Join(mods[2:], "")}
	if volta {
		x.a, x.b, x.c = fragmentVolta(rowA), fragmentVolta(!rowB), fragmentVoltaC(each)
	} else {
		x.a, x.b, x.c = fragmentA(form), fragmentB(form), fragmentC(form, each)
	}
	d.in.macs = x.batch * x.m * x.n * x.k
	d.args(4)
	x.toD = d.fragmentOperand(d.arg(0), x.c, true)
	x.fromA, x.fromB, x.fromC = d.fragmentOperand(d.arg(1), x.a, false), d.fragmentOperand(d.arg(2), x.b, false), d.fragmentOperand(d.arg(3), x.c, false)
	if form.element == 8 {
		x.signedA, x.signedB = typeA == ".s8", typeB == ".s8"
		return x.integers
	}
	x.value = map[string]func(uint32, int) float64{".f16": halfElement, ".bf16": bfElement, ".tf32": tfElement}[typeA]
	x.half = each == 2
	return x.floats
}

// fragmentOperand is the registers of a fragment.
func (d *decoder) fragmentOperand(o operand, f fragment, result bool) []operandIndex {
	list := []operand{o}
	if o.kind == operandVector {
		list = o.list
	}
	if len(list) != f.registers() {
		d.fail("a fragment of %d registers, where %d should stand", len(list), f.registers())
		return nil
	}
	var indices []operandIndex
	for _, e := range list {
		switch {
		case result:
			indices = append(indices, d.dest(e, bits32))
		default:
			indices = append(indices, d.source(e, bits32))
		}
	}
	return indices
}

func halfElement(r uint32, i int) float64 { return float64(halves[r>>(16*i)&0xffff]) }
func bfElement(r uint32, i int) float64   { return float64(math.Float32frombits(r >> (16 * i) << 16)) }
func tfElement(r uint32, _ int) float64   { return float64(math.Float32frombits(r &^ 0x1fff)) }

// multiply is a decoded mma.
type multiply struct {
	tile
	name                string
	a, b, c             fragment
	toD                 []operandIndex
	fromA, fromB, fromC []operandIndex
	value               func(register uint32, element int) float64
	half                bool // C and D are fp16
	signedA, signedB    bool
}

// gather reads a fragment into a tile.
func gather[T any](w *warp, to []T, f fragment, registers []operandIndex, value func(uint32, int) T) {
	for r, index := range registers {
		from := w.src32(index)
		place := f.place[r*32*f.each:]
		for lane, v := range from {
			for i := range f.each {
				to[place[lane*f.each+i]] = value(v, i)
			}
		}
	}
}

func singleElement(r uint32, _ int) float64 { return float64(math.Float32frombits(r)) }

func (x *multiply) floats(w *warp, m uint32) {
	w.whole(m, "mma")
	var a, b [256]float64
	var c [256]float64
	gather(w, a[:], x.a, x.fromA, x.value)
	gather(w, b[:], x.b, x.fromB, x.value)
	if x.half {
		gather(w, c[:], x.c, x.fromC, halfElement)
	} else {
		gather(w, c[:], x.c, x.fromC, singleElement)
	}
	for batch := range x.batch {
		product(c[batch*x.m*x.n:], a[batch*x.m*x.k:], b[batch*x.n*x.k:], x.m, x.n, x.k)
	}
	for r, index := range x.toD {
		to := &w.r32[index]
		place := x.c.place[r*32*x.c.each:]
		for lane := range to {
			if x.half {
				to[lane] = fp16.round(c[place[2*lane]]) | fp16.round(c[place[2*lane+1]])<<16
			} else {
				to[lane] = bitsOf(float32(c[place[lane]]))
			}
		}
	}
}

// product adds A·B to C; A is m x k, B is n x k, C is m x n, and n is a multiple of 4. Four sums at
// a time keep the adder busy; each is summed in the order of k.
func product(c, a, b []float64, m, n, k int) {
	for i := range m {
		row := a[i*k : i*k+k]
		for j := 0; j < n; j += 4 {
			b0, b1, b2, b3 := b[j*k:][:len(row)], b[(j+1)*k:][:len(row)], b[(j+2)*k:][:len(row)], b[(j+3)*k:][:len(row)]
			to := c[i*n+j : i*n+j+4]
			s0, s1, s2, s3 := to[0], to[1], to[2], to[3]
			for l, v := range row {
				s0 += float64(v * b0[l])
				s1 += float64(v * b1[l])
				s2 += float64(v * b2[l])
				s3 += float64(v * b3[l])
			}
			to[0], to[1], to[2], to[3] = s0, s1, s2, s3
		}
	}
}

func signedByte(r uint32, i int) int32   { return int32(int8(r >> (8 * i))) }
func unsignedByte(r uint32, i int) int32 { return int32(uint8(r >> (8 * i))) }

func (x *multiply) integers(w *warp, m uint32) {
	w.whole(m, "mma")
	var a, b [512]int32
	var c [128]int32
	byteOf := func(signed bool) func(uint32, int) int32 {
		if signed {
			return signedByte
		}
		return unsignedByte
	}
	gather(w, a[:], x.a, x.fromA, byteOf(x.signedA))
	gather(w, b[:], x.b, x.fromB, byteOf(x.signedB))
	gather(w, c[:], x.c, x.fromC, func(r uint32, _ int) int32 { return int32(r) })
	for i := range x.m {
		row := a[i*x.k : i*x.k+x.k]
		for j := range x.n {
			col := b[j*x.k : j*x.k+x.k]
			sum := c[i*x.n+j]
			for l, v := range row {
				sum += v * col[l]
			}
			c[i*x.n+j] = sum
		}
	}
	for r, index := range x.toD {
		for lane := range 32 {
			w.r32[index][lane] = uint32(c[x.c.place[r*32+lane]])
		}
	}
}
