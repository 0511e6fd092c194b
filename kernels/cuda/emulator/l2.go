package emulator

// residency says which operands lie in a card's L2 cache: those used last, whole, as long
// as they fit together. An operand larger than the cache leaves nothing of use in it, for the part
// that a next pass starts with is the one that went first.
type residency struct {
	capacity int64
	recent   []extent // the latest last
}

// extent is a piece of memory, from lo up to hi.
type extent struct{ lo, hi uint64 }

func (e extent) bytes() int64           { return int64(e.hi - e.lo) }
func (e extent) overlaps(o extent) bool { return e.lo < o.hi && o.lo < e.hi }

// touch is an access to all of e: it is how many bytes were not there.
func (r *residency) touch(e extent) (missed int64) {
	missed = e.bytes()
	kept := r.recent[:0]
	for _, o := range r.recent {
		if !o.overlaps(e) {
			kept = append(kept, o)
			continue
		}
		missed -= int64(min(o.hi, e.hi) - max(o.lo, e.lo))
	}
	r.recent = kept
	if e.bytes() > r.capacity {
		r.recent = r.recent[:0]
		return max(missed, 0)
	}
	r.recent = append(r.recent, e)
	total := int64(0)
	for i := len(r.recent) - 1; i >= 0; i-- {
		if total += r.recent[i].bytes(); total > r.capacity {
			r.recent = append(r.recent[:0], r.recent[i+1:]...)
			break
		}
	}
	return max(missed, 0)
}
