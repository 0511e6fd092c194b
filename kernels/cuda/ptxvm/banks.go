package ptxvm

// conflicts is the count of cycles that a shared access by the lanes of m, n bytes each, takes beyond one for
// each group of lanes that 128 bytes serve. There are 32 banks of 4 bytes, and each gives one word a cycle;
// lanes that ask for the same word share it. Lanes are served in order: 32 at a time, or 16 of 8
// bytes, or 8 of 16 bytes.
func conflicts(addr *[32]uint64, n int, m uint32) int64 {
	group, shift := 32, 2
	switch {
	case n > 8:
		group, shift = 8, 4
	case n > 4:
		group, shift = 16, 3
	}
	var extra int64
	for first := 0; first < 32; first += group {
		if lanes := m >> first << (32 - group) >> (32 - group); lanes != 0 {
			extra += groupConflicts(addr[first:first+group], shift, lanes)
		}
	}
	return extra
}

// groupConflicts is that of one group. Accesses are aligned, so that each takes one slot: a bank, or
// two or four side by side.
func groupConflicts(addr []uint64, shift int, m uint32) int64 {
	var at [32]uint64
	var used uint32
	slots := uint64(128>>shift - 1)
	for i, a := range addr {
		if m>>uint(i)&1 == 0 {
			continue
		}
		word := a >> shift
		slot := word & slots & 31
		switch {
		case used>>slot&1 == 0:
			used |= 1 << slot
			at[slot] = word
		case at[slot] != word:
			return countConflicts(addr, shift, m)
		}
	}
	return 0
}

func countConflicts(addr []uint64, shift int, m uint32) int64 {
	var load [32]int64
	most := int64(1)
	for i, a := range addr {
		if m>>uint(i)&1 == 0 || askedBefore(addr[:i], a>>shift, shift, m) {
			continue
		}
		slot := a >> shift & uint64(128>>shift-1) & 31
		load[slot]++
		most = max(most, load[slot])
	}
	return most - 1
}

func askedBefore(addr []uint64, word uint64, shift int, m uint32) bool {
	for i, a := range addr {
		if m>>uint(i)&1 != 0 && a>>shift == word {
			return true
		}
	}
	return false
}
