package emulator

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/ptxvm"
	"github.com/realflops/realflops/kernels/cuda/twin"
)

// How much is interpreted, in instructions of threads. A launch beyond budget is carried out by the
// twin, or by value; a block beyond blockBudget is counted at a smaller size and continued in
// a straight line.
const (
	budget      = 20 << 20
	blockBudget = 8 << 20
)

// image is a loaded module.
type image struct {
	*ptxvm.Module
	id content // of its text
}

// function is an entry point of a module.
type function struct {
	*ptxvm.Function
	image  *image
	shared int // bytes of dynamic shared memory that it may have
}

// runner carries out launches. What it learns of a launch's cost serves every device of the
// node.
type runner struct {
	log func(string, ...any)

	mu     sync.Mutex
	counts map[content]ptxvm.Counts
	values map[content]*valueTable
}

// job is one launch.
type job struct {
	*runner
	ctx      context.Context
	space    *space
	function *function
	entry    cuda.Entry // zero where it is none of kernels/cuda
	traits   traits
	launch   cuda.Launch
	sms      int
	flip     bool // one bit of the result is to be wrong
}

// result is the operand that a launch writes: by the convention of kernels/cuda the first.
func (t traits) result() operand { return t.operands[0] }

// run carries out the launch, as far as it changes anything, and counts what its blocks do.
func (j *job) run() (ptxvm.Counts, error) {
	if j.traits.operands == nil {
		n, err := j.interpret(j.space.Memory, j.launch, nil)
		j.space.forget()
		return n, err
	}
	id, err := j.outcome()
	if err != nil {
		return ptxvm.Counts{}, err
	}
	key := made(j.launch.Entry, append(slices.Clone(j.traits.scalars), uint64(j.function.image.id), uint64(j.launch.Grid), uint64(j.launch.Block), uint64(j.launch.Shared))...)
	j.mu.Lock()
	n, counted := j.counts[key]
	j.mu.Unlock()
	out := j.traits.result().extent
	if counted && (j.space.holds(out, id) || j.copied(out, id)) {
		return n, nil
	}
	j.space.wrote(out, 0)
	sampled, reduced, err := j.sample()
	if err != nil {
		return n, err
	}
	if !counted {
		n = sampled
	}
	switch {
	case sampled.ThreadInstructions <= budget || !j.traits.mapped && !twin.Has(j.launch.Entry):
		n, err = j.interpret(j.space.Memory, j.launch, nil)
	case j.traits.mapped:
		err = j.overlaid(reduced, j.byValue)
	default:
		err = j.overlaid(reduced, func() error { return twin.Run(j.launch, view{j.space.Memory}) })
	}
	if err != nil {
		return n, err
	}
	j.mu.Lock()
	j.counts[key] = n
	j.mu.Unlock()
	return n, j.settle(id)
}

// settle notes what the result holds now, once its bit is wrong that is to be.
func (j *job) settle(id content) error {
	out := j.traits.result().extent
	if j.flip {
		b, err := j.space.bytes(out)
		if err != nil {
			return err
		}
		b[len(b)/3] ^= 0x40 // a third of the way in, the second bit of a byte from the top
	}
	j.space.wrote(out, id)
	return nil
}

// outcome is the content that the launch will make of its operands' contents.
func (j *job) outcome() (content, error) {
	words := append(slices.Clone(j.traits.scalars), uint64(j.function.image.id), uint64(j.launch.Grid))
	for i, o := range j.traits.operands {
		if o.write {
			if _, err := j.space.bytes(o.extent); err != nil {
				return 0, fmt.Errorf("operand %d of %s: %w", i, j.launch.Entry, err)
			}
			continue
		}
		id, err := j.space.content(o.extent)
		if err != nil {
			return 0, fmt.Errorf("operand %d of %s: %w", i, j.launch.Entry, err)
		}
		words = append(words, uint64(id))
	}
	if j.flip {
		words = append(words, 1)
	}
	return made("launch "+j.launch.Entry, words...), nil
}

// copied fills out from another piece of memory that holds the same, if there is one.
func (j *job) copied(out extent, id content) bool {
	from, ok := j.space.find(id)
	if !ok || from.bytes() != out.bytes() {
		return false
	}
	b, err := j.space.bytes(from)
	if err != nil {
		return false
	}
	to, err := j.space.bytes(out)
	if err != nil {
		return false
	}
	copy(to, b)
	j.space.wrote(out, id)
	return true
}

