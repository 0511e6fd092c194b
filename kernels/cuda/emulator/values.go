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
	keys, results []uint64
	used          []bool
	n             int
}

func newValueTable(size int) *valueTable {
	return &valueTable{keys: make([]uint64, size), results: make([]uint64, size), used: make([]bool, size)}
}

// slot is where the key is, or where it belongs.
func (t *valueTable) slot(key uint64) int {
	mask := len(t.keys) - 1
	i := int(key*0x9e3779b97f4a7c15>>32) & mask
	for t.used[i] && t.keys[i] != key {
		i = (i + 1) & mask
	}
	return i
}

// add makes a place for the key, and reports whether it is new.
func (t *valueTable) add(key uint64) bool {
	i := t.slot(key)
	if t.used[i] {
		return false
	}
	t.used[i], t.keys[i] = true, key
	if t.n++; 2*t.n > len(t.keys) {
		bigger := newValueTable(2 * len(t.keys))
		for j, used := range t.used {
			if used {
				k := bigger.slot(t.keys[j])
				bigger.used[k], bigger.keys[k], bigger.results[k] = true, t.keys[j], t.results[j]
			}
		}
		bigger.n = t.n
		*t = *bigger
	}
	return true
}

// byValue carries out a launch whose elements depend on their own operands alone: the kernel
// is run on the values that are new, and each element of the result is looked up.
func (j *job) byValue() error {
	key := made(j.launch.Entry, uint64(j.function.image.id))
	j.mu.Lock() // held to the end: what one learns serves the next
	defer j.mu.Unlock()
	t := j.values[key]
	if t == nil {
		t = newValueTable(1 << 18)
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
	for i := range n {
		if k := keyAt(i); t.add(k) {
			fresh = append(fresh, k)
		}
	}
	if err := j.learn(t, fresh, size, len(ops)); err != nil {
		return err
	}
	j.values[key] = t
	for i := range n {
		setElement(ops[0], i, size, t.results[t.slot(keyAt(i))])
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
		t.results[t.slot(k)] = element(bufs[0], i, size)
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
