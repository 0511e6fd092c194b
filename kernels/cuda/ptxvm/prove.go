package ptxvm

// maxProof bounds the work of proveWritten, in words of its sets; beyond it nothing is proven, and
// everything is checked while it runs.
const maxProof = 1 << 24

// proveWritten finds the registers that are written on every way to each of their uses, and takes the
// checks off those uses: what is left is checked while the function runs.
func (f *Function) proveWritten() {
	base, total := [3]int{}, 0
	for class, n := range f.registers {
		base[class] = total
		total += n
	}
	words := (total + 63) / 64
	starts := f.basicBlocks()
	defer f.markChecks()
	if len(starts)*words > maxProof {
		return
	}
	number := func(class int, r int32) int { return base[class] + int(r) }
	sets := newSets(len(starts), words)
	for i := range sets[0] {
		sets[0][i] = 0
	}
	for _, s := range f.specials {
		n := number(class32, s.register)
		sets[0][n>>6] |= 1 << (n & 63)
	}
	if !f.flow(starts, sets, number) {
		return
	}
	doubtful := make([]bool, total)
	for b, first := range starts {
		have := append([]uint64(nil), sets[b]...)
		for i := first; i < f.blockEnd(starts, b); i++ {
			f.code[i].prune(have, number, doubtful)
			f.code[i].note(have, number)
		}
	}
	for i := range f.code {
		f.code[i].keepWrites(number, doubtful)
	}
}

func newSets(n, words int) [][]uint64 {
	sets := make([][]uint64, n)
	for i := range sets {
		sets[i] = make([]uint64, words)
		for j := range sets[i] {
			sets[i][j] = ^uint64(0)
		}
	}
	return sets
}

// basicBlocks lists where straight pieces of code start.
func (f *Function) basicBlocks() []int {
	leader := make([]bool, len(f.code)+1)
	leader[0] = true
	for i := range f.code {
		switch f.code[i].flow {
		case flowBranch:
			leader[f.code[i].target], leader[i+1] = true, true
		case flowExit:
			leader[i+1] = true
		}
	}
	var starts []int
	for i := range f.code {
		if leader[i] {
			starts = append(starts, i)
		}
	}
	return starts
}

func (f *Function) blockEnd(starts []int, b int) int {
	if b+1 < len(starts) {
		return starts[b+1]
	}
	return len(f.code)
}

// flow lets the sets of registers written before each piece settle: a register is in one if
// it is in all that lead there. It is false if that takes too long.
func (f *Function) flow(starts []int, sets [][]uint64, number func(int, int32) int) bool {
	at := make([]int32, len(f.code)+1)
	for b, first := range starts {
		at[first] = int32(b)
	}
	var have []uint64
	work := 0
	for changed := true; changed; {
		changed = false
		if work += len(f.code) + len(starts)*len(sets[0]); work > 8*maxProof {
			return false
		}
		meet := func(target int) {
			if target >= len(f.code) {
				return
			}
			set := sets[at[target]]
			for i, w := range have {
				if set[i]&^w != 0 {
					set[i] &= w
					changed = true
				}
			}
		}
		for b, first := range starts {
			have = append(have[:0], sets[b]...)
			end := f.blockEnd(starts, b)
			for i := first; i < end; i++ {
				f.code[i].note(have, number)
			}
			last := &f.code[end-1]
			if last.flow == flowBranch {
				meet(int(last.target))
			}
			if last.guard >= 0 || last.flow != flowBranch && last.flow != flowExit {
				meet(end)
			}
		}
	}
	return true
}

// note adds what the instruction surely writes.
func (in *instruction) note(have []uint64, number func(int, int32) int) {
	if in.guard >= 0 {
		return
	}
	for class := range in.writes {
		for _, r := range in.writes[class] {
			n := number(class, r)
			have[n>>6] |= 1 << (n & 63)
		}
	}
}

// prune drops the reads that need no check.
func (in *instruction) prune(have []uint64, number func(int, int32) int, doubtful []bool) {
	proven := func(class int, r int32) bool {
		n := number(class, r)
		if have[n>>6]>>(n&63)&1 != 0 {
			return true
		}
		doubtful[n] = true
		return false
	}
	for class := range in.reads {
		kept := in.reads[class][:0]
		for _, r := range in.reads[class] {
			if !proven(class, r) {
				kept = append(kept, r)
			}
		}
		in.reads[class] = kept
	}
	if in.guard >= 0 {
		in.guardChecked = !proven(classPred, in.guard)
	}
}

// keepWrites drops the notes of writes that no check asks for.
func (in *instruction) keepWrites(number func(int, int32) int, doubtful []bool) {
	for class := range in.writes {
		kept := in.writes[class][:0]
		for _, r := range in.writes[class] {
			if doubtful[number(class, r)] {
				kept = append(kept, r)
			}
		}
		in.writes[class] = kept
	}
}

// markChecks notes which instructions have something to check.
func (f *Function) markChecks() {
	for i := range f.code {
		in := &f.code[i]
		for class := range in.reads {
			in.checked = in.checked || len(in.reads[class]) > 0
			in.marked = in.marked || len(in.writes[class]) > 0
		}
	}
}
