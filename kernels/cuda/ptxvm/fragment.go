package ptxvm

import "math"

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

// spread takes the elements of one register of a fragment to their places in a tile.
type spread func(to *[256]float64, place []uint16, from *lanes32)

func spreadFP16(to *[256]float64, place []uint16, from *lanes32) {
	place = place[:64]
	for lane, v := range from {
		to[place[2*lane]&255] = float64(halves[v&0xffff])
		to[place[2*lane+1]&255] = float64(halves[v>>16])
	}
}

func spreadBF16(to *[256]float64, place []uint16, from *lanes32) {
	place = place[:64]
	for lane, v := range from {
		to[place[2*lane]&255] = float64(math.Float32frombits(v << 16))
		to[place[2*lane+1]&255] = float64(math.Float32frombits(v &^ 0xffff))
	}
}

func spreadTF32(to *[256]float64, place []uint16, from *lanes32) {
	place = place[:32]
	for lane, v := range from {
		to[place[lane]&255] = float64(math.Float32frombits(v &^ 0x1fff))
	}
}

func spreadFP32(to *[256]float64, place []uint16, from *lanes32) {
	place = place[:32]
	for lane, v := range from {
		to[place[lane]&255] = float64(math.Float32frombits(v))
	}
}

// gather reads a fragment into its tile.
func (f fragment) gather(w *warp, to *[256]float64, registers []operandIndex, s spread) {
	for r, index := range registers {
		s(to, f.place[r*32*f.each:], w.src32(index))
	}
}

func (f fragment) gatherBytes(w *warp, to *[512]int32, registers []operandIndex, signed bool) {
	for r, index := range registers {
		place := f.place[r*128 : r*128+128]
		for lane, v := range w.src32(index) {
			for i := range 4 {
				e := int32(v >> (8 * i) & 0xff)
				if signed {
					e = int32(int8(e))
				}
				to[place[4*lane+i]&511] = e
			}
		}
	}
}
