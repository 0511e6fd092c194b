package ptxvm

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
	x := &multiply{tile: form.tile}
	if volta {
		x.a, x.b, x.c = fragmentVolta(rowA), fragmentVolta(!rowB), fragmentVoltaC(each)
	} else {
		x.a, x.b, x.c = fragmentA(form), fragmentB(form), fragmentC(form, each)
	}
	d.in.macs = x.batch * x.m * x.n * x.k
	d.args(4)
	x.toD = d.fragmentOperand(d.arg(0), x.c, true)
	x.fromA = d.fragmentOperand(d.arg(1), x.a, false)
	x.fromB = d.fragmentOperand(d.arg(2), x.b, false)
	x.fromC = d.fragmentOperand(d.arg(3), x.c, false)
	if form.element == 8 {
		x.signedA, x.signedB = typeA == ".s8", typeB == ".s8"
		return x.integers
	}
	x.ab = map[string]spread{".f16": spreadFP16, ".bf16": spreadBF16, ".tf32": spreadTF32}[typeA]
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

// multiply is a decoded mma.
type multiply struct {
	tile
	a, b, c             fragment
	toD                 []operandIndex
	fromA, fromB, fromC []operandIndex
	ab                  spread // of A and B, where they are floating-point
	half                bool   // C and D are fp16
	signedA, signedB    bool   // of integers
}

func (x *multiply) floats(w *warp, m uint32) {
	w.whole(m, "mma")
	var a, b, c [256]float64
	x.a.gather(w, &a, x.fromA, x.ab)
	x.b.gather(w, &b, x.fromB, x.ab)
	if x.half {
		x.c.gather(w, &c, x.fromC, spreadFP16)
	} else {
		x.c.gather(w, &c, x.fromC, spreadFP32)
	}
	for batch := range x.batch {
		product(c[batch*x.m*x.n:], a[batch*x.m*x.k:], b[batch*x.n*x.k:], x.tile)
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

func (x *multiply) integers(w *warp, m uint32) {
	w.whole(m, "mma")
	var a, b [512]int32
	var c [128]int32
	x.a.gatherBytes(w, &a, x.fromA, x.signedA)
	x.b.gatherBytes(w, &b, x.fromB, x.signedB)
	for r, index := range x.fromC {
		for lane, v := range w.src32(index) {
			c[x.c.place[r*32+lane]] = int32(v)
		}
	}
	product(c[:], a[:], b[:], x.tile)
	for r, index := range x.toD {
		for lane := range 32 {
			w.r32[index][lane] = uint32(c[x.c.place[r*32+lane]])
		}
	}
}

// product adds A·B to C; A is m x k, B is n x k, C is m x n, and n is a multiple of 4. Four sums at
// a time keep the adder busy; each is summed in the order of k.
func product[T float64 | int32](c, a, b []T, t tile) {
	k, n := t.k, t.n
	for i := range t.m {
		row := a[i*k : i*k+k]
		for j := 0; j < n; j += 4 {
			b0, b1, b2, b3 := b[j*k:][:len(row)], b[(j+1)*k:][:len(row)], b[(j+2)*k:][:len(row)], b[(j+3)*k:][:len(row)]
			to := c[i*n+j : i*n+j+4]
			s0, s1, s2, s3 := to[0], to[1], to[2], to[3]
			for l, v := range row {
				s0 += T(v * b0[l])
				s1 += T(v * b1[l])
				s2 += T(v * b2[l])
				s3 += T(v * b3[l])
			}
			to[0], to[1], to[2], to[3] = s0, s1, s2, s3
		}
	}
}
