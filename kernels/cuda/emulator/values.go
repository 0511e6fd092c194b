package emulator

import (
	"encoding/binary"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/ptxvm"
)

// valueTable holds what an elementwise kernel makes of a value, or of a pair of them, as
// the interpreter computed it: so that a long operand costs its distinct values alone. It is an open hash
// table, for the operands of a benchmark hold 65536 values in tens of millions of elements.
type valueTable struct {
	entries []valueEntry // as many as a power of two, at most half of them in use
	n       int
}

type valueEntry struct {
	key    uint64
	result uint32
	state  valueState
}

type valueState uint32

const (
	unused valueState = iota
	asked             // the kernel is yet to be run on it
	known
)

func newValueTable(size int) *valueTable { return &valueTable{entries: make([]valueEntry, size)} }

// at is the entry of the key, or the unused one where it belongs.
func (t *valueTable) at(key uint64) *valueEntry {
	mask := len(t.entries) - 1
	for i := int(key*0x9e3779b97f4a7c15>>32) & mask; ; i = (i + 1) & mask {
		if e := &t.entries[i]; e.state == unused || e.key == key {
			return e
		}
	}
}

// ask notes a key that is not in the table.
func (t *valueTable) ask(e *valueEntry, key uint64) {
	e.key, e.state = key, asked
	if t.n++; 2*t.n > len(t.entries) {
		bigger := newValueTable(2 * len(t.entries))
		for _, e := range t.entries {
			if e.state != unused {
				*bigger.at(e.key) = e
			}
		}
		bigger.n = t.n
		*t = *bigger
	}
}

// byValue carries out a launch whose elements depend on their own operands alone: the kernel
// is run on the values that are new, and each element of the result is looked up.
func (j *job) byValue() error {
	key := made(j.launch.Entry, uint64(j.function.image.id))
	j.mu.Lock() // held to the end: what one learns serves the next
	defer j.mu.Unlock()
	t := j.values[key]
	if t == nil {
		t = newValueTable(1 << 17)
	}
	ops := make([][]byte, len(j.traits.operands))
	for i, o := range j.traits.operands {
		var err error
		if ops[i], err = j.space.bytes(o.extent); err != nil {
			return err
		}
	}
	delete(j.values, key) // until its new keys have results
	size := j.traits.result().size
	keyAt := func(i int) uint64 {
		k := element(ops[1], i, size)
		if len(ops) == 3 {
			k |= element(ops[2], i, size) << 32
		}
		return k
	}
	n := len(ops[0]) / size
	var fresh []uint64
	first := n // element whose result is not known yet
	for i := range n {
		k := keyAt(i)
		switch e := t.at(k); e.state {
		case known:
			setElement(ops[0], i, size, uint64(e.result))
			continue
		case unused:
			fresh = append(fresh, k)
			t.ask(e, k)
		}
		first = min(first, i)
	}
	if err := j.learn(t, fresh, size, len(ops)); err != nil {
		return err
	}
	j.values[key] = t
	for i := first; i < n; i++ {
		setElement(ops[0], i, size, uint64(t.at(keyAt(i)).result))
	}
	return nil
}

// learn interprets the kernel on the keys, in memory of its own.
func (j *job) learn(t *valueTable, keys []uint64, size, operands int) error {
	if len(keys) == 0 {
		return nil
	}
	mem := ptxvm.NewMemory(int64(operands*size*len(keys)) + 1<<20)
	ptrs := make([]cuda.Ptr, operands)
	bufs := make([][]byte, operands)
	for i := range ptrs {
		addr, err := mem.Alloc(int64(size * len(keys)))
		if err != nil {
			return err
		}
		if bufs[i], err = mem.Bytes(addr, int64(size*len(keys))); err != nil {
			return err
		}
		ptrs[i] = cuda.Ptr(addr)
	}
	for i, k := range keys {
		setElement(bufs[1], i, size, k)
		if operands == 3 {
			setElement(bufs[2], i, size, k>>32)
		}
	}
	l, err := j.entry.Launch(kernels.Shape{N: len(keys)}, j.sms, ptrs)
	if err != nil {
		return err
	}
	if _, err := j.interpret(mem, l, nil); err != nil {
		return err
	}
	for i, k := range keys {
		e := t.at(k)
		e.result, e.state = uint32(element(bufs[0], i, size)), known
	}
	return nil
}

func element(b []byte, i, size int) uint64 {
	if size == 2 {
		return uint64(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return uint64(binary.LittleEndian.Uint32(b[4*i:]))
}

func setElement(b []byte, i, size int, v uint64) {
	if size == 2 {
		binary.LittleEndian.PutUint16(b[2*i:], uint16(v))
		return
	}
	binary.LittleEndian.PutUint32(b[4*i:], uint32(v))
}
