package cpu

// blocking is how a product is cut into pieces that stay in a cache, after K. Goto and R. van de Geijn, "Anatomy of
// high-performance matrix multiplication", ACM TOMS 34(3), 2008: a block of A, MC x KC, and one of B, KC x NC, are packed
// into panels that the microkernel reads from end to end.
type blocking struct {
	MC, KC, NC int // the largest blocks
}

// blocksFor is the blocking of f for caches of the given sizes in bytes (0 or less where not
// known). A panel of A fits into L1, through which the panels of B and C stream, and is no longer than 512 steps of the
// microkernel: beyond, loading and storing C takes too little to gain by. A block of B takes 3/8 of L2 (n = 512 .. 2048 on a
// Zen 4: half a percent more than 9/16), beside the panels of A that pass by. A block of A, of which
// two exist, lies in L3: 2048 rows.
func (f *tiles) blocksFor(l1, l2 int) blocking {
	if l1 <= 0 {
		l1 = 32 << 10
	}
	if l2 <= 0 {
		l2 = 512 << 10
	}
	const mostSteps, least = 512, 128
	steps := min(mostSteps, l1/(f.MR*f.KStep*f.PackedBytes))
	kc := max(least, steps*f.KStep)
	kc = max(f.alignK(), kc/f.alignK()*f.alignK())
	return blocking{
		MC: roundUp(2048, f.MR),
		KC: kc,
		NC: max(2, l2*3/8/f.panelB(f.NR, kc)) * f.NR,
	}
}

// blocks is the blocking for this CPU.
func (f *tiles) blocks() blocking { return f.blocksFor(cacheL1, cacheL2) }

// alignK is what blocks along k are multiples of: whole steps, and enough of them that loops and packers, which take
// several at once, seldom have a rest.
func (f *tiles) alignK() int { return roundUp(16, f.KStep) }

// evenBlock is the size, a multiple of align, of the fewest equal blocks of at most limit
// that cover n.
func evenBlock(n, limit, align int) int {
	blocks := max(1, (n+limit-1)/limit)
	return roundUp((n+blocks-1)/blocks, align)
}