// interpret runs the blocks (nil: all) of a launch of the job's function.
func (j *job) interpret(mem *ptxvm.Memory, l cuda.Launch, blocks []int) (ptxvm.Counts, error) {
	params := make([]byte, 0, 8*len(l.Params))
	for _, p := range l.Params {
		params = binary.LittleEndian.AppendUint64(params, p)
	}
	return ptxvm.Run(j.ctx, mem, ptxvm.Launch{
		Function: j.function.Function, Grid: l.Grid, Block: l.Block, Shared: l.Shared, Params: params, Blocks: blocks, SMs: j.sms,
	})
}

// sample interprets the first block, one in the middle and the last on a result that is
// poisoned before, and tells from them what all blocks do. reduced says that it was not this launch that
// ran but a smaller one of the same kind, so that the result is of no use.
func (j *job) sample() (n ptxvm.Counts, reduced bool, err error) {
	out, err := j.space.bytes(j.traits.result().extent)
	if err != nil {
		return n, false, err
	}
	repeatBytes(out, []byte{ptxvm.Poison})
	x0, x1, reduced := j.reduced()
	if !reduced {
		n, err = j.sampleAt(j.launch)
		return n, false, err
	}
	var at [2]ptxvm.Counts
	for i, x := range []uint64{x0, x1} {
		l := j.launch
		l.Params = slices.Clone(l.Params)
		l.Params[j.traits.linear] = x
		if at[i], err = j.sampleAt(l); err != nil {
			return n, true, err
		}
	}
	x := j.launch.Params[j.traits.linear]
	return line(at[0], at[1], float64(x0), float64(x1), float64(x)), true, nil
}

func (j *job) sampleAt(l cuda.Launch) (ptxvm.Counts, error) {
	var total ptxvm.Counts
	for _, s := range samples(l.Grid) {
		n, err := j.interpret(j.space.Memory, l, []int{s.block})
		if err != nil {
			return total, err
		}
		total.Add(scaled(n, float64(s.stands)))
	}
	return total, nil
}

// samples are blocks of a grid, each with the number of blocks that it stands for.
func samples(grid int) []struct{ block, stands int } {
	switch grid {
	case 1:
		return []struct{ block, stands int }{{0, 1}}
	case 2:
		return []struct{ block, stands int }{{0, 1}, {1, 1}}
	}
	return []struct{ block, stands int }{{0, 1}, {grid / 2, grid - 2}, {grid - 1, 1}}
}

// reduced is whether a block of the launch is too large to interpret, and the two sizes at
// which it is counted instead.
func (j *job) reduced() (x0, x1 uint64, ok bool) {
	t := j.traits
	if t.linear < 0 {
		return 0, 0, false
	}
	x, step := j.launch.Params[t.linear], uint64(64)
	perX := 256 * j.launch.Block // fma: instructions a block and iteration
	if t.m > 0 {
		perX = j.entry.TileM * j.entry.TileN
		if j.entry.Engine == cuda.MMA {
			perX, step = perX/32, 256
		}
	}
	x0 = step + x%t.unit
	if t.m == 0 {
		x0 = step + x%step
	}
	x1 = x0 + step
	return x0, x1, x > x1 && x*uint64(max(perX, 1)) > blockBudget
}

// overlaid carries out the whole launch by another way than interpretation, and puts on top what the sampled
// blocks wrote: a kernel that is wrong stays wrong. Where the two must agree bit for bit and do not,
// the log says so.
func (j *job) overlaid(reduced bool, whole func() error) error {
	r := j.traits.result()
	out, err := j.space.bytes(r.extent)
	if err != nil {
		return err
	}
	var runs []written
	if !reduced {
		runs = writtenIn(out, r.size)
	}
	if err := whole(); err != nil {
		return err
	}
	for _, w := range runs {
		if (j.traits.exact || j.traits.mapped) && !bytes.Equal(out[w.at:][:len(w.data)], w.data) {
			j.log("%s: a sampled block of the kernel and the reference differ at byte %d of the result; the kernel's is kept", j.launch.Entry, w.at)
		}
		copy(out[w.at:], w.data)
	}
	return nil
}

// written is a run of bytes that is not poison.
type written struct {
	at   int
	data []byte
}

func writtenIn(out []byte, size int) []written {
	poison := bytes.Repeat([]byte{ptxvm.Poison}, 4096/size*size)
	var runs []written
	for i := 0; i < len(out); {
		if n := min(len(poison), len(out)-i); bytes.Equal(out[i:i+n], poison[:n]) {
			i += n
			continue
		}
		if bytes.Equal(out[i:min(i+size, len(out))], poison[:min(size, len(out)-i)]) {
			i += size
			continue
		}
		start := i
		for i < len(out) && !bytes.Equal(out[i:min(i+size, len(out))], poison[:min(size, len(out)-i)]) {
			i += size
		}
		i = min(i, len(out))
		runs = append(runs, written{start, bytes.Clone(out[start:i])})
	}
	return runs
}
