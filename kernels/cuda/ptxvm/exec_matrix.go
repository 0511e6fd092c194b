package ptxvm

import "encoding/binary"

func init() { opcode(decodeLdmatrix, "ldmatrix") }

// decodeLdmatrix decodes ldmatrix.sync.aligned.m8n8.{x1,x2,x4}{.trans}.shared.b16: lane 8i+r gives the address of row r of
// matrix i; register i holds of matrix i (row g, columns 2q and 2q+1), transposed (rows 2q and 2q+1, column g).
func decodeLdmatrix(d *decoder) execute {
	d.in.class = ClassLdmatrix
	if !d.has(".sync") || !d.has(".aligned") || !d.has(".m8n8") {
		return nil
	}
	n := map[string]int{".x1": 1, ".x2": 2, ".x4": 4}[d.take(".x1", ".x2", ".x4")]
	trans := d.has(".trans")
	if d.take(".shared", ".shared::cta") == "" || d.typ() != bits16 || n == 0 {
		return nil
	}
	d.args(2)
	list := []operand{d.arg(0)}
	if d.arg(0).kind == operandVector {
		list = d.arg(0).list
	}
	if len(list) != n {
		d.fail("%d registers, where %d should stand", len(list), n)
		return nil
	}
	var to []int32
	for _, o := range list {
		to = append(to, d.dest(o, bits32))
	}
	from := d.target(d.arg(1), spaceShared)
	d.in.sharedBytes = 4 * n
	return func(w *warp, m uint32) {
		w.whole(m, "ldmatrix")
		var addr [32]uint64
		from.addresses(w, &addr)
		w.block.tally.conflicts += conflicts(&addr, 16, everyLane>>(32-8*n))
		for i, r := range to {
			var rows [8][]byte
			for row := range rows {
				rows[row] = w.readShared(addr[8*i+row], 16, 16, 8*i+row)
			}
			for lane := range 32 {
				g, q := lane/4, lane%4
				if trans {
					w.r32[r][lane] = uint32(binary.LittleEndian.Uint16(rows[2*q][2*g:])) |
						uint32(binary.LittleEndian.Uint16(rows[2*q+1][2*g:]))<<16
					continue
				}
				w.r32[r][lane] = binary.LittleEndian.Uint32(rows[g][4*q:])
			}
		}
	}
}
