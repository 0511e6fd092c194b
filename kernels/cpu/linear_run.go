package cpu

import "unsafe"

// multiply computes up to linearRows rows of a thread's columns.
func (ws *Weights[T, Y]) multiply(s *linearShare, y []Y, x []T, rows int) {
	if s.from == s.to {
		return
	}
	l, packed := ws.l, s.packed
	ws.chunks(func(from, to, records int) bool {
		for i := range rows {
			l.prepare(s.rows[i*l.stride:][:l.stride:l.stride], x[i*ws.k+from:i*ws.k+to])
		}
		for j := s.from; j < s.to; {
			if ws.pool.Stopped() {
				return false
			}
			columns := l.together(s.to-j, rows)
			bytes := roundUp(columns, linearPanel) / linearPanel * records * l.bytes
			l.multiply(s, panels[Y]{packed[:bytes], y[j:], ws.n, columns, rows, records, from > 0})
			packed, j = packed[bytes:], j+columns
		}
		return true
	})
}

// linearPanels is how many panels are multiplied in one call of a kernel, at most: work of some 50 µs. Between calls the
// stream of weights from memory would dry up.
const linearPanels = 64

// together is how many of the columns that are left are multiplied in one call: those of whole panels, or of one that is
// not. Where rows take several passes, these share a panel while it is in the caches.
func (l *Linear[T, Y]) together(left, rows int) int {
	if rows > l.tallest() || left < linearPanel {
		return min(left, linearPanel)
	}
	return min(left/linearPanel, linearPanels) * linearPanel
}

// tallest is how many rows a pass has at most.
func (l *Linear[T, Y]) tallest() int { return l.kernels[len(l.kernels)-1].rows }

// panels are some of a chunk, and the columns of y that they are for.
type panels[Y LinearSum] struct {
	packed                 []byte
	y                      []Y
	ldy                    int
	columns, rows, records int
	add                    bool
}

// multiply multiplies panels by all prepared rows, in as few passes as the tallest kernel allows, of about
// the same number of rows.
func (l *Linear[T, Y]) multiply(s *linearShare, p panels[Y]) {
	passes := (p.rows + l.tallest() - 1) / l.tallest()
	for pass := range passes {
		from, to := Split(p.rows, 1, passes, pass)
		a := s.args
		*a = linearArgs{
			w: unsafe.Pointer(unsafe.SliceData(p.packed)), x: unsafe.Pointer(&s.rows[from*l.stride]),
			y: unsafe.Pointer(&p.y[from*p.ldy]), ldy: p.ldy * 4,
			rows: to - from, deep: p.records, tile: unsafe.Pointer(&s.tile[0]), panels: max(1, p.columns/linearPanel),
		}
		if p.add {
			a.add = 1
		}
		kernel := l.kernel(to - from)
		if p.columns >= linearPanel {
			kernel(a)
			continue
		}
		// The kernel writes whole vectors: to where there is room for them.
		edge := unsafe.Slice((*Y)(unsafe.Pointer(&s.tile[len(s.tile)/2])), l.tallest()*linearPanel)
		a.y, a.ldy, a.add = unsafe.Pointer(&edge[0]), linearPanel*4, 0
		kernel(a)
		for i := range to - from {
			row := p.y[(from+i)*p.ldy:][:p.columns]
			for j, sum := range edge[i*linearPanel:][:p.columns] {
				if p.add {
					sum += row[j]
				}
				row[j] = sum
			}
		}
	}
}

// kernel is the lowest one that is tall enough for rows.
func (l *Linear[T, Y]) kernel(rows int) func(*linearArgs) {
	for _, k := range l.kernels {
		if k.rows >= rows {
			return k.run
		}
	}
	panic("linear: no kernel is tall enough")
}
