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
		for j := s.from; j < s.to; j += linearPanel {
			if ws.pool.Stopped() {
				return false
			}
			p := panelOf[Y]{packed[:records*l.bytes], y[j:], ws.n, min(linearPanel, s.to-j), rows, records, from > 0}
			l.panel(s, p)
			packed = packed[records*l.bytes:]
		}
		return true
	})
}

// panelOf is a panel of a chunk, and the columns of y that it is for.
type panelOf[Y LinearSum] struct {
	packed                 []byte
	y                      []Y
	ldy                    int
	columns, rows, records int
	add                    bool
}

// panel multiplies a panel by all prepared rows, in as few passes as the tallest kernel allows, of about
// the same number of rows.
func (l *Linear[T, Y]) panel(s *linearShare, p panelOf[Y]) {
	tall := l.kernels[len(l.kernels)-1].rows
	passes := (p.rows + tall - 1) / tall
	for pass := range passes {
		from, to := Split(p.rows, 1, passes, pass)
		a := s.args
		*a = linearArgs{
			w: unsafe.Pointer(unsafe.SliceData(p.packed)), x: unsafe.Pointer(&s.rows[from*l.stride]),
			y: unsafe.Pointer(&p.y[from*p.ldy]), ldy: p.ldy * 4,
			rows: to - from, deep: p.records, tile: unsafe.Pointer(&s.tile[0]),
		}
		if p.add {
			a.add = 1
		}
		kernel := l.kernel(to - from)
		if p.columns == linearPanel {
			kernel(a)
			continue
		}
		// The kernel writes whole vectors: to where there is room for them.
		edge := unsafe.Slice((*Y)(unsafe.Pointer(&s.tile[len(s.tile)/2])), tall*linearPanel)
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
