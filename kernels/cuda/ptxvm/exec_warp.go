package ptxvm

import "math/bits"

func init() {
	opcode(decodeShfl, "shfl")
	opcode(decodeVote, "vote")
	opcode(decodeMatch, "match")
	opcode(decodeActivemask, "activemask")
	opcode(decodeRedux, "redux")
}

// decodeShfl decodes shfl.sync.{up,down,bfly,idx}.b32 d|p, a, b, c, members.
func decodeShfl(d *decoder) execute {
	d.in.class = ClassWarp
	mode := d.take(".up", ".down", ".bfly", ".idx")
	if !d.has(".sync") || d.typ() != bits32 || mode == "" {
		return nil
	}
	d.args(5)
	first := d.arg(0)
	inRange := int32(-1)
	if first.second != nil {
		inRange = d.destPred(*first.second)
		first.second = nil
	}
	to, a := d.dest(first, bits32), d.source(d.arg(1), bits32)
	b, c, named := d.source(d.arg(2), bits32), d.source(d.arg(3), bits32), d.source(d.arg(4), bits32)
	return func(w *warp, m uint32) {
		w.members(m, w.src32(named), "shfl.sync")
		value := *w.src32(a)
		result := w.r32[to]
		var valid uint32
		for l := m; l != 0; l &= l - 1 {
			i := bits.TrailingZeros32(l) & 31
			from, ok := shuffleSource(mode, uint32(i), w.src32(b)[i]&31, w.src32(c)[i])
			if ok {
				valid |= 1 << uint(i)
			} else {
				from = uint32(i)
			}
			if m>>from&1 == 0 {
				w.fail(FaultCollective, i, "shfl.sync from lane %d, which does not take part", from)
			}
			result[i] = value[from]
		}
		w.r32[to] = result
		if inRange >= 0 {
			w.setPred(inRange, m, valid)
		}
	}
}

// shuffleSource is the lane that lane i reads, and whether it is within i's segment (PTX ISA, shfl.sync).
func shuffleSource(mode string, i, b, c uint32) (uint32, bool) {
	segment := c >> 8 & 31
	clamp := c & 31
	top := i&segment | clamp&^segment
	bottom := i & segment
	switch mode {
	case ".up":
		return i - b, int32(i-b) >= int32(top)
	case ".down":
		return i + b, i+b <= top
	case ".bfly":
		return i ^ b, i^b <= top
	}
	from := bottom | b&^segment
	return from, from <= top
}

// decodeVote decodes vote.sync.{all,any,uni}.pred p, q, members and vote.sync.ballot.b32.
func decodeVote(d *decoder) execute {
	d.in.class = ClassWarp
	mode := d.take(".all", ".any", ".uni", ".ballot")
	if !d.has(".sync") || mode == "" {
		return nil
	}
	t := d.typ()
	d.args(3)
	p, not := d.pred(d.arg(1))
	named := d.source(d.arg(2), bits32)
	if mode == ".ballot" {
		to := d.dest(d.arg(0), bits32)
		return func(w *warp, m uint32) {
			w.members(m, w.src32(named), "vote.sync")
			w.setAll(to, m, (w.p[p]^not)&m)
		}
	}
	if t.kind != 'p' {
		return nil
	}
	to := d.destPred(d.arg(0))
	return func(w *warp, m uint32) {
		w.members(m, w.src32(named), "vote.sync")
		yes := (w.p[p] ^ not) & m
		holds := yes == m
		switch mode {
		case ".any":
			holds = yes != 0
		case ".uni":
			holds = yes == m || yes == 0
		}
		var all uint32
		if holds {
			all = everyLane
		}
		w.setPred(to, m, all)
	}
}

// setAll writes one value to the lanes of m.
func (w *warp) setAll(to int32, m, v uint32) {
	for i := range 32 {
		if m>>uint(i)&1 != 0 {
			w.r32[to][i] = v
		}
	}
}

// decodeMatch decodes match.any.sync.b32 d, a, members and match.all.sync.b32 d|p, a, members.
func decodeMatch(d *decoder) execute {
	d.in.class = ClassWarp
	mode := d.take(".any", ".all")
	if !d.has(".sync") || mode == "" {
		return nil
	}
	t := d.typ()
	if t != bits32 && t != bits64 {
		return nil
	}
	d.args(3)
	first := d.arg(0)
	all := int32(-1)
	if first.second != nil {
		all = d.destPred(*first.second)
		first.second = nil
	}
	to, a, named := d.dest(first, bits32), d.source(d.arg(1), t), d.source(d.arg(2), bits32)
	value := func(w *warp, i int) uint64 {
		if t.width == 64 {
			return w.src64(a)[i]
		}
		return uint64(w.src32(a)[i])
	}
	return func(w *warp, m uint32) {
		w.members(m, w.src32(named), "match.sync")
		var result [32]uint32
		same := true
		for i := range 32 {
			for j := range 32 {
				if (m>>uint(i))&(m>>uint(j))&1 == 0 {
					continue
				}
				if value(w, i) == value(w, j) {
					result[i] |= 1 << uint(j)
				} else {
					same = false
				}
			}
		}
		if mode == ".all" {
			var v uint32
			if same {
				v = m
			}
			w.setAll(to, m, v)
			if all >= 0 {
				w.setPred(all, m, boolMask(same))
			}
			return
		}
		move(&w.r32[to], &result, m)
	}
}

func boolMask(b bool) uint32 {
	if b {
		return everyLane
	}
	return 0
}

func decodeActivemask(d *decoder) execute {
	d.in.class = ClassWarp
	if d.typ() != bits32 {
		return nil
	}
	d.args(1)
	to := d.dest(d.arg(0), bits32)
	return func(w *warp, m uint32) { w.setAll(to, m, m) }
}

// decodeRedux decodes redux.sync.add.s32 d, a, members.
func decodeRedux(d *decoder) execute {
	d.in.class = ClassWarp
	name := d.take(".add", ".min", ".max", ".and", ".or", ".xor")
	if !d.has(".sync") || name == "" {
		return nil
	}
	t := d.typ()
	f := atomicOps[name].op(t)
	if t.width != 32 || t.kind == 'f' || f == nil {
		return nil
	}
	d.args(3)
	to, a, named := d.dest(d.arg(0), t), d.source(d.arg(1), t), d.source(d.arg(2), bits32)
	return func(w *warp, m uint32) {
		w.members(m, w.src32(named), "redux.sync")
		first := firstLane(m)
		v := uint64(w.src32(a)[first])
		for l := m & (m - 1); l != 0; l &= l - 1 {
			v = f(v, uint64(w.src32(a)[bits.TrailingZeros32(l)&31]))
		}
		w.setAll(to, m, uint32(v))
	}
}
