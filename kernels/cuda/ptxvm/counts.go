package ptxvm

import "math/bits"

// Class says which unit of a GPU an instruction keeps busy.
type Class int

// The classes.
const (
	ClassInteger  Class = iota // and logic, compares, selects, predicates
	ClassMove                  // mov, ld.param, cvta: mostly gone in machine code
	ClassFP32                  // fma, add, mul, min, max in fp32
	ClassFP64                  // the same in fp64
	ClassFP16                  // the same in fp16 and bf16, packed or not
	ClassSpecial               // rcp, ex2, lg2, sqrt, rsqrt, tanh, div, sin, cos
	ClassConvert               // cvt
	ClassMMA                   // mma.sync
	ClassGlobal                // ld and st of global memory
	ClassAsync                 // cp.async
	ClassShared                // ld and st of shared memory
	ClassLdmatrix              // ldmatrix
	ClassAtomic                // atom, red
	ClassWarp                  // shfl, vote, match, redux
	ClassControl               // bra, exit
	ClassBarrier               // bar, fence, waits
	Classes                    // how many there are
)

var classNames = [Classes]string{
	"integer", "move", "fp32", "fp64", "fp16", "special", "convert", "mma", "global", "async",
	"shared", "ldmatrix", "atomic", "warp", "control", "barrier",
}

func (c Class) String() string {
	if c < 0 || c >= Classes {
		return "unknown"
	}
	return classNames[c]
}

// MMACount is how often one tensor-core instruction was issued by a warp, and the
// multiply-adds it did.
type MMACount struct{ Count, MACs int64 }

// Counts is what the blocks that ran did. It does not depend on the order in which warps ran.
type Counts struct {
	Blocks             int
	WarpInstructions   [Classes]int64 // issued, also by a part of a warp
	ThreadInstructions int64          // those of threads that were not masked

	FMA32, FMA64, HFMA2 int64               // multiply-add instructions of threads; HFMA2 is fp16 or bf16, packed or not
	MMA                 map[string]MMACount // by instruction: mma.sync.aligned.m16n8k16...

	GlobalLoadBytes, GlobalStoreBytes     int64 // asked for by threads; cp.async and atomics too
	GlobalLoadSectors, GlobalStoreSectors int64 // pieces of 32 bytes, one warp instruction at a time

	SharedAccesses       int64 // warp instructions that touch shared memory, ldmatrix and cp.async's writes too
	SharedBytes          int64
	SharedConflictCycles int64 // cycles beyond one a group of lanes that 128 bytes serve
}

// Add adds o to c.
func (c *Counts) Add(o Counts) {
	c.Blocks += o.Blocks
	for i, n := range o.WarpInstructions {
		c.WarpInstructions[i] += n
	}
	c.ThreadInstructions += o.ThreadInstructions
	c.FMA32 += o.FMA32
	c.FMA64 += o.FMA64
	c.HFMA2 += o.HFMA2
	for name, n := range o.MMA {
		c.addMMA(name, n)
	}
	c.GlobalLoadBytes += o.GlobalLoadBytes
	c.GlobalStoreBytes += o.GlobalStoreBytes
	c.GlobalLoadSectors += o.GlobalLoadSectors
	c.GlobalStoreSectors += o.GlobalStoreSectors
	c.SharedAccesses += o.SharedAccesses
	c.SharedBytes += o.SharedBytes
	c.SharedConflictCycles += o.SharedConflictCycles
}

func (c *Counts) addMMA(name string, n MMACount) {
	if c.MMA == nil {
		c.MMA = map[string]MMACount{}
	}
	was := c.MMA[name]
	c.MMA[name] = MMACount{was.Count + n.Count, was.MACs + n.MACs}
}

// Warp is the number of warp instructions of all classes together.
func (c Counts) Warp() int64 {
	var sum int64
	for _, n := range c.WarpInstructions {
		sum += n
	}
	return sum
}

// tally is what one goroutine counts while blocks run.
type tally struct {
	issued    []int64 // by instruction: times a warp issued it
	masked    []int64 // by instruction: lanes that sat those out
	loads     int64   // sectors
	stores    int64
	conflicts int64
	blocks    int
}

// counts sums the tally up by class.
func (t *tally) counts(f *Function) Counts {
	c := Counts{
		Blocks: t.blocks, GlobalLoadSectors: t.loads, GlobalStoreSectors: t.stores, SharedConflictCycles: t.conflicts,
	}
	for i := range f.code {
		in, issued := &f.code[i], t.issued[i]
		threads := 32*issued - t.masked[i]
		c.WarpInstructions[in.class] += issued
		c.ThreadInstructions += threads
		switch in.tally {
		case tallyFMA32:
			c.FMA32 += threads
		case tallyFMA64:
			c.FMA64 += threads
		case tallyHFMA2:
			c.HFMA2 += threads
		case tallyMMA:
			if issued > 0 {
				c.addMMA(in.name, MMACount{issued, issued * int64(in.macs)})
			}
		}
		c.GlobalLoadBytes += threads * int64(in.loadBytes)
		c.GlobalStoreBytes += threads * int64(in.storeBytes)
		if in.sharedBytes > 0 {
			c.SharedAccesses += issued
			c.SharedBytes += threads * int64(in.sharedBytes)
		}
	}
	return c
}

// sectors counts the 32-byte pieces that the lanes of m touch, n bytes each. Neighbouring
// lanes in one piece count once; lanes out of order may count it again.
func sectors(addr *[32]uint64, offset uint64, n int, m uint32) int64 {
	var count int64
	last := ^uint64(0)
	for ; m != 0; m &= m - 1 {
		a := addr[bits.TrailingZeros32(m)&31] + offset
		first, end := a>>5, (a+uint64(n)-1)>>5
		if first == last {
			first++
		}
		if end+1 > first {
			count += int64(end + 1 - first)
		}
		last = end
	}
	return count
}
